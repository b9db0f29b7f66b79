"""Whose pixel: which of several objects of a class an image cell shows, and what stands behind.

The network's semantics name classes, not objects: beside each other, the dollies of a train are one patch. Every
object cell also votes for the centre of its object (cell_votes), which tells neighbours apart and near from far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.se3 import invert_transform
from airside_perception.records import NetworkOutput, RigFrame
from airside_perception.refine.cell_votes import CameraVotes, CellVotes

SPREAD = {"aircraft": (2.3, 0.1, 2.3, 0.1), "gse": (0.6, 0.035, 0.3, 0.01), "person": (0.5, 0.03, 0.15, 0.005)}
"""Standard deviations of the votes of one cell along its line of sight (metres, metres per metre of distance) and
across it (the same)."""

STRANGER_SIGMAS = 3.0
"""A cell whose vote misses all known objects by more belongs to one that nobody detected."""

DEPTH_SPREAD = (0.7, 0.05)
"""Standard deviation (metres, metres per metre) of the distances by which an object counts as behind another."""

COMPACT_CLASSES = ("gse", "person")
"""Objects whose centres tell what is in front: a wing reaches far ahead of its aircraft's centre."""


@dataclass(frozen=True)
class CellOwners:
    """Cells of one camera as seen from one object.

    Attributes:
        share: (h, w) float32, probability that the cell shows this object if it shows its class.
        behind: (h, w) float32, probability that what the cell shows, if another object, stands behind this one.
    """

    share: np.ndarray
    behind: np.ndarray


class Ownership:
    """Cells of all cameras, asked for object by object.

    Args:
        frame: cameras and vehicle pose.
        network: its image_objects give the size of the maps.
        votes: by camera and class, of cell_votes.votes_of_frame.
        boxes: (N, 7) odom, all objects that are known.
        class_names: N names.
    """

    def __init__(
        self,
        frame: RigFrame,
        network: NetworkOutput,
        votes: CameraVotes,
        boxes: np.ndarray,
        class_names: list[str],
    ) -> None:
        base_from_odom = invert_transform(frame.odom_from_base)
        self._votes = votes
        self._cells = {name: network.image_objects[name].shape[1:] for name in votes}
        self._cameras = {name: frame.images[name].camera.position[:2] for name in votes}
        self._names = np.array(class_names)
        self._centers = boxes[:, :2] @ base_from_odom[:2, :2].T + base_from_odom[:2, 3]
        self._shares: dict[tuple[str, str], np.ndarray] = {}

    def seen_from(self, camera_name: str, index: int) -> CellOwners | None:
        """Cells of a camera as object `index` sees them; None for a camera without votes."""
        if camera_name not in self._votes:
            return None
        share = np.ones(self._cells[camera_name], np.float32)
        behind = np.full(self._cells[camera_name], 0.5, np.float32)
        class_name = str(self._names[index])
        own = self._votes[camera_name][class_name]
        share[own.cells[:, 0], own.cells[:, 1]] = self._share(camera_name, class_name)[:, self._rank(index)]
        distance = float(np.hypot(*(self._centers[index] - self._cameras[camera_name])))
        for name in COMPACT_CLASSES if class_name in COMPACT_CLASSES else ():
            each = self._votes[camera_name][name]
            spread = DEPTH_SPREAD[0] + DEPTH_SPREAD[1] * distance
            gap = np.clip((each.distance - distance) / spread, -8.0, 8.0)
            behind[each.cells[:, 0], each.cells[:, 1]] = 1.0 / (1.0 + np.exp(-1.7 * gap))
        return CellOwners(share, behind)

    def _rank(self, index: int) -> int:
        """Position of an object among those of its class."""
        return int(np.sum(self._names[:index] == self._names[index]))

    def _share(self, camera_name: str, class_name: str) -> np.ndarray:
        """(K, M) probability that each of K voting cells shows each of the M objects of a class."""
        key = camera_name, class_name
        if key not in self._shares:
            centers = self._centers[self._names == class_name]
            self._shares[key] = _shares(
                self._votes[camera_name][class_name], centers, self._cameras[camera_name], SPREAD[class_name]
            )
        return self._shares[key]


def _shares(
    votes: CellVotes, centers: np.ndarray, camera: np.ndarray, spread: tuple[float, float, float, float]
) -> np.ndarray:
    """(K, M): softmax over objects and a stranger of how well a vote (K) agrees with a centre (M, 2)."""
    sight = votes.center - camera
    distance = np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 0.1)
    along = sight / distance
    gap = centers[None] - votes.center[:, None]
    radial = np.einsum("kmi,ki->km", gap, along) / (spread[0] + spread[1] * distance)
    lateral = (gap[..., 1] * along[:, :1] - gap[..., 0] * along[:, 1:]) / (spread[2] + spread[3] * distance)
    log_odds = -0.5 * (radial**2 + lateral**2)
    top = np.maximum(log_odds.max(axis=1, keepdims=True, initial=-np.inf), -0.5 * STRANGER_SIGMAS**2)
    weight = np.exp(log_odds - top)
    return weight / (weight.sum(axis=1, keepdims=True) + np.exp(-0.5 * STRANGER_SIGMAS**2 - top))
