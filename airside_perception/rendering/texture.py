"""Colours from a texture image: what meshes with UV coordinates carry instead of vertex colours."""

from __future__ import annotations

import torch
from torch.nn.functional import grid_sample, pad

BOUNDARIES = ("wrap", "clamp")


def sample_texture(texture: torch.Tensor, uv: torch.Tensor, boundary: str = "wrap") -> torch.Tensor:
    """Bilinear lookups, texel centres at half integers.

    Perspective-correct where `uv` comes from `interpolate`. There are no mipmaps: a texture much finer than the
    image flickers, so reduce it first.

    Args:
        texture: (B or 1, TH, TW, C) float32; row 0 at v = 0.
        uv: (B, H, W, 2) float32; u across, v down, 0..1 over the texture.
        boundary: "wrap" repeats the texture beyond 0..1, "clamp" its border.

    Returns:
        (B, H, W, C) float32, differentiable in both.

    Raises:
        ValueError: a shape, a device or the boundary is wrong.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary: expected one of {', '.join(BOUNDARIES)}, got {boundary!r}")
    if uv.ndim != 4 or uv.shape[-1] != 2:
        raise ValueError(f"uv: expected (B, H, W, 2), got {tuple(uv.shape)}")
    if texture.ndim != 4 or texture.shape[0] not in (1, uv.shape[0]) or not texture.numel():
        raise ValueError(f"texture: expected (1 or {uv.shape[0]}, TH, TW, C), not empty, got {tuple(texture.shape)}")
    if texture.device != uv.device:
        raise ValueError(f"texture: on {texture.device}, expected {uv.device}; move it there")
    images = texture.permute(0, 3, 1, 2).expand(uv.shape[0], -1, -1, -1)
    if boundary == "wrap":
        # One texel from the other side all round, so that the seam is as smooth as the rest.
        height, width = images.shape[2:]
        scale = uv.new_tensor([width, height])
        images = pad(images, (1, 1, 1, 1), mode="circular")
        uv = (torch.remainder(uv, 1.0) * scale + 1.0) / (scale + 2.0)
    return grid_sample(images, 2.0 * uv - 1.0, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)
