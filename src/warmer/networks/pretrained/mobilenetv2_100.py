"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), under timm's key names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from warmer.networks.blocks import FrozenNorm
from warmer.networks.features import Features

CLASSIFIER = "classifier"
# expansion, output channels, repeats, first stride
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def claims(weights: Mapping[str, Tensor]) -> bool:
    """Claim weights with timm's names and this network's shapes."""
    head, stem = weights.get("conv_head.weight"), weights.get("conv_stem.weight")
    shapes = head is not None and stem is not None and tuple(head.shape[:2]) == (1280, 320) and stem.shape[0] == 32
    return shapes and "blocks.1.0.conv_pwl.weight" in weights and "blocks.6.0.conv_dw.weight" in weights


def encoder() -> nn.Module:
    """Return the network without its classifier."""
    return MobileNetV2()


def _conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


class _Separable(nn.Module):
    """The first block: depthwise, then pointwise."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = _conv(inputs, inputs, 3, 1, inputs), FrozenNorm(inputs)
        self.conv_pw, self.bn2 = _conv(inputs, outputs, 1), FrozenNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.bn2(self.conv_pw(nn.functional.relu6(self.bn1(self.conv_dw(x)))))
        return found


class _Inverted(nn.Module):
    """Widen, filter each channel, narrow; added to its input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.conv_pw, self.bn1 = _conv(inputs, wide, 1), FrozenNorm(wide)
        self.conv_dw, self.bn2 = _conv(wide, wide, 3, stride, wide), FrozenNorm(wide)
        self.conv_pwl, self.bn3 = _conv(wide, outputs, 1), FrozenNorm(outputs)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = nn.functional.relu6(self.bn1(self.conv_pw(x)))
        found = self.bn3(self.conv_pwl(nn.functional.relu6(self.bn2(self.conv_dw(found)))))
        return x + found if self.added else found


class MobileNetV2(nn.Module):
    """The whole network up to its last map of 1,280 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = _conv(3, 32, 3, 2), FrozenNorm(32)
        stages: list[nn.Module] = []
        before = 32
        for expansion, channels, repeats, stride in _STAGES:
            blocks: list[nn.Module] = []
            for repeat in range(repeats):
                made = (
                    _Separable(before, channels)
                    if expansion == 1
                    else _Inverted(before, channels, expansion, stride if repeat == 0 else 1)
                )
                blocks.append(made)
                before = channels
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = _conv(320, 1280, 1), FrozenNorm(1280)

    def forward(self, x: Tensor) -> Features:
        """Map standardised pictures to five maps, of strides 2, 4, 8, 16 and 32."""
        x = nn.functional.relu6(self.bn1(self.conv_stem(x)))
        maps: list[Tensor] = []
        for stage in self.blocks:
            found = stage(x)
            if found.shape[-1] != x.shape[-1]:
                maps.append(x)
            x = found
        return Features((*maps, torch.nn.functional.relu6(self.bn2(self.conv_head(x)))))
