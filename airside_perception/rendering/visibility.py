"""How much of each item a camera sees, against how much it would see of the item alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from airside_perception.geometry.cameras import Camera
from airside_perception.rendering.backend import rasterize
from airside_perception.rendering.scene_renderer import PackedScene, SceneItem, SceneRender, pack_scene


@dataclass(frozen=True)
class ItemVisibility:
    """Pixel counts of each item; large items are counted on every `stride`-th pixel and scaled up.

    Attributes:
        visible_pixels: (N,) float64, pixels that show the item.
        inside_pixels: (N,) float64, pixels that would show it if it stood alone.
        amodal_pixels: (N,) float64, the same with the image continued by one image size on every side.
    """

    visible_pixels: np.ndarray
    inside_pixels: np.ndarray
    amodal_pixels: np.ndarray

    @property
    def unoccluded_fraction(self) -> np.ndarray:
        """(N,) share of the item's in-image pixels that nothing hides; 0 where it is not in the image."""
        return self.visible_pixels / np.maximum(self.inside_pixels, 1)

    @property
    def visible_fraction(self) -> np.ndarray:
        """(N,) share of the whole item that is seen: neither hidden nor cut off by the image border."""
        return self.visible_pixels / np.maximum(self.amodal_pixels, 1)


def crop_clip_positions(
    positions: torch.Tensor,
    origins: torch.Tensor,
    strides: torch.Tensor,
    image_size: tuple[int, int],
    crop_size: tuple[int, int],
) -> torch.Tensor:
    """Clip positions for a crop whose pixel (i, j) is pixel (x0 + i * stride, y0 + j * stride) of the image.

    Pixel centres of the crop are pixel centres of the image, so both show the same triangle there.

    Args:
        positions: (..., 4) clip positions of the whole image.
        origins: (..., 2) x0, y0 in pixels; may lie outside the image.
        strides: (...,) or (..., 1) pixels per crop pixel.
        image_size: (height, width) of the image.
        crop_size: (height, width) of the crop.

    Returns:
        (..., 4) like `positions`, differentiable in them.
    """
    image = positions.new_tensor([image_size[1], image_size[0]])
    crop = positions.new_tensor([crop_size[1], crop_size[0]])
    if strides.ndim < origins.ndim:
        strides = strides.unsqueeze(-1)
    # pixel = (ndc + 1) * image / 2 - 1/2; crop pixel = (pixel - origin) / stride; back to ndc.
    scale = image / (crop * strides)
    shift = (image - 1 - 2 * origins) / (crop * strides) + 1 / crop - 1
    cropped = positions[..., :2] * scale + positions[..., 3:] * shift
    return torch.cat([cropped, positions[..., 2:]], dim=-1)


def item_visibility(
    camera: Camera,
    items: Sequence[SceneItem],
    render: SceneRender,
    crop_size: int = 64,
    near: float = 0.1,
    far: float = 500.0,
) -> ItemVisibility:
    """Count, for each item, seen pixels and those that it would fill alone.

    Every item is drawn alone into its own small crop, all crops in one launch.

    Args:
        camera: as given to `render_scene`.
        items: as given to `render_scene`.
        render: what `render_scene` returned for them.
        crop_size: pixels per side of a crop; items larger than that are counted on a coarser grid.
        near, far: as given to `render_scene`.
    """
    packed = pack_scene(camera, items, near, far)
    size = (camera.height, camera.width)
    origins, strides = _windows(packed, size, crop_size)
    owner = np.repeat(np.arange(len(items)), np.diff(packed.vertex_starts))
    positions = crop_clip_positions(
        packed.clip,
        torch.from_numpy(origins[owner]).float(),
        torch.from_numpy(strides[owner]).float(),
        size,
        (crop_size, crop_size),
    )
    alone = rasterize(positions, packed.triangles, (crop_size, crop_size), packed.ranges)[..., 3].numpy() > 0

    grid = np.arange(crop_size)
    x = origins[:, 0, None, None] + strides[:, None, None] * grid[None, None, :]
    y = origins[:, 1, None, None] + strides[:, None, None] * grid[None, :, None]
    inside = alone & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    shown = render.item_id[np.clip(y, 0, camera.height - 1), np.clip(x, 0, camera.width - 1)]
    visible = inside & (shown == np.arange(len(items))[:, None, None])
    area = strides.astype(np.float64) ** 2
    return ItemVisibility(*(mask.sum(axis=(1, 2)) * area for mask in (visible, inside, alone)))


def _windows(packed: PackedScene, size: tuple[int, int], crop_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Top-left pixels (N, 2) int64 and strides (N,) int64 of windows around the items' projections."""
    height, width = size
    lowest, highest = np.array([-width, -height]), np.array([2 * width - 1, 2 * height - 1])
    clip = packed.clip.double().numpy()
    origins, strides = [], []
    for first, last in zip(packed.vertex_starts[:-1], packed.vertex_starts[1:], strict=True):
        corners = clip[first:last]
        front = corners[:, 2] > -corners[:, 3]
        low, high = lowest, highest
        if front.all() and len(corners):
            pixels = (corners[:, :2] / corners[:, 3:] * 0.5 + 0.5) * [width, height] - 0.5
            low = np.clip(np.floor(pixels.min(axis=0)), lowest, highest)
            high = np.clip(np.ceil(pixels.max(axis=0)), lowest, highest)
        origins.append(low)
        strides.append(np.ceil((high - low + 1).max() / crop_size))
    return np.array(origins, np.int64).reshape(-1, 2), np.array(strides, np.int64)
