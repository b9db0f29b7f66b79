"""Apron sequences as a nuScenes dataset: its tables, and the images as files."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception.bags import BagReader, CorruptImage, ImageEvent, open_sequence
from airside_perception.ego_motion import EgoMotion, EgoState
from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.synth.nuscenes_tables import VERSION, NuscenesTables, channel_of

_MAP_FILE = "maps/apron.png"


_WIDEST = float(np.radians(150))
"""Widest view of a straightened image; what a fisheye sees beyond it has no place in these tables."""


def export_nuscenes(sequences: Mapping[str, Path], out: Path, jpeg_quality: int | None = 90) -> dict[str, int]:
    """Write sequences as scenes of one nuScenes dataset.

    Every frame of tracks.json is a sample, the nearest image of each camera its key frame. Objects are annotated
    from the frame in which a camera first sees them to the last, hidden in between or not. Images of cameras with
    distortion, which nuScenes doesn't know, are straightened.

    Args:
        sequences: name of the scene -> apron sequence with ground truth.
        out: gets v1.0-airside/, samples/ and maps/; none of them may exist.
        jpeg_quality: 1..100; None writes PNG.

    Returns:
        table -> number of its records.

    Raises:
        AirsideError: a sequence has no bag, no ground truth, or tracks.json lacks a field.
        OSError: something cannot be written.
    """
    tables = NuscenesTables()
    for name, path in sequences.items():
        _add_sequence(tables, name, path, out, jpeg_quality)
    (out / _MAP_FILE).parent.mkdir(parents=True)
    _write_image(out / _MAP_FILE, np.full((64, 64), 255, np.uint8), None)
    tables.add_map(_MAP_FILE)
    tables.write(out / VERSION)
    return {name: len(records) for name, records in tables.records.items()}


def _add_sequence(tables: NuscenesTables, name: str, path: Path, out: Path, jpeg_quality: int | None) -> None:
    frames = _frames_of(path)
    stamps = np.array([frame["stamp_ns"] for frame in frames], np.int64)
    tables.add_scene(name, stamps.tolist(), "apron", f"generated apron sequence {name}")
    with BagReader(path) as bag:
        views = {camera.name: _View(camera) for camera in bag.rig().cameras.values()}
        for camera_name, view in views.items():
            tables.add_camera(name, view.pinhole)
            (out / "samples" / channel_of(camera_name)).mkdir(parents=True, exist_ok=True)
        taken = set()
        for event, odom_from_base in _posed_images(bag):
            sample = int(stamps[np.argmin(np.abs(stamps - event.stamp_ns))])
            if (event.camera, sample) in taken:
                continue
            view = views[event.camera]
            try:
                image = view.straighten(event.decode())
            except CorruptImage:
                continue
            taken.add((event.camera, sample))
            channel, suffix = channel_of(event.camera), "png" if jpeg_quality is None else "jpg"
            filename = f"samples/{channel}/{name}__{channel}__{event.stamp_ns // 1000}.{suffix}"
            _write_image(out / filename, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), jpeg_quality)
            tables.add_image(name, view.pinhole, sample, event.stamp_ns, odom_from_base, filename)
    for entries in _objects_of(frames).values():
        tables.add_object(name, entries)


def _posed_images(bag: BagReader) -> Iterator[tuple[ImageEvent, np.ndarray]]:
    """Images, each with the vehicle's (4, 4) pose at its stamp; those that no odometry is near are left out."""
    motion, waiting = EgoMotion(), deque[ImageEvent]()
    for event in itertools.chain(bag.messages(), [None]):
        if isinstance(event, ImageEvent):
            waiting.append(event)
        elif event is not None:
            motion.add(EgoState(event.stamp_ns, event.odom_from_base, event.linear_velocity, event.yaw_rate))
        # Between two odometry messages a pose is exact, beyond the last one it is a guess.
        while waiting and (event is None or (motion.newest_ns or 0) >= waiting[0].stamp_ns):
            image = waiting.popleft()
            ego = motion.at(image.stamp_ns)
            if ego is not None:
                yield image, ego.odom_from_base


