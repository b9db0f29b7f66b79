"""Package metadata for pip and for colcon (ament_python) alike; the version stands in the package itself."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "airside_perception"
ROOT = Path(__file__).resolve().parent
SHARE = f"share/{NAME}"


def version() -> str:
    text = (ROOT / NAME / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f'{NAME}/__init__.py: expected a line __version__ = "..."')
    return match.group(1)


def share_files() -> list[tuple[str, list[str]]]:
    """Data files as (folder under the prefix, paths relative to this file)."""
    files = [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
    ]
    for top in ("launch", "config", "engines", "rviz"):
        folders = sorted({path.parent for path in (ROOT / top).rglob("*") if path.is_file()})
        for folder in folders:
            if folder.name == "__pycache__":
                continue
            relative = folder.relative_to(ROOT)
            # Built TensorRT plans belong to one machine and are never shipped.
            names = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".plan"]
            files.append((f"{SHARE}/{relative.as_posix()}", [(relative / name).as_posix() for name in names]))
    return files


setup(
    name=NAME,
    version=version(),
    description="Surround-camera perception for autonomous airside vehicles",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    maintainer="airside_perception maintainers",
    maintainer_email="maintainers@airside-perception.invalid",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=share_files(),
    zip_safe=False,  # Warp reads the kernels' source files
    python_requires=">=3.10",
    install_requires=[
        "imageio",
        "matplotlib",
        "numpy>=1.24",
        "onnx",
        "onnxruntime",
        "opencv-python-headless",
        "pillow",
        "pyyaml",
        "rosbags",
        "safetensors",
        "scipy",
        "torch>=2.2",
        "tqdm",
        "trimesh",
        "warp-lang>=1.5",
    ],
    extras_require={
        "ros": [
            "ros-rclpy[fastrtps]",
            "ros-diagnostic-msgs",
            "ros-geometry-msgs",
            "ros-lifecycle-msgs",
            "ros-nav-msgs",
            "ros-rosgraph-msgs",
            "ros-sensor-msgs",
            "ros-std-srvs",
            "ros-visualization-msgs",
        ],
        "cycles": ["bpy"],
        "cuda": ["tensorrt", "pycuda"],
        "dev": ["filterpy", "hypothesis", "mypy", "pytest", "ruff", "types-PyYAML"],
    },
    entry_points={
        "console_scripts": [
            "airside = airside_perception.cli:main",
            "tracking_node = airside_perception.ros.tracking_node:main",
            "bag_player_node = airside_perception.ros.bag_player_node:main",
            "live_evaluation_node = airside_perception.ros.live_evaluation_node:main",
        ],
    },
)
