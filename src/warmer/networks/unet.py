"""Networks that make pictures: a U-Net's two halves, joined by features alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.convnet import Normalise
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.generators import Looker

BEYOND = ("zeros", "reflect")
"""What convolutions can find outside of a picture. Zeros tell a network where the edge is; a reflection does not."""

_COARSEST = 7
"""Places a side, about, where a picture is begun from a vector."""


def _convolution(inputs: int, outputs: int, beyond: str) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=beyond)  # type: ignore[arg-type]


class _Pair(nn.Module):
    """Two 3×3 convolutions, each normalised over groups of channels (small batches do not disturb them) and bent."""

    def __init__(self, inputs: int, outputs: int, beyond: str) -> None:
        super().__init__()
        groups = next(count for count in (8, 4, 2, 1) if outputs % count == 0)
        self.first, self.second = _convolution(inputs, outputs, beyond), _convolution(outputs, outputs, beyond)
        self.norm1, self.norm2 = nn.GroupNorm(groups, outputs), nn.GroupNorm(groups, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm1(self.first(x)))
        return F.silu(self.norm2(self.second(x)))


class UNetEncoder(nn.Module):
    """The half that looks: maps from the picture's own size to an eighth of it (Ronneberger et al. 2015, arXiv 1505.04597).

    The finest map holds the picture itself besides what was found in it, so that what shall stay need not be learned.

    Args:
        channels: of the picture, values 0 to 1.
        width: channels of the finest level; each coarser one has twice as many.
        depth: levels.
        mean, deviation: of each channel.
        dropout: share of the coarsest map's channels silenced in training.
        beyond: what convolutions find outside of the picture, one of `BEYOND`.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        depth: int,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        dropout: float,
        beyond: str = "zeros",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, deviation)
        sizes = [width * 2**level for level in range(depth)]
        self.levels = nn.ModuleList([_Pair(a, b, beyond) for a, b in zip([channels, *sizes], sizes, strict=False)])
        self.drop = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Features:
        """Map pictures `[batch, channels, height, width]` in 0..1 to one map a level."""
        seen = self.normalise(x)
        maps = []
        for place, level in enumerate(self.levels):
            seen = level(F.max_pool2d(seen, 2, ceil_mode=True) if place else seen)
            maps.append(seen)
        maps[-1] = self.drop(maps[-1])
        maps[0] = torch.cat([x, maps[0]], 1)
        return Features(tuple(maps))


class Told(nn.Module):
    """A picture through a few numbers: convolutions that halve the plane, then one dense layer (an autoencoder's first half).

    Args:
        channels, height, width: of the picture, values 0 to 1.
        size: channels of the finest level.
        latent: how many numbers.
        mean, deviation: of each channel.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        size: int,
        latent: int,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, deviation)
        self.looker = Looker(channels, height, width, size, latent)

    def forward(self, x: Tensor) -> Features:
        """Map pictures `[batch, channels, height, width]` in 0..1 to `[batch, latent]`."""
        return Features((self.looker(self.normalise(x)),))


class PictureMaker(nn.Module):
    """The half that makes: from the coarsest map to a picture, with a look at each finer map on the way.

    Features of no grid, or of a sequence, are pooled to a vector first, from which a small grid is begun. A picture larger than
    the finest map is made as several pixels a place (Shi et al. 2016, arXiv 1609.05158).

    Args:
        spec: of the features.
        channels, height, width: of the picture.
        size: channels of the finest level.
        beyond: what convolutions find outside of the picture, one of `BEYOND`.

    Attributes:
        any_size: set to make pictures as large as the finest map instead.
    """

    def __init__(
        self, spec: FeatureSpec, channels: int, height: int, width: int, size: int, beyond: str = "zeros"
    ) -> None:
        super().__init__()
        self.height, self.width, self.flat = height, width, spec.rank != 2
        self.any_size = False
        self.begin: nn.Module | None = None
        finer: Sequence[int] = list(spec.channels[:-1])[::-1]
        before = spec.channels[-1]
        if self.flat:
            finer, before = self._grid(size), size * 4
            self.begin = nn.Linear(spec.channels[-1], before * self.start[0] * self.start[1])
        self.levels = nn.ModuleList()
        for place, skipped in enumerate(finer):
            outputs = max(size, size * 2 ** (len(finer) - 1 - place)) if not self.flat else max(size, before // 2)
            self.levels.append(_Pair(before + (0 if self.flat else skipped), outputs, beyond))
            before = outputs
        own = spec.channels[0] if not self.flat and len(spec.channels) > 1 else 0
        grid = spec.grids[0] if spec.grids and not self.flat else (height, width)
        self.times = max(1, math.ceil(height / grid[0]), math.ceil(width / grid[1]))
        self.end = _convolution(before + own, channels * self.times**2, beyond)

    def _grid(self, size: int) -> list[int]:
        """Choose where to begin; return a level for each doubling from there."""
        doublings = 0
        while min(self.height, self.width) / 2 ** (doublings + 1) >= _COARSEST - 1 and doublings < 4:
            doublings += 1
        self.start = (-(-self.height // 2**doublings), -(-self.width // 2**doublings))
        return [0] * max(1, doublings)

    def forward(self, features: Features) -> Tensor:
        """Return pictures `[batch * members, channels, height, width]`, about 0 to 1."""
        if self.begin is not None:
            x = self.begin(features.pooled()).unflatten(1, (-1, *self.start))
            for level in self.levels:
                x = level(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = self.end(x)
        else:
            *finer, x = features.pyramid()
            for level, skipped in zip(self.levels, finer[::-1], strict=True):
                x = F.interpolate(x, skipped.shape[2:], mode="bilinear", align_corners=False)
                x = level(torch.cat([x, skipped], 1))
            x = F.pixel_shuffle(self.end(torch.cat([x, finer[0]], 1) if finer else x), self.times)
        wanted = torch.Size((self.height, self.width))
        if self.any_size or x.shape[2:] == wanted:
            return x
        return F.interpolate(x, wanted, mode="bilinear", align_corners=False)
