"""Offsets of an object's distances that make its silhouettes right where its code can't.

Every node of the lattice is free: a sparse least-squares problem whose rows are the conditions of the viewing rays
(`silhouette_rays`) and whose regularity asks for offsets that are small and smooth. Conditions are one-sided, so it is
solved a few times, each time with those that are violated or nearly so.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix, diags, eye, kron
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.silhouette_rays import SilhouetteRays

ROUNDS = 6
SMOOTHNESS, SMALLNESS = 0.02, 0.01
"""Weights of squared differences between neighbouring nodes and of squared offsets, in cells, beside one condition."""
_NEARLY = 0.3
"""Cells short of a violation from which a condition keeps what it has."""
_STEPS = 40


@torch.no_grad()
def free_form_offsets(decoder: ShapeDecoder, rays: SilhouetteRays, code: Tensor) -> Tensor:
    """Offsets of the distances of all nodes.

    Args:
        decoder: of the class.
        rays: conditions.
        code: (S,) shape code that stays.

    Returns:
        (X, Y, Z) float32 cells; zeros at outermost nodes, so that the surface stays closed.
    """
    base = decoder(code[None])[0]
    offsets = torch.zeros_like(base)
    regularity = SMOOTHNESS * _roughness(decoder.grid_shape) + SMALLNESS * eye(base.numel(), format="csr")
    free = _inner(decoder.grid_shape)
    for _ in range(ROUNDS):
        residual, rows = _conditions(decoder, rays, base + offsets)
        gradient = rows.T @ residual - regularity @ offsets.cpu().numpy().reshape(-1)
        step = _solve(rows, regularity, gradient * free, free)
        offsets += torch.from_numpy(step.astype(np.float32)).reshape(base.shape).to(base)
        if float(np.abs(step).max()) < 0.02:
            break
    return offsets


def _conditions(decoder: ShapeDecoder, rays: SilhouetteRays, sdf: Tensor) -> tuple[np.ndarray, csr_matrix]:
    """What offsets should change (M,), cells, and where (M, nodes): the trilinear weights of the places."""
    distances = rays.distances(sdf)
    least, place = distances.min(dim=1)
    wanting = (rays.inside & (least > rays.wanted - _NEARLY)).nonzero().squeeze(1)
    # A ray outside must be free along all of its way, one inside meets the surface at one place.
    empty = (~rays.inside[:, None] & (distances < rays.wanted[:, None] + _NEARLY)).nonzero()
    ray, sample = torch.cat([wanting, empty[:, 0]]), torch.cat([place[wanting], empty[:, 1]])
    change = rays.wanted[ray] - distances[ray, sample]
    change = torch.where(rays.inside[ray], change.clamp_max(0.0), change.clamp_min(0.0))
    # The deepest place of a ray says as much as the way through a whole body.
    count = torch.bincount(ray, minlength=len(least))[ray]
    weight = (rays.weight[ray] / count).sqrt()
    nodes, shares = decoder.trilinear(rays.points[ray, sample])
    flat = torch.arange(len(ray)).repeat_interleave(8).numpy()
    values = (shares * weight[:, None]).reshape(-1).cpu().numpy().astype(np.float64)
    rows = coo_matrix((values, (flat, nodes.reshape(-1).cpu().numpy())), shape=(len(ray), sdf.numel())).tocsr()
    return (change * weight).cpu().numpy().astype(np.float64), rows


def _solve(rows: csr_matrix, regularity: csr_matrix, gradient: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Conjugate gradients on the normal equations of the free nodes."""
    transposed = rows.T.tocsr()
    diagonal = np.asarray(rows.multiply(rows).sum(axis=0)).reshape(-1) + regularity.diagonal()

    def normal(values: np.ndarray) -> np.ndarray:
        inner = values.reshape(-1) * free
        return (transposed @ (rows @ inner) + regularity @ inner) * free

    size = len(gradient)
    operator = LinearOperator((size, size), matvec=normal, dtype=np.float64)
    scaling = LinearOperator((size, size), matvec=lambda values: values.reshape(-1) / diagonal, dtype=np.float64)
    solution, _ = cg(operator, gradient, rtol=1e-3, maxiter=_STEPS, M=scaling)
    return solution * free


@lru_cache(maxsize=8)
def _roughness(shape: tuple[int, int, int]) -> csr_matrix:
    """Quadratic form of the squared differences between neighbouring nodes."""
    total = None
    for axis in range(3):
        parts = [eye(count, format="csr") for count in shape]
        step = diags([-1.0, 1.0], [0, 1], shape=(shape[axis] - 1, shape[axis]))
        parts[axis] = (step.T @ step).tocsr()
        form = kron(kron(parts[0], parts[1]), parts[2], format="csr")
        total = form if total is None else total + form
    return total


def _inner(shape: tuple[int, int, int]) -> np.ndarray:
    """(nodes,) float64: 1 for nodes that may move, 0 for outermost ones."""
    mask = np.zeros(shape)
    mask[1:-1, 1:-1, 1:-1] = 1.0
    return mask.reshape(-1)
