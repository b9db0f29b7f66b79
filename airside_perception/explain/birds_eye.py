"""The scene from above: voxels with what was seen of them, tracks, the vehicle, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.classes import CLASS_COLORS, FREE, GROUND, SEMANTIC_COLORS, SEMANTIC_NAMES
from airside_perception.explain.drawing import (
    BACKGROUND,
    BLACK,
    FAINT,
    PANEL,
    TEXT,
    WHITE,
    Color,
    Label,
    dashed,
    draw_labels,
    fill,
    font,
    line,
    mixed,
    write,
)
from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.se3 import invert_transform, transform_points, yaw_of
from airside_perception.geometry.se3 import quaternion_to_matrix as matrix_of
from airside_perception.records import NEVER_SEEN, SEEN_NOW, OccupancyGrid, SceneEstimate, Track

SEEN_GROUND: Color = (58, 63, 72)
SEEN_FREE: Color = (44, 48, 56)
TRUTH = WHITE
EGO: Color = (94, 220, 170)

_HEADER, _FOOTER = 30, 28
_DEFAULT_REACH = 40.0
_ARROW_SECONDS = 2.0
_COASTING_DIM = 0.45
_PLANNING_HEIGHT = 2.4
"""A column counts as seen where a camera saw some of it up to this height, metres."""


@dataclass(frozen=True)
class _View:
    """Where metres in base_link lie on the map: x forward is up, y left is left."""

    x_max: float
    y_max: float
    scale: float

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) float pixels of points (..., 2 or 3) in base_link."""
        points = np.asarray(points, np.float64)
        return np.stack([self.y_max - points[..., 1], self.x_max - points[..., 0]], axis=-1) * self.scale - 0.5


def draw_birds_eye(scene: SceneEstimate, ground_truth: Mapping[str, Any] | None = None, size: int = 760) -> np.ndarray:
    """Map of one scene around the vehicle, which looks up.

    Voxels are shown by the class of the highest occupied one; hatched columns were never seen by any camera,
    darker ones were seen in earlier frames. Tracks have box, heading, trail, and an arrow to where they will be
    in two seconds. Coasting tracks are dashed and dim, lie below the measured ones and, but for aircraft, bear no name:
    on a full apron every other track is hidden behind something.

    Args:
        scene: what was estimated.
        ground_truth: the frame's entry of tracks.json; its objects are drawn as thin dashed boxes.
        size: edge of the map, pixels.

    Returns:
        (H, W, 3) uint8 RGB, W = size.
    """
    grid = scene.occupancy
    x_min, x_max, y_max = -_DEFAULT_REACH, _DEFAULT_REACH, _DEFAULT_REACH
    if grid is not None:
        x_min, y_min = grid.spec.origin[:2]
        x_max = x_min + grid.spec.shape[0] * grid.spec.voxel_size[0]
        y_max = y_min + grid.spec.shape[1] * grid.spec.voxel_size[1]
    view = _View(x_max, y_max, size / (x_max - x_min))
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = SEEN_FREE
    if grid is not None:
        picture[:] = _map_colors(grid, view, size)
    base_from_odom = invert_transform(scene.frame.odom_from_base)
    _draw_rings(picture, view)
    if ground_truth is not None:
        _draw_truth(picture, view, ground_truth, base_from_odom)
    measured_last = sorted(scene.tracks, key=lambda track: track.state != "coasting")
    labels = [label for track in measured_last for label in _draw_track(picture, view, track, base_from_odom)]
    _draw_ego(picture, view)
    picture = write(picture, _ring_labels(view))
    picture = draw_labels(picture, labels, 11)
    return _framed(picture, scene, ground_truth is not None)


def _map_colors(grid: OccupancyGrid, view: _View, size: int) -> np.ndarray:
    """(size, size, 3) uint8 colours of the columns, one per pixel."""
    along = (np.arange(size) + 0.5) / view.scale
    rows = np.floor((view.x_max - along - grid.spec.origin[0]) / grid.spec.voxel_size[0]).astype(int)
    columns = np.floor((view.y_max - along - grid.spec.origin[1]) / grid.spec.voxel_size[1]).astype(int)
    rows = np.clip(rows, 0, grid.spec.shape[0] - 1)
    columns = np.clip(columns, 0, grid.spec.shape[1] - 1)
    colors, unseen = _column_colors(grid)
    picture, unseen = colors[rows[:, None], columns[None, :]], unseen[rows[:, None], columns[None, :]]
    v, u = np.mgrid[:size, :size]
    hatch = unseen & ((u + v) % 7 < 2)
    picture[hatch] = picture[hatch] * 0.55 + 0.45 * np.array([70, 76, 88])
    return picture.astype(np.uint8)


