"""Loading ahead of `configure`: complete, interruptible, and silent about what `configure` will explain."""

from __future__ import annotations

import subprocess
import sys

from airside_perception.ros import libraries


def test_every_library_that_configure_imports_is_loaded_before():
    program = """
import sys
from airside_perception.ros.libraries import load_libraries
assert load_libraries()
before = set(sys.modules)
from airside_perception.config import load_config
from airside_perception.geometry import Rig
from airside_perception.pipeline import Pipeline
from airside_perception.resources import share_path
Pipeline.from_config(load_config(None, {}), Rig.load(share_path("config/rigs/six_surround.yaml")))
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before} - {'airside_perception'}))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.split() == []


def test_type_support_is_loaded_before_there_are_topics():
    program = """
import sys
import rclpy
from rclpy.lifecycle import LifecycleNode
from airside_perception.ros.libraries import load_libraries
rclpy.init()
node = LifecycleNode("loaded")
assert load_libraries()
before = set(sys.modules)
from airside_perception.config import load_config
from airside_perception.geometry import Rig
from airside_perception.resources import share_path
from airside_perception.ros.outputs import Outputs
from airside_perception.ros.live_topics import Image, CameraInfo, Odometry
Outputs(node, load_config(None, {}), Rig.load(share_path("config/rigs/six_surround.yaml")))
for index, kind in enumerate((Image, CameraInfo, Odometry)):
    node.create_subscription(kind, f"topic_{index}", print, 1)
print(*sorted(name for name in set(sys.modules) - before if "typesupport" in name))
rclpy.shutdown()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.split() == []


def test_loading_stops_when_told(monkeypatch):
    asked, loaded = [], []
    monkeypatch.setattr(libraries.importlib, "import_module", loaded.append)
    monkeypatch.setattr(libraries, "_load_type_support", lambda: loaded.append("messages"))
    monkeypatch.setattr(libraries, "_load_kernels", lambda: loaded.append("kernels"))
    assert not libraries.load_libraries(lambda: asked.append(1) or len(asked) > 2)
    assert loaded == list(libraries.MODULES[:2])


def test_what_is_missing_is_left_to_configure(monkeypatch):
    monkeypatch.setattr(libraries, "MODULES", ("json", "no_such_library_anywhere"))
    monkeypatch.setattr(libraries, "_load_kernels", lambda: None)
    assert not libraries.load_libraries()
