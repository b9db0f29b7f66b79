"""Scores of the network on held-out samples while it trains (quick figures, not the benchmark)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from airside_perception.occupancy.calibration import Reliability
from airside_perception.occupancy.decoding import decode_centers
from airside_perception.occupancy.heading import decode_heading
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.visibility import camera_rays, camera_visibility
from airside_perception.training.adjacent_frames import MOVING_SPEED
from airside_perception.training.label_rays import draw_rays
from airside_perception.training.occupancy_batches import make_batch, remembered
from airside_perception.training.occupancy_data import TrainingSample
from airside_perception.training.occupancy_targets import LEAST_VISIBILITY
from airside_perception.training.ray_votes import query_voxels
from airside_perception.training.supervision import Supervision

OCCUPANCY_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
FREE_SHARE = 0.005
"""Of voxels published free, at most this part may be occupied."""

FREE_MARGIN = 2.5
"""Only this fraction of it is used up on the validation samples: on rigs of other shapes there is more to mistake."""

SIGHT_THRESHOLD = 0.6
"""Probability above which a voxel blocks the sight to what is behind it, before the best threshold is known."""

MATCH_DISTANCE = 2.0
"""Metres on the ground between the centres of a detection and its object (nuScenes)."""


class ValidationScores:
    """Sums over samples: voxel and pixel confusion, matched detections."""

    def __init__(self, classes: int, object_classes: Sequence[str]) -> None:
        self.object_classes = tuple(object_classes)
        self.voxels = np.zeros((len(OCCUPANCY_THRESHOLDS), classes, classes), np.int64)
        self.pixels = np.zeros((classes, classes), np.int64)
        self.matched = np.zeros(len(object_classes), np.int64)
        self.predicted = np.zeros(len(object_classes), np.int64)
        self.truths = np.zeros(len(object_classes), np.int64)
        self.reliability, self.published = Reliability(), Reliability()
        self.errors: list[np.ndarray] = []
        self.velocity_errors: list[np.ndarray] = []
        self.cell_errors: list[np.ndarray] = []
        self.surface_errors: list[np.ndarray] = []
        self.range_errors: list[np.ndarray] = []

    def add_voxels(
        self, probability: np.ndarray, class_id: np.ndarray, truth: np.ndarray, observed: np.ndarray
    ) -> None:
        """(X, Y, Z) arrays: occupancy probability, class if occupied, true ids, mask of what a camera observes."""
        labels = truth[observed]
        self.reliability.add(probability[observed], labels > 0)
        for index, threshold in enumerate(OCCUPANCY_THRESHOLDS):
            guess = np.where(probability[observed] > threshold, class_id[observed], 0)
            self.voxels[index] += confusion(labels, guess, self.pixels.shape[0])

    def add_published(self, probability: np.ndarray, truth: np.ndarray, sight: np.ndarray) -> None:
        """(X, Y, Z) arrays as of `add_voxels`; `sight` is what a node would take for seen: wherever the network finds
        nothing in the way, also where in truth something hides it."""
        candidates = sight & (probability <= SIGHT_THRESHOLD)
        self.published.add(probability[candidates], truth[candidates] > 0)

    def _calibration(self) -> dict[str, float]:
        """Temperature and bias of voxels, errors before and after, where "free" begins; empty without voxels."""
        if not self.reliability.count.any():
            return {}
        calibration = self.reliability.fit()
        return {
            "voxel_temperature": calibration.temperature,
            "voxel_bias": calibration.bias,
            "calibration_error_before": _number(self.reliability.expected_error()),
            "calibration_error": _number(self.reliability.expected_error(calibration)),
            "free_threshold": self.published.threshold_for_share(FREE_SHARE / FREE_MARGIN, calibration),
        }

    def add_pixels(self, guess: np.ndarray, truth: np.ndarray) -> None:
        self.pixels += confusion(truth.reshape(-1), guess.reshape(-1), self.pixels.shape[0])

    def add_objects(self, guess: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> None:
        """Object head (N, OBJECT_CHANNELS, h, w) against its targets, and their weights (N, h, w)."""
        chosen = weight > 0
        rows, wanted = guess.transpose(0, 2, 3, 1)[chosen], truth.transpose(0, 2, 3, 1)[chosen]
        ahead, aside = np.ones(len(rows)), np.zeros(len(rows))
        turn = decode_heading(rows[:, :4], ahead, aside) - decode_heading(wanted[:, :4], ahead, aside)
        turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
        self.cell_errors.append(np.stack([turn, np.abs(rows[:, 4] - wanted[:, 4])], 1))

    def add_surface(self, guess: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> None:
        """Surface head (N, SURFACE_CHANNELS, h, w) against true places (N, 3, h, w); weights (N, h, w)."""
        chosen = weight > 0
        error = np.abs(guess[:, :3] - truth).mean(axis=1)[chosen]
        self.surface_errors.append(error)

    def add_ranges(self, guess: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> None:
        """Range head (N, RANGE_CHANNELS, h, w) against encode_range's (N, 2, h, w); weights (N, h, w)."""
        error = np.abs(guess[:, [0, 2]] - truth).transpose(0, 2, 3, 1)
        self.range_errors.append(error[weight > 0])

    def add_boxes(
        self,
        boxes: np.ndarray,
        class_id: np.ndarray,
        sample: TrainingSample,
        max_range: float,
        velocity: np.ndarray | None = None,
    ) -> None:
        """Match detections (best first) to boxes within `max_range` metres, greedily, each once.

        `velocity` is (N, 2) m/s where the network tells it.
        """
        told = np.full((len(boxes), 2), np.nan) if velocity is None else velocity
        for index in range(len(self.object_classes)):
            near = np.hypot(sample.boxes[:, 0], sample.boxes[:, 1]) < max_range
            ours = sample.box_class == index
            wanted = near & ours & (sample.box_visibility >= LEAST_VISIBILITY)
            truth, motion = sample.boxes[wanted], sample.box_velocity[wanted]
            chosen = (class_id == index) & (np.hypot(boxes[:, 0], boxes[:, 1]) < max_range)
            found = boxes[chosen]
            free = np.ones(len(truth), bool)
            for box, speed in zip(found, told[chosen], strict=True):
                distance = np.where(free, np.hypot(*(truth[:, :2] - box[:2]).T), np.inf)
                if len(distance) and distance.min() < MATCH_DISTANCE:
                    best = int(distance.argmin())
                    free[best] = False
                    turn = (box[6] - truth[best, 6] + np.pi) % (2 * np.pi) - np.pi
                    self.errors.append(np.array([index, distance[best], abs(turn)]))
                    if np.hypot(*motion[best]) > MOVING_SPEED:
                        self.velocity_errors.append(np.array([index, *(speed - motion[best]), *motion[best]]))
            self.matched[index] += int((~free).sum())
            self.predicted[index] += len(found)
            self.truths[index] += len(truth)

    def summary(self) -> dict[str, float]:
        """Named figures; ratios 0..1, NaN where nothing could be measured.

        Of classes of which moving objects were found, networks that tell velocities have "velocity_CLASS", the median
        error in m/s, beside "speed_CLASS", what standing still would err by.
        """
        voxel_scores = [intersection_over_union(matrix)[1:] for matrix in self.voxels]
        means = [float(np.nanmean(score)) if np.isfinite(score).any() else float("nan") for score in voxel_scores]
        best = int(np.nanargmax(means)) if np.isfinite(means).any() else 2
        pixel_scores = intersection_over_union(self.pixels)
        result = {
            "miou": means[best],
            "threshold": OCCUPANCY_THRESHOLDS[best],
            "semantic_miou": float(np.nanmean(pixel_scores)),
        }
        result.update(self._calibration())
        for index, name in enumerate(("ground", "aircraft", "gse", "person", "structure", "obstacle")):
            result[f"iou_{name}"] = float(voxel_scores[best][index])
        if self.cell_errors:
            cells = np.median(np.concatenate(self.cell_errors), axis=0)
            result["cell_yaw_deg"], result["cell_log_range"] = float(np.degrees(cells[0])), float(cells[1])
        if self.surface_errors:
            result["cell_place"] = float(np.median(np.concatenate(self.surface_errors)))
        if self.range_errors:
            ranges = np.median(np.concatenate(self.range_errors), axis=0)
            result["cell_range"], result["cell_ground"] = float(ranges[0]), float(ranges[1])
        errors = np.array(self.errors).reshape(-1, 3)
        moving = np.array(self.velocity_errors).reshape(-1, 5)
        for index, name in enumerate(self.object_classes):
            result[f"recall_{name}"] = _ratio(self.matched[index], self.truths[index])
            result[f"precision_{name}"] = _ratio(self.matched[index], self.predicted[index])
            own = errors[errors[:, 0] == index]
            result[f"distance_{name}"] = float(np.median(own[:, 1])) if len(own) else float("nan")
            result[f"yaw_deg_{name}"] = float(np.degrees(np.median(own[:, 2]))) if len(own) else float("nan")
            own = moving[(moving[:, 0] == index) & np.isfinite(moving).all(axis=1)]
            if len(own):
                result[f"velocity_{name}"] = float(np.median(np.hypot(own[:, 1], own[:, 2])))
                result[f"speed_{name}"] = float(np.median(np.hypot(own[:, 3], own[:, 4])))
        return result


