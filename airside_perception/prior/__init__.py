"""Generative prior over object shapes and looks, decoded to meshes by marching tetrahedra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airside_perception.prior.fitting import FitResult, fit_codes
    from airside_perception.prior.object_prior import ClassPrior, ObjectPrior, Prototype
    from airside_perception.prior.textured_mesh import LinearizedMesh, TexturedMesh

__all__ = ["ClassPrior", "FitResult", "LinearizedMesh", "ObjectPrior", "Prototype", "TexturedMesh", "fit_codes"]

_ROOMS = {
    "ClassPrior": "object_prior",
    "FitResult": "fitting",
    "LinearizedMesh": "textured_mesh",
    "ObjectPrior": "object_prior",
    "Prototype": "object_prior",
    "TexturedMesh": "textured_mesh",
    "fit_codes": "fitting",
}


def __getattr__(name: str) -> Any:
    """Import torch only when a name that needs it is asked for."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
