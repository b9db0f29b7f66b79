"""What the calibration says about every pixel, as an input of the network.

One image doesn't tell a near child from a far adult: the focal length and where the ground lies under each
pixel do. Both are known from the rig, so they are given to the encoder instead of leaving it to guess one
average camera (camera-aware depth of BEVDepth, arXiv 2206.10092, section 3.3, but per pixel and with the ground).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.object_range import LEAST_HEIGHT
from airside_perception.occupancy.network_spec import LIFT_STRIDE, NetworkSpec

GEOMETRY_CHANNELS = 5
"""Nearness of the ground, log pixels per radian, sine of the elevation, camera height, cosine to the axis."""

_NEAR_METRES = 5.0
USUAL_PIXELS_PER_RADIAN = 400.0
USUAL_HEIGHT = 2.0


def pixel_geometry(cameras: Sequence[Camera], spec: NetworkSpec) -> np.ndarray:
    """Geometry of every cell of the lifted features.

    Args:
        cameras: any size, scaled to the spec; the ground is z = 0 of base_link.
        spec: network spec.

    Returns:
        (N, GEOMETRY_CHANNELS, H/4, W/4) float32, each roughly in -3..3:
        0: 5 m / distance along the ray to the ground, negative above the horizon;
        1: log of pixels per radian over 400;
        2: sine of the ray's elevation;
        3: camera height above the ground, (metres - 2) / 2;
        4: cosine between ray and optical axis.
    """
    width, height = spec.lift_size
    columns = (np.arange(width) + 0.5) * LIFT_STRIDE - 0.5
    rows = (np.arange(height) + 0.5) * LIFT_STRIDE - 0.5
    result = np.empty((len(cameras), GEOMETRY_CHANNELS, height, width), np.float32)
    for channels, camera in zip(result, cameras, strict=True):
        scaled = camera.resized(*spec.image_size)
        # One column more, half a cell to the left: neighbours give the angle that a cell spans.
        edges = np.stack(np.meshgrid(np.append(columns - 0.5 * LIFT_STRIDE, columns[-1] + 0.5 * LIFT_STRIDE), rows), -1)
        edge_rays = scaled.unproject(edges)
        rays = edge_rays[:, :-1] + edge_rays[:, 1:]
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        span = np.linalg.norm(edge_rays[:, 1:] - edge_rays[:, :-1], axis=-1)
        up = rays @ camera.base_from_camera[2, :3]
        above_ground = max(float(camera.position[2]), LEAST_HEIGHT)
        channels[0] = -up * (_NEAR_METRES / above_ground)
        channels[1] = np.log(LIFT_STRIDE / np.maximum(span, 1e-4) / USUAL_PIXELS_PER_RADIAN)
        channels[2] = up
        channels[3] = (above_ground - USUAL_HEIGHT) / 2.0
        channels[4] = rays[..., 2]
    return np.clip(result, -3.0, 3.0)
