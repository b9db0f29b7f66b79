"""Pictures of a run: single frames as PNG, and one animation that shows everything at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from airside_perception.classes import SEMANTIC_COLORS
from airside_perception.config import ExplainConfig
from airside_perception.errors import AirsideError
from airside_perception.explain.birds_eye import EGO, draw_birds_eye
from airside_perception.explain.drawing import BACKGROUND, BLACK, WHITE, Color, mixed
from airside_perception.explain.overlay import draw_overlay
from airside_perception.explain.voxel_view import draw_voxels
from airside_perception.prior import ObjectPrior
from airside_perception.records import SceneEstimate

OVERVIEW_HEIGHT = 720
"""Height of the animation's frames, pixels; the width follows from the cameras."""

_GAP = 4


def overview_frame(
    scene: SceneEstimate,
    cameras: Sequence[str],
    prior: ObjectPrior | None,
    config: ExplainConfig,
    truth: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """All cameras and the voxels at the left, the bird's-eye map at the right.

    Args:
        scene: what was estimated.
        cameras: names of all cameras of the rig, so that every frame has the same layout.
        prior: decodes meshes, or None.
        config: of the overlays.
        truth: the frame's ground truth, or None.

    Returns:
        (OVERVIEW_HEIGHT, W, 3) uint8 RGB.
    """
    columns = 2 if len(cameras) in (1, 2, 4) else 3
    rows = -(-len(cameras) // columns)
    tile_width = (600 - (columns - 1) * _GAP) // columns
    plain = replace(config, residual_strip=False, overlay_width=max(tile_width, 64))
    tiles = [_camera_tile(scene, name, prior, plain, tile_width) for name in cameras]
    tile_height = max(tile.shape[0] for tile in tiles)
    left = np.empty((OVERVIEW_HEIGHT, 600, 3), np.uint8)
    left[:] = BACKGROUND
    for number, tile in enumerate(tiles):
        top, at = number // columns * (tile_height + _GAP), number % columns * (tile_width + _GAP)
        shown = tile[: max(OVERVIEW_HEIGHT - top, 0)]
        left[top : top + shown.shape[0], at : at + tile_width] = shown
    below = rows * (tile_height + _GAP)
    if OVERVIEW_HEIGHT - below >= 120:
        left[below:] = draw_voxels(scene, 600, OVERVIEW_HEIGHT - below)
    right = draw_birds_eye(scene, truth, size=OVERVIEW_HEIGHT - 58)
    gap = np.full((OVERVIEW_HEIGHT, _GAP, 3), BACKGROUND, np.uint8)
    return np.concatenate([left, gap, right[:OVERVIEW_HEIGHT]], axis=1)


def _camera_tile(
    scene: SceneEstimate, name: str, prior: ObjectPrior | None, config: ExplainConfig, width: int
) -> np.ndarray:
    """An overlay without its strip; black where the camera has no image."""
    if name not in scene.frame.images:
        return np.zeros((width * 5 // 8, width, 3), np.uint8)
    return draw_overlay(scene, name, prior, config)


def write_png(path: Path, rgb: np.ndarray) -> Path:
    """Write an RGB image (H, W, 3) uint8.

    Raises:
        AirsideError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path)
    except OSError as error:
        raise AirsideError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def write_animation(path: Path, frames: Sequence[np.ndarray], rate_hz: float) -> Path:
    """Write frames (H, W, 3) uint8 as an endless animation; `.webp` keeps colours, `.gif` plays everywhere.

    Raises:
        AirsideError: no frames, or the file cannot be written.
    """
    if not frames:
        raise AirsideError(f"{path}: expected at least one frame, got none")
    pictures = [Image.fromarray(frame) for frame in frames]
    options: dict[str, Any] = {"quality": 72, "method": 2}
    if path.suffix == ".gif":
        palette = _palette(frames)
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        options = {"optimize": False}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=round(1000 / rate_hz), loop=0, **options
        )
    except OSError as error:
        raise AirsideError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def _palette(frames: Sequence[np.ndarray]) -> Image.Image:
    """One palette for all frames, so that colours do not flicker and unchanged areas compress away.

    The colours of the classes are few pixels, but they carry the meaning: they are always in it.
    """
    sample = Image.fromarray(np.concatenate(frames[:: max(len(frames) // 4, 1)]))
    named = [color for base in (*SEMANTIC_COLORS[1:], EGO) for color in _shades(base)]
    common = sample.quantize(256 - len(named)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*common[: 3 * (256 - len(named))], *(channel for color in named for channel in color)])
    return palette


def _shades(color: Color) -> tuple[Color, ...]:
    """A colour as it appears: plain, in shade, in deep shade, and as a bright outline."""
    return color, mixed(color, BLACK, 0.25), mixed(color, BLACK, 0.5), mixed(color, WHITE, 0.45)


def reduced(frame: np.ndarray, width: int) -> np.ndarray:
    """A frame at a smaller width."""
    height = round(frame.shape[0] * width / frame.shape[1])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
