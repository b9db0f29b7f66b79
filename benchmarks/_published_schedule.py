"""The published schedule of inverse neural rendering on our prior, to compare with (arXiv 2404.12359).

Six Adam steps per object and camera, no second order, nothing carried over from the track: texture in steps 0 to 2,
shape in steps 3 and 4, rotation, translation and scale in steps 3 to 5, with the published rates and loss weights.
What differs, all of it to the schedule's advantage or forced by licences: the prior is ours and linearised around the
typical shape of the detection's size, so that a step costs no decoding; the published perceptual loss (VGG weights
cannot be shipped) is replaced by squared differences of blurred images at three scales, with the same weight; each
object's pixels come from the network's silhouettes, as ours do. Each camera is optimised alone, so of several the one
that sees most counts, as far as a detection has one box. Occluders are cut out by the hard masks of nearer boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as functional

from airside_perception.config import RefineConfig
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.records import Detection3D, NetworkOutput, ObjectEstimate, RigFrame, Track
from airside_perception.refine import ShapeLibrary
from airside_perception.refine.box_estimate import box_only
from airside_perception.refine.priors import ClassSpread
from airside_perception.refine.shape_library import LinearShape
from airside_perception.refine.views import View, find_views
from airside_perception.rendering import antialias, interpolate, rasterize

STEPS, POSE_FROM, SHAPE_UNTIL = 6, 3, 5
TEXTURE_RATE, SHAPE_RATE, POSE_RATE, SCALE_RATE = 0.3, 0.06, 0.03, 1e-6
COLOR_WEIGHT, PERCEPTUAL_WEIGHT = 2.0, 20.0
TEXTURE_PULL, SHAPE_PULL = 10.0, 3.0
TRUNCATION = 0.7
SCALES = (1, 2, 4)


class PublishedRefiner:
    """Refines detections one by one; same call as `refine.Refiner`.

    Args:
        config: crop size and limits are taken from it.
        library: typical shapes.
        spreads: errors of the detections, which are the only covariances that this schedule knows.
    """

    def __init__(self, config: RefineConfig, library: ShapeLibrary, spreads: Mapping[str, ClassSpread]) -> None:
        self._config, self._library, self._spreads = config, library, spreads

    def refine(
        self,
        frame: RigFrame,
        detections: tuple[Detection3D, ...],
        predictions: list[Track],
        network: NetworkOutput | None,
    ) -> tuple[ObjectEstimate, ...]:
        """One estimate per detection; `predictions` are not used."""
        known = [d for d in detections if self._is_near(d, frame)][: self._config.max_objects]
        boxes = np.array([d.box for d in known]).reshape(-1, 7)
        names = [d.class_name for d in known]
        views = find_views(frame, boxes, names, network, self._config.crop_size, 1)
        of_detection = {id(known[view.object_index]): view for view in views}
        return tuple(
            self._refined(frame, d, of_detection[id(d)], boxes)
            if id(d) in of_detection
            else box_only(d, frame, ("detector_only",), self._spreads)
            for d in detections
        )

    def _is_near(self, detection: Detection3D, frame: RigFrame) -> bool:
        distance = np.linalg.norm(detection.center[:2] - frame.odom_from_base[:2, 3])
        return bool(distance <= self._config.max_range_m) and detection.class_name in self._library.class_names

    def _refined(self, frame: RigFrame, detection: Detection3D, view: View, boxes: np.ndarray) -> ObjectEstimate:
        index = self._library.by_size(detection.class_name, detection.size, 1)[0]
        shape = self._library.shape(detection.class_name, index)
        plain = box_only(detection, frame, (), self._spreads)
        with torch.enable_grad():
            fitted = _Fit(view, shape, detection, _nearer_boxes(view, boxes)).run()
        shift, yaw, scale, code, texture = fitted
        box = detection.box.astype(np.float64)
        box[:3] += shift
        box[3:6] *= scale
        box[6] = wrap_angle(box[6] + yaw)
        shape_code = shape.shape_code + code @ shape.directions
        texture_code = shape.texture_code + texture
        codes = {"shape_code": shape_code.astype(np.float32), "texture_code": texture_code.astype(np.float32)}
        return replace(plain, box=box, refined=True, cameras=(view.camera_name,), visible_fraction=1.0, **codes)


class _Fit:
    """The optimisation of one object in one camera."""

    def __init__(self, view: View, shape: LinearShape, detection: Detection3D, hidden: np.ndarray) -> None:
        self._vertices = torch.from_numpy(shape.vertices)
        self._columns = torch.from_numpy(shape.shape_columns)
        self._colors = torch.from_numpy(shape.colors)
        self._texture_columns = torch.from_numpy(shape.texture_columns.reshape(len(shape.colors), 3, -1))
        self._faces = torch.from_numpy(np.ascontiguousarray(shape.faces, np.int32))
        self._clip = torch.from_numpy(view.clip_from_odom.astype(np.float32))
        self._view, self._box = view, torch.from_numpy(detection.box.astype(np.float32))
        mask = torch.from_numpy((view.target > 0.5) & ~hidden).float()
        self._mask, self._seen = mask, torch.from_numpy(~hidden).float()
        self._image = torch.from_numpy(view.image) * mask[..., None]
        self.shape = torch.zeros(shape.shape_columns.shape[2], requires_grad=True)
        self.texture = torch.zeros(self._texture_columns.shape[2], requires_grad=True)
        self.shift = torch.zeros(3, requires_grad=True)
        self.yaw = torch.zeros((), requires_grad=True)
        self.scale = torch.ones((), requires_grad=True)

    def run(self) -> tuple[np.ndarray, float, float, np.ndarray, np.ndarray]:
        """Shift in odom (3,), turn, factor on the size, shape offsets and texture offsets after six steps."""
        look = torch.optim.Adam([{"params": [self.texture], "lr": TEXTURE_RATE}])
        pose = torch.optim.Adam(
            [
                {"params": [self.shape], "lr": SHAPE_RATE},
                {"params": [self.shift, self.yaw], "lr": POSE_RATE},
                {"params": [self.scale], "lr": SCALE_RATE},
            ]
        )
        for step in range(STEPS):
            optimiser = look if step < POSE_FROM else pose
            for parameter in (self.shape, self.texture, self.shift, self.yaw, self.scale):
                parameter.grad = None
            self._loss().backward()
            if step >= SHAPE_UNTIL:
                self.shape.grad = None
            optimiser.step()
        done = [each.detach().numpy() for each in (self.shift, self.yaw, self.scale, self.shape, self.texture)]
        return done[0], float(done[1]), float(done[2]), done[3], done[4]

    def _loss(self) -> torch.Tensor:
        rendered = self._rendered() * self._seen[..., None]
        loss = COLOR_WEIGHT * ((rendered - self._image) ** 2 * self._mask[..., None]).sum() / (3 * self._mask.sum() + 1)
        for scale in SCALES:
            coarse, wanted = (
                functional.avg_pool2d(each.permute(2, 0, 1)[None], scale) for each in (rendered, self._image)
            )
            loss = loss + PERCEPTUAL_WEIGHT / len(SCALES) * ((coarse - wanted) ** 2).mean()
        pulled = TRUNCATION * self.texture.detach(), TRUNCATION * self.shape.detach()
        loss = loss + TEXTURE_PULL * ((self.texture - pulled[0]) ** 2).mean()
        return loss + SHAPE_PULL * ((self.shape - pulled[1]) ** 2).mean()

    def _rendered(self) -> torch.Tensor:
        """(P, P, 3) colours on black."""
        local = (self._vertices + self._columns @ self.shape) * self._box[3:6] * self.scale
        angle = self._box[6] + self.yaw
        x = torch.cos(angle) * local[:, 0] - torch.sin(angle) * local[:, 1]
        y = torch.sin(angle) * local[:, 0] + torch.cos(angle) * local[:, 1]
        points = torch.stack([x, y, local[:, 2]], dim=1) + self._box[:3] + self.shift
        clip = (points @ self._clip[:, :3].T + self._clip[:, 3])[None].contiguous()
        colors = (self._colors + self._texture_columns @ self.texture).clamp(0, 1)
        size = self._view.crop.width
        raster = rasterize(clip, self._faces, (size, size))
        covered = (raster[..., 3:] > 0).float()
        picture = interpolate(colors.contiguous(), raster, self._faces) * covered
        return antialias(picture.contiguous(), raster, clip, self._faces)[0]


def _nearer_boxes(view: View, boxes: np.ndarray) -> np.ndarray:
    """(P, P) bool, True where the box of a nearer object covers the crop."""
    size = view.crop.width
    hidden = np.zeros((size, size), bool)
    camera = view.odom_from_camera[:2, 3]
    distance = np.linalg.norm(boxes[:, :2] - camera, axis=1)
    for index in np.flatnonzero(distance < distance[view.object_index]):
        x, y, z, length, width, height, yaw = boxes[index]
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]) / 2
        local = signs * [length, width, height]
        cosine, sine = np.cos(yaw), np.sin(yaw)
        corners = np.stack(
            [x + cosine * local[:, 0] - sine * local[:, 1], y + sine * local[:, 0] + cosine * local[:, 1]], axis=1
        )
        corners = np.column_stack([corners, z + local[:, 2], np.ones(8)])
        clip = corners @ view.clip_from_odom.T
        if (clip[:, 3] <= 0.1).any():
            continue
        pixels = (clip[:, :2] / clip[:, 3:] + 1) * size / 2
        low, high = np.clip(pixels.min(axis=0), 0, size).astype(int), np.clip(pixels.max(axis=0), 0, size).astype(int)
        hidden[low[1] : high[1], low[0] : high[0]] = True
    return hidden
