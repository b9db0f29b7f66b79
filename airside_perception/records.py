"""The records that stages hand to each other: frozen, with shapes checked at the door.

Frames, units and conventions are those of docs/conventions.md: SI units, radians, stamps in
integer nanoseconds, transforms named ``target_from_source``, yaw boxes as centre, size
(length, width, height) and yaw about +z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.geometry.cameras import Camera


def _check_shape(owner: str, name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless `array` has `shape`; None stands for any length."""
    got = np.shape(array)
    if got == shape:
        return
    matches = len(got) == len(shape) and all(w is None or w == g for w, g in zip(shape, got, strict=True))
    if not matches:
        wanted = tuple("*" if w is None else w for w in shape)
        raise ValueError(f"{owner}.{name}: expected shape {wanted}, got {got}")


def _check_class(owner: str, class_name: str) -> None:
    if class_name not in OBJECT_CLASSES:
        raise ValueError(f"{owner}.class_name: expected one of {OBJECT_CLASSES}, got {class_name!r}")


@dataclass(frozen=True)
class CameraImage:
    """One camera's image inside a rig frame.

    Attributes:
        camera: calibration that belongs to `image` (same width and height).
        image: (H, W, 3) uint8 RGB.
        stamp_ns: time of exposure, integer nanoseconds.
        age_s: anchor stamp minus `stamp_ns`, seconds (negative: newer than the anchor).
    """

    camera: Camera
    image: np.ndarray
    stamp_ns: int
    age_s: float = 0.0

    def __post_init__(self) -> None:
        _check_shape("CameraImage", "image", self.image, (self.camera.height, self.camera.width, 3))


@dataclass(frozen=True)
class RigFrame:
    """All that the vehicle saw at one anchor stamp.

    Attributes:
        stamp_ns: anchor stamp, integer nanoseconds.
        images: camera name -> image; cameras without a usable image are absent.
        missing: names of the rig's cameras that are absent from `images`.
        odom_from_base: (4, 4) float64, pose of base_link in odom.
        linear_velocity: (3,) float64, m/s, base_link.
        yaw_rate: rad/s about base_link z.
        frame_id: name of the fixed frame, usually "odom".
    """

    stamp_ns: int
    images: Mapping[str, CameraImage]
    missing: tuple[str, ...]
    odom_from_base: np.ndarray
    linear_velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    yaw_rate: float = 0.0
    frame_id: str = "odom"

    def __post_init__(self) -> None:
        _check_shape("RigFrame", "odom_from_base", self.odom_from_base, (4, 4))
        _check_shape("RigFrame", "linear_velocity", self.linear_velocity, (3,))


@dataclass(frozen=True)
class Detection3D:
    """A 3D detection in the fixed frame (odom).

    Attributes:
        class_name: one of OBJECT_CLASSES.
        center: (3,) float64, box centre, metres.
        size: (3,) float64, length (x), width (y), height (z), metres.
        yaw: radians about +z.
        score: confidence in [0, 1].
        velocity: (2,) float64 m/s, or None where the detector does not say.
        velocity_gap_s: seconds over which it was seen to move so; NaN where the detector does not say.
    """

    class_name: str
    center: np.ndarray
    size: np.ndarray
    yaw: float
    score: float
    velocity: np.ndarray | None = None
    velocity_gap_s: float = float("nan")

    def __post_init__(self) -> None:
        _check_class("Detection3D", self.class_name)
        _check_shape("Detection3D", "center", self.center, (3,))
        _check_shape("Detection3D", "size", self.size, (3,))

    @property
    def box(self) -> np.ndarray:
        """(7,) float64: x, y, z, length, width, height, yaw."""
        return np.concatenate([self.center, self.size, [self.yaw]])


