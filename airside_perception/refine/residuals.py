"""Rendered silhouettes of all objects in all views, their residuals and Jacobians, in one batch.

One rasteriser launch per step. The derivative of a blurred silhouette B in a parameter is
-grad(B) . flow, where flow is the image motion of the surface under that parameter: exact for the
outline up to the blur, and free of a render per parameter.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as functional

from airside_perception.refine.inside_residuals import InsideResiduals, InsideTerms, central_differences
from airside_perception.refine.shape_library import LinearShape
from airside_perception.refine.views import View
from airside_perception.rendering import interpolate, rasterize

POSE_PARAMETERS = 6
"""x, y, yaw, log length, log width, log height; shape parameters follow."""

HUBER = 0.3
"""Silhouette residuals above this count linearly."""


@dataclass(frozen=True)
class Poses:
    """State of all objects.

    Attributes:
        ground: (N, 3) float64 odom, point on the ground under each box centre.
        yaw: (N,) radians.
        log_size: (N, 3).
        shape: (N, K) offsets along the shape directions, standard deviations.
    """

    ground: np.ndarray
    yaw: np.ndarray
    log_size: np.ndarray
    shape: np.ndarray

    def moved(self, step: np.ndarray) -> Poses:
        """After a step (N, 6 + K) in the order of POSE_PARAMETERS."""
        ground = self.ground.copy()
        ground[:, :2] += step[:, :2]
        return Poses(ground, self.yaw + step[:, 2], self.log_size + step[:, 3:6], self.shape + step[:, 6:])

    def where(self, mask: np.ndarray, other: Poses) -> Poses:
        """Own state where `mask` (N,), else `other`'s."""
        keep = mask[:, None]
        return Poses(
            np.where(keep, self.ground, other.ground),
            np.where(mask, self.yaw, other.yaw),
            np.where(keep, self.log_size, other.log_size),
            np.where(keep, self.shape, other.shape),
        )

    def boxes(self) -> np.ndarray:
        """(N, 7) float64 boxes in odom."""
        size = np.exp(self.log_size)
        center = self.ground + np.stack([0 * size[:, 2], 0 * size[:, 2], size[:, 2] / 2], axis=1)
        return np.concatenate([center, size, self.yaw[:, None]], axis=1)


@dataclass(frozen=True)
class StepTerms:
    """What one evaluation yields, per view.

    Attributes:
        mask: (C, P, P) float32, rendered silhouette (hard).
        hessian: (C, D, D) float64, sum of w J J^T, or None.
        gradient: (C, D) float64, sum of w J r, or None.
        cost: (C,) float64, weighted mean absolute residual at the reference blur.
        energy: (C,) float64, weighted sum of Huber losses at the reference blur.
    """

    mask: torch.Tensor
    hessian: np.ndarray | None
    gradient: np.ndarray | None
    cost: np.ndarray
    energy: np.ndarray

    def with_views(self, places: np.ndarray, other: StepTerms, taken: np.ndarray) -> StepTerms:
        """Own terms, but at `places` those of `other` where `taken` (bool, its views), which may be fewer views.

        The masks stay as they were: both hold Jacobians.
        """
        values = {}
        for name in ("hessian", "gradient", "cost", "energy"):
            values[name] = getattr(self, name).copy()
            values[name][places] = getattr(other, name)[taken]
        return replace(self, **values)


