"""Levenberg-Marquardt over all objects at once, coarse to fine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from airside_perception.refine.priors import PosePrior
from airside_perception.refine.residuals import Poses, SilhouetteBatch, StepTerms

BLURS_PX = (2.5, 1.8, 1.3)
"""Blur of the silhouettes at the first steps, for crops of 64 pixels; the last one holds."""

REFERENCE_BLUR_PX = 1.3

PIXEL_INFORMATION = 0.08
"""Information of a residual pixel of crops of 64 pixels: 1 / (variance x correlated area). Blur and the network's own
stride make neighbouring pixels agree, so one pixel counts for far less than one measurement."""

_LARGEST_STEP = np.array([1.5, 1.5, 0.35, 0.25, 0.25, 0.25])


@dataclass(frozen=True)
class Solution:
    """Where the solver ended.

    Attributes:
        poses: N states.
        covariance: (N, D, D) float64, inverse of data plus prior information.
        loss_before, loss_after: (N,) mean absolute silhouette residual; NaN without a view.
        steps: number of steps taken.
    """

    poses: Poses
    covariance: np.ndarray
    loss_before: np.ndarray
    loss_after: np.ndarray
    steps: int


def solve(
    batch: SilhouetteBatch,
    start: Poses,
    prior: PosePrior,
    iterations: int,
    damping: float,
    budget_s: float = 0.0,
) -> Solution:
    """Minimise silhouette residuals plus prior from `start`.

    Args:
        batch: the views.
        start: N states.
        prior: Gaussian on the parameters.
        iterations: steps at most.
        damping: initial Levenberg-Marquardt damping, relative to the diagonal.
        budget_s: stop stepping after this time; 0: no limit.
    """
    began = time.perf_counter()
    count, parameters = len(start.yaw), 6 + start.shape.shape[1]
    scale = batch.size / 64.0
    blurs = [b * scale for b in BLURS_PX]
    largest = np.concatenate([_LARGEST_STEP, np.ones(parameters - 6)])
    best, lam = start, np.full(count, max(damping, 1e-9))
    terms = batch.evaluate(best, blurs[0], REFERENCE_BLUR_PX * scale)
    energy = _energy(batch, terms, prior, best, count)
    before = _per_object_loss(batch, terms, count)
    steps = 0
    for step_index in range(iterations):
        hessian, gradient = _normal_equations(batch, terms, prior, best, count)
        damped = hessian + (lam[:, None] * np.einsum("nii->ni", hessian))[:, :, None] * np.eye(parameters)
        step = np.clip(-np.linalg.solve(damped, gradient[..., None])[..., 0], -largest, largest)
        candidate = best.moved(step)
        sigma = blurs[min(step_index + 1, len(blurs) - 1)]
        candidate_terms = batch.evaluate(candidate, sigma, REFERENCE_BLUR_PX * scale)
        candidate_energy = _energy(batch, candidate_terms, prior, candidate, count)
        better = candidate_energy < energy
        lam = np.where(better, lam * 0.3, np.maximum(lam, 2e-2) * 10)
        steps += 1
        if better.all():
            best, terms, energy = candidate, candidate_terms, candidate_energy
        elif better.any():
            best = candidate.where(better, best)
            energy = np.where(better, candidate_energy, energy)
            terms = _mixed(batch, better, candidate_terms, terms)
        small = (np.abs(step[:, :3]) < [0.01, 0.01, 0.003]).all() and better.all()
        if small or (budget_s > 0 and time.perf_counter() - began > budget_s):
            break
    hessian, _ = _normal_equations(batch, terms, prior, best, count)
    return Solution(best, np.linalg.inv(hessian), before, _per_object_loss(batch, terms, count), steps)


def _energy(batch: SilhouetteBatch, terms: StepTerms, prior: PosePrior, poses: Poses, count: int) -> np.ndarray:
    data = np.bincount(batch.object_of_view, pixel_information(batch) * terms.energy, minlength=count)
    return data + prior.energy(poses)


def pixel_information(batch: SilhouetteBatch) -> float:
    """Information of a pixel; crops of other sizes than 64 hold the same in more or fewer pixels."""
    return PIXEL_INFORMATION * (64.0 / batch.size) ** 2


def _normal_equations(batch: SilhouetteBatch, terms: StepTerms, prior: PosePrior, poses: Poses, count: int):
    assert terms.hessian is not None
    assert terms.gradient is not None
    information = pixel_information(batch)
    hessian, deviation = prior.information.copy(), prior.deviation(poses)
    gradient = np.einsum("nij,nj->ni", prior.information, deviation)
    np.add.at(hessian, batch.object_of_view, information * terms.hessian)
    np.add.at(gradient, batch.object_of_view, information * terms.gradient)
    return hessian, gradient


def _per_object_loss(batch: SilhouetteBatch, terms: StepTerms, count: int) -> np.ndarray:
    views = np.bincount(batch.object_of_view, minlength=count)
    total = np.bincount(batch.object_of_view, terms.cost, minlength=count)
    return np.where(views > 0, total / np.maximum(views, 1), np.nan)


def _mixed(batch: SilhouetteBatch, better: np.ndarray, new: StepTerms, old: StepTerms) -> StepTerms:
    """Per view: the new terms where its object improved, else the old ones."""
    choose = better[batch.object_of_view]
    assert new.hessian is not None
    assert old.hessian is not None
    assert new.gradient is not None
    assert old.gradient is not None
    return StepTerms(
        new.mask,
        np.where(choose[:, None, None], new.hessian, old.hessian),
        np.where(choose[:, None], new.gradient, old.gradient),
        np.where(choose, new.cost, old.cost),
        np.where(choose, new.energy, old.energy),
    )
