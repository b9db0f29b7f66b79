"""`airside demo --live` in small: node, player and recorder, each a process of its own."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.ros.live_run import run_live

pytestmark = pytest.mark.ros


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    """Apart from the nodes of other tests."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(int(os.environ["ROS_DOMAIN_ID"]) % 100 + 1))


def test_everything_that_the_node_says_is_recorded(tmp_path, live_case):
    case = live_case
    heard = run_live(case.bag, tmp_path / "out", load_config(None, case.options), rate=1.0)
    summary, run = heard.summary, heard.summary["live"]
    assert run["frames_sent"] == len(case.stamps)
    assert run["frames_processed"] + run["frames_dropped"] == len(case.stamps)
    results = json.loads((tmp_path / "out" / "results.json").read_text())["results"]
    assert set(results) <= {str(stamp_ns) for stamp_ns in case.stamps}
    assert len(results) == run["frames_processed"] == run["messages"]["occupancy/grid"]
    assert set(heard.tracks) == set(heard.voxels) == set(heard.unobserved) == {int(stamp) for stamp in results}
    for voxels in heard.voxels.values():
        assert set(np.unique(voxels["class_id"])) <= set(range(1, 7))
    assert (tmp_path / "out" / "live" / "overlay_front.png").stat().st_size > 1000
    assert summary["timing_ms"]["network"]["p95"] >= summary["timing_ms"]["network"]["p50"] > 0


def test_a_node_that_cannot_start_says_why(tmp_path, live_case):
    case = live_case
    config = load_config(None, {**case.options, "network.engine": str(tmp_path / "none.onnx")})
    with pytest.raises(AirsideError, match=r"the live node could not start: .*none\.onnx"):
        run_live(case.bag, tmp_path / "out", config)
