"""The apron's surface: concrete slabs, joints, stains, repairs and paint, as one albedo texture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.scene import GroundTexture

Color = tuple[float, float, float]

WHITE: Color = (0.75, 0.75, 0.72)
YELLOW: Color = (0.72, 0.5, 0.03)
RED: Color = (0.55, 0.06, 0.05)
BLACK: Color = (0.03, 0.03, 0.03)
GRASS: Color = (0.10, 0.15, 0.05)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """(rows, columns) float32 in about [-1, 1], with `cells` bumps along an edge."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32) * 0.6
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _bytes(color: Color) -> Color:
    return (255 * float(color[0]), 255 * float(color[1]), 255 * float(color[2]))


class GroundPainter:
    """Draws on a square albedo canvas in world metres.

    Args:
        rng: draws slabs and stains.
        center: (x, y) of the canvas.
        extent_m: its edge.
        resolution: metres per texel.
    """

    def __init__(
        self, rng: np.random.Generator, center: tuple[float, float], extent_m: float = 220.0, resolution: float = 0.11
    ):
        self._rng = rng
        self._resolution = resolution
        self._origin = np.array(center, float) - extent_m / 2
        self._canvas = self._concrete(int(extent_m / resolution))

    def _concrete(self, texels: int) -> np.ndarray:
        """(texels, texels, 3) uint8 albedo * 255."""
        rng = self._rng
        base = rng.choice([0.18, 0.25, 0.33, 0.42]) * rng.uniform(0.8, 1.2) * (1 + rng.normal(0, 0.04, 3))
        # Broad changes need few texels; only grain and joints need them all.
        coarse = np.ones((texels // 4, texels // 4), np.float32)
        for cells, strength in ((6, 0.10), (30, 0.07), (200, 0.05)):
            coarse += strength * rng.uniform(0.4, 1.6) * smooth_noise(rng, coarse.shape, cells)
        coarse += rng.uniform(0.01, 0.05) * rng.standard_normal(coarse.shape, dtype=np.float32)
        shade = cv2.resize(coarse, (texels, texels), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.8:
            self._slabs(shade)
        return cv2.merge([cv2.convertScaleAbs(shade, alpha=255 * float(channel)) for channel in base])

    def _slabs(self, shade: np.ndarray) -> None:
        """Slab to slab brightness steps, dark joints, and a few replaced slabs."""
        rng = self._rng
        slab = int(rng.uniform(3.5, 8.0) / self._resolution)
        count = shade.shape[0] // slab + 1
        steps = 1 + rng.normal(0, rng.uniform(0.01, 0.06), (count, count)).astype(np.float32)
        steps[rng.random((count, count)) < rng.uniform(0, 0.03)] *= rng.uniform(0.65, 1.35)
        size = (count * slab, count * slab)
        shade *= cv2.resize(steps, size, interpolation=cv2.INTER_NEAREST)[: shade.shape[0], : shade.shape[1]]
        joint = rng.uniform(0.4, 0.85)
        # Half a slab in: the canvas is mirrored at its edge, where a joint would be drawn twice as wide.
        shade[slab // 2 :: slab] *= joint
        shade[:, slab // 2 :: slab] *= joint

    def _texel(self, points: np.ndarray) -> np.ndarray:
        """Fixed-point (4 fractional bits) texel coordinates for cv2."""
        return np.round((np.asarray(points, float) - self._origin) / self._resolution * 16).astype(np.int32)

    def stain(self, x: float, y: float, radius: float, strength: float) -> None:
        """A soft dark (strength < 1) or pale patch."""
        half = int(radius / self._resolution) + 1
        column, row = ((np.array([x, y]) - self._origin) / self._resolution).astype(int)
        r0, r1 = max(row - half, 0), min(row + half, self._canvas.shape[0])
        c0, c1 = max(column - half, 0), min(column + half, self._canvas.shape[1])
        if r1 <= r0 or c1 <= c0:
            return
        along = [np.exp(-3.0 * ((np.arange(a, b) - m) / half) ** 2) for a, b, m in ((r0, r1, row), (c0, c1, column))]
        self._scale(r0, c0, (1 + (strength - 1) * along[0][:, None] * along[1]).astype(np.float32))

    def tracks(self, rng: np.random.Generator, lines: Sequence[np.ndarray], width: float, strength: float) -> None:
        """Darken (strength < 1) the ground along polylines of (N, 2) world metres, uneven as rubber is."""
        texels = [self._texel(line) for line in lines]
        margin = 16 * (int(width / self._resolution) + 2)
        low, high = (
            np.clip(edge // 16, 0, self._canvas.shape[0])
            for edge in (
                np.min([t.min(axis=0) for t in texels], axis=0) - margin,
                np.max([t.max(axis=0) for t in texels], axis=0) + margin,
            )
        )
        if (high - low).min() < 1:
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        thickness = max(1, round(width / self._resolution))
        cv2.polylines(mask, [t - 16 * low for t in texels], False, 255.0, thickness, cv2.LINE_AA, shift=4)
        fading = 0.75 + 0.25 * smooth_noise(rng, (mask.shape[0], mask.shape[1]), 24)
        self._scale(int(low[1]), int(low[0]), 1 - (1 - strength) * fading * mask.astype(np.float32) / 255)

    def mottle(self, low: np.ndarray, high: np.ndarray, strength: float) -> None:
        """Blotches over the rectangle from `low` to `high`, (2,) world metres: grass is never even."""
        first = np.clip(((low - self._origin) / self._resolution).astype(int), 0, self._canvas.shape[0])
        last = np.clip(((high - self._origin) / self._resolution).astype(int), 0, self._canvas.shape[0])
        shape = (int(last[1] - first[1]), int(last[0] - first[0]))
        if min(shape) < 8:
            return
        noise = smooth_noise(self._rng, shape, 60) + smooth_noise(self._rng, shape, 400)
        self._scale(int(first[1]), int(first[0]), np.clip(1 + strength * noise, 0.3, 2.0))

    def _scale(self, row: int, column: int, factor: np.ndarray) -> None:
        """Multiply the canvas from (row, column) on by (rows, columns) float32."""
        part = self._canvas[row : row + factor.shape[0], column : column + factor.shape[1]]
        for channel in range(3):
            part[..., channel] = cv2.multiply(part[..., channel], factor, dtype=cv2.CV_8U)

    def line(self, points: np.ndarray, color: Color, width: float, wear: float = 0.15) -> None:
        """A painted polyline: (N, 2) world metres, `width` in metres."""
        worn = _bytes((color[0] * (1 - wear), color[1] * (1 - wear), color[2] * (1 - wear)))
        worn = (worn[0] + 64 * wear, worn[1] + 64 * wear, worn[2] + 64 * wear)
        thickness = max(1, round(width / self._resolution))
        cv2.polylines(self._canvas, [self._texel(points)], False, worn, thickness, cv2.LINE_AA, shift=4)

    def dashed(
        self, start: np.ndarray, end: np.ndarray, color: Color, width: float, dash: float = 2.0, gap: float = 2.0
    ) -> None:
        """A dashed straight line between two world points."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.linalg.norm(end - start))
        direction = (end - start) / max(length, 1e-6)
        for offset in np.arange(0.0, length, dash + gap):
            stop = min(offset + dash, length)
            self.line(np.stack([start + offset * direction, start + stop * direction]), color, width)

    def polygon(self, points: np.ndarray, color: Color) -> None:
        """A filled painted area: (N, 2) world metres."""
        cv2.fillPoly(self._canvas, [self._texel(points)], _bytes(color), cv2.LINE_AA, shift=4)

    def number(self, text: str, at: np.ndarray, up: ArrayLike, height: float, color: Color) -> None:
        """Painted characters whose lower left corner is `at` and whose upright direction is `up`, (2,) world."""
        up = np.asarray(up, float)
        right = np.array([up[1], -up[0]])
        for place, character in enumerate(text):
            corner = np.asarray(at, float) + right * place * 0.8 * height
            for start, end in _SEGMENTS_OF[character]:
                ends = np.array([start, end]) * [0.5 * height, 0.5 * height]
                self.line(corner + ends[:, :1] * right + ends[:, 1:] * up, color, 0.13 * height)

    def hatched(self, corners: np.ndarray, color: Color, spacing: float, width: float) -> None:
        """Diagonal hatching of a parallelogram given by three corners (origin, along u, along v)."""
        origin, along_u, along_v = (np.asarray(c, float) for c in corners)
        u, v = along_u - origin, along_v - origin
        lines = int((np.linalg.norm(u) + np.linalg.norm(v)) / spacing)
        for k in np.linspace(0, 2, lines):
            a = origin + min(k, 1) * u + max(k - 1, 0) * v
            b = origin + max(k - 1, 0) * u + min(k, 1) * v
            self.line(np.stack([a, b]), color, width)

    def finish(self) -> GroundTexture:
        """The texture, after a last layer of dirt over paint and concrete."""
        dirt = 1 + 0.06 * smooth_noise(self._rng, self._canvas.shape[:2], 90)
        self._scale(0, 0, dirt)
        return GroundTexture(self._canvas, self._origin + self._resolution / 2, self._resolution)


def snow_covered(texture: GroundTexture, snow: float) -> np.ndarray:
    """The texture's albedo under snow: drifts on the apron, most on what is green beside it.

    Args:
        texture: drawn ground.
        snow: 0 none .. 1 nearly all of it white.

    Returns:
        (rows, columns, 3) uint8.
    """
    rows, columns = texture.albedo.shape[:2]
    # Drifts are broad: a quarter of the texels is enough for them.
    coarse = cv2.resize(texture.albedo, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(20250117)
    drifts = np.zeros(coarse.shape[:2], np.float32)
    for cells, strength in ((14, 0.5), (60, 0.3), (260, 0.25)):
        drifts += strength * smooth_noise(rng, drifts.shape, cells)
    grass = cv2.blur((coarse[..., 1] > 1.2 * coarse[..., 0].astype(np.float32)).astype(np.float32), (3, 3))
    lies = np.clip((drifts + (1.9 * snow - 1.05) + 1.6 * grass) * 2.5, 0.0, 0.97)
    white = np.clip(np.array([200, 206, 216], np.float32) * (1 + 0.05 * drifts[..., None]), 0, 255).astype(np.uint8)
    share, cover = (cv2.resize(each, (columns, rows), interpolation=cv2.INTER_LINEAR) for each in (lies, white))
    return cv2.blendLinear(texture.albedo, cover, 1 - share, share)


def _seven_segments() -> dict[str, list[tuple[tuple[int, int], tuple[int, int]]]]:
    """Strokes of the digits on a grid 1 wide and 2 high."""
    segments = {
        "a": ((0, 2), (1, 2)),
        "b": ((1, 2), (1, 1)),
        "c": ((1, 1), (1, 0)),
        "d": ((0, 0), (1, 0)),
        "e": ((0, 1), (0, 0)),
        "f": ((0, 2), (0, 1)),
        "g": ((0, 1), (1, 1)),
    }
    lit = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
    return {str(digit): [segments[name] for name in names] for digit, names in enumerate(lit)}


_SEGMENTS_OF = _seven_segments()
