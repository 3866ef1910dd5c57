"""What a network finds in a picture, as its style (which answers go together, wherever) and its content (what lies where).

Gatys, Ecker and Bethge 2015 (arXiv 1508.06576). All losses are relative, so that they mean the same for any network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.errors import InputError
from warmer.insight import _watch
from warmer.insight._contract import Subject

COARSEST = 4
"""Places a side that a map must have, or it says little about texture."""
_CONTENT = 4  # how many times smaller than the picture the map is that content is told by
_PEAKY = 0.5
STYLE, ROUGH, BEYOND = 100.0, 10.0, 10.0
"""How much the distance to the style, roughness, and colours that there are not, count beside content."""


@dataclass(frozen=True)
class Eye:
    """A network, and the layers of it that are looked at.

    Attributes:
        subject: whose network.
        layers: that tell style, fine to coarse.
        content: that tells content.
        smooth: whether answers are made even across channels first, as residual networks need it.
    """

    subject: Subject
    layers: tuple[str, ...]
    content: str
    smooth: bool = False

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of the layers to pictures `[n, channels, height, width]`, nothing below zero."""
        network = self.subject.model.network
        names = tuple({*self.layers, self.content})
        with _watch.watching(network, names) as seen:
            network.features(x)
        found = {name: seen[name].float().relu() for name in names}
        return {name: _smoothed(one) for name, one in found.items()} if self.smooth else found


def eye(subject: Subject, x: Tensor) -> Eye:
    """Choose the first and the last layer of each grid size, and find out whether the network's answers are peaky.

    Raises:
        InputError: the network has no convolution with a grid of at least 4 × 4 for this picture.
    """
    network = subject.model.network
    with _watch.still(network):
        known = [one for one in _watch.layers(network, x) if one.leaf and len(one.shape) == 3]
        by_size: dict[tuple[int, ...], list[_watch.Layer]] = {}
        for one, after in zip(known, [*known[1:], None], strict=True):
            # A convolution's answer is looked at after its normalisation, where it has one.
            normalised = after is not None and "Norm" in after.type and after.shape == one.shape
            if not normalised and min(one.shape[1:]) >= COARSEST and one.shape[0] > 3:
                by_size.setdefault(one.shape[1:], []).append(one)
        if not by_size:
            raise InputError("this network has no layer that looks at a picture as a plane; give another --backbone")
        names = [name for same in by_size.values() for name in dict.fromkeys((same[0].name, same[-1].name))]
        side = max(x.shape[2:])
        nearest = min(by_size, key=lambda size: abs(side / max(size) - _CONTENT))
        found = Eye(subject, tuple(names), by_size[nearest][-1].name)
        with torch.no_grad():
            maps = found.maps(x)
    smooth = _peakiness(maps[found.content]) > _PEAKY
    return Eye(subject, found.layers, found.content, smooth)


def _peakiness(x: Tensor) -> float:
    """Return the share of a map's energy that lies in its strongest hundredth."""
    energy = x.flatten().pow(2)
    return float(energy.topk(max(1, energy.numel() // 100)).values.sum() / energy.sum().clamp(min=1e-12))


def _smoothed(x: Tensor) -> Tensor:
    """Even out answers over the channels of each place (Wang, Li and Vasconcelos 2021, arXiv 2104.05623)."""
    return torch.softmax(x / x.detach().std().clamp(min=1e-6), 1) * x.shape[1]


def gram(x: Tensor) -> Tensor:
    """Return how often each two channels answer together, `[n, channels, channels]`: means of products over places."""
    flat = x.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


class Style:
    """The style of one picture, or of several mixed: their Gram matrices.

    Args:
        eye: who looks.
        pictures: `[1, channels, height, width]` each.
    """

    def __init__(self, eye: Eye, pictures: Sequence[Tensor]) -> None:
        self.eye = eye
        with torch.no_grad():
            each = [{name: gram(one) for name, one in self._told(eye.maps(x), x).items()} for x in pictures]
        self.grams = {name: torch.stack([one[name] for one in each]).mean(0) for name in each[0]}

    def _told(self, maps: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
        """Return what tells the style: answers of layers, and the colours themselves, which normalised networks forget."""
        return {**{name: maps[name] for name in self.eye.layers}, **palette(x)}

    def distance(self, maps: dict[str, Tensor], x: Tensor, together: bool = False) -> Tensor:
        """Return how far pictures `x` with these answers are from this style: squared, relative, mean of layers.

        Each by itself, `[n]`; or `together`, `[1]`, as if they were one picture.
        """
        told = self._told(maps, x)
        found = []
        for name, wanted in self.grams.items():
            mine = gram(told[name])
            gap = ((mine.mean(0, keepdim=True) if together else mine) - wanted).pow(2).sum((1, 2))
            found.append(gap / wanted.pow(2).sum().clamp(min=1e-12))
        return torch.stack(found).mean(0)


def palette(x: Tensor) -> dict[str, Tensor]:
    """Return how strongly each of 27 colours is there, place by place, for pixels and for patches of 8 × 8.

    Their Gram matrices tell which colours there are, and how they mix within a patch.
    """
    found = {}
    for name, some in (("pixels", x), ("patches", F.avg_pool2d(x, 8) if min(x.shape[2:]) >= 8 * COARSEST else x)):
        if some.shape[1] == 1:
            some = some.expand(-1, 3, -1, -1)
        levels = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 3, 1, 1)
        near = (1 - 2 * (some.unsqueeze(2) - levels).abs()).clamp(min=0)  # [n, 3, levels, height, width]
        red, green, blue = near.unbind(1)
        mixed = red[:, :, None, None] * green[:, None, :, None] * blue[:, None, None]
        found[name] = mixed.flatten(1, 3)
    return found


def content_distance(mine: Tensor, wanted: Tensor) -> Tensor:
    """Return how far answers are from others place by place, `[n]`: squared, relative to their variance."""
    spread = (wanted - wanted.mean((2, 3), keepdim=True)).pow(2).mean((1, 2, 3))
    return (mine - wanted).pow(2).mean((1, 2, 3)) / spread.clamp(min=1e-12)


def roughness(x: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels, `[n]`."""
    down, right = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return down.pow(2).mean((1, 2, 3)) + right.pow(2).mean((1, 2, 3))


def fitted(x: Tensor, longest: int) -> Tensor:
    """Return a picture scaled so that its longer side is `longest`."""
    scale = longest / max(x.shape[2:])
    size = [max(COARSEST, round(side * scale)) for side in x.shape[2:]]
    if size == list(x.shape[2:]):
        return x
    how = "area" if scale < 1 else "bicubic"
    return F.interpolate(x, size, mode=how, **({} if how == "area" else {"align_corners": False})).clamp(0, 1)
