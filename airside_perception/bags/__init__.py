"""Reading and writing rosbag2 recordings without ROS.

The `rosbags` library is heavy to import, so the reader and the writer load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airside_perception.bags.events import ImageEvent, OdometryEvent
from airside_perception.bags.image_decoding import CorruptImage, decode_compressed, decode_image
from airside_perception.bags.sequence import Sequence, open_sequence

if TYPE_CHECKING:
    from airside_perception.bags.reader import BagReader
    from airside_perception.bags.writer import ApronBagWriter

__all__ = [
    "ApronBagWriter",
    "BagReader",
    "CorruptImage",
    "ImageEvent",
    "OdometryEvent",
    "Sequence",
    "decode_compressed",
    "decode_image",
    "open_sequence",
]


def __getattr__(name: str) -> Any:
    if name == "BagReader":
        from airside_perception.bags.reader import BagReader

        return BagReader
    if name == "ApronBagWriter":
        from airside_perception.bags.writer import ApronBagWriter

        return ApronBagWriter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
