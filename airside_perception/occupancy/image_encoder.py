"""Image encoder: plain convolutions that train from scratch and fold into fast engines."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS


class ConvUnit(nn.Sequential):
    """Convolution, batch norm (folded at export), ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True, dilation: int = 1
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 * dilation, dilation, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip (projected where width or stride change)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = ConvUnit(inputs, outputs, stride=stride, dilation=dilation)
        self.second = ConvUnit(outputs, outputs, relu=False, dilation=dilation)
        # Zero start: the block begins as identity, which keeps a network without warm-up statistics stable.
        nn.init.zeros_(self.second.get_parameter("1.weight"))
        same = inputs == outputs and stride == 1
        self.skip: nn.Module = (
            nn.Identity() if same else ConvUnit(inputs, outputs, kernel=stride, stride=stride, relu=False)
        )
        if stride > 1:
            self.skip[0].padding = (0, 0)  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.skip(x), inplace=True)


def residual_stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` residual blocks, the first with `stride`."""
    rest = [ResidualBlock(outputs, outputs) for _ in range(blocks - 1)]
    return nn.Sequential(ResidualBlock(inputs, outputs, stride), *rest)


class TopDown(nn.Module):
    """One step of a feature pyramid: coarse features are doubled in size and added to fine ones."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(coarse, outputs, 1)
        self.lateral = nn.Conv2d(fine, outputs, 1, bias=False)
        self.smooth = ConvUnit(outputs, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        # Nearest doubling: exact at any size, and one cheap Resize node in every runtime.
        raised = functional.interpolate(self.reduce(coarse), scale_factor=2.0, mode="nearest")
        return self.smooth(raised + self.lateral(fine))


class ImageEncoder(nn.Module):
    """RGB images and their geometry to features at stride 4 (semantics, lifting) and stride 8 (depth, objects).

    Args:
        channels: widths at strides 4, 8, 16, 32.
        blocks: residual blocks at those strides.
    """

    def __init__(self, channels: tuple[int, int, int, int], blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        # A 7x7 stride-4 stem: no full-size activations, which would cost more than all later stages.
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 7, 4, 3, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU(True)
        )
        self.geometry = nn.Conv2d(GEOMETRY_CHANNELS, channels[0], 1, bias=False)
        nn.init.zeros_(self.geometry.weight)
        self.stages = nn.ModuleList()
        inputs = channels[0]
        for index, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            self.stages.append(residual_stage(inputs, width, count, 1 if index == 0 else 2))
            inputs = width
        self.to_stride16 = TopDown(channels[3], channels[2], channels[2])
        self.to_stride8 = TopDown(channels[2], channels[1], channels[1])
        self.to_stride4 = TopDown(channels[1], channels[0], channels[0])

    def forward(self, images: Tensor, geometry: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            images: (N, 3, H, W) float, normalised.
            geometry: (N, GEOMETRY_CHANNELS, H/4, W/4) float, see pixel_geometry.

        Returns:
            features (N, C, H/4, W/4) and (N, C', H/8, W/8).
        """
        levels: list[Tensor] = []
        x = self.stem(images) + self.geometry(geometry)
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        x = self.to_stride16(levels[3], levels[2])
        stride8 = self.to_stride8(x, levels[1])
        return self.to_stride4(stride8, levels[0]), stride8


def normalise_images(images: Tensor) -> Tensor:
    """(N, 3, H, W) 0..255 -> roughly zero mean, unit spread (mean and deviation of daylight photographs)."""
    return (images.to(torch.float32) - 118.0) * (1.0 / 62.0)
