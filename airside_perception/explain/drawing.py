"""Small drawing tools that all pictures share: smooth lines, text, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

BACKGROUND: Color = (17, 20, 25)
PANEL: Color = (27, 31, 38)
WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
TEXT: Color = (235, 238, 242)
FAINT: Color = (150, 158, 170)

_SUBPIXEL_BITS = 4


def mixed(color: Color, other: Color, share: float) -> Color:
    """`color` with a `share` 0..1 of `other` in it."""
    red, green, blue = (round((1.0 - share) * a + share * b) for a, b in zip(color, other, strict=True))
    return red, green, blue


@lru_cache(maxsize=32)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures; matplotlib ships it, so it is there on every machine."""
    spec = find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default()


def line(image: np.ndarray, points: np.ndarray, color: Color, width: int = 1, closed: bool = False) -> None:
    """Draw a smooth polyline in place.

    Args:
        image: (H, W, 3) uint8, contiguous.
        points: (N, 2) float pixels (u, v); the centre of the top-left pixel is (0, 0).
        color: RGB.
        width: pixels.
        closed: connect the last point with the first.
    """
    cv2.polylines(image, [_fixed_point(points)], closed, color, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """Pixels as the fixed-point integers that OpenCV draws at a fraction of a pixel."""
    return np.round(np.clip(points, -1e5, 1e5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def dashed(image: np.ndarray, points: np.ndarray, color: Color, width: int = 1, dash: float = 6.0) -> None:
    """Draw a closed dashed polygon in place; arguments as for `line`, dash length in pixels."""
    dashes = []
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        count = max(int(float(np.linalg.norm(end - start)) / (2 * dash)), 1)
        share = (np.arange(count)[:, None] + [0.0, 0.5]) / count
        dashes.append(start + share[..., None] * (end - start))
    fixed = _fixed_point(np.concatenate(dashes))
    cv2.polylines(image, list(fixed), False, color, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def fill(image: np.ndarray, polygon: np.ndarray, color: Color, opacity: float) -> None:
    """Blend a filled polygon (N, 2) into the image in place."""
    low = np.clip(np.floor(polygon.min(axis=0)).astype(int) - 1, 0, [image.shape[1], image.shape[0]])
    high = np.clip(np.ceil(polygon.max(axis=0)).astype(int) + 2, 0, [image.shape[1], image.shape[0]])
    if (high <= low).any():
        return
    patch = image[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed_point(polygon - low)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    alpha = (mask.astype(np.float32) * (opacity / 255.0))[..., None]
    patch[:] = (patch * (1 - alpha) + np.array(color, np.float32) * alpha).astype(np.uint8)


@dataclass(frozen=True)
class Label:
    """A text to place near a point of a picture.

    Attributes:
        text: one line.
        anchor: (u, v) pixel above which it should stand.
        color: of the bar at its left.
        faint: less prominent, for what is only predicted.
    """

    text: str
    anchor: tuple[float, float]
    color: Color
    faint: bool = False


def draw_labels(image: np.ndarray, labels: Sequence[Label], size: int = 11) -> np.ndarray:
    """Write labels on dark plates, the first ones first; one that would cover another moves up or is left out.

    Returns:
        A new (H, W, 3) uint8 image.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture, "RGBA")
    face = font(size)
    taken: list[tuple[int, int, int, int]] = []
    for label in labels:
        box = _place(label, int(pen.textlength(label.text, font=face)), size, image.shape, taken)
        if box is None:
            continue
        taken.append(box)
        left, top, _, bottom = box
        pen.rectangle(box, fill=(12, 14, 18, 130 if label.faint else 190))
        pen.rectangle((left, top, left + 2, bottom), fill=(*label.color, 150 if label.faint else 255))
        pen.text((left + 6, (top + bottom) / 2), label.text, FAINT if label.faint else TEXT, face, anchor="lm")
    return np.asarray(picture).copy()


def _place(
    label: Label, width: int, size: int, shape: tuple[int, ...], taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of a free place at or above the label's anchor, inside the picture."""
    wide, high = width + 10, size + 5
    left = int(np.clip(label.anchor[0] - wide / 2, 0, max(shape[1] - wide - 1, 0)))
    wanted = int(np.clip(label.anchor[1] - high - 3, 0, shape[0] - high - 1))
    for shift in range(3):
        top = wanted - shift * (high + 1)
        if top < 0:
            break
        box = (left, top, left + wide, top + high)
        if not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def write(image: np.ndarray, texts: Sequence[tuple[str, tuple[float, float], Color, int, str]]) -> np.ndarray:
    """Write plain texts: (text, (u, v), color, size, anchor as in Pillow, "lm" = left middle).

    Returns:
        A new (H, W, 3) uint8 image.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for text, place, color, size, anchor in texts:
        pen.text(place, text, color, font(size), anchor=anchor)
    return np.asarray(picture).copy()
