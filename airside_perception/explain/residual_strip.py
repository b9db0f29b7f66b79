"""The strip under an overlay: for each large object the image, its render, and where they disagree."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

from airside_perception.classes import CLASS_COLORS, SEMANTIC_OF_CLASS
from airside_perception.explain.drawing import BACKGROUND, FAINT, PANEL, TEXT, Color, write
from airside_perception.explain.track_render import TrackRender
from airside_perception.records import Explanation, SceneEstimate

COLUMNS, ROWS = 3, 2
"""Objects side by side and below each other."""

MISSING: Color = (70, 150, 255)
EXTRA: Color = (255, 70, 60)

Window = tuple[int, int, int]
"""Left, top and edge of a square of the image, pixels."""

Text = tuple[str, tuple[float, float], Color, int, str]

_MARGIN = 0.15
_FEWEST_PIXELS = 60
_LEGEND_HEIGHT = 15
_DIFFERENCE_GAIN = 2.5


def residual_strip(
    scene: SceneEstimate, camera_name: str, render: TrackRender, windows: Mapping[int, tuple[slice, slice]]
) -> np.ndarray:
    """Image, render and difference of the largest objects in one camera.

    The difference shows the colour error inside the silhouette (black small, yellow large); blue where the
    network sees the class but nothing is rendered, red where something is rendered that the network does not see.

    Args:
        scene: tracks, explanations and, where the network ran, its image semantics.
        camera_name: whose render it is.
        render: all tracks in that camera.
        windows: index of a track -> rows and columns that it takes in the image.

    Returns:
        (h, W, 3) uint8; its height depends on the width alone.
    """
    width = render.camera.width
    tile_width = width // COLUMNS
    part = (tile_width - 8) // 3
    caption = max(part // 5, 12)
    tile_height = part + caption + 6
    strip = np.empty((ROWS * tile_height + _LEGEND_HEIGHT, width, 3), np.uint8)
    strip[:] = BACKGROUND
    texts: list[Text] = []
    by_id = {explanation.track_id: explanation for explanation in scene.explanations}
    disagreement = _Disagreement(scene, camera_name, render)
    chosen = _largest(render, windows)
    for place, index in enumerate(chosen):
        left, top = place % COLUMNS * tile_width + 2, place // COLUMNS * tile_height + 3
        track = scene.tracks[index]
        strip[top : top + part + caption, left : left + 3 * part + 4] = PANEL
        for number, picture in enumerate(_pictures(render, index, _square_around(windows[index]), part, disagreement)):
            at = left + number * (part + 2)
            strip[top + caption : top + caption + part, at : at + part] = picture
        strip[top : top + caption, left : left + 2] = CLASS_COLORS[track.class_name]
        middle, size = top + caption / 2, max(caption - 4, 8)
        texts.append((_name(track.track_id, track.class_name), (left + 6, middle), TEXT, size, "lm"))
        texts.append((_losses(by_id.get(track.track_id)), (left + 3 * part, middle), FAINT, size, "rm"))
    return write(strip, texts + _legend(strip, bool(chosen), scene.image_semantics.get(camera_name) is not None))


def _legend(strip: np.ndarray, any_object: bool, any_semantics: bool) -> list[Text]:
    height, width = strip.shape[:2]
    middle = height - _LEGEND_HEIGHT / 2
    if not any_object:
        return [("no rendered object in this camera", (4, middle), FAINT, 9, "lm")]
    texts: list[Text] = [("image | render | difference", (4, middle), FAINT, 9, "lm")]
    if any_semantics:
        texts.append(("blue: seen, not rendered", (width * 0.52, middle), MISSING, 9, "lm"))
        texts.append(("red: rendered, not seen", (width * 0.77, middle), EXTRA, 9, "lm"))
    return texts


def _largest(render: TrackRender, windows: Mapping[int, tuple[slice, slice]]) -> list[int]:
    """Indices of the tracks with most visible pixels, the largest first."""
    pixels = {index: np.count_nonzero(render.track[window] == index) for index, window in windows.items()}
    ranked = sorted((index for index in pixels if pixels[index] >= _FEWEST_PIXELS), key=lambda index: -pixels[index])
    return ranked[: COLUMNS * ROWS]


def _name(track_id: str, class_name: str) -> str:
    return track_id if class_name in track_id else f"{class_name} {track_id}"


def _losses(explanation: Explanation | None) -> str:
    if explanation is None or not math.isfinite(explanation.loss_after):
        return "predicted" if explanation and "coasting" in explanation.reasons else "as detected"
    return f"loss {explanation.loss_before:.2f} → {explanation.loss_after:.2f}"


class _Disagreement:
    """Where the network's image semantics and the renders of one camera disagree."""

    def __init__(self, scene: SceneEstimate, camera_name: str, render: TrackRender):
        self._semantics = scene.image_semantics.get(camera_name)
        ids = [SEMANTIC_OF_CLASS[track.class_name] for track in scene.tracks]
        self._ids = np.array([*ids, 0], np.uint8)
        self._drawn = self._ids[render.track]
        self._seen: dict[int, np.ndarray] = {}

    def mark(self, picture: np.ndarray, index: int, window: Window, mask: np.ndarray) -> None:
        """Tint the pixels of a window's picture (edge, edge, 3) in place."""
        if self._semantics is None:
            return
        label = int(self._ids[index])
        if label not in self._seen:
            size = (self._drawn.shape[1], self._drawn.shape[0])
            self._seen[label] = cv2.resize(self._semantics[label], size, interpolation=cv2.INTER_LINEAR) > 0.5
        seen = _cut(self._seen[label], window)
        drawn = _cut(self._drawn, window) == label
        for where, color in ((seen & ~drawn, MISSING), (mask & ~seen, EXTRA)):
            picture[where] = picture[where] // 2 + np.array(color, np.uint8) // 2


