"""How far matched boxes are off, in position, heading, size and overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.geometry.boxes import iou_3d
from airside_perception.geometry.se3 import wrap_angle

ERROR_NAMES = ("translation_rmse_m", "yaw_rmse_deg", "yaw_folded_rmse_deg", "size_rmse_m", "iou3d_mean")


def box_errors(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float | None]:
    """Errors over matched pairs of (truth, predicted) boxes, (7,) each.

    Returns:
        translation_rmse_m: of the centre on the ground (x, y).
        yaw_rmse_deg: of the heading, front and back told apart.
        yaw_folded_rmse_deg: of the axis, a box turned by half a turn being right.
        size_rmse_m: over length, width and height alike.
        iou3d_mean: mean 3D overlap.
        All None without pairs.
    """
    if not pairs:
        return dict.fromkeys(ERROR_NAMES)
    truth, predicted = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    yaw = wrap_angle(predicted[:, 6] - truth[:, 6])
    folded = 0.5 * wrap_angle(2.0 * yaw)
    offset = predicted[:, :2] - truth[:, :2]
    values = (
        np.sqrt(np.mean(np.sum(offset**2, axis=1))),
        np.rad2deg(np.sqrt(np.mean(yaw**2))),
        np.rad2deg(np.sqrt(np.mean(folded**2))),
        np.sqrt(np.mean((predicted[:, 3:6] - truth[:, 3:6]) ** 2)),
        np.mean([iou_3d(t[None], p[None])[0, 0] for t, p in zip(truth, predicted, strict=True)]),
    )
    return dict(zip(ERROR_NAMES, map(float, values), strict=True))
