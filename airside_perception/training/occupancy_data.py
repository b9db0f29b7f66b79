"""Training samples of the occupancy network: one compressed file each, in a pool that grows while training runs."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.training.adjacent_frames import AdjacentFrame
from airside_perception.training.earlier_frames import EarlierFrame

REFRESH_SECONDS = 10.0
"""A pool of thousands of files takes longer to list than a sample takes to read."""

LABEL_STRIDE = 4
"""Image pixels per label pixel of `TrainingSample.depth` and `.semantic`."""


@dataclass(frozen=True)
class TrainingSample:
    """One rig frame with dense labels.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        cameras: N cameras with width W and height H.
        depth: (N, H/4, W/4) uint16 optical-axis depth in centimetres, 0 = sky.
        semantic: (N, H/4, W/4) uint8 semantic ids.
        occupancy: (X, Y, Z) uint8 semantic id per voxel, 0 = free.
        observed: (X, Y, Z) bool, True where the label is known.
        boxes: (M, 7) float32, base_link.
        box_class: (M,) uint8 index into OBJECT_CLASSES.
        box_visibility: (M,) float32 visible fraction in the best camera.
        box_velocity: (M, 2) float32 m/s in base_link axes (over ground).
        box_kind: (M,) str, the generator's subtype; "" where unknown.
        adjacent: label images of moments before and after, where there are some.
        boxes_known: False where nobody labelled boxes: no box then means nothing.
        earlier: images of moments before, oldest first, where there are some.
    """

    images: np.ndarray
    cameras: tuple[Camera, ...]
    depth: np.ndarray
    semantic: np.ndarray
    occupancy: np.ndarray
    observed: np.ndarray
    boxes: np.ndarray
    box_class: np.ndarray
    box_visibility: np.ndarray
    box_velocity: np.ndarray
    box_kind: np.ndarray
    adjacent: tuple[AdjacentFrame, ...] = ()
    boxes_known: bool = True
    earlier: tuple[EarlierFrame, ...] = ()

    def __post_init__(self) -> None:
        count, height, width = self.images.shape[:3]
        labels = (count, height // LABEL_STRIDE, width // LABEL_STRIDE)
        wanted = {
            "images": ((count, height, width, 3), self.images),
            "depth": (labels, self.depth),
            "semantic": (labels, self.semantic),
            "observed": (self.occupancy.shape, self.observed),
            "boxes": ((len(self.boxes), 7), self.boxes),
            "box_class": ((len(self.boxes),), self.box_class),
            "box_visibility": ((len(self.boxes),), self.box_visibility),
            "box_velocity": ((len(self.boxes), 2), self.box_velocity),
            "box_kind": ((len(self.boxes),), self.box_kind),
        }
        for name, (shape, array) in wanted.items():
            if tuple(array.shape) != tuple(shape):
                raise ValueError(f"TrainingSample.{name}: expected shape {shape}, got {array.shape}")
        if len(self.cameras) != count:
            raise ValueError(f"TrainingSample.cameras: expected {count} cameras, got {len(self.cameras)}")


def save_sample(path: str | os.PathLike[str], sample: TrainingSample, jpeg_quality: int = 92) -> None:
    """Write `sample` to `path` (.npz) at once: to a temporary name first, then renamed, so that a reader
    in another process never sees half a file."""
    path = Path(path)
    jpeg, jpeg_sizes = _encode_jpegs(sample.images, jpeg_quality)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        jpeg=jpeg,
        jpeg_sizes=jpeg_sizes,
        cameras=_json_bytes([_camera_to_dict(camera) for camera in sample.cameras]),
        depth=sample.depth.astype(np.uint16),
        semantic=sample.semantic.astype(np.uint8),
        occupancy=sample.occupancy.astype(np.uint8),
        observed=np.packbits(sample.observed.astype(bool)),
        boxes=sample.boxes.astype(np.float32),
        box_class=sample.box_class.astype(np.uint8),
        box_visibility=sample.box_visibility.astype(np.float32),
        box_velocity=sample.box_velocity.astype(np.float32),
        box_kind=sample.box_kind.astype(np.str_),
        boxes_known=np.array(sample.boxes_known),
        **_adjacent_to_arrays(sample.adjacent),
        **_earlier_to_arrays(sample.earlier, jpeg_quality),
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)


def load_sample(path: str | os.PathLike[str]) -> TrainingSample:
    """Read what `save_sample` wrote.

    Raises:
        AirsideError: the file is no training sample.
    """
    try:
        with np.load(path) as data:
            fields = {name: data[name] for name in data.files}
        images = _decode_jpegs(fields["jpeg"], fields["jpeg_sizes"])
        shape = fields["occupancy"].shape
        observed = np.unpackbits(fields["observed"], count=int(np.prod(shape))).astype(bool).reshape(shape)
        cameras = tuple(_camera_from_dict(entry) for entry in json.loads(fields["cameras"].tobytes()))
        names = ("depth", "semantic", "occupancy", "boxes", "box_class", "box_visibility", "box_velocity", "box_kind")
        fields.setdefault("box_kind", np.full(len(fields["boxes"]), ""))
        return TrainingSample(
            images=images,
            cameras=cameras,
            observed=observed,
            adjacent=_adjacent_from_arrays(fields),
            earlier=_earlier_from_arrays(fields),
            boxes_known=bool(fields.get("boxes_known", True)),
            **{name: fields[name] for name in names},
        )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, cv2.error) as error:
        raise AirsideError(f"{path}: not a training sample ({error}); delete it or generate the pool again") from error


def resize_sample(sample: TrainingSample, size: tuple[int, int]) -> TrainingSample:
    """The same frame with images of `size` (width, height); labels take the nearest label pixel."""
    width, height = size
    old_height, old_width = sample.images.shape[1:3]
    if (width, height) == (old_width, old_height):
        return sample
    label_height, label_width = sample.semantic.shape[1:]
    rows = ((np.arange(height // LABEL_STRIDE) + 0.5) * old_height / height).astype(int).clip(0, label_height - 1)
    columns = ((np.arange(width // LABEL_STRIDE) + 0.5) * old_width / width).astype(int).clip(0, label_width - 1)
    return replace(
        sample,
        images=np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in sample.images]),
        cameras=tuple(camera.resized(width, height) for camera in sample.cameras),
        depth=np.ascontiguousarray(sample.depth[:, rows][:, :, columns]),
        semantic=np.ascontiguousarray(sample.semantic[:, rows][:, :, columns]),
        earlier=tuple(frame.resized(width, height) for frame in sample.earlier),
    )


def _encode_jpegs(images: np.ndarray, quality: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W, 3) uint8 RGB -> bytes of all files in a row, and the length of each."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
    encoded = [cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)[1] for image in images]
    return np.concatenate(encoded).reshape(-1), np.array([chunk.size for chunk in encoded], np.int64)


def _decode_jpegs(data: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """What `_encode_jpegs` took."""
    return np.stack([_decode_jpeg(chunk) for chunk in np.split(data, np.cumsum(sizes)[:-1])])


def _decode_jpeg(data: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("damaged JPEG")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _json_bytes(value: object) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _adjacent_to_arrays(frames: tuple[AdjacentFrame, ...]) -> dict[str, Any]:
    """Entries of the file for frames of any camera counts; none without frames."""
    if not frames:
        return {}
    cameras = [[_camera_to_dict(camera) for camera in frame.cameras] for frame in frames]
    return {
        "adjacent_cameras": _json_bytes(cameras),
        "adjacent_depth": np.concatenate([frame.depth for frame in frames]).astype(np.uint16),
        "adjacent_semantic": np.concatenate([frame.semantic for frame in frames]).astype(np.uint8),
        "adjacent_moving": np.concatenate([frame.moving for frame in frames]).astype(bool),
    }


def _adjacent_from_arrays(fields: dict[str, np.ndarray]) -> tuple[AdjacentFrame, ...]:
    if "adjacent_cameras" not in fields:
        return ()
    frames, first = [], 0
    for entries in json.loads(fields["adjacent_cameras"].tobytes()):
        part = slice(first, first + len(entries))
        layers = (fields[f"adjacent_{name}"][part] for name in ("depth", "semantic", "moving"))
        frames.append(AdjacentFrame(tuple(_camera_from_dict(entry) for entry in entries), *layers))
        first += len(entries)
    return tuple(frames)


def _earlier_to_arrays(frames: tuple[EarlierFrame, ...], quality: int) -> dict[str, Any]:
    """Entries of the file for frames of any camera counts; none without frames."""
    if not frames:
        return {}
    jpeg, sizes = _encode_jpegs(np.concatenate([frame.images for frame in frames]), quality)
    return {
        "earlier_cameras": _json_bytes([[_camera_to_dict(camera) for camera in frame.cameras] for frame in frames]),
        "earlier_poses": np.stack([frame.now_from_then for frame in frames]),
        "earlier_ages_s": np.array([frame.age_s for frame in frames]),
        "earlier_jpeg": jpeg,
        "earlier_jpeg_sizes": sizes,
    }


def _earlier_from_arrays(fields: dict[str, np.ndarray]) -> tuple[EarlierFrame, ...]:
    if "earlier_cameras" not in fields:
        return ()
    images = _decode_jpegs(fields["earlier_jpeg"], fields["earlier_jpeg_sizes"])
    frames, first = [], 0
    poses = fields["earlier_poses"]
    ages = fields.get("earlier_ages_s", np.full(len(poses), np.nan))
    for entries, pose, age_s in zip(json.loads(fields["earlier_cameras"].tobytes()), poses, ages, strict=True):
        cameras = tuple(_camera_from_dict(entry) for entry in entries)
        frames.append(EarlierFrame(images[first : first + len(entries)], cameras, pose, float(age_s)))
        first += len(entries)
    return tuple(frames)


def _camera_to_dict(camera: Camera) -> dict[str, object]:
    return {
        "name": camera.name,
        "width": camera.width,
        "height": camera.height,
        "intrinsics": np.asarray(camera.intrinsics).tolist(),
        "base_from_camera": np.asarray(camera.base_from_camera).tolist(),
        "distortion_model": camera.distortion_model,
        "distortion": np.asarray(camera.distortion).tolist(),
    }


def _camera_from_dict(entry: dict[str, object]) -> Camera:
    arrays = {name: np.asarray(entry[name], np.float64) for name in ("intrinsics", "base_from_camera", "distortion")}
    return Camera(
        name=str(entry["name"]),
        width=int(entry["width"]),  # type: ignore[call-overload]
        height=int(entry["height"]),  # type: ignore[call-overload]
        distortion_model=str(entry["distortion_model"]),
        **arrays,
    )


class SamplePool:
    """A folder of samples that another process may still be filling.

    Samples that were drawn least often come first, at random among equals, so a streamed sample is
    used as soon as it arrives and old ones are replayed in the meantime.

    Args:
        folder: where the .npz files lie; need not exist yet.
        seed: seed of the draws.
    """

    def __init__(self, folder: str | os.PathLike[str], seed: int = 0) -> None:
        self.folder = Path(folder)
        self._random = np.random.default_rng(seed)
        self._uses: dict[Path, int] = {}
        self._fresh: list[Path] = []
        self._refreshed = 0.0

    def refresh(self) -> int:
        """Look for new files; returns how many samples the pool holds."""
        found = {path for path in self.folder.glob("*.npz") if not path.name.startswith(".")}
        if found != self._uses.keys():
            self._uses = {path: self._uses.get(path, 0) for path in sorted(found)}
            self._fresh = []
        self._refreshed = time.monotonic()
        return len(self._uses)

    def paths(self) -> list[Path]:
        """All samples, sorted by name."""
        self.refresh()
        return sorted(self._uses)

    def draw(self) -> Path:
        """A random sample, least used first.

        Raises:
            AirsideError: the pool is empty.
        """
        if not self._uses or time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self.refresh()
        if not self._uses:
            raise AirsideError(f"{self.folder}: expected training samples (*.npz), found none; run the generator first")
        if not self._fresh:
            fewest = min(self._uses.values())
            self._fresh = [path for path, uses in self._uses.items() if uses <= fewest]
            self._random.shuffle(self._fresh)  # type: ignore[arg-type]
        path = self._fresh.pop()
        self._uses[path] += 1
        return path
