"""Which cameras see an object, and the image crops in which it is compared."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from airside_perception.classes import SEMANTIC_OF_CLASS
from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform
from airside_perception.records import NetworkOutput, RigFrame
from airside_perception.refine.cell_votes import LABEL_PLACE
from airside_perception.refine.ownership import CellOwners, Ownership

MARGIN = 0.28
"""Crop border on each side, as a fraction of the projected box."""

FINEST_PX = 0.75
"""Crop pixels are never finer than this many image pixels: the network's semantics hold no more detail,
and small objects need the surroundings in which a detection may be wrong."""

NETWORK_BLUR_PX = 2.2
"""Softness of the network's silhouettes, image pixels (its output stride is 4)."""

LEAST_PART, LARGE_PART = 0.15, 0.08
"""Least part of a projected box inside the image, unless it covers this part of the image."""

FOREIGN_DOUBT = 0.8
"""Part of its weight that a pixel of another object loses."""

PIXEL_INFORMATION = {"aircraft": 0.16, "gse": 0.08, "person": 0.024}
"""Information of a residual pixel of crops of 64 pixels: 1 / (variance x correlated area). Blur and the network's own
stride make neighbouring pixels agree, so one pixel counts for far less than one measurement; strides and arms that the
prior's bodies don't follow make those of people count for less still. Found on `val` sequences."""

SMALLEST_PX = 4.0
"""Boxes that project to less than this edge length are not refined."""


@dataclass(frozen=True)
class View:
    """One object in one camera.

    Attributes:
        object_index: index of the object.
        camera_name: the camera.
        crop: camera whose image is the crop, `size` x `size` pixels.
        clip_from_odom: (4, 4) float64, for cameras without distortion.
        odom_from_camera: (4, 4) float64.
        target: (P, P) float32 probability that a pixel shows the object's class.
        weight: (P, P) float32 in 0..1, how far a pixel may be trusted.
        image: (P, P, 3) float32 RGB in 0..1.
        truncated: True where the image border cuts the projected box.
        area_px: area of the projected box inside the image, image pixels.
        softness_px: blur of the target, crop pixels.
        information: of a pixel's silhouette residual, 1 / variance.
        surface: (4, P, P) float32, where on the object the pixels lie (network_spec.SURFACE_CHANNELS), or None.
    """

    object_index: int
    camera_name: str
    crop: Camera
    clip_from_odom: np.ndarray
    odom_from_camera: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    image: np.ndarray
    truncated: bool
    area_px: float
    softness_px: float
    information: float
    surface: np.ndarray | None = None


