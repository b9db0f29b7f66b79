"""What evaluate.launch.py runs beside the node: a bag played, results recorded."""

from __future__ import annotations

import json
import os

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from test_live_bag import start_node

from airside_perception.ros.live_evaluation_node import evaluate_live
from airside_perception.ros.live_run import NODE

pytestmark = pytest.mark.ros


@pytest.fixture
def node(live_case, monkeypatch):
    """A node of its own, apart from those of other tests."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str((int(os.environ["ROS_DOMAIN_ID"]) + 1) % 100 + 1))
    process = start_node(live_case)
    yield process
    process.kill()
    process.wait()


def test_a_node_started_elsewhere_is_evaluated(node, live_case, tmp_path):
    summary = evaluate_live(live_case.bag, tmp_path / "out", 0.7, NODE)
    assert summary["live"]["frames_sent"] == len(live_case.stamps)
    assert summary["live"]["frames_processed"] > 0
    assert summary["tracking"] is None, "the bag has no ground truth"
    results = json.loads((tmp_path / "out" / "results.json").read_text())["results"]
    assert set(results) <= {str(stamp_ns) for stamp_ns in live_case.stamps}
    assert any(tracks for tracks in results.values())
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["live"] == summary["live"]