def _column_colors(grid: OccupancyGrid) -> tuple[np.ndarray, np.ndarray]:
    """(X, Y, 3) float32 colours and (X, Y) bool, True where no camera ever saw the column."""
    spec = grid.spec
    heights = spec.origin[2] + (np.arange(spec.shape[2]) + 0.5) * spec.voxel_size[2]
    low = heights <= _PLANNING_HEIGHT
    best_seen = grid.visibility[:, :, low].max(axis=2)
    solid = (grid.class_id != FREE) & (grid.class_id != GROUND)
    top = spec.shape[2] - 1 - np.argmax(solid[:, :, ::-1], axis=2)
    occupied = solid.any(axis=2)
    top_class = np.take_along_axis(grid.class_id, top[..., None], axis=2)[..., 0]
    top_seen = np.take_along_axis(grid.visibility, top[..., None], axis=2)[..., 0]
    ground = (grid.class_id == GROUND).any(axis=2)

    colors = np.empty((*grid.class_id.shape[:2], 3), np.float32)
    colors[:] = SEEN_FREE
    colors[ground] = SEEN_GROUND
    # Higher is brighter, so that a wing stands out from the belt loader below it.
    bright = 0.62 + 0.38 * np.clip(heights[top] / 8.0, 0, 1)
    table = np.array(SEMANTIC_COLORS, np.float32)
    colors[occupied] = (table[top_class] * bright[..., None])[occupied]
    seen = np.where(occupied, np.maximum(top_seen, best_seen), best_seen)
    colors[(seen != SEEN_NOW)] *= 0.62
    unseen = seen == NEVER_SEEN
    colors[unseen & ~occupied] = BACKGROUND
    colors[unseen & occupied] *= 0.7
    return colors, unseen


def _draw_rings(picture: np.ndarray, view: _View) -> None:
    angles = np.linspace(0, 2 * np.pi, 181)
    for radius in range(10, int(view.x_max) + 1, 10):
        circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        line(picture, view.pixels(circle), (84, 90, 102) if radius % 20 == 0 else (68, 73, 84), 1)


def _ring_labels(view: _View) -> list[tuple[str, tuple[float, float], Color, int, str]]:
    # Straight ahead is where the scene is; to the rear right there is more room.
    place = np.array([-np.cos(np.pi / 4), -np.sin(np.pi / 4)])
    texts = []
    for radius in range(20, int(view.x_max) + 1, 20):
        u, v = view.pixels(radius * place)
        texts.append((f"{radius} m", (float(u), float(v)), FAINT, 10, "mm"))
    return texts


def _draw_truth(picture: np.ndarray, view: _View, frame: Mapping[str, Any], base_from_odom: np.ndarray) -> None:
    """Thin dashed boxes of the objects that some camera sees."""
    objects = [o for o in frame["objects"] if o.get("visibility", 1.0) >= 0.05]
    if not objects:
        return
    yaws = [float(yaw_of(matrix_of(o["rotation"]))) for o in objects]
    boxes = np.array([[*o["translation"], *o["size"], yaw] for o, yaw in zip(objects, yaws, strict=True)])
    for polygon in _footprints(boxes, base_from_odom):
        dashed(picture, view.pixels(polygon), TRUTH, 1, 3.0)


def _footprints(boxes: np.ndarray, base_from_odom: np.ndarray) -> np.ndarray:
    """(N, 4, 2) ground rectangles in base_link: front left, rear left, rear right, front right."""
    corners = box_corners(boxes)[:, :4]
    return transform_points(base_from_odom, corners.reshape(-1, 3)).reshape(corners.shape)[..., :2]


def _draw_track(picture: np.ndarray, view: _View, track: Track, base_from_odom: np.ndarray) -> list[Label]:
    """One track; returns its label, unless it lies outside the map."""
    if not np.isfinite(track.box).all():
        return []
    polygon = view.pixels(_footprints(track.box[None], base_from_odom)[0])
    size = picture.shape[0]
    if (polygon.max(axis=0) < 0).any() or (polygon.min(axis=0) > size).any():
        return []
    color, coasting = CLASS_COLORS[track.class_name], track.state == "coasting"
    color = mixed(color, BACKGROUND, _COASTING_DIM) if coasting else color
    bright = color if coasting else mixed(color, WHITE, 0.45)
    if len(track.trail) > 1:
        _draw_trail(picture, view.pixels(transform_points(base_from_odom, track.trail)), color)
    if coasting:
        dashed(picture, polygon, bright, 1, 4.0)
    else:
        # A large box covers what stands below its wings: it is filled hardly at all.
        fill(picture, polygon, color, 0.12 if track.box[3] > 15.0 else 0.4)
        line(picture, polygon, bright, 2, closed=True)
    # From the middle of the box through its front: the heading.
    front, center = (polygon[0] + polygon[3]) / 2, polygon.mean(axis=0)
    line(picture, np.stack([center, front]), bright, 1)
    if float(np.hypot(*track.velocity)) > 0.3:
        ahead = np.stack([track.box[:3], track.box[:3] + _ARROW_SECONDS * np.append(track.velocity, 0.0)])
        _draw_arrow(picture, view.pixels(transform_points(base_from_odom, ahead)))
    if coasting and track.class_name != "aircraft":
        return []
    return [Label(track.track_id, (float(center[0]), float(polygon[:, 1].min())), color, coasting)]


