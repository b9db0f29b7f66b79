"""Plays a sequence to a tracking node that somebody else started, records its tracks and scores them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.context import Context

from airside_perception.bags import BagReader, open_sequence
from airside_perception.errors import AirsideError
from airside_perception.ros.executable import run_with_parameters
from airside_perception.ros.live_recorder import LiveRecorder, write_live_results
from airside_perception.ros.live_run import NODE, PackageProcess


class _StartedElsewhere:
    """The tracking node of a launch file: launch itself tells when it ends."""

    running = True

    def complaint(self) -> str:
        return "see its own output"


def evaluate_live(sequence: Path, out: Path, rate: float, node_name: str) -> dict[str, Any]:
    """Wait until the node is active, play the sequence, write results.json and summary.json.

    Args:
        sequence: sequence or bag.
        out: folder of the results.
        rate: times real time.
        node_name: fully qualified name of the tracking node.

    Returns:
        What summary.json holds: "live" and "timing_ms" as of `live_run.LiveRun`, and "tracking" (see
        `airside score`), None where there is no ground truth.

    Raises:
        AirsideError: not a usable bag, or the node does not become active.
    """
    truth = open_sequence(sequence).ground_truth_path
    with BagReader(sequence) as reader:
        rig, frames = reader.rig(), reader.counts[reader.cameras[0]]
    (out / "live").mkdir(parents=True, exist_ok=True)
    context = Context()
    context.init()
    recorder = LiveRecorder(rig, context, node_name)
    node = _StartedElsewhere()
    try:
        recorder.wait_for_node(node)
        play = ("airside_perception.cli", "replay", str(sequence), "--rate", str(rate), "--wait", "30")
        with PackageProcess(out / "live" / "player.log", *play) as player:
            recorder.record(node, player, frames)
    finally:
        recorder.close()
        context.try_shutdown()
    summary = write_live_results(recorder, out, frames, rate)
    summary["tracking"] = _score(out / "results.json", truth) if truth else None
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _score(results: Path, truth: Path) -> dict[str, Any]:
    """What `airside score --json` says: the scoring room is none that nodes know."""
    command = [sys.executable, "-m", "airside_perception.cli", "score", str(results), str(truth / "tracks.json")]
    scored = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    if scored.returncode != 0:
        raise AirsideError(scored.stderr.strip().splitlines()[-1] if scored.stderr.strip() else "scoring failed")
    return dict(json.loads(scored.stdout))


def main(arguments: Sequence[str] | None = None) -> int:
    """Executable `live_evaluation_node`: parameters sequence (required), out, rate and node."""
    defaults = {"sequence": "", "out": "out/live", "rate": 0.2, "node": NODE}
    return run_with_parameters("live_evaluation", defaults, "sequence", _evaluate_and_print, arguments)


def _evaluate_and_print(values: dict[str, Any]) -> None:
    summary = evaluate_live(Path(values["sequence"]), Path(values["out"]), values["rate"], values["node"])
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    sys.exit(main())
