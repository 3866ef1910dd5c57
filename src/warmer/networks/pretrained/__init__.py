"""Networks other people trained on ImageNet, one file each, under the key names of timm and torchvision.

A file holds `CLASSIFIER` (prefix of the last layer's keys), `claims(keys)` and `encoder()`, which returns the network without
that layer as a module from standardised pictures to `Features`. The list is this folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from importlib import resources
from types import ModuleType

from torch import Tensor, nn

from warmer.errors import UnknownName
from warmer.networks.convnet import Normalise
from warmer.networks.features import Features

WITH_CLASSIFIER = "+classifier"


def names() -> tuple[str, ...]:
    """Return the names of all architectures."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get(name: str) -> ModuleType:
    """Return an architecture's module."""
    if name not in names():
        raise UnknownName("pretrained network", name, names())
    return importlib.import_module(f"{__name__}.{name}")


def imagenet() -> tuple[str, ...]:
    """Return the 1,000 categories of ImageNet's challenge of 2012, in the order of a network's answers: WordNet's words."""
    return tuple(resources.files(__name__).joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines())


def claim(weights: Mapping[str, Tensor]) -> str | None:
    """Return the name of the architecture these weights belong to, or None."""
    return next((name for name in names() if get(name).claims(weights)), None)


class Backbone(nn.Module):
    """A pretrained network that takes pictures in 0..1.

    Args:
        name: of the architecture; with `+classifier`, its last layer's answers are its last map.
        mean, deviation: of each channel, as the network was trained with.
    """

    def __init__(self, name: str, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.normalise = Normalise(mean, deviation)
        plain = name.removesuffix(WITH_CLASSIFIER)
        module = get(plain)
        self.body: nn.Module = module.encoder(classifier=True) if name != plain else module.encoder()

    def forward(self, x: Tensor) -> Features:
        """Map pictures `[batch, 3, height, width]` to maps, fine to coarse."""
        found: Features = self.body(self.normalise(x))
        return found
