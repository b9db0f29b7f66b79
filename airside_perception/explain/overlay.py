"""A camera image with every track's render blended in: does what we believe look like what we see?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.ndimage import find_objects, gaussian_filter1d

from airside_perception.classes import CLASS_COLORS
from airside_perception.config import ExplainConfig
from airside_perception.explain.drawing import BLACK, FAINT, Label, draw_labels, line, mixed
from airside_perception.explain.residual_strip import residual_strip
from airside_perception.explain.track_render import TrackRender, base_boxes, render_tracks
from airside_perception.geometry.boxes import BOX_EDGES
from airside_perception.geometry.se3 import transform_points
from airside_perception.records import SceneEstimate, Track

if TYPE_CHECKING:
    from airside_perception.geometry.cameras import Camera
    from airside_perception.prior import ObjectPrior

STILL_MPS = 0.2
"""Below this speed a track is shown without one: it is noise."""

_FEWEST_PIXELS = 12
_LARGE_PIXELS = 700
_LABEL_PIXELS = 30
_EDGE_STEPS = 12


def draw_overlay(
    scene: SceneEstimate, camera_name: str, prior: ObjectPrior | None, config: ExplainConfig | None = None
) -> np.ndarray:
    """Picture of one camera: image, renders, outlines, labels and, below, the residual strip.

    A track with codes is shown by its mesh; one without, or one that is predicted behind others, by its box.
    Colours of a render are scaled to the image's brightness, per object.

    Args:
        scene: images and tracks.
        camera_name: a camera with an image in this scene.
        prior: decodes meshes; None: boxes only.
        config: width, opacity, strip or not; defaults if None.

    Returns:
        (H, W, 3) uint8 RGB; W is config.overlay_width, H depends on the camera and the strip alone.

    Raises:
        ValueError: the scene has no image of that camera.
    """
    options = config or ExplainConfig()
    render = render_tracks(scene, camera_name, prior, options.overlay_width)
    picture = blend(render, options.opacity)
    shown = np.bincount(render.track[render.track >= 0], minlength=len(scene.tracks))
    windows = track_windows(render)
    _draw_outlines(picture, render, scene.tracks, shown, windows)
    boxes = _draw_boxes(picture, scene, render.camera, shown, with_meshes=prior is not None)
    labels = _labels(scene.tracks, render, shown, windows, boxes)
    size = max(round(render.camera.width / 58), 9)
    picture = draw_labels(picture, [Label(camera_name, (0, 0), FAINT), *labels], size)
    if not options.residual_strip:
        return picture
    return np.concatenate([picture, residual_strip(scene, camera_name, render, windows)])


def track_windows(render: TrackRender) -> dict[int, tuple[slice, slice]]:
    """Rows and columns that each drawn track takes in the image, by index of the track."""
    found = find_objects(render.track + 1)
    return {index: window for index, window in enumerate(found) if window is not None}


def blend(render: TrackRender, opacity: float) -> np.ndarray:
    """(H, W, 3) uint8: the renders over the image, with `opacity` 0..1."""
    picture = render.image.copy()
    drawn = render.track >= 0
    under = render.image[drawn].astype(np.float32)
    picture[drawn] = ((1.0 - opacity) * under + (255.0 * opacity) * render.color[drawn]).astype(np.uint8)
    return picture


def _draw_outlines(
    picture: np.ndarray,
    render: TrackRender,
    tracks: Sequence[Track],
    shown: np.ndarray,
    windows: Mapping[int, tuple[slice, slice]],
) -> None:
    """Smooth outline of each track's visible silhouette, in the colour of its class."""
    for index, (rows, columns) in windows.items():
        if shown[index] < _FEWEST_PIXELS:
            continue
        mask = (render.track[rows, columns] == index).view(np.uint8)
        large = shown[index] >= _LARGE_PIXELS
        # Holes of small silhouettes are noise at their size.
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST if large else cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        color = CLASS_COLORS[tracks[index].class_name]
        color = mixed(color, BLACK, 0.45) if tracks[index].state == "coasting" else color
        for contour in contours:
            if len(contour) >= 6:
                points = contour[:, 0, :].astype(np.float64) + [columns.start, rows.start]
                smooth = gaussian_filter1d(points, 1.0 if large else 0.6, axis=0, mode="wrap")
                for part in _off_border(points, smooth, picture.shape):
                    line(picture, part, color, 2 if large and picture.shape[1] >= 480 else 1)


