"""Variety beyond the families of the training split.

A dozen families teach a network those dozen sizes: it then judges the range of an aircraft by the
proportions it knows. Training assets are therefore stretched along their axes, and training aircraft
drawn between families of one layout.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from airside_perception.synth.mesh_parts import FloatArray

STRETCH = {"aircraft": (0.12, 0.06, 0.06), "gse": (0.12, 0.07, 0.08), "person": (0.06, 0.06, 0.035)}
"""Spread (one sigma, natural logarithm) of a training asset's length, width and height."""
STRETCH_CHANCE = 0.6
_LIMIT = 2.0

Shape = TypeVar("Shape")


def stretch_factors(rng: np.random.Generator, class_name: str) -> FloatArray:
    """(3,) factors of an asset's x, y and z; ones for classes that are never stretched."""
    if class_name not in STRETCH or rng.random() >= STRETCH_CHANCE:
        return np.ones(3)
    return np.exp(np.clip(rng.standard_normal(3), -_LIMIT, _LIMIT) * np.array(STRETCH[class_name]))


def blend(rng: np.random.Generator, shape: Shape, other: Shape) -> Shape:
    """A dataclass between two of its kind: floats are mixed, each with a share about a common one; the rest stays.

    Mixed on a logarithmic scale where both are positive. Nested dataclasses and tuples of equal length are mixed
    entry by entry.
    """
    mixed: Shape = _mixed(rng, rng.uniform(0.0, 1.0), shape, other)
    return mixed


def _mixed(rng: np.random.Generator, common: float, a: Any, b: Any) -> Any:
    """`a` on the way to `b`, entry by entry, each with a share of its own about the `common` one."""
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(_mixed(rng, common, x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "__dataclass_fields__") and type(a) is type(b):
        return replace(a, **{f.name: _mixed(rng, common, getattr(a, f.name), getattr(b, f.name)) for f in fields(a)})
    if not (isinstance(a, float) and isinstance(b, float)):
        return a
    share = float(np.clip(common + rng.normal(0.0, 0.15), 0.0, 1.0))
    if a > 0.0 and b > 0.0:
        return float(a ** (1.0 - share) * b**share)
    return (1.0 - share) * a + share * b
