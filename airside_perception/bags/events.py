"""What a bag reader yields: typed events in the order of the recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageEvent:
    """An image of one camera, not yet decoded.

    Attributes:
        camera: name of the camera in the rig.
        stamp_ns: time of exposure (header stamp), integer nanoseconds.
        decoder: makes the RGB array; see `decode`.
    """

    camera: str
    stamp_ns: int
    decoder: Callable[[], np.ndarray] = field(repr=False)

    def decode(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB of the size that the rig's camera has.

        Raises:
            CorruptImage: the bytes make no image, or one of another size.
        """
        return self.decoder()


@dataclass(frozen=True, eq=False)
class OdometryEvent:
    """The vehicle's pose and motion at one stamp.

    Attributes:
        stamp_ns: integer nanoseconds.
        odom_from_base: (4, 4) float64, pose of base_link in the fixed frame.
        linear_velocity: (3,) float64 m/s, in base_link.
        yaw_rate: rad/s about base_link z.
    """

    stamp_ns: int
    odom_from_base: np.ndarray
    linear_velocity: np.ndarray
    yaw_rate: float
