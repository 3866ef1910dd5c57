"""GoogLeNet as its authors trained it (Szegedy et al. 2014, arXiv 1409.4842; BVLC's weights), under torchvision's key names.

It differs from torchvision's network of that name: biases instead of batch normalisation, local response normalisation, a 5×5
branch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from warmer.networks.features import Features

CLASSIFIER = "fc"
# input channels; 1×1; 3×3 reduced, 3×3; 5×5 reduced, 5×5; after the pooling
_MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def claims(weights: Mapping[str, Tensor]) -> bool:
    """Claim weights with torchvision's names, biases and the 5×5 branch."""
    five = weights.get("inception3a.branch3.1.conv.weight")
    return "conv1.conv.bias" in weights and five is not None and five.shape[-1] == 5


def encoder() -> nn.Module:
    """Return the network without its classifier."""
    return GoogLeNet()


class _Conv(nn.Module):
    """A convolution with bias, and a ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x))


class _Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, one: int, reduced3: int, three: int, reduced5: int, five: int, pooled: int) -> None:
        super().__init__()
        self.branch1 = _Conv(inputs, one, 1)
        self.branch2 = nn.Sequential(_Conv(inputs, reduced3, 1), _Conv(reduced3, three, 3))
        self.branch3 = nn.Sequential(_Conv(inputs, reduced5, 1), _Conv(reduced5, five, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), _Conv(inputs, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """The whole network up to its last map of 1,024 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = _Conv(3, 64, 7, 2), _Conv(64, 64, 1), _Conv(64, 192, 3)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)
        for name, sizes in _MODULES.items():
            setattr(self, f"inception{name}", _Inception(*sizes))

    def forward(self, x: Tensor) -> Features:
        """Map standardised pictures to maps of strides 2, 4, 8, 16 and 32."""
        maps = [self.conv1(x)]
        maps.append(self.norm(self.conv3(self.conv2(self.norm(self.pool(maps[0]))))))
        x = self.pool(maps[1])
        for name in _MODULES:
            if name in ("4a", "5a"):
                maps.append(x)
                x = self.pool(x)
            x = getattr(self, f"inception{name}")(x)
        return Features((*maps, x))
