"""Viewing rays through the prior's lattice, and what each asks of the signed distances along it.

A pixel outside a silhouette forbids the surface on its ray, one inside asks for it somewhere on it: the least signed
distance along a ray has the silhouette's sign, and near the outline its value. So masks of cameras of any model become
a few thousand conditions on distances, which are affine in the shape code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import grid_sample

from airside_perception.prior.shape_decoder import ShapeDecoder

SAMPLES = 64
"""Places on each ray, evenly spaced between where it enters and leaves the lattice."""

_OUTSIDE_MARGIN, _INSIDE_MARGIN = 1.0, 0.1
"""Cells up to which a pixel's distance from the outline is asked for; inside, thin parts can't offer more."""


class ViewingCamera(Protocol):
    """What is asked of a camera; `geometry.Camera` is one. The prior stands beside `geometry`, not on it.

    Attributes:
        width, height: pixels.
        intrinsics: (3, 3).
        base_from_camera: (4, 4) from the optical frame to the frame it is mounted in.
    """

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def intrinsics(self) -> np.ndarray: ...
    @property
    def base_from_camera(self) -> np.ndarray: ...

    def unproject(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors (..., 3) in the optical frame of pixels (..., 2)."""
        ...


@dataclass(frozen=True)
class ObjectView:
    """One image of an object whose pose is known.

    Attributes:
        camera: of the crop, mounted in the frame of the object's box (x forward, y left, z up, metres from the
            centre). See `cropped`, `resized` and `with_pose` of `geometry.Camera`.
        mask: (H, W) float or bool; at least 0.5 where the object is seen.
        image: (H, W, 3) float RGB in 0..1, the light taken out as far as known; None: no colours.
        weight: (H, W) float; 0 where nothing is known (another object hides it). None: all pixels count.
        depth: (H, W) float metres along the optical axis, NaN where unknown; counts where the object is seen. None: no
            depths.
    """

    camera: ViewingCamera
    mask: np.ndarray
    image: np.ndarray | None = None
    weight: np.ndarray | None = None
    depth: np.ndarray | None = None

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        for name, wanted in (("mask", size), ("image", (*size, 3)), ("weight", size), ("depth", size)):
            value = getattr(self, name)
            if value is not None and np.shape(value) != wanted:
                raise ValueError(f"ObjectView.{name}: expected {wanted} like its camera, got {np.shape(value)}")


@dataclass(frozen=True)
class SilhouetteRays:
    """Rays of one or more views through a class's lattice.

    Attributes:
        points: (N, SAMPLES, 3) float32 along the rays, box-normalised.
        lattice: (N, SAMPLES, 3) float32, the same as `grid_sample` coordinates, z first.
        inside: (N,) bool, the pixel shows the object.
        wanted: (N,) float32, cells: least distance along the ray at the most (inside) or at the least.
        colors: (N, 3) float32; NaN where the view has no image.
        surface: (N, 3) float32, box-normalised, where the ray's depth puts the surface; NaN without depth.
        weight: (N,) float32; 1, or less for rays of a mirrored view, which follow all others in the same order.
    """

    points: Tensor
    lattice: Tensor
    inside: Tensor
    wanted: Tensor
    colors: Tensor
    surface: Tensor
    weight: Tensor

    def distances(self, sdf: Tensor) -> Tensor:
        """(N, SAMPLES) distances of a grid (X, Y, Z), trilinear."""
        return grid_sample(sdf[None, None], self.lattice[None, None], align_corners=True)[0, 0, 0]

    def select(self, rows: Tensor) -> SilhouetteRays:
        """Some of the rays."""
        return SilhouetteRays(*(getattr(self, each.name)[rows] for each in fields(self)))


def silhouette_rays(
    decoder: ShapeDecoder, views: Sequence[ObjectView], size: np.ndarray, mirrored: float = 0.0
) -> SilhouetteRays:
    """Rays of all pixels of all views that count and meet the lattice.

    Args:
        decoder: gives the lattice.
        views: of one object.
        size: (3,) metres of its box.
        mirrored: weight of the same views of the object's mirror image: what symmetry says. 0 leaves them out.
    """
    axes = tuple(axis.cpu().numpy().astype(np.float64) for axis in (decoder.axis_x, decoder.axis_y, decoder.axis_z))
    low, high = (np.array([axis[end] for axis in axes]) for end in (0, -1))
    # Cells differ by axis and place: in the largest ones a pixel's distance is least, and so never asked for too much.
    cell = max(float(np.diff(axis).max() * length) for axis, length in zip(axes, size, strict=True))
    parts = [_rays_of_view(view, size, low, high, cell) for view in views]
    points, inside, wanted, colors, surface = (np.concatenate(each) for each in zip(*parts, strict=True))
    weight = np.ones(len(points))
    if mirrored > 0:
        flip = np.array([1.0, -1.0, 1.0])
        points, surface = np.concatenate([points, points * flip]), np.concatenate([surface, surface * flip])
        inside, wanted, colors = (np.concatenate([each, each]) for each in (inside, wanted, colors))
        weight = np.concatenate([weight, mirrored * weight])
    coordinates = [
        2 * np.interp(points[..., i], axes[i], np.arange(len(axes[i]))) / (len(axes[i]) - 1) - 1 for i in (2, 1, 0)
    ]
    to = lambda values: torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(decoder.axis_x.device)  # noqa: E731
    conditions = (to(inside) > 0, to(wanted), to(colors), to(surface), to(weight))
    return SilhouetteRays(to(points), to(np.stack(coordinates, -1)), *conditions)


def _rays_of_view(
    view: ObjectView, size: np.ndarray, low: np.ndarray, high: np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    mask = np.asarray(view.mask, np.float32) >= 0.5
    counted = np.ones(mask.shape, bool) if view.weight is None else np.asarray(view.weight) > 0
    rows, columns = np.nonzero(counted)
    pixels = np.stack([columns, rows], axis=-1)
    mounted = np.asarray(view.camera.base_from_camera, np.float64)
    optical = view.camera.unproject(pixels)
    directions = optical @ mounted[:3, :3].T / size
    origin = mounted[:3, 3] / size
    safe = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
    ends = np.sort(np.stack([(low - origin) / safe, (high - origin) / safe]), axis=0)
    enter, leave = np.maximum(ends[0].max(axis=1), 0.0), ends[1].min(axis=1)
    meets = leave > enter
    rows, columns = rows[meets], columns[meets]
    along = np.linspace(0, 1, SAMPLES) * (leave - enter)[meets, None] + enter[meets, None]
    points = origin + along[..., None] * directions[meets, None]
    metres_per_pixel = along.mean(axis=1) / np.sqrt(view.camera.intrinsics[0, 0] * view.camera.intrinsics[1, 1])
    off = np.where(mask, -distance_transform_edt(mask), distance_transform_edt(~mask))[rows, columns]
    # A pixel beside the outline is half a pixel away from it.
    wanted = (off - 0.5 * np.sign(off)) * metres_per_pixel / cell
    colors = np.full((*mask.shape, 3), np.nan) if view.image is None else np.asarray(view.image, np.float64)
    limited = np.clip(wanted, -_INSIDE_MARGIN, _OUTSIDE_MARGIN)
    surface = np.full((len(rows), 3), np.nan)
    if view.depth is not None:
        depth = np.where(mask, np.asarray(view.depth, np.float64), np.nan)[rows, columns]
        known = np.isfinite(depth) & (depth > 0) & (optical[meets, 2] > 1e-3)
        surface[known] = origin + (depth / optical[meets, 2])[known, None] * directions[meets][known]
    return points, mask[rows, columns], limited, colors[rows, columns], surface
