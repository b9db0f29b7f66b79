"""Inversion against 3D evidence: the codes that explain distances and colours of given points.

Distances are affine in the shape code, so a few damped Gauss-Newton steps with the
class's Gaussian as a prior replace hundreds of gradient steps. Inversion against images (`inversion`) takes the same
steps on other residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from airside_perception.prior.object_prior import ObjectPrior
from airside_perception.prior.shape_decoder import TRUNCATION

_FIRST_DAMPING = 1e-2


@dataclass(frozen=True)
class FitResult:
    """Codes found by inversion.

    Attributes:
        shape: (S,) float32.
        texture: (T,) float32; the class mean where no colours were given.
        shape_error: mean absolute distance residual, lattice cells.
        texture_error: mean absolute colour residual in 0..1; NaN where no colours were given.
    """

    shape: Tensor
    texture: Tensor
    shape_error: float
    texture_error: float


@torch.no_grad()
def fit_codes(
    prior: ObjectPrior,
    class_name: str,
    points: Tensor,
    distances: Tensor | None = None,
    colors: Tensor | None = None,
    iterations: int = 12,
    prior_weight: float = 1e-4,
) -> FitResult:
    """Find the codes that best explain points on or near an object.

    Args:
        prior: the prior.
        class_name: one of its classes.
        points: (N, 3) float, box-normalised frame.
        distances: (N,) signed distances in lattice cells, negative inside; None: all points lie on the surface.
        colors: (N, 3) albedo in 0..1, or None.
        iterations: most damped Gauss-Newton steps per code.
        prior_weight: weight of the code prior relative to the mean residual of the points.

    Returns:
        `FitResult`.

    Raises:
        ValueError: unknown class, or array shapes disagree.
    """
    part = prior.class_prior(class_name)
    points = torch.as_tensor(points, dtype=torch.float32, device=prior.device)
    if points.dim() != 2 or points.shape[1] != 3 or not len(points):
        raise ValueError(f"points: expected (N, 3) with N > 0, got {tuple(points.shape)}")
    wanted = torch.zeros(len(points), device=prior.device) if distances is None else distances.to(points)
    if wanted.shape != (len(points),):
        raise ValueError(f"distances: expected ({len(points)},), got {tuple(wanted.shape)}")
    wanted = wanted.clamp(-TRUNCATION, TRUNCATION)
    constants, rows = part.shape.interpolation_rows(points)

    def distance_residuals(code: Tensor) -> tuple[Tensor, Tensor]:
        predicted = constants + rows @ code
        # Beyond the truncation only the side matters: a residual counts when it pulls back across.
        far = torch.where(wanted > 0, predicted > wanted, predicted < wanted) & (wanted.abs() >= TRUNCATION)
        return torch.where(far, 0.0, predicted - wanted), rows * ~far[:, None]

    shape = gauss_newton(distance_residuals, part.shape_mean, part.shape_covariance, iterations, prior_weight)
    shape_error = float(distance_residuals(shape)[0].abs().mean())
    if colors is None:
        return FitResult(shape, part.texture_mean.clone(), shape_error, float("nan"))
    texture, texture_error = fit_texture(prior, class_name, points, colors, iterations, prior_weight)
    return FitResult(shape, texture, shape_error, texture_error)


@torch.no_grad()
def fit_texture(
    prior: ObjectPrior,
    class_name: str,
    points: Tensor,
    colors: Tensor,
    iterations: int = 12,
    prior_weight: float = 1e-4,
    weights: Tensor | None = None,
) -> tuple[Tensor, float]:
    """Find the texture code that best explains colours; arguments and errors as of `fit_codes`.

    Args:
        prior, class_name, points, colors, iterations, prior_weight: see there.
        weights: (N,) of the points' squared residuals; None: all 1.

    Returns:
        (T,) code and the mean absolute colour residual.
    """
    part = prior.class_prior(class_name)
    if colors.shape != points.shape:
        raise ValueError(f"colors: expected {tuple(points.shape)}, got {tuple(colors.shape)}")
    seen = colors.to(points)

    root = seen.new_ones(len(points), 1) if weights is None else weights.to(points)[:, None].sqrt()

    def color_residuals(code: Tensor) -> tuple[Tensor, Tensor]:
        predicted, jacobian = part.texture.jacobian(points, code)
        weighted = jacobian * root[..., None]
        return (root * (predicted - seen)).reshape(-1), weighted.reshape(-1, jacobian.shape[-1])

    texture = gauss_newton(color_residuals, part.texture_mean, part.texture_covariance, iterations, prior_weight)
    return texture, float((part.texture(points, texture) - seen).abs().mean())


def gauss_newton(
    residuals: Callable[[Tensor], tuple[Tensor, Tensor]],
    mean: Tensor,
    covariance: Tensor,
    iterations: int,
    prior_weight: float,
    start: Tensor | None = None,
) -> Tensor:
    """Minimise mean squared residual + prior_weight * Mahalanobis distance of a code by damped Gauss-Newton steps.

    Args:
        residuals: code (K,) to residuals (N,) and their derivative (N, K).
        mean, covariance: (K,) and (K, K), where the code is expected.
        iterations: most steps.
        prior_weight: see above.
        start: (K,) first code; None: the mean.
    """
    precision = prior_weight * torch.linalg.inv(covariance + 1e-6 * torch.eye(len(mean), device=mean.device))

    def cost_of(code: Tensor, residual: Tensor) -> float:
        return float(residual.square().mean() + (code - mean) @ precision @ (code - mean))

    code, damping = (mean if start is None else start).clone(), _FIRST_DAMPING
    residual, jacobian = residuals(code)
    cost = cost_of(code, residual)
    for _ in range(iterations):
        normal = jacobian.T @ jacobian / len(residual) + precision
        gradient = jacobian.T @ residual / len(residual) + precision @ (code - mean)
        step = torch.linalg.solve(normal + damping * torch.diag(normal.diagonal()), gradient)
        trial = code - step
        trial_residual, trial_jacobian = residuals(trial)
        trial_cost = cost_of(trial, trial_residual)
        if trial_cost < cost:
            converged = cost - trial_cost < 1e-6 * cost
            code, residual, jacobian, cost = trial, trial_residual, trial_jacobian, trial_cost
            damping = max(damping / 4, 1e-6)
            if converged:
                break
        else:
            damping *= 8
    return code