def _off_border(points: np.ndarray, smooth: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Parts of a closed contour that do not run along the image border, each closed or open as it comes."""
    on_border = (points <= 0).any(axis=1) | (points[:, 0] >= shape[1] - 1) | (points[:, 1] >= shape[0] - 1)
    if not on_border.any():
        return [np.concatenate([smooth, smooth[:1]])]
    first = int(np.argmax(on_border))
    on_border, smooth = np.roll(on_border, -first), np.roll(smooth, -first, axis=0)
    pieces = np.split(np.arange(len(smooth)), np.flatnonzero(np.diff(on_border)) + 1)
    return [smooth[piece] for piece in pieces if not on_border[piece[0]] and len(piece) > 1]


def _draw_boxes(
    picture: np.ndarray, scene: SceneEstimate, camera: Camera, shown: np.ndarray, with_meshes: bool
) -> dict[int, np.ndarray]:
    """Boxes of tracks that no mesh stands for; returns their edges' points inside the image.

    Those are tracks without codes, and hidden ones that are only predicted. An aircraft's box is mostly air:
    where its mesh does not show, the box would mislead.
    """
    hidden = [
        k
        for k, track in enumerate(scene.tracks)
        if shown[k] == 0
        and np.isfinite(track.box).all()
        and (
            track.shape_code is None
            or not with_meshes
            or (track.state == "coasting" and track.class_name != "aircraft")
        )
    ]
    drawn: dict[int, np.ndarray] = {}
    if not hidden:
        return drawn
    corners = base_boxes([scene.tracks[k] for k in hidden], scene.frame.odom_from_base)
    corners = transform_points(camera.camera_from_base, corners.reshape(-1, 3)).reshape(corners.shape)
    steps = np.linspace(0, 1, _EDGE_STEPS)[:, None]
    for k, box in zip(hidden, corners, strict=True):
        edges = np.stack([box[a] + steps * (box[b] - box[a]) for a, b in BOX_EDGES])
        pixels, valid = camera.project(edges)
        valid &= edges[..., 2] > 0.1
        if not (valid & camera.contains(pixels)).any():
            continue
        drawn[k] = pixels[valid & camera.contains(pixels)]
        color = CLASS_COLORS[scene.tracks[k].class_name]
        faint = scene.tracks[k].state == "coasting"
        for edge, ok in zip(pixels, valid, strict=True):
            for part in np.split(edge, np.flatnonzero(~ok)):
                if len(part) > 1:
                    line(picture, part[1:] if not ok.all() else part, mixed(color, BLACK, 0.45) if faint else color, 1)
    return drawn


def _labels(
    tracks: Sequence[Track],
    render: TrackRender,
    shown: np.ndarray,
    windows: Mapping[int, tuple[slice, slice]],
    boxes: Mapping[int, np.ndarray],
) -> list[Label]:
    """One label per track that is large enough in view, the largest first."""
    labels = []
    for index in np.argsort(-shown, kind="stable").tolist():
        if shown[index] >= _LABEL_PIXELS:
            rows, columns = windows[index]
            # Over the middle of what is visible, which may be off the middle of a wide window.
            own = np.flatnonzero((render.track[rows, columns] == index).any(axis=0))
            anchor = (columns.start + float(own.mean()), float(rows.start))
        elif index in boxes:
            anchor = (float(boxes[index][:, 0].mean()), float(boxes[index][:, 1].min()))
        else:
            continue
        track = tracks[index]
        labels.append(Label(track_label(track), anchor, CLASS_COLORS[track.class_name], track.state == "coasting"))
    return labels


def track_label(track: Track) -> str:
    """Class, id, and the speed of what moves, such as "gse 12 · 3.4 m/s"."""
    speed = float(np.hypot(*track.velocity))
    name = track.track_id if track.class_name in track.track_id else f"{track.class_name} {track.track_id}"
    return f"{name} · {speed:.1f} m/s" if speed >= STILL_MPS else name
