"""Texture code -> albedo anywhere in the box-normalised frame.

The field knows positions and the texture code, never the shape code: swapping shapes can't
change the palette and swapping textures can't change the outline, by construction.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TextureDecoder(nn.Module):
    """Colour field of one class, bilinear in position features and code features.

    Bilinear form keeps the derivative in the code cheap: the position network runs once per vertex.
    """

    def __init__(self, code_size: int, frequencies: int = 5, hidden: int = 96, features: int = 32) -> None:
        """Build an untrained field.

        Args:
            code_size: length T of a texture code.
            frequencies: octaves of the positional encoding; the finest has a period of 2^(1 - frequencies).
            hidden: units of each hidden layer.
            features: code features K that the position features are weighted with.
        """
        super().__init__()
        self.frequencies, self.features_count = frequencies, features
        self.position_network = nn.Sequential(
            nn.Linear(3 + 6 * frequencies, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 3 * (features + 1)),
        )  # fmt: skip
        self.hidden_weight = nn.Parameter(torch.randn(64, code_size) / code_size**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(64))
        self.output_weight = nn.Parameter(torch.randn(features, 64) / 8.0)
        self.linear = nn.Parameter(torch.randn(features, code_size) / code_size**0.5)

    @property
    def code_size(self) -> int:
        """Length T of a texture code."""
        return self.linear.shape[1]

    def code_features(self, code: Tensor) -> Tensor:
        """(..., T) codes -> (..., K) features."""
        hidden = torch.tanh(code @ self.hidden_weight.T + self.hidden_bias)
        return code @ self.linear.T + hidden @ self.output_weight.T

    def _position_features(self, points: Tensor) -> Tensor:
        """(..., N, 3) points -> (..., N, 3 channels, K + 1) weights; the last one is the bias."""
        octaves = math.pi * 2.0 ** torch.arange(self.frequencies, device=points.device)
        phases = (points[..., None] * octaves).flatten(-2)
        encoded = torch.cat([points, torch.sin(phases), torch.cos(phases)], dim=-1)
        return self.position_network(encoded).unflatten(-1, (3, self.features_count + 1))

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        """Colours of points.

        Args:
            points: (..., N, 3) float, box-normalised frame.
            code: (..., T) float.

        Returns:
            (..., N, 3) float albedo in 0..1.
        """
        weights = self._position_features(points)
        mixed = (weights[..., :-1] * self.code_features(code)[..., None, None, :]).sum(-1)
        return torch.sigmoid(mixed + weights[..., -1])

    def jacobian(self, points: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Colours and their exact derivative in the code.

        Args:
            points: (N, 3) float.
            code: (T,) float.

        Returns:
            (N, 3) colours and (N, 3, T) derivative.
        """
        weights = self._position_features(points)
        colors = torch.sigmoid((weights[..., :-1] * self.code_features(code)).sum(-1) + weights[..., -1])
        hidden = torch.tanh(self.hidden_weight @ code + self.hidden_bias)
        slope = self.linear + self.output_weight @ ((1.0 - hidden**2)[:, None] * self.hidden_weight)
        return colors, (colors * (1.0 - colors))[..., None] * (weights[..., :-1] @ slope)