def _pictures(
    render: TrackRender, index: int, window: Window, edge: int, disagreement: _Disagreement
) -> list[np.ndarray]:
    """Image, render and difference around one object, (edge, edge, 3) uint8 each."""
    image, mask = _cut(render.image, window), _cut(render.track, window, -1) == index
    color = (255.0 * _cut(render.color, window)).astype(np.uint8)
    rendered = np.where(mask[..., None], color, np.uint8(45))
    difference = np.repeat((cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 3)[..., None], 3, axis=-1)
    error = np.abs(image[mask].astype(np.float32) - color[mask]).mean(axis=-1)
    heat = np.clip(_DIFFERENCE_GAIN * error, 0, 255).astype(np.uint8).reshape(-1, 1)
    if len(heat):
        difference[mask] = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    disagreement.mark(difference, index, window, mask)
    method = cv2.INTER_AREA if image.shape[0] > edge else cv2.INTER_CUBIC
    return [cv2.resize(picture, (edge, edge), interpolation=method) for picture in (image, rendered, difference)]


def _square_around(window: tuple[slice, slice]) -> Window:
    """A square around a window of the image, with a margin; may reach beyond the image."""
    rows, columns = window
    edge = int(max(rows.stop - rows.start, columns.stop - columns.start) * (1 + 2 * _MARGIN)) + 6
    return (columns.start + columns.stop - edge) // 2, (rows.start + rows.stop - edge) // 2, edge


def _cut(image: np.ndarray, window: Window, outside: int = 0) -> np.ndarray:
    """The window of an image, `outside` where it reaches beyond."""
    left, top, edge = window
    height, width = image.shape[:2]
    result = np.full((edge, edge, *image.shape[2:]), outside, image.dtype)
    x0, x1, y0, y1 = max(left, 0), min(left + edge, width), max(top, 0), min(top + edge, height)
    if x1 > x0 and y1 > y0:
        result[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return result
