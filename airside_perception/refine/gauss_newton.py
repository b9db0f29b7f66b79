"""Levenberg-Marquardt over all objects at once, coarse to fine.

An object stops when it has little to gain, and where time is short it goes to those that gain most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from airside_perception.refine.priors import PosePrior
from airside_perception.refine.residuals import Poses, SilhouetteBatch, StepTerms

BLURS_PX = (2.5, 1.8, 1.3)
"""Blur of the silhouettes at the first steps, for crops of 64 pixels; the last one holds."""

REFERENCE_BLUR_PX = 1.3

LEAST_GAIN = 0.05
"""An object stops when its next step promises to lower its energy by less than this, nats."""

_LARGEST_STEP = np.array([1.5, 1.5, 0.35, 0.25, 0.25, 0.25])


@dataclass(frozen=True)
class Solution:
    """Where the solver ended.

    Attributes:
        poses: N states.
        covariance: (N, D, D) float64, inverse of data plus prior information.
        loss_before, loss_after: (N,) mean absolute silhouette residual; NaN without a view.
        steps: (N,) number of steps that were tried.
    """

    poses: Poses
    covariance: np.ndarray
    loss_before: np.ndarray
    loss_after: np.ndarray
    steps: np.ndarray


def solve(
    batch: SilhouetteBatch,
    start: Poses,
    prior: PosePrior,
    iterations: int,
    damping: float,
    deadline_s: float | None = None,
) -> Solution:
    """Minimise silhouette residuals plus prior from `start`.

    Args:
        batch: the views.
        start: N states.
        prior: Gaussian on the parameters.
        iterations: steps at most.
        damping: initial Levenberg-Marquardt damping, relative to the diagonal.
        deadline_s: time.perf_counter() by which to end. As it comes near, only those objects step that promise
            to gain most for their number of views. None: no limit.
    """
    count, parameters = len(start.yaw), 6 + start.shape.shape[1]
    scale = batch.size / 64.0
    blurs = [b * scale for b in BLURS_PX]
    largest = np.concatenate([_LARGEST_STEP, np.ones(parameters - 6)])
    best, lam = start, np.full(count, max(damping, 1e-9))
    views = np.bincount(batch.object_of_view, minlength=count)
    began = time.perf_counter()
    terms = batch.evaluate(best, blurs[0], REFERENCE_BLUR_PX * scale)
    seconds_a_view = (time.perf_counter() - began) / len(batch.views)
    energy = _energy(batch, terms, prior, best, count)
    before = _per_object_loss(batch, terms, count)
    steps = np.zeros(count, int)
    for step_index in range(iterations):
        hessian, gradient = _normal_equations(batch, terms, prior, best, count)
        damped = hessian + (lam[:, None] * np.einsum("nii->ni", hessian))[:, :, None] * np.eye(parameters)
        step = np.clip(-np.linalg.solve(damped, gradient[..., None])[..., 0], -largest, largest)
        gain = -np.einsum("ni,ni->n", gradient, step) - 0.5 * np.einsum("ni,nij,nj->n", step, hessian, step)
        going = (views > 0) & (gain > LEAST_GAIN)
        if deadline_s is not None:
            going = _worth_most(going, gain, views, (deadline_s - time.perf_counter()) / seconds_a_view)
        if not going.any():
            break
        shown = np.flatnonzero(going[batch.object_of_view])
        part = batch.only(shown)
        candidate = best.moved(np.where(going[:, None], step, 0.0))
        sigma = blurs[min(step_index + 1, len(blurs) - 1)]
        found = part.evaluate(candidate, sigma, REFERENCE_BLUR_PX * scale)
        candidate_energy = _energy(part, found, prior, candidate, count)
        better = going & (candidate_energy < energy)
        lam = np.where(better, lam * 0.3, np.where(going, np.maximum(lam, 2e-2) * 10, lam))
        steps += going
        best = candidate.where(better, best)
        energy = np.where(better, candidate_energy, energy)
        taken = better[part.object_of_view]
        terms = terms.with_views(shown[taken], found, taken)
    hessian, _ = _normal_equations(batch, terms, prior, best, count)
    return Solution(best, np.linalg.inv(hessian), before, _per_object_loss(batch, terms, count), steps)


def _worth_most(going: np.ndarray, gain: np.ndarray, views: np.ndarray, affordable: float) -> np.ndarray:
    """(N,) bool: of the objects `going`, those of the greatest gain a view whose views together are affordable."""
    worth = np.where(going, gain / np.maximum(views, 1), -np.inf)
    order = np.argsort(-worth, kind="stable")
    result = np.zeros(len(going), bool)
    result[order] = np.cumsum(np.where(going, views, 0)[order]) <= affordable
    return result & going


def _energy(batch: SilhouetteBatch, terms: StepTerms, prior: PosePrior, poses: Poses, count: int) -> np.ndarray:
    data = np.bincount(batch.object_of_view, batch.information * terms.energy, minlength=count)
    return data + prior.energy(poses)


def _normal_equations(batch: SilhouetteBatch, terms: StepTerms, prior: PosePrior, poses: Poses, count: int):
    assert terms.hessian is not None
    assert terms.gradient is not None
    information = batch.information
    hessian, deviation = prior.information.copy(), prior.deviation(poses)
    gradient = np.einsum("nij,nj->ni", prior.information, deviation)
    np.add.at(hessian, batch.object_of_view, information[:, None, None] * terms.hessian)
    np.add.at(gradient, batch.object_of_view, information[:, None] * terms.gradient)
    return hessian, gradient


def _per_object_loss(batch: SilhouetteBatch, terms: StepTerms, count: int) -> np.ndarray:
    views = np.bincount(batch.object_of_view, minlength=count)
    total = np.bincount(batch.object_of_view, terms.cost, minlength=count)
    return np.where(views > 0, total / np.maximum(views, 1), np.nan)