def _frames_of(path: Path) -> list[dict[str, Any]]:
    truth = open_sequence(path).ground_truth_path
    if truth is None:
        raise AirsideError(f"{path}: expected a sequence with ground_truth/, which the annotations are made of")
    try:
        frames = json.loads((truth / "tracks.json").read_text(encoding="utf-8"))["frames"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirsideError(
            f"{truth / 'tracks.json'}: expected ground truth tracks, cannot read them ({error})"
        ) from error
    if not frames:
        raise AirsideError(f"{truth / 'tracks.json'}: expected at least one frame, got none")
    return frames


def _objects_of(frames: list[dict[str, Any]]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Object id -> (stamp, entry) from the first frame that sees it to the last."""
    objects: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for frame in frames:
        for entry in frame["objects"]:
            known = objects.get(entry["id"])
            if known is not None:
                known.append((frame["stamp_ns"], entry))
            elif entry["num_pixels"] > 0:
                objects[entry["id"]] = [(frame["stamp_ns"], entry)]
    for entries in objects.values():
        while entries[-1][1]["num_pixels"] == 0:
            entries.pop()
    return objects


class _View:
    """A camera as nuScenes knows cameras: without distortion.

    Attributes:
        pinhole: of the straightened images.
    """

    def __init__(self, camera: Camera):
        self.pinhole = camera if camera.is_linear else _covering_pinhole(camera)
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        if not camera.is_linear:
            columns, rows = np.meshgrid(np.arange(self.pinhole.width), np.arange(self.pinhole.height))
            rays = self.pinhole.unproject(np.stack([columns, rows], axis=-1).astype(np.float64))
            pixels, valid = camera.project(rays)
            pixels = np.where(valid[..., None], pixels, -10.0).astype(np.float32)
            self._maps = np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])

    def straighten(self, image: np.ndarray) -> np.ndarray:
        """The image as the pinhole sees it."""
        return image if self._maps is None else cv2.remap(image, *self._maps, cv2.INTER_LINEAR)


def _covering_pinhole(camera: Camera) -> Camera:
    """A distortion-free camera at the same place that sees all that `camera` sees, up to `_WIDEST`."""
    u, v = np.linspace(0, camera.width - 1, 33), np.linspace(0, camera.height - 1, 33)
    right, bottom = np.full(33, camera.width - 1.0), np.full(33, camera.height - 1.0)
    sides = [(u, 0 * u), (u, bottom), (0 * v, v), (right, v)]
    rays = camera.unproject(np.concatenate([np.stack(side, axis=1) for side in sides]))
    limit = np.tan(_WIDEST / 2)
    with np.errstate(invalid="ignore"):
        slopes = np.abs(rays[:, :2] / np.maximum(rays[:, 2:], 1e-3))
    # A fisheye may not be able to unproject its corners at all.
    reach = np.clip(np.nan_to_num(slopes, nan=limit), 0, limit).max(axis=0)
    size = [
        2 * int(np.ceil(min(r * camera.intrinsics[0, 0], 0.8 * n)))
        for r, n in zip(reach, (camera.width, camera.height), strict=True)
    ]
    fx, fy = (n / 2 / r for n, r in zip(size, reach, strict=True))
    intrinsics = np.array([[fx, 0, (size[0] - 1) / 2], [0, fy, (size[1] - 1) / 2], [0, 0, 1.0]])
    return Camera(camera.name, size[0], size[1], intrinsics, camera.base_from_camera)


def _write_image(path: Path, image: np.ndarray, jpeg_quality: int | None) -> None:
    options = [] if jpeg_quality is None else [cv2.IMWRITE_JPEG_QUALITY, int(jpeg_quality)]
    _, data = cv2.imencode(path.suffix, image, options)
    path.write_bytes(data.tobytes())
