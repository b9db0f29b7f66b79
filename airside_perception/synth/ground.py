"""The apron's surface: concrete slabs, joints, stains, repairs and painted markings, as one albedo texture."""

from __future__ import annotations

import cv2
import numpy as np

from airside_perception.synth.scene import GroundTexture

WHITE, YELLOW, RED, BLACK = (0.75, 0.75, 0.72), (0.72, 0.5, 0.03), (0.55, 0.06, 0.05), (0.03, 0.03, 0.03)


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """(rows, columns) float32 in about [-1, 1], with `cells` bumps along an edge."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32) * 0.6
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


class GroundPainter:
    """Draws on a square albedo canvas in world metres."""

    def __init__(
        self, rng: np.random.Generator, center: tuple[float, float], extent_m: float = 220.0, resolution: float = 0.11
    ):
        self._rng = rng
        self._resolution = resolution
        self._origin = np.array(center, float) - extent_m / 2
        texels = int(extent_m / resolution)
        self._canvas = self._concrete(texels)

    def _concrete(self, texels: int) -> np.ndarray:
        rng = self._rng
        base = np.array(rng.choice([0.18, 0.25, 0.33, 0.42]) * rng.uniform(0.8, 1.2)) * (
            1 + rng.normal(0, 0.04, 3)
        )
        shade = np.ones((texels, texels), np.float32)
        for cells, strength in ((6, 0.10), (30, 0.07), (200, 0.05)):
            shade += strength * rng.uniform(0.4, 1.6) * _smooth_noise(rng, shade.shape, cells)
        grain = rng.standard_normal((texels // 4, texels // 4)).astype(np.float32)
        shade += rng.uniform(0.01, 0.05) * np.tile(grain, (5, 5))[:texels, :texels]
        canvas = np.clip(shade, 0.3, 1.8)[..., None] * base.astype(np.float32)
        if rng.random() < 0.8:
            self._slabs(canvas)
        return canvas

    def _slabs(self, canvas: np.ndarray) -> None:
        """Slab to slab brightness steps and dark joints."""
        rng = self._rng
        slab = int(rng.uniform(3.5, 8.0) / self._resolution)
        count = canvas.shape[0] // slab + 1
        steps = 1 + rng.normal(0, rng.uniform(0.0, 0.06), (count, count)).astype(np.float32)
        repeated = np.repeat(np.repeat(steps, slab, 0), slab, 1)[: canvas.shape[0], : canvas.shape[1]]
        canvas *= repeated[..., None]
        joint = rng.uniform(0.4, 0.85)
        canvas[::slab] *= joint
        canvas[:, ::slab] *= joint

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
        rows, columns = np.mgrid[r0:r1, c0:c1]
        falloff = np.exp(-3.0 * ((rows - row) ** 2 + (columns - column) ** 2) / half**2)
        self._canvas[r0:r1, c0:c1] *= (1 + (strength - 1) * falloff[..., None]).astype(np.float32)

    def line(self, points: np.ndarray, color: tuple[float, float, float], width: float, wear: float = 0.15) -> None:
        """A painted polyline: (N, 2) world metres, `width` in metres."""
        worn = tuple(float(c) * (1 - wear) + wear * 0.25 for c in color)
        thickness = max(1, round(width / self._resolution))
        cv2.polylines(self._canvas, [self._texel(points)], False, worn, thickness, cv2.LINE_AA, shift=4)

    def dashed(self, start: np.ndarray, end: np.ndarray, color, width: float, dash: float = 2.0, gap: float = 2.0):
        """A dashed straight line between two world points."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.linalg.norm(end - start))
        direction = (end - start) / max(length, 1e-6)
        for offset in np.arange(0.0, length, dash + gap):
            stop = min(offset + dash, length)
            self.line(np.stack([start + offset * direction, start + stop * direction]), color, width)

    def polygon(self, points: np.ndarray, color: tuple[float, float, float]) -> None:
        """A filled painted area: (N, 2) world metres."""
        cv2.fillPoly(self._canvas, [self._texel(points)], tuple(map(float, color)), cv2.LINE_AA, shift=4)

    def hatched(self, corners: np.ndarray, color, spacing: float, width: float) -> None:
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
        dirt = 1 + 0.06 * _smooth_noise(self._rng, self._canvas.shape[:2], 90)
        albedo = np.clip(self._canvas * dirt[..., None], 0.01, 0.95).astype(np.float32)
        return GroundTexture(albedo, self._origin + self._resolution / 2, self._resolution)
