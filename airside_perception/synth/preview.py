"""A contact sheet of a generated sequence: what a few cameras see, and all truth behind it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from airside_perception.classes import AIRCRAFT, CLASS_COLORS, GSE, OBJECT_CLASSES, PERSON, SEMANTIC_COLORS
from airside_perception.explain.drawing import BACKGROUND, FAINT, TEXT, line, write
from airside_perception.geometry.boxes import BOX_EDGES, box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.synth.frames import LabelledFrame
from airside_perception.synth.pixel_layers import PixelLayers

TILE_WIDTH = 360
FARTHEST = 80.0
"""Metres at which the colours of depth end."""

_COLUMNS = (
    "image, boxes",
    "depth",
    "semantics",
    "instances",
    "normals",
    "object coordinates",
    "flow to the next frame",
)
_MARGIN, _HEADER, _CAPTION = 6, 30, 20
_LEAST_VISIBILITY = 0.05
_MOST_OF_ONE = 0.04
"""Share of a picture beyond which an object makes it no richer."""
_FRONT = {0, 3, 4, 7}
"""Corners of a box's front face."""


def contact_sheet(frames: Sequence[LabelledFrame], rig: Rig, layers: PixelLayers, cameras: int = 2) -> np.ndarray:
    """All layers of the cameras that show most objects, one row each.

    Args:
        frames: labelled frames of one scene.
        rig: its cameras.
        layers: renders the layers that the frames don't hold.
        cameras: rows for each frame.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    rows = [(frame, name) for frame in frames for name in _busiest(frame, cameras)]
    tiles = [_tiles(frame, rig.cameras[name], name, layers) for frame, name in rows]
    width = len(_COLUMNS) * (TILE_WIDTH + _MARGIN) + _MARGIN
    heights = [max(tile.shape[0] for tile in row) + _CAPTION + _MARGIN for row in tiles]
    sheet = np.full((_HEADER + sum(heights), width, 3), BACKGROUND, np.uint8)
    texts = [
        (title, (float(_MARGIN + k * (TILE_WIDTH + _MARGIN)), _HEADER / 2), TEXT, 14, "lm")
        for k, title in enumerate(_COLUMNS)
    ]
    top = _HEADER
    for (frame, name), row, height in zip(rows, tiles, heights, strict=True):
        for k, tile in enumerate(row):
            left = _MARGIN + k * (TILE_WIDTH + _MARGIN)
            sheet[top : top + tile.shape[0], left : left + TILE_WIDTH] = tile
        caption = f"{name}, {frame.time_s:.1f} s"
        texts.append((caption, (float(_MARGIN), top + height - _MARGIN - _CAPTION / 2), FAINT, 12, "lm"))
        top += height
    return write(sheet, texts)


def _busiest(frame: LabelledFrame, count: int) -> list[str]:
    """Names of the cameras that show most, most first: many objects, not one that fills the picture."""
    shown = {name: _variety(layer.item, layer.semantic) for name, layer in frame.layers.items()}
    return sorted(shown, key=lambda name: -shown[name])[:count]


def _variety(item: np.ndarray, semantic: np.ndarray) -> float:
    """Shares of the picture that tracked objects take, each counted up to `_MOST_OF_ONE`."""
    tracked = item[np.isin(semantic, [AIRCRAFT, GSE, PERSON])]
    return float(np.minimum(np.bincount(tracked) / item.size, _MOST_OF_ONE).sum()) if len(tracked) else 0.0


def _tiles(frame: LabelledFrame, camera: Camera, name: str, layers: PixelLayers) -> list[np.ndarray]:
    image = frame.layers[name]
    extra = layers.render(frame.exposures[name], camera, ("instance", "normals", "object_coordinates", "forward_flow"))
    return [
        _with_boxes(_tile(image.rgb), frame, camera),
        _tile(_depth_colors(image.depth), cv2.INTER_NEAREST),
        _tile(np.array(SEMANTIC_COLORS, np.uint8)[image.semantic], cv2.INTER_NEAREST),
        _tile(_instance_colors(extra["instance"]), cv2.INTER_NEAREST),
        _tile(np.round((extra["normals"] + 1) * 127.5).astype(np.uint8), cv2.INTER_NEAREST),
        _tile(np.round(extra["object_coordinates"] * 255).astype(np.uint8), cv2.INTER_NEAREST),
        _tile(_flow_colors(extra["forward_flow"]), cv2.INTER_NEAREST),
    ]


def _tile(picture: np.ndarray, method: int = cv2.INTER_AREA) -> np.ndarray:
    height = round(picture.shape[0] * TILE_WIDTH / picture.shape[1])
    return cv2.resize(np.ascontiguousarray(picture), (TILE_WIDTH, height), interpolation=method)


def _with_boxes(picture: np.ndarray, frame: LabelledFrame, camera: Camera) -> np.ndarray:
    """Boxes of objects that show, in the colour of their class; the front face is drawn twice as wide."""
    picture = picture.copy()
    scale = picture.shape[1] / camera.width
    pose = invert_transform(frame.odom_from_base @ camera.base_from_camera)
    steps = np.linspace(0.0, 1.0, 24)[:, None]
    for entry, box in zip(frame.objects, frame.boxes, strict=True):
        if entry["visibility"] < _LEAST_VISIBILITY or entry["class"] not in OBJECT_CLASSES:
            continue
        corners = transform_points(pose, box_corners(box[None])[0])
        for a, b in BOX_EDGES:
            points = corners[a] + steps * (corners[b] - corners[a])
            pixels, valid = camera.project(points)
            valid &= points[:, 2] > 0.1
            if valid.sum() > 1:
                width = 2 if {a, b} <= _FRONT else 1
                line(picture, (pixels[valid] + 0.5) * scale - 0.5, CLASS_COLORS[entry["class"]], width)
    return picture


def _depth_colors(depth: np.ndarray) -> np.ndarray:
    """Near is bright, far is dark, on a logarithmic scale; the sky is black."""
    share = 1.0 - np.log(np.clip(depth, 1.0, FARTHEST)) / np.log(FARTHEST)
    colors = cv2.applyColorMap(np.round(share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where((depth > 0)[..., None], colors, 0).astype(np.uint8)


def _instance_colors(instance: np.ndarray) -> np.ndarray:
    """A colour of its own for each object; neighbours in number are far apart on the circle."""
    hue = (instance.astype(np.float64) * 0.61803398875 % 1.0 * 180).astype(np.uint8)
    value = np.where(instance > 0, 235, 0).astype(np.uint8)
    return cv2.cvtColor(np.stack([hue, np.full_like(hue, 150), value], axis=-1), cv2.COLOR_HSV2RGB)


def _flow_colors(flow: np.ndarray) -> np.ndarray:
    """Hue is the direction, brightness the length; the longest twentieth is saturated."""
    known = np.isfinite(flow).all(axis=-1)
    flow = np.nan_to_num(flow)
    length, angle = np.hypot(flow[..., 0], flow[..., 1]), np.arctan2(flow[..., 1], flow[..., 0])
    longest = max(float(np.percentile(length[known], 95)) if known.any() else 0.0, 1e-3)
    hue = ((angle / (2 * np.pi) % 1.0) * 179).astype(np.uint8)
    value = np.round(np.clip(length / longest, 0, 1) * 255).astype(np.uint8)
    colors = cv2.cvtColor(np.stack([hue, np.full_like(hue, 200), value], axis=-1), cv2.COLOR_HSV2RGB)
    return np.where(known[..., None], colors, 0).astype(np.uint8)
