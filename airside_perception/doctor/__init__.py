"""`airside doctor`: whether installation, engines, recordings, rigs and live topics are fit for use."""

from airside_perception.doctor.examination import examine
from airside_perception.findings import Finding, format_findings

__all__ = ["Finding", "examine", "format_findings"]
