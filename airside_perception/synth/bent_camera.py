"""Cameras with distortion: rendered by linear cameras at the same place, then resampled.

A narrow view takes one wider pinhole. A fisheye takes faces of a cube about its optical centre, each cut down
to what the lens sees of it, so that no angle is out of reach: pixels may look backward.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import cv2
import numpy as np

from airside_perception.geometry.cameras import Camera

WIDEST_PINHOLE = float(np.tan(np.radians(55)))
"""Largest slope of a ray to the optical axis that one pinhole serves; beyond, a cube costs fewer pixels."""
MARGIN = 4
"""Pixels that linear cameras reach beyond what is needed of them, for interpolation."""

SIGHT_FIRST, SIGHT_STRIDE = 2, 4
"""Columns of pixels whose rays are kept."""

_LEAST_EXTENT = 1e-3
_STEP = 4
_AXES = np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, -1]], np.float64)
"""Optical axes of a cube's faces in the optical frame of the lens: ahead, right, left, down, up, back."""


class BentCamera:
    """A camera that is not linear, and the way from linear cameras' pixels to its own.

    Attributes:
        camera: the distorted camera.
        faces: linear cameras at the same place that together see all that `camera` sees.
        seen: (H, W) bool, pixels that the lens model can draw; the rest stays black and without labels.
        axis_scale: (H, W) float32 metres along the camera's optical axis for each metre along that of the face
            which a pixel is taken from; not positive where the pixel looks to the side or backward.
        needed: (h, w) uint8 of each face, 0 where no pixel of `camera` looks.
        sight: (H, columns, 3) float32 unit rays of the pixels in columns SIGHT_FIRST, SIGHT_FIRST + SIGHT_STRIDE, ...
    """

    def __init__(self, camera: Camera):
        self.camera = camera
        shape = (camera.height, camera.width)
        rays, seen = _lens_rays(camera)
        directions = np.ascontiguousarray(rays.T)
        face_of = _faces_of(directions, seen)
        x, y = (np.full(len(rays), -10.0, np.float32) for _ in range(2))
        scale = np.ones(len(rays), np.float32)
        faces: list[Camera] = []
        self._tops: list[int] = []
        self._turns: list[np.ndarray] = []
        top = 0
        for number in np.flatnonzero(np.bincount(face_of[seen], minlength=len(_AXES))).tolist():
            own = seen & (face_of == number)
            turn = _turn(number)
            right, down, away = turn.T.astype(np.float32) @ directions[:, own]
            right, down = right / away, down / away
            face = _covering(camera, turn, np.array([[right.min(), down.min()], [right.max(), down.max()]], float))
            k = face.intrinsics.astype(np.float32)
            x[own], y[own] = right * k[0, 0] + k[0, 2], down * k[1, 1] + (k[1, 2] + top)
            scale[own] = directions[2, own] / away
            faces.append(face)
            self._tops.append(top)
            self._turns.append(turn)
            top += face.height
        self.faces = tuple(faces)
        self._thinned: dict[int, BentCamera] = {}
        self.sight = np.ascontiguousarray(rays.reshape(*shape, 3)[:, SIGHT_FIRST::SIGHT_STRIDE])
        self.seen = seen.reshape(shape)
        self.axis_scale = scale.reshape(shape)
        self._x, self._y = x.reshape(shape), y.reshape(shape)
        self.needed = self._needed()

    def _needed(self) -> tuple[np.ndarray, ...]:
        """Marks on the pixels of the faces that `resample_image` and its like read."""
        sheet = np.zeros((self._tops[-1] + self.faces[-1].height, max(face.width for face in self.faces)), np.uint8)
        sheet[self._y[self.seen].astype(np.intp), self._x[self.seen].astype(np.intp)] = 1
        # Interpolation reads the next row and column, too, and rounds places to 1/32 of a pixel.
        sheet = np.asarray(cv2.dilate(sheet, np.ones((4, 4), np.uint8), anchor=(2, 2)))
        return tuple(
            np.ascontiguousarray(sheet[top : top + face.height, : face.width])
            for top, face in zip(self._tops, self.faces, strict=True)
        )

    def mounted_as(self, camera: Camera) -> BentCamera:
        """The same lens at another place: all that took long to find stays as it is.

        Args:
            camera: equal to this one but for its name and pose.
        """
        moved = copy.copy(self)
        moved.camera = camera
        moved.faces = tuple(
            replace(face, name=camera.name, base_from_camera=_turned(camera, turn))
            for face, turn in zip(self.faces, self._turns, strict=True)
        )
        return moved

    def resample_image(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The faces' (h, w, 3) radiance as the distorted camera sees it, (H, W, 3)."""
        return self._remap(images, cv2.INTER_LINEAR, 0)

    def resample_depth(self, depths: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W) depth along the camera's own optical axis by the nearest pixel of the faces' (h, w) depths;
        0 where there is none, which is so of all that lies 90 degrees or more off the axis."""
        return np.maximum(self._remap(depths, cv2.INTER_NEAREST, 0) * self.axis_scale, 0.0)

    def resample_labels(self, layers: Sequence[np.ndarray], border: float) -> np.ndarray:
        """Any (h, w) or (h, w, 3) layer of the faces by the nearest pixel, in single precision; pixels that show
        nothing get `border`."""
        return self._remap([layer.astype(np.float32) for layer in layers], cv2.INTER_NEAREST, border)

    def count_pixels(self, masks: Sequence[np.ndarray]) -> np.ndarray:
        """(N,) int64 own pixels that N masks cover, drawn by the faces as (N, h, w) bool."""
        counts = np.zeros(len(masks[0]), np.int64)
        for places, mask in zip(self._places, masks, strict=True):
            counts += [np.count_nonzero(each) for each in mask.reshape(len(mask), -1)[:, places]]
        return counts

    @cached_property
    def _places(self) -> list[np.ndarray]:
        """For each face, the numbers of its pixels that own pixels show."""
        x, y = np.rint(self._x).astype(np.intp), np.rint(self._y).astype(np.intp)
        places = []
        for top, face in zip(self._tops, self.faces, strict=True):
            own = (x >= 0) & (x < face.width) & (y >= top) & (y < top + face.height)
            places.append((y[own] - top) * face.width + x[own])
        return places

    def thinned(self, step: int) -> BentCamera:
        """The same lens with every `step`-th of its pixels, for counts; its faces are as much smaller. Mounts of one
        lens share it: where its faces look holds for one of them."""
        if step not in self._thinned:
            self._thinned[step] = self._made_thin(step)
        return self._thinned[step]

    def _made_thin(self, step: int) -> BentCamera:
        thin = copy.copy(self)
        thin.__dict__.pop("_places", None)
        thin.seen, thin.axis_scale = self.seen[::step, ::step], self.axis_scale[::step, ::step]
        x, y = self._x[::step, ::step].copy(), self._y[::step, ::step].copy()
        tops = [*self._tops, np.inf]
        faces, thin._tops, top = [], [], 0
        for face, first, last in zip(self.faces, tops[:-1], tops[1:], strict=True):
            small = face.resized(max(face.width // step, 1), max(face.height // step, 1))
            own = (self._y[::step, ::step] >= first) & (self._y[::step, ::step] < last)
            x[own] = (x[own] + 0.5) * (small.width / face.width) - 0.5
            y[own] = (y[own] - first + 0.5) * (small.height / face.height) - 0.5 + top
            faces.append(small)
            thin._tops.append(top)
            top += small.height
        thin.faces, thin._x, thin._y = tuple(faces), x, y
        return thin

    def _remap(self, layers: Sequence[np.ndarray], interpolation: int, border: float) -> np.ndarray:
        sheet = layers[0] if len(layers) == 1 else self._sheet(layers)
        return cv2.remap(
            sheet, self._x, self._y, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=(border,) * 4
        )

    def _sheet(self, layers: Sequence[np.ndarray]) -> np.ndarray:
        """All faces below each other in one image."""
        rows, columns = sum(layer.shape[0] for layer in layers), max(layer.shape[1] for layer in layers)
        sheet = np.zeros((rows, columns, *layers[0].shape[2:]), layers[0].dtype)
        for layer, top in zip(layers, self._tops, strict=True):
            sheet[top : top + layer.shape[0], : layer.shape[1]] = layer
        return sheet


_KEPT_LENSES, _KEPT_MOUNTS = 16, 64
_lenses: OrderedDict[bytes, BentCamera] = OrderedDict()


@lru_cache(maxsize=_KEPT_MOUNTS)
def bent_camera(camera: Camera) -> BentCamera:
    """The `BentCamera` of a distorted camera, the same one whenever that camera asks; cameras of one lens share what
    the lens alone decides."""
    key = f"{camera.width} {camera.height} {camera.distortion_model} ".encode()
    key += camera.intrinsics.tobytes() + camera.distortion.tobytes()
    known = _lenses.pop(key, None) or BentCamera(camera)
    _lenses[key] = known
    if len(_lenses) > _KEPT_LENSES:
        _lenses.popitem(last=False)
    return known if known.camera is camera else known.mounted_as(camera)


def sight_rays(camera: Camera) -> np.ndarray:
    """(R, 3) float32 viewing rays in the optical frame, of all rows and every SIGHT_STRIDE-th column; not all of
    length 1. Pixels that a lens can't draw have none."""
    if camera.is_linear:
        columns, rows = np.arange(SIGHT_FIRST, camera.width, SIGHT_STRIDE), np.arange(camera.height)
        k = camera.intrinsics
        rays = np.ones((len(rows), len(columns), 3), np.float32)
        down = (rows - k[1, 2]) / k[1, 1]
        rays[..., 1] = down[:, None]
        rays[..., 0] = (columns - k[0, 2]) / k[0, 0] - k[0, 1] / k[0, 0] * down[:, None]
        return rays.reshape(-1, 3)
    bent = bent_camera(camera)
    return bent.sight[bent.seen[:, SIGHT_FIRST::SIGHT_STRIDE]]


def pixel_rays(camera: Camera) -> np.ndarray:
    """(H, W, 3) float64 unit viewing rays of all pixels in the optical frame."""
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
    return camera.unproject(pixels.reshape(-1, 2).astype(float)).reshape(camera.height, camera.width, 3)


def _lens_rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(H * W, 3) float32 unit rays of a lens's pixels and (H * W,) bool, pixels that the model can draw.

    Inverting a distortion takes many steps: it is done at every fourth pixel, and rays between are interpolated,
    which is a few hundredths of a pixel off at most.
    """
    u, v = (np.arange(-(-(size - 1) // _STEP) + 1) * _STEP for size in (camera.width, camera.height))
    knots = np.stack(np.meshgrid(u, v), axis=-1).astype(float)
    rays = camera.unproject(knots)
    back, valid = camera.project(rays)
    # Pixels beyond the lens's circle unproject to its border and don't come back.
    if not np.all(valid & (np.abs(back - knots).max(axis=-1) < 0.5)):
        exact = pixel_rays(camera).reshape(-1, 3)
        pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1).reshape(-1, 2)
        back, valid = camera.project(exact)
        return exact.astype(np.float32), valid & (np.abs(back - pixels).max(axis=1) < 0.5)
    columns, rows = (np.arange(size, dtype=np.float32) / _STEP for size in (camera.width, camera.height))
    x, y = np.meshgrid(columns, rows)
    between = np.asarray(cv2.remap(rays.astype(np.float32), x, y, cv2.INTER_LINEAR))
    between = between / np.sqrt(np.einsum("hwc,hwc->hw", between, between))[..., None]
    return between.reshape(-1, 3), np.ones(between.shape[0] * between.shape[1], bool)


def _faces_of(directions: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(R,) uint8, the face of a cube that each of (3, R) rays goes through; 0 for all where one pinhole serves them."""
    x, y, z = directions
    faces = np.zeros(len(x), np.uint8)
    narrow = np.maximum(np.abs(x), np.abs(y)) <= np.float32(WIDEST_PINHOLE) * z
    if narrow[seen].all():
        return faces
    most = z
    for number, along in enumerate((x, -x, y, -y, -z), start=1):  # in the order of _AXES
        faces[along > most] = number
        most = np.maximum(most, along)
    return faces


def _turn(face: int) -> np.ndarray:
    """(3, 3) rotation from the frame of a cube's face to the optical frame; its columns are the face's axes."""
    forward = _AXES[face]
    down = np.array([0.0, 1.0, 0.0]) if abs(forward[1]) < 0.5 else np.array([0.0, 0.0, -forward[1]])
    return np.stack([np.cross(down, forward), down, forward], axis=1)


def _covering(camera: Camera, turn: np.ndarray, slopes: np.ndarray) -> Camera:
    """A linear camera, turned by `turn`, that sees rays of the given (N, 2) slopes as sharply as `camera` sees its
    middle, but with no more than twice its pixels."""
    low, high = slopes.min(axis=0), slopes.max(axis=0)
    extent = np.maximum(high - low, _LEAST_EXTENT)
    focal = np.array([camera.intrinsics[0, 0], camera.intrinsics[1, 1]])
    most = 2 * max(camera.width, camera.height)
    size = np.ceil(np.minimum(extent * focal, most)).astype(int) + 1
    fx, fy = (size - 1) / extent
    width, height = (int(each) + 2 * MARGIN for each in size)
    intrinsics = np.array([[fx, 0, MARGIN - low[0] * fx], [0, fy, MARGIN - low[1] * fy], [0, 0, 1.0]])
    return Camera(camera.name, width, height, intrinsics, _turned(camera, turn))


def _turned(camera: Camera, turn: np.ndarray) -> np.ndarray:
    """(4, 4) pose of a face at a camera's place."""
    pose = camera.base_from_camera.copy()
    pose[:3, :3] = pose[:3, :3] @ turn
    return pose
