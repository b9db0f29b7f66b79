"""What an occupancy network was built for: grid, image size, depth bins, widths.

The spec travels inside the ONNX file (metadata_props), so the runner needs no torch to know how
to feed the network and how to read its answers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_NAMES
from airside_perception.errors import AirsideError
from airside_perception.records import GridSpec

FORMAT_VERSION = 3
"""Version of the network's inputs, outputs and metadata; an older or newer file is refused."""

LIFT_STRIDE = 4
"""Pixels of the network image per cell of the lifted features and of the 2D semantics."""

DEPTH_STRIDE = 8
"""Pixels of the network image per cell of the depth distribution."""

CAMERA_SLOTS = 2
"""Cameras that each lifting point may draw from (most points are seen by one or two)."""

BOX_CHANNELS = 10
"""Regressed per class and cell: x offset, y offset, z, log l, log w, log h, then heading.encode_heading."""

OBJECT_CHANNELS = 9
"""Predicted per image cell that shows an object: heading relative to the cell's ray (heading.encode_heading),
log horizontal distance from camera to centre, metres from the ray to the centre (left positive), log l, w, h."""

SURFACE_CHANNELS = 4
"""Predicted per image cell that shows an object: where on it the shown point lies, ahead, left and up of the box's
centre in lengths of its sides (-0.5..0.5), then the log of the error to be expected of one of these numbers."""

RANGE_CHANNELS = 4
"""Predicted per image cell that shows an object: log horizontal distance from camera to centre, the log of its error;
the cells by which the ground under the centre lies below the cell, the log of its error (object_range)."""

DISPLACEMENT_CHANNELS = 2
"""Predicted per class and cell by networks with a previous volume: metres over ground along x and y of base_link that
an object went since that volume's frame. Velocities would ask the network to know the time between frames."""

VOLUME_CORNERS = 4
"""Cells of the previous volume that each column draws from."""

DEFAULT_GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that decides the shapes of one network.

    Attributes:
        grid: voxel grid in base_link; X and Y must be divisible by 4 (two halvings in the decoder).
        image_size: (width, height) of the network's images, both divisible by 32.
        lift_heights: z of the lifting planes, metres, base_link; denser near the ground, where
            people and chassis are.
        depth_range: (nearest, farthest) bin centre of the depth distribution, metres.
        depth_bins: number of log-spaced bins.
        lift_channels: features lifted per plane.
        encoder_channels: widths at strides 4, 8, 16, 32.
        encoder_blocks: residual blocks at those strides.
        bev_channels: widths of the decoder at cell size 1, 2, 4.
        object_classes, semantic_names: order of the heatmap and of the semantic logits.
        previous_volume: whether the decoder's features of the frame before are an input, and velocities an output.
    """

    grid: GridSpec = DEFAULT_GRID
    image_size: tuple[int, int] = (640, 384)
    lift_heights: tuple[float, ...] = (0.0, 0.7, 1.4, 2.2, 3.4, 4.2, 5.0, 5.7, 6.4, 7.2, 8.4, 9.8)
    depth_range: tuple[float, float] = (1.0, 60.0)
    depth_bins: int = 48
    lift_channels: int = 32
    encoder_channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    encoder_blocks: tuple[int, int, int, int] = (1, 3, 6, 4)
    bev_channels: tuple[int, int, int] = (64, 96, 128)
    object_classes: tuple[str, ...] = field(default=OBJECT_CLASSES)
    semantic_names: tuple[str, ...] = field(default=SEMANTIC_NAMES)
    previous_volume: bool = False

    def __post_init__(self) -> None:
        width, height = self.image_size
        if width % 32 or height % 32 or min(width, height) < 64:
            raise AirsideError(
                f"network.image_size: width and height must be multiples of 32 and >= 64, got {self.image_size}"
            )
        if self.grid.shape[0] % 4 or self.grid.shape[1] % 4:
            raise AirsideError(f"grid.shape: X and Y must be multiples of 4, got {self.grid.shape}")

    @property
    def lift_size(self) -> tuple[int, int]:
        """(width, height) of the lifted feature maps."""
        return self.image_size[0] // LIFT_STRIDE, self.image_size[1] // LIFT_STRIDE

    @property
    def depth_size(self) -> tuple[int, int]:
        """(width, height) of the depth distribution maps."""
        return self.image_size[0] // DEPTH_STRIDE, self.image_size[1] // DEPTH_STRIDE

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(channels, X, Y) of the features that one frame hands to the next."""
        return self.bev_channels[0], self.grid.shape[0], self.grid.shape[1]

    @property
    def lift_point_count(self) -> int:
        """X * Y * planes."""
        return self.grid.shape[0] * self.grid.shape[1] * len(self.lift_heights)

    def lift_points(self) -> np.ndarray:
        """(X*Y*planes, 3) float32: lifting points in base_link, plane index fastest."""
        xs, ys = (
            self.grid.origin[i] + (np.arange(self.grid.shape[i]) + 0.5) * self.grid.voxel_size[i] for i in range(2)
        )
        mesh = np.meshgrid(xs, ys, np.asarray(self.lift_heights), indexing="ij")
        return np.stack(mesh, axis=-1).reshape(-1, 3).astype(np.float32)

    def depth_bin(self, depth: np.ndarray) -> np.ndarray:
        """Fractional bin index of optical-axis depths (metres), clamped to [0, depth_bins - 1]."""
        near, far = np.log(self.depth_range)
        scale = (self.depth_bins - 1) / (far - near)
        position = (np.log(np.maximum(depth, 1e-3)) - near) * scale
        return np.clip(position, 0.0, self.depth_bins - 1.0)

    def bin_centers(self) -> np.ndarray:
        """(depth_bins,) float64: depth of each bin's centre, metres."""
        return np.geomspace(*self.depth_range, self.depth_bins)

    def to_json(self) -> str:
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> NetworkSpec:
        """Read what `to_json` wrote.

        Raises:
            AirsideError: not JSON, another format version, or unknown or missing fields.
        """
        try:
            fields = json.loads(text)
            version = fields.pop("format_version", None)
            if version != FORMAT_VERSION:
                raise AirsideError(
                    f"network metadata: expected format_version {FORMAT_VERSION}, got {version!r}; "
                    "export the network again with this version of the package"
                )
            grid = fields.pop("grid")
            grid_spec = GridSpec(
                tuple(grid["origin"]), tuple(grid["voxel_size"]), tuple(grid["shape"]), grid["frame_id"]
            )
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
            return cls(grid=grid_spec, **values)
        except AirsideError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise AirsideError(f"network metadata: not a network spec ({error}); export the network again") from error