class SilhouetteBatch:
    """All views of all objects of a frame, packed for one launch.

    Args:
        views: the crops, in the order of the batch.
        shapes: one LinearShape per object.

    Attributes:
        object_of_view: (C,) int.
        weight: (C, P, P) float32 in 0..1.
        information: (C,) float64, see `View`.
    """

    def __init__(self, views: list[View], shapes: list[LinearShape]):
        self.views, self.shapes = views, shapes
        self._pack()
        self._vertices = np.concatenate([shapes[i].vertices for i in self.object_of_view]).astype(np.float64)
        columns = np.concatenate([shapes[i].shape_columns for i in self.object_of_view])
        # One contiguous (V, 3) array per shape parameter: sums over them then run at the speed of memory.
        self._columns = np.ascontiguousarray(np.moveaxis(columns, 2, 0), np.float32)
        self._clip = np.stack([v.clip_from_odom for v in views])
        self._linear = np.array([v.crop.is_linear for v in views])
        self._target = torch.from_numpy(np.stack([v.target for v in views]).astype(np.float32))
        self.weight = torch.from_numpy(np.stack([v.weight for v in views]).astype(np.float32))
        self._softness = np.array([v.softness_px for v in views])
        self.information = np.array([v.information for v in views])
        self._blurred_targets: dict[float, torch.Tensor] = {}
        self._inside: tuple[tuple[InsideResiduals, np.ndarray], ...] = ()

    def compare_inside(self, residuals: InsideResiduals, weight: float | np.ndarray) -> None:
        """From now on compare what lies inside of the outlines, too.

        Args:
            residuals: of this batch's views and shapes.
            weight: information of a residual over that of a silhouette residual, of all views or each of (C,).
        """
        weights = np.broadcast_to(np.asarray(weight, np.float64), (len(self.views),))
        self._inside = (*self._inside, (residuals, weights))

    def _pack(self) -> None:
        """Where the vertices and faces of each view lie."""
        self.object_of_view = np.array([v.object_index for v in self.views], int)
        shapes = [self.shapes[i] for i in self.object_of_view]
        counts = np.array([len(shape.vertices) for shape in shapes], int)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        face_counts = np.array([len(shape.faces) for shape in shapes], int)
        face_starts = np.concatenate([[0], np.cumsum(face_counts)[:-1]])
        faces = [shape.faces + start for shape, start in zip(shapes, self._starts[:-1], strict=True)]
        self._faces = torch.from_numpy(np.concatenate(faces).astype(np.int32))
        self._ranges = torch.from_numpy(np.stack([face_starts, face_counts], axis=1).astype(np.int32))
        self._view_of_vertex = np.repeat(np.arange(len(self.views)), counts)
        self._object_of_vertex = self.object_of_view[self._view_of_vertex]

    def only(self, views: np.ndarray) -> SilhouetteBatch:
        """The same batch with some of its views: increasing indices (M,). Poses go on to hold all objects."""
        if len(views) == len(self.views):
            return self
        part = copy.copy(self)
        kept = np.zeros(len(self.views), bool)
        kept[views] = True
        of_kept = kept[self._view_of_vertex]
        part.views = [self.views[i] for i in views]
        part._pack()
        part._vertices, part._columns = self._vertices[of_kept], self._columns[:, of_kept]
        part._clip, part._linear, part._softness = self._clip[views], self._linear[views], self._softness[views]
        part.information = self.information[views]
        part._target, part.weight = self._target[views], self.weight[views]
        part._blurred_targets = {sigma: target[views] for sigma, target in self._blurred_targets.items()}
        part._inside = tuple((each.only(views, of_kept), weight[views]) for each, weight in self._inside)
        return part

    @property
    def size(self) -> int:
        """Edge of the crops, pixels."""
        return self.views[0].crop.width

    def discount(self, mask: torch.Tensor) -> None:
        """Take weight from pixels that other objects explain: `mask` (C, P, P) in 0..1."""
        self.weight = self.weight * (1 - mask.clamp(0, 1))

    def scale(self, factors: np.ndarray) -> None:
        """Multiply the weight of each view by its factor (C,)."""
        self.weight = self.weight * torch.from_numpy(factors.astype(np.float32))[:, None, None]

    def surface(self, poses: Poses) -> np.ndarray:
        """(V, 3) float64 vertices in odom of every view's object."""
        metric = self._metric(poses)
        owner = self._object_of_vertex
        cosine, sine = np.cos(poses.yaw)[owner], np.sin(poses.yaw)[owner]
        ground = poses.ground[owner]
        x = cosine * metric[:, 0] - sine * metric[:, 1]
        y = sine * metric[:, 0] + cosine * metric[:, 1]
        return np.stack([ground[:, 0] + x, ground[:, 1] + y, ground[:, 2] + metric[:, 2]], axis=1)

    def _metric(self, poses: Poses) -> np.ndarray:
        """(V, 3) vertices in the objects' own axes, metres from the ground under the box's centre."""
        owner = self._object_of_vertex
        metric = self._vertices.copy()
        for parameter, column in enumerate(self._columns):
            metric += column * poses.shape[owner, parameter, None].astype(np.float32)
        metric *= np.exp(poses.log_size)[owner]
        metric[:, 2] += 0.5 * np.exp(poses.log_size[:, 2])[owner]
        return metric

    def project(self, points: np.ndarray) -> np.ndarray:
        """(V, 4) float64 clip positions of points in odom."""
        matrices = self._clip[self._view_of_vertex]
        clip = np.einsum("vij,vj->vi", matrices[:, :, :3], points) + matrices[:, :, 3]
        for index in np.flatnonzero(~self._linear):
            run = slice(self._starts[index], self._starts[index + 1])
            view = self.views[index]
            camera = (points[run] - view.odom_from_camera[:3, 3]) @ view.odom_from_camera[:3, :3]
            clip[run] = view.crop.clip_positions(camera)
        return clip

    def flow(self, poses: Poses, clip: np.ndarray) -> np.ndarray:
        """(V, 2, 6 + K) float32 d pixel / d parameter of the vertices whose clip positions are `clip`."""
        # Steps are far coarser than float32, and half the memory is half the time.
        owner, view = self._object_of_vertex, self._view_of_vertex
        cosine = np.cos(poses.yaw)[owner, None].astype(np.float32)
        sine = np.sin(poses.yaw)[owner, None].astype(np.float32)
        matrices = self._clip[:, :, :3].astype(np.float32)[view]
        w = np.maximum(clip[:, 3], 0.05).astype(np.float32)
        ndc = clip[:, :2].astype(np.float32) / w[:, None]
        # Distorted lenses move the point but hardly change its local scale: the pinhole's derivative serves.
        slope = (matrices[:, :2] - ndc[:, :, None] * matrices[:, 3:4]) * (self.size / 2 / w)[:, None, None]
        # Image motion along the object's own axes.
        ahead = cosine * slope[:, :, 0] + sine * slope[:, :, 1]
        left = cosine * slope[:, :, 1] - sine * slope[:, :, 0]
        up = slope[:, :, 2]
        metric = self._metric(poses).astype(np.float32)
        size = np.exp(poses.log_size)[owner].astype(np.float32)
        flow = np.empty((len(clip), 2, POSE_PARAMETERS + len(self._columns)), np.float32)
        flow[:, :, 0:2] = slope[:, :, :2]
        flow[:, :, 2] = metric[:, :1] * left - metric[:, 1:2] * ahead
        flow[:, :, 3] = metric[:, 0:1] * ahead
        flow[:, :, 4] = metric[:, 1:2] * left
        flow[:, :, 5] = metric[:, 2:3] * up
        ahead, left, up = (size[:, axis, None] * each for axis, each in enumerate((ahead, left, up)))
        for parameter, column in enumerate(self._columns, start=POSE_PARAMETERS):
            flow[:, :, parameter] = column[:, 0:1] * ahead + column[:, 1:2] * left + column[:, 2:3] * up
        return flow

    def raster(self, clip: np.ndarray) -> torch.Tensor:
        """(C, P, P, 4) raster of every view."""
        positions = torch.from_numpy(clip.astype(np.float32))
        return rasterize(positions, self._faces, (self.size, self.size), ranges=self._ranges)

    def interpolate(self, attributes: np.ndarray, raster: torch.Tensor) -> torch.Tensor:
        """Per-vertex attributes (V, A) over the raster: (C, P, P, A)."""
        return interpolate(torch.from_numpy(attributes.astype(np.float32)), raster, self._faces)

    def vertex_values(self, per_shape: str) -> np.ndarray:
        """A LinearShape array of every view's object, concatenated as the vertices are."""
        return np.concatenate([getattr(self.shapes[i], per_shape) for i in self.object_of_view])

    def blurred_target(self, sigma: float) -> torch.Tensor:
        """(C, P, P) target at a blur, computed once."""
        if sigma not in self._blurred_targets:
            self._blurred_targets[sigma] = blur(self._target[:, None], sigma)[:, 0]
        return self._blurred_targets[sigma]

    def _soften(self, images: torch.Tensor, sigma: float) -> torch.Tensor:
        """Blur renders (C, A, P, P) by `sigma` and, on top, as much as each view's target is soft already."""
        result = torch.empty_like(images)
        for softness in np.unique(self._softness):
            own = torch.from_numpy(np.flatnonzero(self._softness == softness))
            result[own] = blur(images[own], float(np.hypot(sigma, softness)))
        return result

    def evaluate(self, poses: Poses, sigma: float, reference_sigma: float, with_jacobian: bool = True) -> StepTerms:
        """Render at `poses` and compare.

        Args:
            poses: state of all objects.
            sigma: blur of this step, crop pixels.
            reference_sigma: blur at which costs of different steps compare.
            with_jacobian: also build the normal equations of every view.
        """
        clip = self.project(self.surface(poses))
        raster = self.raster(clip)
        mask = (raster[..., 3] > 0).float()
        reference = self._soften(mask[:, None], reference_sigma)[:, 0] - self.blurred_target(reference_sigma)
        weight_sum = self.weight.sum(dim=(1, 2)).clamp_min(1.0)
        size = reference.abs()
        cost = ((size * self.weight).sum(dim=(1, 2)) / weight_sum).double().numpy()
        huber = functional.huber_loss(size, torch.zeros_like(size), reduction="none", delta=HUBER)
        energy = (huber * self.weight).sum(dim=(1, 2)).double().numpy()
        if not with_jacobian:
            for terms, weight in self._compare_inside(raster, mask, None):
                energy = energy + weight * terms.energy
            return StepTerms(mask, None, None, cost, energy)
        flow = self.flow(poses, clip)
        columns = flow.shape[2]
        limit = float(self.size)
        flow = np.clip(flow.reshape(len(flow), -1), -40 * limit, 40 * limit)
        carried = self.interpolate(flow, raster).permute(0, 3, 1, 2)
        inside = self._compare_inside(raster, mask, carried)
        soft = self._soften(mask[:, None], sigma)[:, 0]
        # The flow is smooth, so half the resolution carries it past the outline at an eighth of the cost.
        halves = functional.avg_pool2d(torch.cat([mask[:, None], carried], dim=1), 2)
        halves = blur(halves, max(sigma, 1.5))
        spread = halves[:, 1:] / halves[:, :1].clamp_min(1e-3)
        spread = functional.interpolate(spread, scale_factor=2, mode="nearest")
        gradient_x, gradient_y = (each[:, 0] for each in central_differences(soft[:, None]))
        jacobian = -(gradient_x[:, None] * spread[:, :columns] + gradient_y[:, None] * spread[:, columns:])
        residual = soft - self.blurred_target(sigma)
        # Huber weights: parts that the prior can't make must not drag the rest along.
        robust = self.weight * (HUBER / residual.abs().clamp_min(HUBER))
        flat = jacobian.flatten(2)
        weighted = flat * robust.flatten(1)[:, None]
        hessian = torch.bmm(weighted, flat.transpose(1, 2)).double().numpy()
        gradient = torch.bmm(weighted, residual.flatten(1)[:, :, None])[:, :, 0].double().numpy()
        for terms, weight in inside:
            hessian += weight[:, None, None] * terms.hessian
            gradient += weight[:, None] * terms.gradient
            energy += weight * terms.energy
        return StepTerms(mask, hessian, gradient, cost, energy)

    def _compare_inside(
        self, raster: torch.Tensor, mask: torch.Tensor, flow: torch.Tensor | None
    ) -> list[tuple[InsideTerms, np.ndarray]]:
        """Terms of every comparison and the weights (C,) of its views."""
        found = []
        for residuals, weight in self._inside:
            carried = self.interpolate(residuals.attributes, raster).permute(0, 3, 1, 2)
            trust = self.weight * (self.blurred_target(0.0) > 0.5)
            found.append((residuals.evaluate(carried, mask, trust, flow), weight))
        return found


def blur(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of (C, A, P, P) float32 by `sigma` pixels, zeros outside.

    As two products with a banded matrix: for crops this small a matrix product beats convolution tenfold.
    """
    if sigma <= 0:
        return images
    rows, columns = _blur_matrix(images.shape[2], sigma), _blur_matrix(images.shape[3], sigma)
    return rows @ (images @ columns)


@lru_cache(maxsize=64)
def _blur_matrix(size: int, sigma: float) -> torch.Tensor:
    """(size, size) symmetric Gaussian band; a whole kernel sums to one, at the border part of it is cut."""
    offset = torch.arange(size, dtype=torch.float64)
    band = torch.exp(-0.5 * ((offset[:, None] - offset[None]) / sigma) ** 2)
    taps = torch.exp(-0.5 * (torch.arange(-4 * size, 4 * size + 1, dtype=torch.float64) / sigma) ** 2)
    return (band / taps.sum()).float()
