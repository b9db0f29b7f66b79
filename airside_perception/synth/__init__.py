"""The generator: apron scenes by seed, their images, and the whole truth behind them.

Names are loaded on first use: torch and Warp are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF_NAME = {
    "Asset": "assets",
    "DetectorErrors": "detections",
    "ImageLayers": "raster_backend",
    "LabelledFrame": "frames",
    "RasterBackend": "raster_backend",
    "Scene": "scene",
    "SceneObject": "scene",
    "SynthOptions": "sequence_options",
    "Trajectory": "scene",
    "asset_kinds": "assets",
    "build_scene": "scenario",
    "make_asset": "assets",
    "preset_rig": "rigs",
    "random_lighting": "lighting",
    "random_rig": "rigs",
    "random_sensor": "sensor",
    "render_frame": "frames",
    "run_synth": "generate",
    "run_synths": "many_sequences",
    "simulate_detections": "detections",
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
