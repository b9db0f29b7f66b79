"""Meshes of the prior, linearised once and shared by every object that starts from them.

Decoding and its Jacobian cost far more than a step of the solver. Objects therefore start from a
small set of typical codes per class and move on the linearised decoder; the code that comes out is
typical code plus offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from airside_perception.prior import ObjectPrior


@dataclass(frozen=True)
class LinearShape:
    """A decoded mesh and how it moves in the directions that the refiner solves for.

    Attributes:
        shape_code, texture_code: (S,), (T,) float32 around which it is linear.
        vertices: (V, 3) float32, box-normalised.
        faces: (F, 3) int32.
        normals, colors: (V, 3) float32.
        directions: (K, S) float32, code change per unit of each shape parameter (one standard deviation).
        shape_columns: (V, 3, K) float32, d vertices / d shape parameter.
        texture_columns: (V, 3, T) float32, d colours / d texture code.
        size: (3,) float64 typical metres, or None where the prior doesn't know.
    """

    shape_code: np.ndarray
    texture_code: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    directions: np.ndarray
    shape_columns: np.ndarray
    texture_columns: np.ndarray
    size: np.ndarray | None

    def offset_of(self, shape_code: np.ndarray, limit: float) -> np.ndarray:
        """(K,) shape parameters that come nearest to `shape_code` (S,), clipped to +-`limit` standard deviations.

        Least squares: the directions are independent but not orthogonal.
        """
        difference = np.asarray(shape_code, np.float64) - self.shape_code
        offset = np.linalg.lstsq(self.directions.T.astype(np.float64), difference, rcond=None)[0]
        return np.clip(offset, -limit, limit)


@dataclass(frozen=True)
class _TypicalObject:
    """Codes (S,), (T,) float32 and size (3,) float64 metres, or None, of a shape that is not decoded yet."""

    shape_code: np.ndarray
    texture_code: np.ndarray
    size: np.ndarray | None


def _typical_objects(prior: ObjectPrior, class_name: str) -> list[_TypicalObject]:
    """The prototypes of a class; the class mean where there are none."""
    to_numpy = lambda tensor: np.asarray(tensor.detach().cpu())  # noqa: E731
    found = [
        _TypicalObject(to_numpy(each.shape), to_numpy(each.texture), to_numpy(each.size).astype(np.float64))
        for each in prior.prototypes(class_name)
    ]
    shape, texture = prior.mean_codes(class_name)
    return found or [_TypicalObject(to_numpy(shape), to_numpy(texture), None)]


class ShapeLibrary:
    """Typical shapes of each class of a prior.

    Args:
        prior: the loaded prior.
        parameters: number of shape directions K, by falling variance of the class's codes.
        level: level of detail, see `ObjectPrior.decode`.
    """

    def __init__(self, prior: ObjectPrior, parameters: int = 4, level: str | int = "refine"):
        self._prior, self._level = prior, level
        self.shape_parameters = parameters
        self._typical = {name: _typical_objects(prior, name) for name in prior.class_names}
        self._shapes: dict[tuple[str, int], LinearShape] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that can be rendered."""
        return tuple(self._prior.class_names)

    def shape(self, class_name: str, index: int) -> LinearShape:
        """One typical shape; decoded at the first call, a few tens of milliseconds."""
        if (class_name, index) not in self._shapes:
            self._shapes[class_name, index] = self._linearise(class_name, self._typical[class_name][index])
        return self._shapes[class_name, index]

    def shapes(self, class_name: str) -> list[LinearShape]:
        """All typical shapes of a class."""
        return [self.shape(class_name, index) for index in range(len(self._typical[class_name]))]

    def by_size(self, class_name: str, size: np.ndarray, count: int) -> list[int]:
        """Indices of the `count` typical shapes whose proportions and size fit `size` (3,) best."""
        typical = self._typical[class_name]
        if typical[0].size is None or len(typical) <= 1:
            return list(range(min(count, len(typical))))
        difference = np.log(np.array([each.size for each in typical])) - np.log(np.maximum(size, 0.05))
        return [int(i) for i in np.argsort(np.abs(difference).sum(axis=1), kind="stable")[:count]]

    def nearest(self, class_name: str, shape_code: np.ndarray) -> int:
        """Index of the typical shape whose code is nearest to `shape_code` (S,)."""
        codes = np.array([each.shape_code for each in self._typical[class_name]])
        return int(np.argmin(((codes - shape_code) ** 2).sum(axis=1)))

    def _linearise(self, class_name: str, typical: _TypicalObject) -> LinearShape:
        linear = self._prior.decode_linearized(class_name, typical.shape_code, typical.texture_code, self._level)
        to_numpy = lambda tensor: tensor.detach().cpu().numpy()  # noqa: E731
        mesh = linear.mesh
        vertices = to_numpy(mesh.vertices).astype(np.float64)
        # The box is the mesh's own: an object's size then means the same for every shape.
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        stretch = 1.0 / np.maximum(high - low, 1e-3)
        jacobian = to_numpy(linear.shape_jacobian).astype(np.float64) * stretch[None, :, None]
        covariance = to_numpy(self._prior.code_covariance(class_name)[0]).astype(np.float64)
        directions = _strongest_directions(jacobian, covariance, self.shape_parameters)
        columns = np.clip(np.einsum("vcs,ks->vck", jacobian, directions), -0.25, 0.25)
        order = np.argsort(-np.square(columns).sum(axis=(0, 1)), kind="stable")
        directions, columns = directions[order], columns[:, :, order]
        return LinearShape(
            typical.shape_code,
            typical.texture_code,
            ((vertices - (low + high) / 2) * stretch).astype(np.float32),
            to_numpy(mesh.faces),
            to_numpy(mesh.normals),
            to_numpy(mesh.colors),
            directions.astype(np.float32),
            columns.astype(np.float32),
            to_numpy(linear.texture_jacobian),
            typical.size,
        )


def _strongest_directions(jacobian: np.ndarray, covariance: np.ndarray, count: int) -> np.ndarray:
    """(K, S) code changes, one standard deviation each, that move the surface most.

    Args:
        jacobian: (V, 3, S) of the vertices in the code.
        covariance: (S, S) of the class's codes.
        count: K.
    """
    root = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))
    # Products in torch, whose threads are limited: on a busy machine those of numpy wait for each other, and
    # starting then takes 25 s instead of 4.
    # Where an edge barely crosses the surface its entries explode; such vertices must not choose the directions.
    flat = (torch.from_numpy(jacobian.reshape(-1, jacobian.shape[2])) @ torch.from_numpy(root)).clamp(-0.5, 0.5)
    _, vectors = torch.linalg.eigh(flat.T @ flat)
    return vectors.numpy()[:, ::-1][:, :count].T @ root.T
