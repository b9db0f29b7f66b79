"""Health reports as diagnostic_msgs."""

from __future__ import annotations

from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from airside_perception.ros.messages import header
from airside_perception.ros.status import Status


def diagnostic_array(statuses: Iterable[Status], stamp_ns: int, node_name: str) -> DiagnosticArray:
    """Statuses as one DiagnosticArray; names become "<node>: <status>", as aggregators expect."""
    return DiagnosticArray(
        header=header(stamp_ns, ""),
        status=[
            DiagnosticStatus(
                level=bytes([status.level]),
                name=f"{node_name}: {status.name}",
                message=status.message,
                hardware_id=node_name,
                values=[KeyValue(key=key, value=str(value)) for key, value in status.values.items()],
            )
            for status in statuses
        ],
    )
