"""Runs the occupancy network on rig frames: preprocessing, engine, decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import transform_boxes
from airside_perception.geometry.cameras import Camera
from airside_perception.inference.engine import Engine
from airside_perception.occupancy.calibration import Calibration
from airside_perception.occupancy.decoding import decode_centers
from airside_perception.occupancy.lifting import LiftingTables, build_lifting_tables
from airside_perception.occupancy.network_io import read_network_spec
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.occupancy.previous_volume import PreviousVolume
from airside_perception.records import CameraImage, Detection3D, GridSpec, NetworkOutput, RigFrame

TABLE_CACHE_SIZE = 16
"""Lifting tables kept: the whole rig and its sets with missing cameras."""

BLANK_SPREAD = 1.5
"""Grey levels: an image whose pixels spread less shows nothing. Sensors at night spread more by their noise alone."""


class OccupancyNetworkRunner:
    """The learned stage of the pipeline.

    Args:
        engine: a loaded occupancy network (inference.load_engine).
        grid: grid the caller expects; None takes the network's own.
        score_threshold: least score of a detection.
        occupancy_threshold: voxels above this probability count as occupied; None takes the
            value in the network's metadata.

    Voxels between the metadata's `free_threshold` and the occupancy threshold are neither: the network can't tell.

    Raises:
        AirsideError: not an occupancy network of this version, or trained for another grid.
    """

    def __init__(
        self,
        engine: Engine,
        grid: GridSpec | None = None,
        score_threshold: float = 0.15,
        occupancy_threshold: float | None = None,
    ) -> None:
        self.engine = engine
        self.spec = read_network_spec(engine)
        if grid is not None and grid != self.spec.grid:
            raise AirsideError(
                f"grid: the network was trained for {self.spec.grid}, got {grid}; "
                "change the grid.* options or train a network for it"
            )
        self._calibration = Calibration.of_metadata(engine.metadata, "voxel")
        self._stored_threshold = float(engine.metadata.get("occupancy_threshold", 0.5))
        self._free_threshold = float(engine.metadata.get("free_threshold", 1.0))
        self.set_thresholds(score_threshold, occupancy_threshold)
        self._tables: dict[tuple[bytes, ...], tuple[LiftingTables, np.ndarray]] = {}
        self._previous = PreviousVolume(self.spec) if self.spec.previous_volume else None

    def reset(self) -> None:
        """Forget the frame before, as after a jump in time."""
        if self._previous is not None:
            self._previous.forget()

    def set_thresholds(self, score: float, occupancy: float | None) -> None:
        """Change both thresholds from the next frame on; see the class for their meaning."""
        self.score_threshold = score
        self.occupancy_threshold = self._stored_threshold if occupancy is None else occupancy

    def run(self, frame: RigFrame) -> NetworkOutput:
        """Detect and map everything in one frame; missing cameras are simply not used.

        Raises:
            AirsideError: the frame has no image at all, or no camera looks into the grid.
        """
        names = sorted(frame.images)
        if not names:
            raise AirsideError(f"frame {frame.stamp_ns}: expected at least one camera image, got none")
        images = [frame.images[name] for name in names]
        tables, geometry = self._tables_for([image.camera for image in images])
        inputs = {
            "images": self._prepare(images),
            "geometry": geometry,
            "feature_index": tables.feature_index,
            "depth_index": tables.depth_index,
            "depth_fraction": tables.depth_fraction,
            "slot_weight": tables.slot_weight,
        }
        gap_s = float("nan")
        if self._previous is None:
            answer = self.engine.run(inputs)
        else:
            answer = self.engine.run(inputs | self._previous.inputs(frame.stamp_ns, frame.odom_from_base))
            # One frame shows no motion: what is said of it then is the mean of all that may be.
            if self._previous.known_at(frame.stamp_ns):
                gap_s = self._previous.gap_s(frame.stamp_ns)
            self._previous.keep(answer["volume"], frame.stamp_ns, frame.odom_from_base)
        probability = self._calibration.apply(answer["probability"])
        occupied = probability > self.occupancy_threshold
        unsure = ~occupied & (probability >= self._free_threshold)
        return NetworkOutput(
            spec=self.spec.grid,
            class_id=np.where(occupied, answer["class_id"], 0).astype(np.uint8),
            probability=probability,
            detections=self._detections(answer, gap_s, frame.odom_from_base),
            image_semantics={name: answer["semantics"][index] for index, name in enumerate(names)},
            image_objects={name: answer["objects"][index] for index, name in enumerate(names)},
            image_surface=dict(zip(names, answer["surface"], strict=True)) if "surface" in answer else {},
            image_ranges=dict(zip(names, answer["ranges"], strict=True)) if "ranges" in answer else {},
            unsure=unsure if self._free_threshold < 1.0 else None,
        )

    def _prepare(self, images: Sequence[CameraImage]) -> np.ndarray:
        """(N, H, W, 3) uint8 at the network's image size; area averaging where images shrink."""
        width, height = self.spec.image_size
        batch = np.empty((len(images), height, width, 3), np.uint8)
        for slot, image in zip(batch, images, strict=True):
            if image.image.shape[:2] == (height, width):
                slot[:] = image.image
            else:
                shrinks = image.image.shape[0] >= height and image.image.shape[1] >= width
                method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                cv2.resize(image.image, (width, height), dst=slot, interpolation=method)
        return batch

    def _tables_for(self, cameras: Sequence[Camera]) -> tuple[LiftingTables, np.ndarray]:
        """Tables and pixel geometry of these cameras, from the cache unless a calibration is new."""
        key = tuple(_calibration_bytes(camera) for camera in cameras)
        tables = self._tables.get(key)
        if tables is None:
            if len(self._tables) >= TABLE_CACHE_SIZE:
                self._tables.pop(next(iter(self._tables)))
            tables = build_lifting_tables(cameras, self.spec), pixel_geometry(cameras, self.spec)
            self._tables[key] = tables
        return tables

    def _detections(
        self, answer: Mapping[str, np.ndarray], gap_s: float, odom_from_base: np.ndarray
    ) -> tuple[Detection3D, ...]:
        """Boxes in odom; they have velocities where there was a frame before, `gap_s` seconds earlier."""
        found = decode_centers(answer["heatmap"], answer["boxes"], self.spec, self.score_threshold)
        in_odom = transform_boxes(odom_from_base, found.boxes) if len(found.boxes) else found.boxes
        moving = None
        if np.isfinite(gap_s):
            moving = found.at_cells(answer["displacement"]) @ odom_from_base[:2, :2].T / gap_s
        return tuple(
            Detection3D(
                class_name=self.spec.object_classes[found.class_id[index]],
                center=box[:3],
                size=box[3:6],
                yaw=float(box[6]),
                score=float(found.score[index]),
                velocity=None if moving is None else moving[index],
                velocity_gap_s=gap_s,
            )
            for index, box in enumerate(in_odom)
        )


def is_blank(image: np.ndarray) -> bool:
    """Whether an image (H, W, 3) uint8 is of one colour: a covered lens, a saturated or a dead sensor."""
    some = image[::16, ::16].reshape(-1, 3)
    return bool(len(some) == 0 or some.std(axis=0).max() < BLANK_SPREAD)


def _calibration_bytes(camera: Camera) -> bytes:
    head = f"{camera.name}|{camera.width}|{camera.height}|{camera.distortion_model}".encode()
    arrays = (camera.intrinsics, camera.base_from_camera, camera.distortion)
    return head + b"".join(np.ascontiguousarray(array, np.float64).tobytes() for array in arrays)
