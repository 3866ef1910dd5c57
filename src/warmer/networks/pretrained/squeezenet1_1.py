"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360), under torchvision's key names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from warmer.networks.features import Features

CLASSIFIER = "classifier.1"
_FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
_FIRES |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}
_POOLS = (2, 5, 8)


def claims(weights: Mapping[str, Tensor]) -> bool:
    """Claim weights with torchvision's names."""
    return "features.12.expand3x3.weight" in weights and "features.3.squeeze.weight" in weights


def encoder(classifier: bool = False) -> nn.Module:
    """Return the network without its classifier; or with it: a convolution and a ReLU, whose mean is the answer."""
    return SqueezeNet(classifier)


class _Fire(nn.Module):
    """Few 1×1 filters, then many 1×1 and 3×3 ones side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """The whole network up to its last map of 512 channels, or of 1,000 answers."""

    def __init__(self, classifier: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2), nn.ReLU()]
        for index in range(2, 13):
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True) if index in _POOLS else _Fire(*_FIRES[index]))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Identity(), nn.Conv2d(512, 1000, 1), nn.ReLU()) if classifier else None

    def forward(self, x: Tensor) -> Features:
        """Map standardised pictures to maps of strides 2, 4, 8 and 16."""
        maps: list[Tensor] = []
        for index, layer in enumerate(self.features):
            if index in _POOLS:
                maps.append(x)
            x = layer(x)
        return Features((*maps, x if self.classifier is None else self.classifier(x)))
