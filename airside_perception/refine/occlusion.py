"""Which pixels of a crop other known objects explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from airside_perception.records import RigFrame
from airside_perception.refine.residuals import Poses, SilhouetteBatch
from airside_perception.refine.shape_library import LinearShape
from airside_perception.refine.views import View, project_boxes


def explain_overlaps(
    frame: RigFrame,
    batch: SilhouetteBatch,
    poses: Poses,
    shapes: list[LinearShape],
    class_names: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Discount pixels of `batch` that belong to other objects, and find how visible each object should be.

    Every pair of an object's view and another object in it is rendered once. Where the other one is
    nearer, or where it could equally cause the class's pixels, the pixel loses its weight.

    Args:
        frame: cameras and vehicle pose.
        batch: views; its weights are reduced.
        poses, shapes, class_names: of all objects.

    Returns:
        (C,) float64 expected visible part of each view's object, 0..1, and (C,) int64 the object that hides most
        of it, -1 where nothing does.
    """
    visible, occluder = np.ones(len(batch.views)), np.full(len(batch.views), -1)
    pairs = _overlapping(frame, batch.views, poses.boxes())
    own = _render(batch, poses)
    if not pairs:
        return visible, occluder
    others = [replace(batch.views[view], object_index=other) for view, other in pairs]
    other_raster = _render(SilhouetteBatch(others, shapes), poses)
    view_index = torch.tensor([view for view, _ in pairs])
    same = torch.tensor([class_names[batch.views[v].object_index] == class_names[o] for v, o in pairs])
    nearer = torch.tensor([_is_nearer(batch.views[v], poses, o) for v, o in pairs])
    other_mask, own_mask = other_raster[..., 3] > 0, own[view_index][..., 3] > 0
    in_front = other_mask & own_mask & (other_raster[..., 2] < own[view_index][..., 2])
    beside = other_mask & ~own_mask & (same | nearer)[:, None, None]
    covered, hidden = torch.zeros(own.shape[:3]), torch.zeros(own.shape[:3])
    most = np.zeros(len(batch.views))
    for (view, other), front, side, part in zip(
        pairs, in_front, beside, in_front.sum(dim=(1, 2)).tolist(), strict=True
    ):
        covered[view].masked_fill_(front | side, 1.0)
        hidden[view].masked_fill_(front, 1.0)
        if part > most[view]:
            most[view], occluder[view] = part, other
    batch.discount(covered)
    area = (own[..., 3] > 0).sum(dim=(1, 2)).clamp_min(1)
    return (1 - hidden.sum(dim=(1, 2)) / area).double().numpy(), occluder


def _render(batch: SilhouetteBatch, poses: Poses) -> torch.Tensor:
    return batch.raster(batch.project(batch.surface(poses)))


def _is_nearer(view: View, poses: Poses, other: int) -> bool:
    camera = view.odom_from_camera[:2, 3]
    own = np.linalg.norm(poses.ground[view.object_index, :2] - camera)
    return bool(np.linalg.norm(poses.ground[other, :2] - camera) < own)


def _overlapping(frame: RigFrame, views: list[View], boxes: np.ndarray) -> list[tuple[int, int]]:
    """(view, other object) pairs whose projected boxes meet the crop."""
    names = sorted({v.camera_name for v in views})
    rectangles = {name: project_boxes(frame, frame.images[name].camera, boxes)[0] for name in names}
    pairs = []
    for index, view in enumerate(views):
        camera = frame.images[view.camera_name].camera
        # The crop's own field of view in image pixels follows from the two intrinsics.
        scale = np.diagonal(view.crop.intrinsics)[:2] / np.diagonal(camera.intrinsics)[:2]
        low = camera.intrinsics[:2, 2] - (view.crop.intrinsics[:2, 2] + 0.5) / scale
        high = low + view.crop.width / scale
        r = rectangles[view.camera_name]
        meets = (r[:, 0] < high[0]) & (r[:, 2] > low[0]) & (r[:, 1] < high[1]) & (r[:, 3] > low[1])
        pairs += [(index, int(o)) for o in np.flatnonzero(meets) if o != view.object_index]
    return pairs
