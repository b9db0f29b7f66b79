"""How long each stage of a frame took, as topics that a plotter can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from std_msgs.msg import Float64

STAGES = (
    "decode",
    "network",
    "visibility",
    "predict",
    "refine",
    "expected_visibility",
    "tracking",
    "frame",
    "publish",
    "total",
    "end_to_end",
)
"""Stages with a topic `~/latency/<stage>`: those of `SceneEstimate.timing_ms` ("frame": all of them), and the node's.

"total" is the worker's time for a frame, decoding and publishing included; "end_to_end" the time
from the stamp of the anchor image to the publication of the last output, by the node's clock.
"""


class LatencyTopics:
    """Publishes milliseconds per stage.

    Args:
        create: (message type, topic) -> publisher.
    """

    def __init__(self, create: Callable[[type, str], Any]):
        self._publishers = {stage: create(Float64, f"~/latency/{stage}") for stage in STAGES}

    def publish(self, timing_ms: Mapping[str, float]) -> None:
        """One frame's milliseconds; stages without a topic are left out."""
        for stage, milliseconds in timing_ms.items():
            if stage in self._publishers:
                self._publishers[stage].publish(Float64(data=float(milliseconds)))