def _draw_trail(picture: np.ndarray, pixels: np.ndarray, color: Color) -> None:
    """A line that fades towards the past."""
    for number in range(len(pixels) - 1):
        strength = 0.25 + 0.75 * (number + 1) / len(pixels)
        line(picture, pixels[number : number + 2], mixed(BLACK, color, strength), 2)


def _draw_arrow(picture: np.ndarray, ends: np.ndarray) -> None:
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    if length < 4.0:
        return
    along = along / length
    across = np.array([-along[1], along[0]])
    line(picture, ends, TEXT, 1)
    tip = np.stack([ends[1], ends[1] - 7 * along + 3.5 * across, ends[1] - 7 * along - 3.5 * across])
    fill(picture, tip, TEXT, 1.0)


def _draw_ego(picture: np.ndarray, view: _View) -> None:
    """The vehicle about its rear axle, as an arrowhead of about its size."""
    outline = np.array([[2.6, 0.0], [1.7, 0.85], [-0.7, 0.85], [-0.7, -0.85], [1.7, -0.85]])
    pixels = view.pixels(outline)
    fill(picture, pixels, EGO, 0.95)
    line(picture, pixels, (10, 30, 24), 1, closed=True)


def _framed(picture: np.ndarray, scene: SceneEstimate, with_truth: bool) -> np.ndarray:
    """Add a line of facts above and the legend below."""
    size = picture.shape[1]
    header, footer = np.empty((_HEADER, size, 3), np.uint8), np.empty((_FOOTER, size, 3), np.uint8)
    header[:], footer[:] = PANEL, PANEL
    coasting = sum(track.state == "coasting" for track in scene.tracks)
    count = f"{len(scene.tracks)} tracks" + (f", {coasting} coasting" if coasting else "")
    seconds = f"{scene.stamp_ns / 1e9:.2f} s"
    texts: list[tuple[str, tuple[float, float], Color, int, str]] = [
        ("Bird's eye", (10, _HEADER / 2), TEXT, 13, "lm"),
        (count, (size / 2, _HEADER / 2), TEXT, 12, "mm"),
        (seconds, (size - 10, _HEADER / 2), FAINT, 12, "rm"),
    ]
    return np.concatenate([write(header, texts), picture, _legend(footer, with_truth)])


def _legend(footer: np.ndarray, with_truth: bool) -> np.ndarray:
    entries = [(name, SEMANTIC_COLORS[k]) for k, name in enumerate(SEMANTIC_NAMES) if k not in (FREE, GROUND)]
    entries += [("vehicle", EGO), ("ground", SEEN_GROUND), ("never seen", BACKGROUND)]
    entries += [("truth", BACKGROUND)] if with_truth else []
    widths = [font(11).getlength(name) + 16.0 for name, _ in entries]
    gap = (footer.shape[1] - 16 - sum(widths)) / max(len(entries) - 1, 1)
    texts: list[tuple[str, tuple[float, float], Color, int, str]] = []
    middle, left = footer.shape[0] // 2, 8.0
    for (name, color), width in zip(entries, widths, strict=True):
        swatch = footer[middle - 5 : middle + 5, int(left) : int(left) + 10]
        swatch[:] = color
        if name == "never seen":
            v, u = np.mgrid[: swatch.shape[0], : swatch.shape[1]]
            swatch[:] = np.where(((u + v) % 5 < 2)[..., None], np.uint8(90), np.uint8(24))
        elif name == "truth":
            corners = np.array([[0, 0], [9, 0], [9, 9], [0, 9]]) + [int(left), middle - 5]
            dashed(footer, corners.astype(np.float64), TRUTH, 1, 2.0)
        texts.append((name, (left + 14, middle), FAINT, 11, "lm"))
        left += width + gap
    return write(footer, texts)