def project_boxes(frame: RigFrame, camera: Camera, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image rectangles of boxes.

    Args:
        frame: gives the vehicle pose.
        camera: a camera of the frame.
        boxes: (N, 7) odom.

    Returns:
        (N, 4) float64 u0, v0, u1, v1 of the corners in front of the camera (not clipped to the
        image; NaN where no corner is) and (N,) bool, True where all 8 corners are in front.
    """
    camera_from_odom = invert_transform(frame.odom_from_base @ camera.base_from_camera)
    corners = box_corners(boxes) @ camera_from_odom[:3, :3].T + camera_from_odom[:3, 3]
    pixels, valid = camera.project(corners)
    valid = valid & (corners[..., 2] > 0.2)
    pixels = np.where(valid[..., None], pixels, np.nan)
    rectangles = np.full((len(boxes), 4), np.nan)
    some = valid.any(axis=1)
    if some.any():
        rectangles[some, :2] = np.nanmin(pixels[some], axis=1)
        rectangles[some, 2:] = np.nanmax(pixels[some], axis=1)
    return rectangles, np.all(valid, axis=1)


def find_views(
    frame: RigFrame,
    boxes: np.ndarray,
    class_names: list[str],
    network: NetworkOutput | None,
    crop_size: int,
    cameras_per_object: int,
    ownership: Ownership | None = None,
) -> list[View]:
    """Choose, for every object, the cameras that see most of it, and cut the crops.

    Args:
        frame: images and vehicle pose.
        boxes: (N, 7) odom, where the objects are thought to be.
        class_names: N names.
        network: its image semantics are the silhouettes to match; None: no views.
        crop_size: P, edge of a crop in pixels.
        cameras_per_object: at most this many views of an object.
        ownership: tells the object's pixels from those of its neighbours; None: classes alone decide.
    """
    if network is None or not len(boxes):
        return []
    candidates: dict[int, list[tuple[float, str, np.ndarray, bool]]] = {}
    for name, image in frame.images.items():
        if name not in network.image_semantics:
            continue
        camera = image.camera
        rectangles, whole = project_boxes(frame, camera, boxes)
        for index in np.flatnonzero(np.isfinite(rectangles[:, 0])):
            u0, v0, u1, v1 = rectangles[index]
            left, top = max(u0, 0.0), max(v0, 0.0)
            right, bottom = min(u1, camera.width - 1.0), min(v1, camera.height - 1.0)
            width, height = right - left, bottom - top
            if width < 1 or height < 1 or max(width, height) < SMALLEST_PX:
                continue
            cut = bool((width * height < 0.8 * (u1 - u0) * (v1 - v0)) or not whole[index])
            # What hangs out of the image on all sides says little, unless what is left fills much of it: the
            # rectangle of a near aircraft whose box reaches behind the camera has no end.
            little = width * height < LEAST_PART * (u1 - u0) * (v1 - v0)
            if cut and little and width * height < LARGE_PART * camera.width * camera.height:
                continue
            region = _grown(np.array([left, top, right, bottom]), FINEST_PX * crop_size)
            candidates.setdefault(int(index), []).append((width * height, name, region, cut))
    views = []
    for owner, found in sorted(candidates.items()):
        found.sort(key=lambda each: (-each[0], each[1]))
        for area, name, region, cut in found[:cameras_per_object]:
            owners = ownership.seen_from(name, owner) if ownership is not None else None
            views.append(_cut(frame, name, owner, class_names[owner], region, network, crop_size, cut, area, owners))
    return views


def _grown(rectangle: np.ndarray, smallest: float) -> np.ndarray:
    """Integer x0, y0, width, height of a rectangle with its margin, at least `smallest` wide and high."""
    left, top, right, bottom = rectangle
    half = np.array([(0.5 + MARGIN) * (right - left), (0.5 + MARGIN) * (bottom - top)])
    half = np.maximum(np.maximum(half, half.max() / 4), smallest / 2)
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    low, high = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int)
    return np.concatenate([low, high - low + 1])


def _cut(frame, name, index, class_name, region, network, size, truncated, area, owners) -> View:
    image = frame.images[name]
    camera = image.camera
    crop = camera.cropped(*(int(v) for v in region)).resized(size, size)
    odom_from_camera = frame.odom_from_base @ camera.base_from_camera
    clip = crop.clip_matrix() @ invert_transform(odom_from_camera)
    # Pixel centres of the crop in image pixels.
    columns = region[0] + (np.arange(size) + 0.5) * region[2] / size - 0.5
    rows = region[1] + (np.arange(size) + 0.5) * region[3] / size - 0.5
    inside_rows = (rows >= 0) & (rows <= camera.height - 1)
    inside_columns = (columns >= 0) & (columns <= camera.width - 1)
    target, weight = _silhouette(network.image_semantics[name], class_name, rows, columns, camera, owners)
    weight = weight * (inside_rows[:, None] & inside_columns[None])
    colors = _sample(image.image, rows, columns).astype(np.float32) / 255
    # Soft by whole steps of the square root of two, so that views share a few blurs.
    softness = NETWORK_BLUR_PX * size / float(np.sqrt(region[2] * region[3]))
    softness = float(2.0 ** (np.round(2 * np.log2(max(softness, 0.25))) / 2))
    information = PIXEL_INFORMATION[class_name] * (64.0 / size) ** 2
    surface = None
    if name in network.image_surface:
        maps = network.image_surface[name]
        surface = _sample_cells(maps, rows, columns, camera, LABEL_PLACE)
    return View(
        index, name, crop, clip, odom_from_camera, target, weight, colors, truncated, float(area), softness,
        information, surface,
    )  # fmt: skip


def _sample(array: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear samples on the grid rows x columns of an (H, W[, C]) array; the edge repeats."""
    map_x = np.broadcast_to(columns[None].astype(np.float32), (len(rows), len(columns)))
    map_y = np.broadcast_to(rows[:, None].astype(np.float32), (len(rows), len(columns)))
    return cv2.remap(array, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _sample_cells(maps: np.ndarray, rows: np.ndarray, columns: np.ndarray, camera: Camera, place: float) -> np.ndarray:
    """(A, len(rows), len(columns)) samples of maps (A, h, w) that cover the image; a cell speaks for `place` in it."""
    height, width = maps.shape[1:]
    map_rows, map_columns = (
        (rows + 0.5) * height / camera.height - place,
        (columns + 0.5) * width / camera.width - place,
    )
    stacked = np.ascontiguousarray(maps.transpose(1, 2, 0), np.float32)
    return _sample(stacked, map_rows, map_columns).reshape(len(rows), len(columns), len(maps)).transpose(2, 0, 1)


def _silhouette(
    semantics: np.ndarray,
    class_name: str,
    rows: np.ndarray,
    columns: np.ndarray,
    camera: Camera,
    owners: CellOwners | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Probability that crop pixels show the object, and the weight that other foreground leaves."""
    own = SEMANTIC_OF_CLASS[class_name]
    others = [s for s in SEMANTIC_OF_CLASS.values() if s != own]

    def sampled(values: np.ndarray) -> np.ndarray:
        return _sample_cells(values[None], rows, columns, camera, 0.5)[0]

    target, other = sampled(semantics[own]), np.clip(sampled(semantics[others].sum(axis=0)), 0, 1)
    if owners is None:
        return target, 1.0 - FOREIGN_DOUBT * other
    share, behind = sampled(owners.share), sampled(owners.behind)
    other = np.clip(other + target * (1 - share), 0, 1)
    # Another object's pixel says nothing sure about this one where it may hide it. What stands behind it does.
    return target * share, 1.0 - FOREIGN_DOUBT * other * np.clip(2.0 - 2.0 * behind, 0, 1)
