"""Generative prior over object shapes and looks, decoded to meshes by marching tetrahedra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airside_perception.prior.detail import Detail, SeenColors
    from airside_perception.prior.fitting import FitResult, fit_codes
    from airside_perception.prior.inversion import Inversion, invert_views
    from airside_perception.prior.object_prior import ClassPrior, ObjectPrior, Prototype
    from airside_perception.prior.silhouette_rays import ObjectView
    from airside_perception.prior.textured_mesh import LinearizedMesh, TexturedMesh

_ROOMS = {
    "ClassPrior": "object_prior",
    "Detail": "detail",
    "FitResult": "fitting",
    "Inversion": "inversion",
    "LinearizedMesh": "textured_mesh",
    "ObjectPrior": "object_prior",
    "ObjectView": "silhouette_rays",
    "Prototype": "object_prior",
    "SeenColors": "detail",
    "TexturedMesh": "textured_mesh",
    "fit_codes": "fitting",
    "invert_views": "inversion",
}

__all__ = [
    "ClassPrior",
    "Detail",
    "FitResult",
    "Inversion",
    "LinearizedMesh",
    "ObjectPrior",
    "ObjectView",
    "Prototype",
    "SeenColors",
    "TexturedMesh",
    "fit_codes",
    "invert_views",
]


def __getattr__(name: str) -> Any:
    """Import torch only when a name that needs it is asked for."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
