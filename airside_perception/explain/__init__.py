"""What was rendered, where it disagrees with the image, and why the tracker decided so."""

from __future__ import annotations

from typing import Any

from airside_perception.explain.reasons import REASONS, explain_tracks, explanations_json, reason_text

__all__ = [
    "REASONS",
    "draw_birds_eye",
    "draw_overlay",
    "draw_voxels",
    "explain_tracks",
    "explanations_json",
    "reason_text",
]

_DRAWING = {"draw_overlay": "overlay", "draw_birds_eye": "birds_eye", "draw_voxels": "voxel_view"}


def __getattr__(name: str) -> Any:
    """Pictures need torch and Warp: they are imported when first drawn."""
    if name in _DRAWING:
        from importlib import import_module

        return getattr(import_module(f"airside_perception.explain.{_DRAWING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