@dataclass(frozen=True)
class GridSpec:
    """A regular voxel grid in base_link.

    Attributes:
        origin: (x, y, z) of the lowest corner of voxel (0, 0, 0), metres.
        voxel_size: (x, y, z) edge lengths, metres.
        shape: (X, Y, Z) number of voxels.
        frame_id: frame of the grid.
    """

    origin: tuple[float, float, float]
    voxel_size: tuple[float, float, float]
    shape: tuple[int, int, int]
    frame_id: str = "base_link"

    def centers(self) -> np.ndarray:
        """(X, Y, Z, 3) float32: voxel centres, metres, in `frame_id`."""
        axes = [
            self.origin[i] + (np.arange(self.shape[i], dtype=np.float64) + 0.5) * self.voxel_size[i] for i in range(3)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)

    def indices(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voxel index of each point.

        Args:
            points: (N, 3) float, metres, in `frame_id`.

        Returns:
            (N, 3) int64 indices (meaningless outside) and (N,) bool, True inside the grid.
        """
        indices = np.floor((np.asarray(points) - np.asarray(self.origin)) / np.asarray(self.voxel_size)).astype(
            np.int64
        )
        inside = np.all((indices >= 0) & (indices < np.asarray(self.shape)), axis=-1)
        return indices, inside


NEVER_SEEN, SEEN_BEFORE, SEEN_NOW = 0, 1, 2
"""Values of `OccupancyGrid.visibility`."""


@dataclass(frozen=True)
class OccupancyGrid:
    """Semantic occupancy of one frame.

    Attributes:
        spec: the grid, in base_link at the frame's stamp.
        class_id: (X, Y, Z) uint8 semantic id, 0 = free.
        probability: (X, Y, Z) float32 probability that the voxel is occupied, 0..1.
        visibility: (X, Y, Z) uint8: 0 never seen, 1 seen in an earlier frame, 2 seen now.
    """

    spec: GridSpec
    class_id: np.ndarray
    probability: np.ndarray
    visibility: np.ndarray

    def __post_init__(self) -> None:
        for name in ("class_id", "probability", "visibility"):
            _check_shape("OccupancyGrid", name, getattr(self, name), self.spec.shape)


@dataclass(frozen=True)
class NetworkOutput:
    """What the occupancy network says of one rig frame.

    Attributes:
        class_id: (X, Y, Z) uint8 semantic id per voxel, 0 = free.
        probability: (X, Y, Z) float32 occupancy probability.
        spec: the grid.
        detections: 3D detections in odom, best first.
        image_semantics: camera name -> (7, h, w) float32 class probabilities (softmax over
            SEMANTIC_NAMES, 0 = sky/unlabelled) on a grid that covers the whole image evenly.
        image_objects: camera name -> (9, h, w) float32, what each image cell says of the object that it shows
            (occupancy.network_spec.OBJECT_CHANNELS); empty if the network doesn't say.
        image_surface: camera name -> (4, h, w) float32, where on its object the point lies that an image cell shows
            (occupancy.network_spec.SURFACE_CHANNELS); empty if the network doesn't say.
        image_ranges: camera name -> (4, h, w) float32, how far away the object is that an image cell shows, and how
            sure that is (occupancy.network_spec.RANGE_CHANNELS); empty if the network doesn't say.
        unsure: (X, Y, Z) bool, voxels of which the network can't tell whether they are free; None: it can of all.
    """

    spec: GridSpec
    class_id: np.ndarray
    probability: np.ndarray
    detections: tuple[Detection3D, ...]
    image_semantics: Mapping[str, np.ndarray] = field(default_factory=dict)
    image_objects: Mapping[str, np.ndarray] = field(default_factory=dict)
    image_surface: Mapping[str, np.ndarray] = field(default_factory=dict)
    image_ranges: Mapping[str, np.ndarray] = field(default_factory=dict)
    unsure: np.ndarray | None = None


STATE_NAMES = ("x", "y", "z", "length", "width", "height", "yaw")
"""Order of box states and of the rows of `ObjectEstimate.covariance`."""


@dataclass(frozen=True)
class ObjectEstimate:
    """One object as measured in one frame: a detection, refined where pixels allowed it.

    Attributes:
        class_name: one of OBJECT_CLASSES.
        box: (7,) float64 in odom: x, y, z (centre), length, width, height, yaw.
        covariance: (7, 7) float64, of `box`, same order, SI units.
        score: confidence in [0, 1].
        velocity: (2,) float64 m/s in odom, or None.
        shape_code: (S,) float32 of the prior, or None when box-only.
        texture_code: (T,) float32 of the prior, or None when box-only.
        refined: True where rendering moved the box.
        loss_before, loss_after: mean robust residual per used pixel; NaN when box-only.
        visible_fraction: expected visible part of the object's silhouette in the best camera,
            0..1; NaN when unknown.
        cameras: names of the cameras whose pixels entered.
        occluder: index of the estimate of the same frame that hides most of it; None: nothing does, or unknown.
        reasons: reason codes that already arose in refinement ("truncated", "detector_only", ...).
        track_hint: id of the track whose prediction started the refinement, or None.
        heading_odds: nats by which this frame alone prefers the box's heading to its opposite; NaN when unknown.
        velocity_std: m/s, of each component of `velocity`, with which it corrects tracks; NaN: it only starts them.
    """

    class_name: str
    box: np.ndarray
    covariance: np.ndarray
    score: float
    velocity: np.ndarray | None = None
    shape_code: np.ndarray | None = None
    texture_code: np.ndarray | None = None
    refined: bool = False
    loss_before: float = float("nan")
    loss_after: float = float("nan")
    visible_fraction: float = float("nan")
    cameras: tuple[str, ...] = ()
    occluder: int | None = None
    reasons: tuple[str, ...] = ()
    track_hint: str | None = None
    heading_odds: float = float("nan")
    velocity_std: float = float("nan")

    def __post_init__(self) -> None:
        _check_class("ObjectEstimate", self.class_name)
        _check_shape("ObjectEstimate", "box", self.box, (7,))
        _check_shape("ObjectEstimate", "covariance", self.covariance, (7, 7))


@dataclass(frozen=True)
class Track:
    """An object's identity and state at the frame's stamp, in odom.

    Attributes:
        track_id: stable name, unique until reset.
        class_name: one of OBJECT_CLASSES.
        box: (7,) float64: x, y, z, length, width, height, yaw.
        velocity: (2,) float64, m/s.
        yaw_rate: rad/s.
        covariance: (7, 7) float64, of `box`.
        score: confidence in [0, 1].
        state: "tentative", "confirmed" or "coasting" (confirmed, not measured in this frame).
        age_s: seconds since birth.
        hits: number of measurements so far.
        misses: frames since the last measurement.
        parked: probability that the object stands, or NaN where nobody asked.
        shape_code, texture_code: fused codes, or None.
        trail: (N, 3) float32 past centres, oldest first.
        estimate_index: index into SceneEstimate.estimates of this frame's measurement, or None.
        match_cost: terms of the accepted match ("distance", "iou", "codes", "total"), empty when coasting.
        rejected_cost: terms of the best rejected candidate, empty if there was none.
        reasons: reason codes of the tracker ("coasting", "merged:<id>", ...).
    """

    track_id: str
    class_name: str
    box: np.ndarray
    velocity: np.ndarray
    covariance: np.ndarray
    score: float
    state: str
    yaw_rate: float = 0.0
    age_s: float = 0.0
    hits: int = 1
    misses: int = 0
    parked: float = math.nan
    shape_code: np.ndarray | None = None
    texture_code: np.ndarray | None = None
    trail: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    estimate_index: int | None = None
    match_cost: Mapping[str, float] = field(default_factory=dict)
    rejected_cost: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_class("Track", self.class_name)
        _check_shape("Track", "box", self.box, (7,))
        _check_shape("Track", "velocity", self.velocity, (2,))
        _check_shape("Track", "covariance", self.covariance, (7, 7))


@dataclass(frozen=True)
class Explanation:
    """Why the system believes what it believes about one track in one frame.

    Attributes:
        track_id: the track.
        loss_before, loss_after: of the refinement; NaN when nothing was rendered.
        shape_code, texture_code: codes behind the render, or None.
        match_cost, rejected_cost: see Track.
        visible_fraction: expected visible part of the silhouette, NaN when unknown.
        reasons: all reason codes of refinement and tracking.
    """

    track_id: str
    class_name: str
    loss_before: float
    loss_after: float
    visible_fraction: float
    shape_code: np.ndarray | None = None
    texture_code: np.ndarray | None = None
    match_cost: Mapping[str, float] = field(default_factory=dict)
    rejected_cost: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneEstimate:
    """All that the package says about one rig frame.

    Attributes:
        stamp_ns: the frame's anchor stamp.
        frame: the input it explains.
        detections: what the detector said (odom).
        estimates: after refinement, in the order that Track.estimate_index refers to.
        tracks: confirmed and coasting tracks (odom).
        occupancy: semantic voxels, or None when the network is off.
        explanations: one per track.
        image_semantics: see NetworkOutput.
        timing_ms: stage name -> milliseconds; "frame" is the whole step.
        tentative: tracks that are not confirmed yet (odom): for displays, never for planning.
    """

    stamp_ns: int
    frame: RigFrame
    detections: tuple[Detection3D, ...]
    estimates: tuple[ObjectEstimate, ...]
    tracks: tuple[Track, ...]
    occupancy: OccupancyGrid | None
    explanations: tuple[Explanation, ...]
    image_semantics: Mapping[str, np.ndarray] = field(default_factory=dict)
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    tentative: tuple[Track, ...] = ()
