"""What the network made of the frame before, moved along with the vehicle.

A network with `NetworkSpec.previous_volume` takes the decoder's features of the previous frame beside the images:
what moved and how fast, and what stood there before something hid it, no single frame can tell. Which cells the
features are drawn from is a table, as for the images, so the network knows nothing of odometry.
"""

from __future__ import annotations

import numpy as np

from airside_perception.geometry.se3 import invert_transform
from airside_perception.occupancy.network_spec import VOLUME_CORNERS, NetworkSpec
from airside_perception.records import GridSpec

LONGEST_GAP_S = 1.5
"""Seconds after which a frame is no longer "the previous one"; networks learn from gaps of up to this."""


def volume_table(grid: GridSpec, previous_from_now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where in the previous volume each column of the present grid lies, for bilinear sampling.

    Args:
        grid: of both volumes, each in base_link of its own instant.
        previous_from_now: (4, 4) motion of the vehicle; height, roll and pitch play no part.

    Returns:
        (4, X*Y) int32 cells (x * Y + y) and (4, X*Y) float32 weights of the four corners; a weight is 0 where the
        corner is outside, so a column's sum says how well it is known (0..1).
    """
    size = np.asarray(grid.shape[:2])
    origin, voxel = np.asarray(grid.origin[:2]), np.asarray(grid.voxel_size[:2])
    cells = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij"), axis=-1).reshape(-1, 2)
    here = origin + (cells + 0.5) * voxel
    there = here @ previous_from_now[:2, :2].T + previous_from_now[:2, 3]
    place = (there - origin) / voxel - 0.5
    lower = np.floor(place).astype(np.int64)
    share = place - lower
    index = np.zeros((VOLUME_CORNERS, len(cells)), np.int32)
    weight = np.zeros((VOLUME_CORNERS, len(cells)), np.float32)
    for number, step in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        corner = lower + step
        inside = ((corner >= 0) & (corner < size)).all(axis=1)
        index[number] = np.where(inside, corner[:, 0] * size[1] + corner[:, 1], 0)
        weight[number] = np.where(inside, np.abs(1 - np.asarray(step) - share).prod(axis=1), 0.0)
    return index, weight


class PreviousVolume:
    """Remembers the last frame's volume for the next one.

    Args:
        spec: of a network with `previous_volume`.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._volume = np.zeros(spec.volume_shape, np.float32)
        self._stamp_ns: int | None = None
        self._odom_from_base = np.eye(4)

    def forget(self) -> None:
        """The next frame is the first one."""
        self._stamp_ns = None

    def known_at(self, stamp_ns: int) -> bool:
        """Whether there is a volume for a frame of this instant: one from shortly before it."""
        return self._stamp_ns is not None and 0 < stamp_ns - self._stamp_ns <= LONGEST_GAP_S * 1e9

    def gap_s(self, stamp_ns: int) -> float:
        """Seconds from the remembered frame to one of this instant; infinite where nothing is remembered."""
        return np.inf if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9

    def inputs(self, stamp_ns: int, odom_from_base: np.ndarray) -> dict[str, np.ndarray]:
        """The network's inputs for a frame; all weights are 0 where nothing is known.

        Args:
            stamp_ns: of the frame.
            odom_from_base: (4, 4) pose of the vehicle at the frame.
        """
        index, weight = volume_table(self._spec.grid, invert_transform(self._odom_from_base) @ odom_from_base)
        if not self.known_at(stamp_ns):
            weight = np.zeros_like(weight)
        return {"previous_volume": self._volume, "previous_index": index, "previous_weight": weight}

    def keep(self, volume: np.ndarray, stamp_ns: int, odom_from_base: np.ndarray) -> None:
        """Take over what the network answered; a volume that is not finite would spoil all frames to come."""
        if np.isfinite(volume).all():
            self._volume, self._stamp_ns, self._odom_from_base = volume, stamp_ns, np.array(odom_from_base)
        else:
            self.forget()
