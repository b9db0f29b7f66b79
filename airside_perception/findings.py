"""What a check says, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airside_perception.errors import AirsideError

MARKS = {"ok": "ok  ", "note": "note", "warn": "WARN", "fail": "FAIL"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: what was looked at.
        state: "ok", "note" (optional part absent), "warn" (works, but look) or "fail".
        detail: what was found.
        advice: what to do about it; empty where there is nothing to do.
    """

    topic: str
    state: str
    detail: str
    advice: str = ""


Check = tuple[str, Callable[[], Iterator[Finding]]]
"""Topic of a check, for the case that it breaks, and the check."""


def run_checks(checks: Iterable[Check]) -> list[Finding]:
    """All findings of all checks; a check that breaks becomes a finding, never an exception."""
    findings: list[Finding] = []
    for topic, check in checks:
        try:
            findings.extend(check())
        except Exception as error:
            # A doctor that faints is no use: whatever breaks in a part is that part's finding.
            reason = str(error) if isinstance(error, AirsideError) else f"{type(error).__name__}: {error}"
            findings.append(Finding(topic, "fail", " ".join(reason.split())))
    return findings


def format_findings(findings: list[Finding]) -> str:
    """The report as text: a table, what to do below each line that needs it, and the sum."""
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]}  {finding.topic:<{width}}  {finding.detail}")
        if finding.advice:
            lines.append(f"{'':<{width + 6}}  -> {finding.advice}")
    failed, doubted = (sum(finding.state == state for finding in findings) for state in ("fail", "warn"))
    sums = [f"{failed} of {len(findings)} checks failed"] if failed else []
    sums += [f"{doubted} warnings"] if doubted else []
    lines.append(", ".join(sums) or "all well")
    return "\n".join(lines)
