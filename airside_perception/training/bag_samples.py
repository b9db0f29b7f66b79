"""Training samples from recordings: own logs with own label images, or generated sequences.

A recording needs `ground_truth/depth/<camera>/<frame>.png` and `ground_truth/semantic/<camera>/<frame>.png` of some
frames. Boxes (`tracks.json`) and voxels (`occupancy/`) are taken where they exist and missed where not: without boxes
nothing is asked of the detection head, without voxels only contracts with rays can be trained.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception.bags import BagReader, open_sequence
from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_NAMES
from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import transform_boxes
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, quaternion_to_matrix, transform_from_pose_dict, yaw_of
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.previous_volume import LONGEST_GAP_S
from airside_perception.records import CameraImage, RigFrame
from airside_perception.sync import SyncedSet, Synchronizer, assemble_frame, synchronize
from airside_perception.training.adjacent_frames import AdjacentFrame, moving_pixels
from airside_perception.training.earlier_frames import EARLIER_FRAMES, EarlierFrame
from airside_perception.training.occupancy_data import LABEL_STRIDE, TrainingSample, save_sample

logger = logging.getLogger(__name__)

HOLD_OUT = 5
"""Every so many recordings, one validates instead of training; frames of one recording are too much alike."""


def fill_pool_from_bags(bags: Sequence[str | Path], pool: str | Path, spec: NetworkSpec) -> dict[str, int]:
    """Write the labelled frames of recordings as samples into `pool/train` and, of every fifth one, `pool/val`.

    Of two to four recordings the last one validates, of a single one nothing does.

    Returns:
        Samples per split, those of an earlier call included.

    Raises:
        AirsideError: a recording without bag or label images, or with broken ones.
    """
    counts = {"train": 0, "val": 0}
    last = len(bags) - 1
    for number, bag in enumerate(sorted(Path(each) for each in bags)):
        held_out = number % HOLD_OUT == HOLD_OUT - 1 or (0 < number == last < HOLD_OUT)
        split = "val" if held_out else "train"
        folder = Path(pool) / split
        folder.mkdir(parents=True, exist_ok=True)
        recording = LabelledRecording(bag, spec)
        for index, sample in recording.samples():
            save_sample(folder / f"bag{number:04d}_{index:05d}.npz", sample)
            counts[split] += 1
        logger.info("%s: samples for %s, %d so far", bag, split, counts[split])
    if not counts["val"]:
        logger.warning("one recording alone: none is held out, so nothing is validated")
    return counts


@dataclass(frozen=True)
class _Boxes:
    """Boxes of one frame in base_link; fields as in TrainingSample."""

    boxes: np.ndarray
    box_class: np.ndarray
    box_visibility: np.ndarray
    box_velocity: np.ndarray
    box_kind: np.ndarray


NO_BOXES = _Boxes(
    np.zeros((0, 7), np.float32),
    np.zeros(0, np.uint8),
    np.zeros(0, np.float32),
    np.zeros((0, 2), np.float32),
    np.zeros(0, np.str_),
)


class LabelledRecording:
    """A bag with label images of some frames.

    Args:
        path: sequence folder, or a bag with `ground_truth` beside it.
        spec: image size and grid of the samples.

    Raises:
        AirsideError: no bag, or no frame with depth and semantic images.
    """

    def __init__(self, path: str | Path, spec: NetworkSpec) -> None:
        self.path, self.spec = Path(path), spec
        folder = open_sequence(path).ground_truth_path
        if folder is None:
            raise AirsideError(f"{path}: expected a folder ground_truth with label images, found none")
        self._folder = folder
        self._labelled = _labelled_frames(folder)
        if not self._labelled:
            raise AirsideError(
                f"{folder}: expected depth/<camera>/<frame>.png and semantic/<camera>/<frame>.png of the same "
                "frames, found none; label some frames or leave the recording out"
            )
        self._tracks = _read_tracks(folder / "tracks.json")
        self._voxel_grid_fits = _grid_fits(folder / "occupancy" / "grid.json", spec)

    def samples(self) -> Iterator[tuple[int, TrainingSample]]:
        """(frame number, sample) of all labelled frames, with the labelled frames before and after each.

        Frames are numbered as tracks.json counts them, or in the order of the bag's synchronised sets.
        """
        poses = self._poses()
        order = sorted(index for index in self._labelled if index in poses)
        before: deque[RigFrame] = deque(maxlen=EARLIER_FRAMES)
        with BagReader(self.path) as reader:
            rig = reader.rig()
            for index, synced in self._numbered_sets(reader):
                if index not in poses or not (index in self._labelled or self.spec.previous_volume):
                    continue
                frame = assemble_frame(synced, rig, reader.fixed_frame)
                earlier = self._earlier(before, frame)
                if self.spec.previous_volume:
                    before.append(frame)
                if index not in self._labelled:
                    continue
                names = [name for name in self._labelled[index] if name in frame.images]
                if not names:
                    continue
                place = order.index(index)
                neighbours = [order[i] for i in (place - 1, place + 1) if 0 <= i < len(order)]
                adjacent = tuple(self._adjacent(i, rig.cameras, poses[index], poses[i]) for i in neighbours)
                images = {name: frame.images[name] for name in names}
                yield index, self._sample(index, images, poses[index], adjacent, earlier)

    def _poses(self) -> dict[int, np.ndarray]:
        """Frame number -> odom_from_base, from tracks.json or from the bag's odometry."""
        if self._tracks is not None:
            return {i: transform_from_pose_dict(entry["ego_pose"]) for i, entry in enumerate(self._tracks)}
        with BagReader(self.path) as reader:
            return {index: synced.ego.odom_from_base for index, synced in self._numbered_sets(reader)}

    def _numbered_sets(self, reader: BagReader) -> Iterator[tuple[int, SyncedSet]]:
        stamps = np.array([entry["stamp_ns"] for entry in self._tracks or ()], np.int64)
        tolerance_ns = 0.5 * float(np.median(np.diff(stamps))) if len(stamps) > 1 else 5e7
        for number, synced in enumerate(synchronize(reader.messages(), Synchronizer(reader.cameras))):
            if not len(stamps):
                yield number, synced
                continue
            nearest = int(np.abs(stamps - synced.stamp_ns).argmin())
            if abs(int(stamps[nearest]) - synced.stamp_ns) < tolerance_ns:
                yield nearest, synced

    def _earlier(self, before: Iterable[RigFrame], frame: RigFrame) -> tuple[EarlierFrame, ...]:
        """Frames with images from shortly before `frame`, as far back as no gap is too long; oldest first."""
        earlier: list[EarlierFrame] = []
        stamp_ns = frame.stamp_ns
        for each in reversed([each for each in before if each.images]):
            if not 0 < stamp_ns - each.stamp_ns <= LONGEST_GAP_S * 1e9:
                break
            stamp_ns = each.stamp_ns
            images, cameras = self._sized(each.images)
            motion = invert_transform(frame.odom_from_base) @ each.odom_from_base
            earlier.insert(0, EarlierFrame(images, cameras, motion, (frame.stamp_ns - stamp_ns) * 1e-9))
        return tuple(earlier)

    def _sized(self, images: Mapping[str, CameraImage]) -> tuple[np.ndarray, tuple[Camera, ...]]:
        """(N, H, W, 3) uint8 images at the network's size, and their cameras."""
        size = self.spec.image_size
        cameras = tuple(image.camera.resized(*size) for image in images.values())
        return np.stack([cv2.resize(i.image, size, interpolation=cv2.INTER_AREA) for i in images.values()]), cameras

    def _sample(
        self,
        index: int,
        images: dict[str, CameraImage],
        pose: np.ndarray,
        adjacent: tuple[AdjacentFrame, ...],
        earlier: tuple[EarlierFrame, ...],
    ) -> TrainingSample:
        shown, cameras = self._sized(images)
        depth, semantic = self._label_images(index, list(images))
        occupancy, observed = self._voxels(index)
        boxes = self._boxes(index, pose)
        return TrainingSample(
            images=shown,
            cameras=cameras,
            depth=depth,
            semantic=semantic,
            occupancy=occupancy,
            observed=observed,
            adjacent=adjacent,
            earlier=earlier,
            boxes_known=self._tracks is not None,
            **vars(boxes),
        )

    def _adjacent(
        self, index: int, cameras: dict[str, Camera], pose_now: np.ndarray, pose_then: np.ndarray
    ) -> AdjacentFrame:
        names = [name for name in self._labelled[index] if name in cameras]
        sized = tuple(cameras[name].resized(*self.spec.image_size) for name in names)
        depth, semantic = self._label_images(index, names)
        boxes = self._boxes(index, pose_then)
        moving = moving_pixels(sized, depth, semantic, boxes.boxes, boxes.box_velocity)
        return AdjacentFrame(sized, depth, semantic, moving).moved(invert_transform(pose_now) @ pose_then)

    def _label_images(self, index: int, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(N, h, w) uint16 centimetres and uint8 ids at the stride of labels: the pixel in the middle of each cell."""
        width, height = (size // LABEL_STRIDE for size in self.spec.image_size)
        layers: dict[str, list[np.ndarray]] = {"depth": [], "semantic": []}
        for kind, dtype in (("depth", np.uint16), ("semantic", np.uint8)):
            for name in names:
                full = _read_label(self._folder / kind / name / f"{index:04d}.png", dtype)
                rows = ((np.arange(height) + 0.5) * full.shape[0] / height).astype(int)
                columns = ((np.arange(width) + 0.5) * full.shape[1] / width).astype(int)
                layers[kind].append(full[rows][:, columns])
        return np.stack(layers["depth"]), np.stack(layers["semantic"])

    def _voxels(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        path, shape = self._folder / "occupancy" / f"{index:04d}.npz", self.spec.grid.shape
        if not (self._voxel_grid_fits and path.is_file()):
            return np.zeros(shape, np.uint8), np.zeros(shape, bool)
        try:
            with np.load(path) as content:
                return content["class_id"].astype(np.uint8), content["observed"].astype(bool)
        except (OSError, KeyError, ValueError) as error:
            raise AirsideError(f"{path}: expected arrays 'class_id' and 'observed' ({error})") from error

    def _boxes(self, index: int, odom_from_base: np.ndarray) -> _Boxes:
        objects = self._tracks[index]["objects"] if self._tracks is not None else []
        if not objects:
            return NO_BOXES
        base_from_odom = invert_transform(odom_from_base)
        try:
            yaws = [yaw_of(quaternion_to_matrix(np.asarray(each["rotation"], np.float64))) for each in objects]
            in_odom = [[*each["translation"], *each["size"], yaw] for each, yaw in zip(objects, yaws, strict=True)]
            velocity = np.array([each.get("velocity", (0.0, 0.0, 0.0))[:2] for each in objects], np.float64)
            return _Boxes(
                boxes=transform_boxes(base_from_odom, np.array(in_odom, np.float64)).astype(np.float32),
                box_class=np.array([OBJECT_CLASSES.index(each["class"]) for each in objects], np.uint8),
                box_visibility=np.array([each.get("visibility", 1.0) for each in objects], np.float32),
                box_velocity=(velocity @ base_from_odom[:2, :2].T).astype(np.float32),
                box_kind=np.array([str(each.get("subtype", "")) for each in objects], np.str_),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise AirsideError(f"{self._folder / 'tracks.json'}: frames[{index}]: a broken object ({error})") from error


def _labelled_frames(folder: Path) -> dict[int, list[str]]:
    """Frame number -> cameras that have both label images."""
    found: dict[int, list[str]] = {}
    for path in sorted((folder / "depth").glob("*/*.png")):
        if path.stem.isdigit() and (folder / "semantic" / path.parent.name / path.name).is_file():
            found.setdefault(int(path.stem), []).append(path.parent.name)
    return found


def _read_label(path: Path, dtype: type) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 2 or image.dtype != dtype:
        got = "no image" if image is None else f"{image.dtype} {image.shape}"
        meaning = "depth in centimetres" if dtype is np.uint16 else f"semantic ids 0..{len(SEMANTIC_NAMES) - 1}"
        raise AirsideError(f"{path}: expected a {np.dtype(dtype)} image of one channel ({meaning}), got {got}")
    if dtype is np.uint8 and image.max(initial=0) >= len(SEMANTIC_NAMES):
        raise AirsideError(f"{path}: expected semantic ids 0..{len(SEMANTIC_NAMES) - 1}, got {image.max()}")
    return image


def _read_tracks(path: Path) -> list[dict[str, Any]] | None:
    """Frames of tracks.json, None without the file."""
    if not path.is_file():
        return None
    try:
        frames = json.loads(path.read_text(encoding="utf-8"))["frames"]
        for frame in frames:
            transform_from_pose_dict(frame["ego_pose"])
            int(frame["stamp_ns"])
            list(frame["objects"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirsideError(f"{path}: expected frames with stamp_ns, ego_pose and objects ({error})") from error
    return frames


def _grid_fits(path: Path, spec: NetworkSpec) -> bool:
    """Whether voxel labels are there and on the network's grid."""
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fits = all(np.allclose(content[name], getattr(spec.grid, name)) for name in ("origin", "voxel_size", "shape"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirsideError(f"{path}: expected origin, voxel_size and shape ({error})") from error
    if not fits:
        logger.warning("%s: not the network's grid %s; its voxels are not used", path, spec.grid)
    return fits
