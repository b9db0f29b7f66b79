"""The policy file names what the node really does, and parameters reach only the files that they may."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from rclpy.parameter import Parameter

from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.ros.parameters import ParameterBridge
from airside_perception.ros.path_confinement import PathConfinement

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
NODE = "/airside_perception/tracking"
NOT_HERE = {"/clock", f"{NODE}/tracks/detections"}
"""Allowed, but used only with simulated time, or where vision_msgs is installed."""


def allowed(kind: str, direction: str) -> set[str]:
    """Names in the policy file, resolved."""
    policy = ElementTree.parse(ROOT / "config" / "sros2_policy.xml")
    (profile,) = policy.findall("enclaves/enclave/profiles/profile")
    assert (profile.get("ns"), profile.get("node")) == ("/airside_perception", "tracking")
    (group,) = [entry for entry in profile.findall(f"{kind}s") if entry.get(direction) == "ALLOW"]
    return {str(entry.text).replace("~", NODE, 1) for entry in group.findall(kind)}


@pytest.mark.parametrize(
    ("kind", "direction", "question"),
    [
        ("topic", "subscribe", "get_subscriber_names_and_types_by_node"),
        ("topic", "publish", "get_publisher_names_and_types_by_node"),
        ("service", "reply", "get_service_names_and_types_by_node"),
    ],
)
def test_the_policy_allows_what_the_node_does_and_nothing_else(active, kind, direction, question):
    patterns = allowed(kind, direction)

    def used() -> set[str]:
        names = getattr(active.node, question)("tracking", "/ring")
        return {name.replace("/ring/", "/airside_perception/", 1) for name, _ in names}

    # The graph learns of topics a little after they exist.
    needed = patterns - NOT_HERE
    active.wait(lambda: all(any(fnmatchcase(name, pattern) for name in used()) for pattern in needed))
    assert not [name for name in used() if not any(fnmatchcase(name, pattern) for pattern in patterns)]


def test_parameters_set_later_name_only_files_near_those_of_the_start(middleware, tmp_path):
    for folder in ("rigs", "models", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.yaml").touch()
    node = middleware.create_node(
        "confined",
        parameter_overrides=[
            Parameter("rig.file", value=str(tmp_path / "rigs" / "file.yaml")),
            Parameter("ros.file_roots", value=[str(tmp_path / "models")]),
        ],
    )
    bridge = ParameterBridge(node, Config())
    for good in (tmp_path / "models" / "file.yaml", tmp_path / "rigs" / "other.yaml", "config/rigs/front_mono.yaml"):
        result = node.set_parameters([Parameter("rig.file", value=str(good))])[0]
        assert result.successful, result.reason
    for option, path in (
        ("rig.file", tmp_path / "elsewhere" / "file.yaml"),
        ("rig.file", tmp_path / "rigs" / ".." / "elsewhere" / "file.yaml"),
        ("network.engine", "/etc/passwd"),
        ("network.cache_dir", "../../somewhere"),
    ):
        result = node.set_parameters([Parameter(option, value=str(path))])[0]
        assert not result.successful
        assert f"{option}: " in result.reason
        assert "ros.file_roots" in result.reason
    assert not node.set_parameters([Parameter("ros.file_roots", value=["/"])])[0].successful
    assert bridge.config.network == Config().network
    node.destroy_node()


def test_links_do_not_lead_out(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").touch()
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(AirsideError, match=r"secret lies outside"):
        PathConfinement([str(tmp_path / "inside")], []).check("rig.file", str(tmp_path / "inside" / "link"))
