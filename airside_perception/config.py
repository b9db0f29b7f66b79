"""One typed configuration for every stage.

The dotted names below are the keys of the YAML file, of `airside ... --set name=value` and of the
live node's ROS parameters. Sections are frozen: take `config.refine`, pass it on, never change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airside_perception.errors import AirsideError
from airside_perception.options import (
    OptionField,
    OptionInfo,
    apply_values,
    flatten,
    iter_fields,
    option,
    section,
    tunable,
)
from airside_perception.options import dump_yaml as _dump_tree

__all__ = [
    "ClassTrackingConfig",
    "Config",
    "ExplainConfig",
    "GridConfig",
    "NetworkConfig",
    "OptionField",
    "OptionInfo",
    "RefineConfig",
    "RigConfig",
    "RosConfig",
    "SyncConfig",
    "TrackingConfig",
    "dump_yaml",
    "iter_fields",
    "load_config",
]

# Section of a ROS parameter file; the wildcard lets one file serve any namespace.
ROS_NODE_KEY = "/**"
ROS_PARAMETERS_KEY = "ros__parameters"


@dataclass(frozen=True)
class RigConfig:
    """Which cameras there are."""

    file: str = option("", "Rig YAML; empty: calibration comes from camera_info and tf_static", is_path=True)
    cameras: tuple[str, ...] = option((), "Cameras to use; empty: all of the rig")


@dataclass(frozen=True)
class SyncConfig:
    """How images of several cameras become one frame."""

    anchor: str = option("", "Camera whose stamps make the frames; empty: the rig's first camera")
    max_dt_s: float = option(0.06, "Largest distance of an image from the anchor stamp", unit="s", range=(0, 1))
    max_wait_s: float = option(0.15, "Wait for late cameras at most this long", unit="s", range=(0, 5))
    policy: str = option(
        "anchor",
        "anchor: partial sets, survives dead cameras; message_filters: complete sets, by ROS' own package",
        choices=("anchor", "message_filters"),
    )


@dataclass(frozen=True)
class GridConfig:
    """The voxel grid, in base_link."""

    origin: tuple[float, float, float] = option(
        (-40.0, -40.0, -1.2), "Lowest corner of the grid", unit="m", range=(-500, 500)
    )
    voxel_size: tuple[float, float, float] = option((0.8, 0.8, 0.8), "Edges of a voxel", unit="m", range=(0.05, 5))
    shape: tuple[int, int, int] = option((100, 100, 16), "Number of voxels along x, y, z", range=(1, 1000))


@dataclass(frozen=True)
class NetworkConfig:
    """The occupancy and detection network."""

    enabled: bool = option(True, "Run the network; false: detections come from elsewhere, no occupancy")
    engine: str = option(
        "engines/occupancy.onnx", "ONNX model: a path, or a file shipped with the package", is_path=True
    )
    engine_sha256: str = option("", "SHA-256 that the model must have, hexadecimal; empty: any")
    runtime: str = option("auto", "auto: the fastest that is installed", choices=("auto", "onnxruntime", "tensorrt"))
    precision: str = option("fp32", "Arithmetic of a TensorRT engine", choices=("fp32", "fp16", "int8"))
    max_cameras: int = option(8, "Most cameras that a TensorRT engine is built for", range=(1, 64))
    cache_dir: str = option("", "Where built TensorRT plans are kept; empty: the user's cache folder", is_path=True)
    image_width: int = option(640, "Width that images are resized to", unit="px", range=(32, 4096))
    image_height: int = option(384, "Height that images are resized to", unit="px", range=(32, 4096))
    score_threshold: float = tunable(0.2, "Detections below this score are dropped", range=(0, 1))
    occupancy_threshold: float = tunable(
        0.0, "Voxels above this probability are occupied; 0: the engine's own threshold", range=(0, 1)
    )
    max_detections: int = tunable(64, "Keep at most this many detections per frame", range=(1, 1000))
    threads: int = option(0, "CPU threads of the runtime; 0: its own choice", range=(0, 256))


@dataclass(frozen=True)
class RefineConfig:
    """Refinement of each object by rendering the prior and comparing it with the pixels."""

    enabled: bool = tunable(True, "Refine detections by rendering")
    prior: str = option(
        "engines/prior.safetensors", "Object prior: a path, or a file shipped with the package", is_path=True
    )
    prior_sha256: str = option("", "SHA-256 that the prior must have, hexadecimal; empty: any")
    iterations: int = tunable(3, "Levenberg-Marquardt steps per object", range=(0, 50))
    crop_size: int = option(48, "Edge of the square crop that is compared", unit="px", range=(16, 512))
    budget_ms: float = tunable(
        0.0,
        "Time per frame for refinement; steps go to the objects that gain most; 0: no limit",
        unit="ms",
        range=(0, 10000),
    )
    damping: float = tunable(1e-3, "Levenberg-Marquardt damping at the first step", range=(0, 1e6))
    max_objects: int = tunable(32, "Refine at most this many objects per frame", range=(0, 500))
    max_range_m: float = tunable(60.0, "Objects farther away stay as detected", unit="m", range=(0, 500))
    image_votes: bool = tunable(True, "Let the image cells of an object vote for its place, heading and size")
    ground_plane: bool = tunable(True, "Objects stand on the vehicle's ground plane; false: where their boxes end")
    occlusion: bool = tunable(True, "Pixels where other objects hide an object don't pull at it")
    color_weight: float = tunable(
        0.0, "What colours of the prior count for beside outlines, per pixel; 0: not compared", range=(0, 1000)
    )
    surface_weight: float = tunable(
        4.0,
        "Independent measurements that a view counts for where the network says which part of the object a pixel "
        "shows; 0: not compared",
        range=(0, 1000),
    )
    outside_error: float = option(
        1.0, "Errors of detections from elsewhere, relative to a good camera detector's", range=(0.1, 10)
    )
    learn_outside_error: bool = tunable(
        True, "Learn while driving how far those errors are from what outside_error says, by what the image says"
    )
    threads: int = option(1, "CPU threads of the refiner's small matrices; more wait for each other", range=(1, 64))
    cameras_per_object: int = tunable(2, "Use at most this many cameras per object", range=(1, 16))


@dataclass(frozen=True)
class ClassTrackingConfig:
    """Tracking of one object class."""

    gate_m: float = tunable(
        4.0,
        "Farthest ground distance between a prediction and its match; initial_speed_std times the time between "
        "frames comes on top",
        unit="m",
        range=(0.1, 100),
    )
    gate_sigmas: float = tunable(
        6.0, "Farthest match in standard deviations of prediction and measurement together", range=(0.1, 1000)
    )
    birth_hits: int = tunable(3, "Measurements before a track is confirmed", range=(1, 100))
    birth_evidence: float = tunable(1.4, "Sum of scores that confirms a track earlier", range=(0.1, 100))
    max_coast_s: float = tunable(
        1.0, "Longest time without a measurement while the object should be visible", unit="s", range=(0, 600)
    )
    max_hidden_s: float = tunable(
        10.0, "Longest time without a measurement while other objects hide it", unit="s", range=(0, 7200)
    )
    motion: str = tunable(
        "coordinated_turn",
        "coordinated_turn: the velocity turns with the heading",
        choices=("coordinated_turn", "constant_velocity"),
    )
    acceleration_noise: float = tunable(
        0.6, "Root of the spectral density of acceleration", unit="m/s^2/sqrt(Hz)", range=(0, 50)
    )
    yaw_acceleration_noise: float = tunable(
        0.4, "Root of the spectral density of yaw acceleration", unit="rad/s^2/sqrt(Hz)", range=(0, 50)
    )
    height_walk: float = tunable(0.1, "Random walk of the centre's height", unit="m/sqrt(s)", range=(0, 10))
    size_walk: float = tunable(0.05, "Random walk of length, width, height", unit="m/sqrt(s)", range=(0, 10))
    velocity_decay_s: float = tunable(0.0, "Motion dies out in this time; 0: never", unit="s", range=(0, 3600))
    sideways_std: float = tunable(0.3, "Velocity across the heading; 0: any", unit="m/s", range=(0, 50))
    forward_weight: float = tunable(
        0.0, "What a walking pace ahead says of front and back, in sure measurements; 0: nothing", range=(0, 10)
    )
    initial_speed_std: float = tunable(3.0, "Speed of a new track", unit="m/s", range=(0.01, 50))
    initial_yaw_rate_std: float = tunable(0.3, "Yaw rate of a new track", unit="rad/s", range=(0.001, 10))
    parked_share: float = tunable(0.6, "Probability that a new track is parked", range=(0, 1))
    stays_parked_s: float = tunable(60.0, "Mean time until what is parked moves", unit="s", range=(0.1, 1e5))
    stays_moving_s: float = tunable(20.0, "Mean time until what moves stops", unit="s", range=(0.1, 1e5))
    restart_speed_std: float = tunable(1.0, "Speed of what was parked and moves", unit="m/s", range=(0.01, 50))


@dataclass(frozen=True)
class TrackingConfig:
    """Identity over time."""

    min_score: float = tunable(0.1, "Estimates below this score are ignored", range=(0, 1))
    birth_score: float = tunable(0.2, "Estimates below this score start no track", range=(0, 1))
    trail_s: float = tunable(5.0, "Length of the remembered trail", unit="s", range=(0, 600))
    distance_weight: float = tunable(1.0, "Weight of the ground distance in a match", range=(0, 100))
    iou_weight: float = tunable(1.0, "Weight of the generalised 3D IoU in a match", range=(0, 100))
    code_weight: float = tunable(0.4, "Weight of the shape and texture codes in a match", range=(0, 100))
    max_cost: float = tunable(0.9, "Candidates that cost more are no match (0 perfect, 1 worst)", range=(0, 1))
    measurement_scale: float = tunable(1.0, "Factor on the covariance of measured boxes", range=(0.01, 100))
    error_memory_s: float = tunable(
        0.2, "Errors of boxes last so long: faster frames say no more about an object", unit="s", range=(0, 60)
    )
    lasting_error: float = tunable(
        0.5, "Share of a box's error (variance) that lasts: no number of frames averages it out", range=(0, 1)
    )
    score_memory: float = tunable(0.8, "Weight of the past in the smoothed score", range=(0, 1))
    coast_decay_s: float = tunable(
        1.0, "Time constant of the score of an unmeasured track", unit="s", range=(0.01, 600)
    )
    duplicate_iou: float = tunable(0.3, "Boxes of one class that overlap more are one object", range=(0, 1))
    max_gap_s: float = tunable(10.0, "A longer pause between frames forgets all tracks", unit="s", range=(0.1, 3600))
    aircraft: ClassTrackingConfig = section(
        ClassTrackingConfig,
        "Aircraft: large, mostly parked, sometimes pushed back",
        gate_m=10.0,
        max_coast_s=4.0,
        max_hidden_s=60.0,
        acceleration_noise=0.2,
        yaw_acceleration_noise=0.05,
        velocity_decay_s=10.0,
        sideways_std=0.4,
        initial_speed_std=1.0,
        initial_yaw_rate_std=0.05,
        parked_share=0.95,
        stays_parked_s=600.0,
        stays_moving_s=60.0,
        restart_speed_std=0.5,
    )
    gse: ClassTrackingConfig = section(
        ClassTrackingConfig,
        "Ground support equipment: dollies of a train follow each other at less than four metres",
        gate_m=2.5,
        max_coast_s=2.0,
        max_hidden_s=20.0,
        initial_speed_std=5.0,
        size_walk=0.1,
    )
    person: ClassTrackingConfig = section(
        ClassTrackingConfig,
        "People on foot",
        gate_m=3.0,
        max_coast_s=2.0,
        max_hidden_s=8.0,
        motion="constant_velocity",
        acceleration_noise=0.5,
        yaw_acceleration_noise=1.5,
        sideways_std=0.5,
        forward_weight=1.0,
        initial_speed_std=1.5,
        initial_yaw_rate_std=0.5,
    )


@dataclass(frozen=True)
class ExplainConfig:
    """Overlays and reasons."""

    overlay_width: int = option(640, "Width of overlay images", unit="px", range=(64, 4096))
    opacity: float = tunable(0.55, "How much of a render covers the image", range=(0, 1))
    residual_strip: bool = tunable(True, "Append image, render and difference of each object")


@dataclass(frozen=True)
class RosConfig:
    """Names and policies of the live node."""

    image_topic: str = option("/camera/{camera}/image_raw", "Image topic; {camera} is the camera's name")
    camera_info_topic: str = option("/camera/{camera}/camera_info", "Calibration topic; {camera} as above")
    image_transport: str = option(
        "auto",
        "auto: raw where it is published, else <image_topic>/compressed",
        choices=("auto", "raw", "compressed"),
    )
    odometry_source: str = option(
        "topic",
        "topic: nav_msgs/Odometry; tf: the transform odom_frame -> base_frame, where tf2_ros is installed",
        choices=("topic", "tf"),
    )
    odometry_topic: str = option("/odom", "Topic of nav_msgs/Odometry")
    base_frame: str = option("base_link", "Frame of the vehicle")
    odom_frame: str = option("odom", "Fixed frame of all outputs")
    optical_frame: str = option("{camera}_optical_frame", "Frame of a camera; {camera} as above")
    reliability: str = option("best_effort", "Reliability of image subscriptions", choices=("best_effort", "reliable"))
    queue_depth: int = option(2, "Images kept per camera by the middleware", range=(1, 100))
    publish_meshes: bool = tunable(False, "Add recovered meshes to the track markers")
    publish_rejected: bool = tunable(False, "Add tentative tracks to the markers")
    marker_lifetime_s: float = option(3.0, "Viewers drop markers not renewed for this long", unit="s", range=(0, 60))
    planner_band: tuple[float, float] = tunable(
        (0.2, 2.6), "Lowest and highest voxel centre that the 2D grid looks at", unit="m", range=(-10, 50)
    )
    publish_tf: bool = option(False, "Broadcast the rig file's static transforms, where tf2_ros is installed")
    stream_timeout_s: float = option(
        1.0, "A camera or the odometry that is silent for longer is an error", unit="s", range=(0.1, 60)
    )
    required_cameras: tuple[str, ...] = option(
        (), "Cameras whose silence is an error, that of the others a warning; empty: all"
    )
    frame_timeout_s: float = option(10.0, "A frame in work for longer is an error", unit="s", range=(0.1, 600))
    odometry_jump_m: float = option(
        5.0,
        "A pose that moves so much farther than its velocity explains makes tracks forgotten; 0: never",
        unit="m",
        range=(0, 1000),
    )
    file_roots: tuple[str, ...] = option(
        (), "Folders of files that may be named by parameters set after the start; see docs/security.md"
    )
    autostart: bool = option(False, "Configure and activate without waiting for a lifecycle manager")
    diagnostics_period_s: float = option(1.0, "Period of /diagnostics", unit="s", range=(0.1, 60))
    calibration_timeout_s: float = option(
        10.0, "Wait at most this long for camera_info and static transforms", unit="s", range=(0, 600)
    )


@dataclass(frozen=True)
class Config:
    """All options of the package."""

    rig: RigConfig = section(RigConfig, "Cameras")
    sync: SyncConfig = section(SyncConfig, "Synchroniser")
    grid: GridConfig = section(GridConfig, "Voxel grid in base_link; must be the one that the engine was made for")
    network: NetworkConfig = section(NetworkConfig, "Occupancy and detection network")
    refine: RefineConfig = section(RefineConfig, "Refinement by rendering")
    tracking: TrackingConfig = section(TrackingConfig, "Tracker")
    explain: ExplainConfig = section(ExplainConfig, "Explanations")
    ros: RosConfig = section(RosConfig, "Live node")


def load_config(path: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: YAML file, plain sections or a ROS parameter file; None: the defaults.
        overrides: dotted name -> value (text is parsed), stronger than the file.

    Raises:
        AirsideError: unreadable file, unknown option (names the nearest known one), wrong type, out of range.
    """
    config = Config()
    if path is not None:
        config = apply_values(config, flatten(_read_yaml(Path(path)), config))
    return apply_values(config, overrides or {})


def dump_yaml(config: Config) -> str:
    """`config` as a commented ROS parameter file that `load_config` reads, too."""
    body = _dump_tree(config, indent=4)
    return f"{ROS_NODE_KEY}:\n  {ROS_PARAMETERS_KEY}:\n{body}\n"


def _read_yaml(path: Path) -> Mapping[Any, Any]:
    """The options in a file, out of their ROS wrapping where there is one."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AirsideError(f"config file {path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AirsideError(f"config file {path}: not YAML ({' '.join(str(error).split())})") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise AirsideError(f"config file {path}: expected sections such as 'refine:', got {type(content).__name__}")
    merged: dict[Any, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and ROS_PARAMETERS_KEY in value:
            merged.update(value[ROS_PARAMETERS_KEY] or {})
        else:
            merged[key] = value
    # A ROS parameter of every node, not ours.
    merged.pop("use_sim_time", None)
    return merged


if __name__ == "__main__":
    print(dump_yaml(Config()), end="")
