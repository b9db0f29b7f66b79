"""Aircraft paint schemes: a generator, not copies of real airlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.synth.colors import Color, brand_color, jitter, random_hue
from airside_perception.synth.mesh_parts import FloatArray

SCHEMES = ("plain", "tail_sweep", "cheatline", "two_tone", "full_color", "bare_metal", "bands", "nose", "half")
_WEIGHTS = np.array([0.15, 0.24, 0.14, 0.12, 0.12, 0.06, 0.09, 0.04, 0.04])


@dataclass(frozen=True)
class Livery:
    """Colours of one aircraft.

    Attributes:
        scheme: one of `SCHEMES`.
        base, belly, accent, second, tail: paints; `tail` is the fin's.
        wing, engine, metal: wing skin, cowling, leading edges.
        belly_angle: the belly paint starts at this angle from the top, radians.
        stripe: (low, high) angles of the cheatline.
        tail_start: where the tail's paint begins (in the scheme `nose`: where the nose's ends), share of the length;
            negative slope leans forward.
        slope: lean of the colour boundaries.
        marks: further stations of boundaries, shares of the length.
        titles: colour of the name on the side, or None.
        emblem: colour of the badge on the fin, or None.
    """

    scheme: str
    base: Color
    belly: Color
    accent: Color
    second: Color
    tail: Color
    wing: Color
    engine: Color
    metal: Color
    belly_angle: float
    stripe: tuple[float, float]
    tail_start: float
    slope: float
    marks: tuple[float, ...]
    titles: Color | None
    emblem: Color | None
    door: float

    def paint(self, share: FloatArray, angle: FloatArray) -> FloatArray:
        """Skin colour (..., 3) at shares of the length and angles from the top (either side)."""
        turn = np.abs(angle)
        colors = np.empty((*turn.shape, 3), dtype=np.float32)
        colors[:] = self.base
        colors[turn > self.belly_angle] = self.belly
        stripe = (turn > self.stripe[0]) & (turn < self.stripe[1])
        if self.scheme in ("cheatline", "bare_metal"):
            colors[stripe] = self.accent
        if self.scheme == "two_tone":
            colors[turn > self.stripe[0]] = self.accent
        if self.scheme == "nose":
            colors[share < self.tail_start] = self.accent
        if self.scheme in ("tail_sweep", "bands", "full_color", "half"):
            colors[share > self.tail_start] = self.tail
        if self.scheme == "bands":
            for index, start in enumerate(self.marks):
                inside = (share > start) & (share < start + 0.035)
                colors[inside] = self.accent if index % 2 == 0 else self.second
        return colors


def draw_livery(rng: np.random.Generator) -> Livery:
    """A random paint scheme."""
    scheme = str(rng.choice(SCHEMES, p=_WEIGHTS))
    white = jitter(rng, (0.9, 0.9, 0.89), 0.04)
    grey = jitter(rng, (0.6, 0.62, 0.65), 0.08)
    metal = jitter(rng, (0.66, 0.67, 0.69), 0.05)
    accent, second = brand_color(rng), random_hue(rng, (0.2, 1.0), (0.3, 0.9))
    base = {"bare_metal": metal, "full_color": brand_color(rng)}.get(scheme, white)
    if scheme in ("plain", "tail_sweep") and rng.uniform() < 0.2:
        base = jitter(rng, (0.75, 0.76, 0.78), 0.08)
    tail = accent if rng.uniform() < 0.75 else (second if rng.uniform() < 0.7 else base)
    start = {"nose": rng.uniform(0.12, 0.22), "half": rng.uniform(0.38, 0.6)}.get(scheme, rng.uniform(0.66, 0.84))
    low = rng.uniform(1.15, 1.5)
    belly = base if rng.uniform() < 0.4 else (grey if rng.uniform() < 0.6 else accent)
    return Livery(
        scheme=scheme,
        base=base,
        belly=belly,
        accent=accent,
        second=second,
        tail=tail,
        wing=jitter(rng, (0.64, 0.66, 0.69), 0.1) if rng.uniform() < 0.8 else white,
        engine=[white, base, accent, grey, metal][int(rng.integers(5))],
        metal=metal,
        belly_angle=rng.uniform(1.9, 2.5),
        stripe=(low, low + rng.uniform(0.25, 0.7)),
        tail_start=start,
        slope=rng.uniform(-1.2, 0.8),
        marks=tuple(start - 0.05 - 0.045 * k for k in range(int(rng.integers(1, 4)))),
        titles=None if rng.uniform() < 0.2 else (white if scheme == "full_color" else accent),
        emblem=None if rng.uniform() < 0.35 else (white if tail != white and rng.uniform() < 0.6 else second),
        door=rng.uniform(0.7, 0.95),
    )