def _sight(sample: TrainingSample, probability: np.ndarray, observed: np.ndarray, spec: NetworkSpec) -> np.ndarray:
    """(X, Y, Z) bool, voxels that a node would take for seen; without voxel labels, those that have a label."""
    if not sample.observed.any():
        return observed
    return camera_visibility(camera_rays(sample.cameras, spec.grid), probability > SIGHT_THRESHOLD)


def _voxel_truth(sample: TrainingSample, observed: np.ndarray, spec: NetworkSpec) -> tuple[np.ndarray, np.ndarray]:
    """(X, Y, Z) ids and mask to score voxels by: labels, or where a sample has none, what its label images say."""
    if observed.any():
        return sample.occupancy, observed
    every = Supervision("2d", "query", auxiliary_rays=False, class_balance=False, rays=sample.depth.size)
    return query_voxels(draw_rays(sample, every, np.random.default_rng(0)), spec.grid)


def confusion(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64 counts, rows truth, columns guess."""
    return np.bincount(truth.astype(np.int64) * classes + guess, minlength=classes**2).reshape(classes, classes)


def intersection_over_union(matrix: np.ndarray) -> np.ndarray:
    """(classes,) of a confusion matrix; NaN for classes without truth."""
    hit = np.diag(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - hit
    return np.where(matrix.sum(1) > 0, hit / np.maximum(union, 1), np.nan)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _ratio(part: int, whole: int) -> float:
    return float(part) / float(whole) if whole else float("nan")


@torch.no_grad()
def validate(
    network: OccupancyNetwork,
    samples: Sequence[TrainingSample],
    device: torch.device | str = "cpu",
    score_threshold: float = 0.25,
    max_range: float = 40.0,
) -> dict[str, float]:
    """Run the network (set to eval) over samples; see ValidationScores.summary."""
    network.eval()
    spec = network.spec
    scores = ValidationScores(len(spec.semantic_names), spec.object_classes)
    for sample in samples:
        batch = make_batch([sample], spec).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            output = network(*batch.network_inputs(), *remembered(network, batch)).on_cpu()
        voxels = output.voxels[0].permute(0, 2, 3, 1)
        class_id = voxels[1:].argmax(0).numpy() + 1
        truth, observed = _voxel_truth(sample, batch.observed[0].cpu().numpy(), spec)
        probability = torch.sigmoid(voxels[0]).numpy()
        scores.add_voxels(probability, class_id, truth, observed)
        scores.add_published(probability, truth, _sight(sample, probability, observed, spec))
        weight = batch.object_weight.cpu().numpy()
        scores.add_objects(output.objects.numpy(), batch.objects.cpu().numpy(), weight)
        scores.add_surface(output.surface.numpy(), batch.surface.cpu().numpy(), weight)
        scores.add_ranges(output.ranges.numpy(), batch.ranges.cpu().numpy(), weight)
        scores.add_pixels(output.semantics.argmax(1).numpy(), sample.semantic)
        found = decode_centers(torch.sigmoid(output.heatmap[0]).numpy(), output.boxes[0].numpy(), spec, score_threshold)
        velocity = None
        if output.displacement is not None and sample.earlier:
            velocity = found.at_cells(output.displacement[0].numpy()) / sample.earlier[-1].age_s
        scores.add_boxes(found.boxes, found.class_id, sample, max_range, velocity)
    return scores.summary()
