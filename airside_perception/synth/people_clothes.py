"""Builds, clothes, protective gear and luggage of apron workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.colors import Color, jitter, pick, random_hue
from airside_perception.synth.mesh_parts import FloatArray
from airside_perception.synth.people_body import TORSO_ANGLES, TORSO_LEVELS

SKINS: tuple[tuple[Color, float], ...] = (
    ((0.82, 0.62, 0.5), 1.0), ((0.7, 0.5, 0.38), 1.0), ((0.48, 0.32, 0.22), 1.0), ((0.25, 0.16, 0.11), 0.8),
)  # fmt: skip
HAIR: tuple[tuple[Color, float], ...] = (
    ((0.05, 0.04, 0.04), 3.0), ((0.16, 0.1, 0.06), 2.0), ((0.4, 0.28, 0.14), 1.0), ((0.45, 0.44, 0.43), 1.0),
)  # fmt: skip
HI_VIS: tuple[tuple[Color, float], ...] = (
    ((0.78, 0.95, 0.12), 3.0), ((0.98, 0.42, 0.06), 2.0), ((0.95, 0.85, 0.1), 1.0), ((0.95, 0.15, 0.1), 0.3),
)  # fmt: skip
CLOTH: tuple[tuple[Color, float], ...] = (
    ((0.06, 0.08, 0.16), 3.0), ((0.08, 0.08, 0.09), 2.0), ((0.3, 0.31, 0.33), 1.0), ((0.12, 0.2, 0.4), 1.0),
    ((0.35, 0.3, 0.22), 0.6), ((0.7, 0.7, 0.7), 0.4), ((0.45, 0.08, 0.08), 0.3),
)  # fmt: skip
REFLECTIVE: Color = (0.82, 0.84, 0.84)

BUILDS: dict[str, dict[str, tuple[float, float]]] = {
    "average": {"height": (1.68, 1.82), "girth": (0.96, 1.08), "belly": (0.9, 1.1)},
    "tall": {"height": (1.84, 1.97), "girth": (0.94, 1.06), "belly": (0.88, 1.05), "shoulders": (0.112, 0.126)},
    "short": {"height": (1.52, 1.64), "girth": (0.95, 1.1), "belly": (0.9, 1.12), "shoulders": (0.1, 0.114)},
    "slim": {"height": (1.62, 1.84), "girth": (0.8, 0.92), "belly": (0.82, 1.0), "shoulders": (0.1, 0.112)},
    "heavy": {"height": (1.66, 1.86), "girth": (1.12, 1.28), "belly": (1.1, 1.4)},
    "broad": {"height": (1.74, 1.92), "girth": (1.06, 1.18), "belly": (0.92, 1.08), "shoulders": (0.122, 0.134)},
    "narrow": {"height": (1.58, 1.74), "girth": (0.88, 1.0), "belly": (0.85, 1.05), "shoulders": (0.096, 0.106),
               "hips": (1.05, 1.16)},
}  # fmt: skip
"""Ranges of height (metres), girth, belly depth (both relative), half shoulder width (heights) and hips (relative)."""

OUTFITS = ("vest", "open_vest", "jacket", "overall", "suit", "plain", "dark_overall", "uniform", "parka")
_BRIGHT = ("vest", "open_vest", "jacket", "overall", "suit")
_LONG_COAT = ("jacket", "suit", "parka", "uniform")


def _torso(
    rng: np.random.Generator, outfit: str, trousers: Color, upper: Color, shirt: Color, band: Color, skin: Color
) -> FloatArray:
    """(bands, sides, 3) colours: rows of TORSO_LEVELS, columns from the front to the left and round."""
    low = upper if outfit in _LONG_COAT else trousers
    rows = np.array([trousers, low, upper, band, upper, band, upper, upper, shirt, skin])
    colors = np.repeat(rows[:, None], len(TORSO_ANGLES), axis=1)
    levels = (TORSO_LEVELS[1:] + TORSO_LEVELS[:-1]) / 2
    chest = (levels > 0.2) & (levels < 0.98)
    edges = np.degrees(np.append(TORSO_ANGLES, TORSO_ANGLES[0] + 2 * np.pi))
    front = np.abs((edges[1:] + edges[:-1]) / 2 % 360)
    front = np.minimum(front, 360 - front)
    if outfit in _BRIGHT and rng.uniform() < 0.6:  # braces over the shoulders
        strip = (np.abs(front - 43) < 1) | ((np.abs(front - 137) < 1) & (rng.uniform() < 0.7))
        colors[np.ix_(chest & (levels > 0.5), strip)] = band
    if outfit in ("open_vest", "uniform", "parka"):  # a gap down the front shows what is worn below
        colors[np.ix_(chest, front < 20)] = shirt
    if rng.uniform() < 0.5:  # company name across the back
        label = jitter(rng, (0.05, 0.07, 0.2), 0.2) if sum(upper) > 1.2 else REFLECTIVE
        colors[np.ix_((levels > 0.66) & (levels < 0.82), front > 140)] = label
    return colors


def draw_figure(rng: np.random.Generator, style: Mapping[str, Any]) -> dict[str, Any]:
    """Body proportions, clothes and gear of one worker.

    Args:
        rng: draws all of it.
        style: a family's build (of BUILDS), outfit (of OUTFITS), and the chances of a helmet, backpack and hood.
    """
    build, outfit = BUILDS[style["build"]], style["outfit"]
    skin, hair = pick(rng, SKINS), pick(rng, HAIR)
    shirt, trousers = pick(rng, CLOTH), pick(rng, CLOTH)
    bright = pick(rng, HI_VIS) if rng.uniform() < 0.85 else random_hue(rng, (0.6, 1.0), (0.5, 0.95))
    if outfit in ("overall", "suit"):
        trousers = bright if rng.uniform() < 0.8 else jitter(rng, tuple(0.25 * c for c in bright), 0.1)
        shirt = bright
    if outfit in ("dark_overall", "uniform"):
        trousers = shirt
    upper = bright if outfit in _BRIGHT else shirt
    if outfit == "uniform":
        shirt = jitter(rng, (0.75, 0.78, 0.85), 0.1)  # the shirt below the dark jacket
    marked = outfit in _BRIGHT or (outfit in ("plain", "parka") and rng.uniform() < 0.3)
    band = REFLECTIVE if marked else upper
    covered = outfit in ("jacket", "overall", "suit", "parka", "uniform", "dark_overall")
    sleeve = upper if covered else shirt
    short_sleeves = not covered and rng.uniform() < 0.35
    head = "helmet" if rng.uniform() < style.get("helmet", 0.3) else str(rng.choice(["cap", "beanie", "bare"]))
    colored = pick(rng, HI_VIS) if rng.uniform() < 0.4 else random_hue(rng, (0.0, 0.9), (0.1, 0.95))
    hooded = rng.uniform() < style.get("hood", 0.15)
    return {
        "height": rng.uniform(*build["height"]),
        "girth": rng.uniform(*build["girth"]),
        "belly": rng.uniform(*build["belly"]),
        "shoulders": rng.uniform(*build.get("shoulders", (0.106, 0.122))),
        "hips": rng.uniform(*build.get("hips", (0.97, 1.03))),
        "trouser_width": rng.uniform(0.95, 1.25),
        "skin": skin,
        "hair": hair,
        "trousers": trousers,
        "leg_band": REFLECTIVE if outfit in ("overall", "suit", "jacket") or rng.uniform() < 0.3 else trousers,
        "torso": _torso(rng, outfit, trousers, upper, shirt, band, skin),
        "sleeve": sleeve,
        "sleeve_band": REFLECTIVE if outfit in ("jacket", "overall", "suit") and rng.uniform() < 0.7 else sleeve,
        "forearm": skin if short_sleeves else sleeve,
        "shoes": jitter(rng, (0.07, 0.06, 0.05), 0.1),
        "gloves": jitter(rng, (0.2, 0.2, 0.2), 0.2) if rng.uniform() < 0.4 else skin,
        "headgear": hair if head == "bare" else colored,
        "headgear_size": {"helmet": 1.12, "cap": 0.99, "beanie": 1.02, "bare": 0.95}[head],
        "visor": {"helmet": 0.07, "cap": 0.1}.get(head, 0.0),
        "glasses": rng.uniform() < 0.25,
        "muffs": 1.0 if rng.uniform() < 0.5 else 0.3,
        "muff_color": random_hue(rng, (0.0, 0.9), (0.1, 0.9)),
        "hood": jitter(rng, upper, 0.1) if hooded else None,
        "hood_up": hooded and rng.uniform() < 0.4,
        "backpack": random_hue(rng, (0.0, 0.9), (0.04, 0.5)) if rng.uniform() < style.get("backpack", 0.06) else None,
        "pouch": jitter(rng, (0.08, 0.07, 0.06), 0.2) if rng.uniform() < 0.25 else None,
    }
