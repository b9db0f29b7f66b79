"""Rendering: rasteriser, differentiable silhouettes, shading, scenes and volumes.

Names are loaded on first use: torch and Warp are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF_NAME = {
    "ItemVisibility": "visibility",
    "Lighting": "shading",
    "SceneItem": "scene_renderer",
    "SceneRender": "scene_renderer",
    "VolumeRender": "volume",
    "antialias": "backend",
    "crop_clip_positions": "visibility",
    "edge_neighbours": "silhouettes",
    "face_normals": "shading",
    "get_backend": "backend",
    "interpolate": "backend",
    "item_visibility": "visibility",
    "lambert": "shading",
    "rasterize": "backend",
    "sample_texture": "texture",
    "ray_weights": "volume",
    "render_rays": "volume",
    "render_scene": "scene_renderer",
    "set_backend": "backend",
    "shade": "shading",
    "vertex_normals": "shading",
    "warm_up": "backend",
}

__all__ = sorted(_HOME_OF_NAME)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF_NAME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
