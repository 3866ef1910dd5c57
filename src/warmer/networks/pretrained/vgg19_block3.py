"""The first three blocks of VGG-19 (Simonyan and Zisserman 2014, arXiv 1409.1556), under torchvision's key names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from warmer.networks.features import Features

CLASSIFIER = ""
_CHANNELS = ((64, 64), (128, 128), (256, 256, 256, 256))


def claims(weights: Mapping[str, Tensor]) -> bool:
    """Claim weights that end with the third block."""
    last = weights.get("features.16.weight")
    return last is not None and tuple(last.shape) == (256, 256, 3, 3) and "features.19.weight" not in weights


def encoder() -> nn.Module:
    """Return the blocks."""
    return VGG()


class VGG(nn.Module):
    """Convolutions of 3×3 in three blocks, with a pooling between them."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for block in _CHANNELS:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for channels in block:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Features:
        """Map standardised pictures to maps of strides 1, 2 and 4."""
        maps: list[Tensor] = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        return Features((*maps, x))
