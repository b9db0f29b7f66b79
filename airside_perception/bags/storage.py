"""The rosbag2 files themselves: opening, iterating and decoding messages, with one-line errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from airside_perception.errors import AirsideError


def stamp_of(header: Any, log_time: int) -> int:
    """Header stamp in nanoseconds; the log time where the driver left the stamp at 0."""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec or log_time


class BagStorage:
    """A rosbag2 recording, MCAP or sqlite3, plain or compressed with zstd.

    Messages are decoded with the standard definitions (unchanged since Foxy), not with those in
    the bag, so that bags without definitions and bags with odd custom types can both be read.

    Attributes:
        path: what was opened.
        corrupt: topic -> number of messages that could not be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.corrupt: Counter[str] = Counter()
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        # Damaged files make the parser fail in many ways (struct, zstd, YAML, apsw, assertions):
        # whatever it raises means that the bag cannot be read.
        try:
            self._reader = Reader(path)
            self._reader.open()
        except Exception as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Close the files; may be called twice."""
        if self._reader.is_open:
            self._reader.close()

    @property
    def topics(self) -> dict[str, tuple[str, int]]:
        """Topic -> (message type, number of messages), in the order of the recording."""
        found: dict[str, tuple[str, int]] = {}
        for connection in self._reader.connections:
            _, count = found.get(connection.topic, ("", 0))
            found[connection.topic] = connection.msgtype, count + connection.msgcount
        return found

    @property
    def start_ns(self) -> int:
        """Log time of the first message, integer nanoseconds; 0 in an empty bag."""
        return self._reader.start_time if self._reader.message_count else 0

    @property
    def duration_s(self) -> float:
        """Seconds between the first and the last message."""
        return max(self._reader.duration - 1, 0) * 1e-9

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Decoded messages of some topics in the order of their log times.

        The file is read as the iteration goes; nothing but the current chunks is kept in memory.

        Yields:
            (topic, log time in ns, message). Messages that cannot be decoded are counted in `corrupt`.
        """
        for connection, log_time, data in self.raw_messages(topics):
            try:
                message = self._types.deserialize_cdr(data, connection.msgtype)
            except Exception:  # the generated decoders raise whatever the bytes lead to
                self.corrupt[connection.topic] += 1
                continue
            yield connection.topic, log_time, message

    def first(self, topic: str) -> Any | None:
        """The first decodable message of a topic, or None."""
        return next((message for _, _, message in self.messages([topic])), None)

    def raw_messages(self, topics: Collection[str]) -> Iterator[tuple[Connection, int, bytes]]:
        """As `messages`, but still serialized: (connection, log time in ns, CDR bytes)."""
        connections = [c for c in self._reader.connections if c.topic in topics and c.msgcount]
        if not connections:
            return
        messages = self._reader.messages(connections=connections)
        while True:
            try:
                item = next(messages)
            except StopIteration:
                return
            except Exception as error:  # as in __init__
                raise self._broken(error) from error
            yield item

    def _broken(self, error: Exception) -> AirsideError:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return AirsideError(
            f"{self.path}: broken or truncated bag ({reason}). Repair it (`ros2 bag reindex`, `mcap recover`) "
            "or record it again."
        )
