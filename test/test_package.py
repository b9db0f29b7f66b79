"""What an installed package must carry, and that its metadata agrees with itself."""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import airside_perception
from airside_perception.errors import AirsideError
from airside_perception.resources import find_file, share_path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "airside_perception"

FLOORS = {
    0: ("classes", "errors", "findings", "options", "resources"),
    1: ("prior", "geometry", "config"),
    2: ("rendering", "inference", "records", "ego_motion"),
    3: ("refine", "occupancy", "tracking", "explain", "sync", "bags"),
    4: ("pipeline", "synth"),
    5: ("ros", "evaluation", "training"),
    6: ("console", "doctor"),
    7: ("synth_command", "prior_command", "training_command"),
    8: ("commands",),
    9: ("cli",),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def test_version_is_the_same_everywhere():
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    changelog = (ROOT / "CHANGELOG.rst").read_text()
    assert manifest.findtext("version") == airside_perception.__version__
    assert re.search(rf"^{re.escape(airside_perception.__version__)} ", changelog, re.MULTILINE)


def test_each_room_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_rooms_import_only_from_lower_floors():
    """Rooms of one floor do not know each other: what one hands to the next is a record."""
    rooms = {_room(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(FLOOR_OF), "say on which floor the new room stands"
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = _room(path)
        if room == "__init__":
            continue
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] != "airside_perception" or len(parts) < 2 or parts[1] == room:
                continue
            floor, other = FLOOR_OF[room], FLOOR_OF[parts[1]]
            if other > floor or (other == floor > 0):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_only_the_ros_room_knows_ros():
    ros = re.compile(r"^(rclpy|launch|launch_ros|tf2_ros|message_filters|cv_bridge|\w+_msgs|std_srvs)(\.|$)")
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if _room(path) != "ros"
        for name in _imports(path)
        if ros.match(name)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [
        "package.xml",
        "config/tracking.yaml",
        "config/fastdds_shm.xml",
        "config/rigs",
        "engines/occupancy.onnx",
        "engines/prior.safetensors",
        "engines/MODEL_CARD.md",
        "config/sros2_policy.xml",
        "launch/tracking.launch.py",
        "launch/tracking_core.launch.py",
        "launch/evaluate.launch.py",
        "rviz/tracking.rviz",
    ],
)
def test_shipped_file_is_in_the_tree_and_in_what_setup_installs(path):
    assert share_path(path).exists()
    code = "import setuptools; setuptools.setup = lambda **options: print(dict(options['data_files'])); import runpy; "
    code += "runpy.run_path('setup.py')"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    installed = {Path(name) for names in ast.literal_eval(listed).values() for name in names}
    assert any(Path(path) in (name, *name.parents) for name in installed)


def test_data_files_are_found_beside_an_installed_copy(tmp_path):
    """The layout of virtual environments and of ament prefixes alike; no checkout around."""
    site = tmp_path / "lib" / "python3.x" / "site-packages"
    site.mkdir(parents=True)
    (site / "airside_perception").mkdir()
    for name in ("__init__.py", "errors.py", "resources.py"):
        (site / "airside_perception" / name).write_text((PACKAGE / name).read_text())
    engine = tmp_path / "share" / "airside_perception" / "engines" / "occupancy.onnx"
    engine.parent.mkdir(parents=True)
    engine.write_bytes(b"")
    code = "from airside_perception.resources import share_path; print(share_path('engines/occupancy.onnx'))"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout.strip() == str(engine), done.stderr


def test_a_named_file_is_taken_as_given_before_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_file("config/tracking.yaml", "config") == ROOT / "config" / "tracking.yaml"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tracking.yaml").touch()
    assert find_file("config/tracking.yaml", "config").resolve() == (tmp_path / "config" / "tracking.yaml").resolve()
    with pytest.raises(AirsideError, match="occupancy engine: expected a file, found none at"):
        find_file("engines/none.onnx", "occupancy engine")
