"""Networks for series: three simple ways to go on, and one that reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.features import Features

_SMOOTHED = 25
_HIDDEN = 64


class Linear(nn.Module):
    """Every step to come as a weighted sum of the steps before, the last one taken as zero.

    One set of weights for all channels (NLinear: Zeng et al. 2023, arXiv 2205.13504).
    """

    def __init__(self, past: int, horizon: int) -> None:
        super().__init__()
        self.ahead = nn.Linear(past, horizon)
        nn.init.constant_(self.ahead.weight, 1 / past)
        nn.init.zeros_(self.ahead.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, channels, past]` to `[batch, channels, horizon]`."""
        last = x[..., -1:]
        found: Tensor = self.ahead(x - last) + last
        return found


class TwoLinear(nn.Module):
    """One weighted sum for the smoothed course and one for what is left (DLinear, the same paper)."""

    def __init__(self, past: int, horizon: int) -> None:
        super().__init__()
        self.window = min(_SMOOTHED, past // 2 * 2 - 1) if past > 2 else 1
        self.course, self.rest = Linear(past, horizon), nn.Linear(past, horizon)
        nn.init.constant_(self.rest.weight, 1 / past)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, channels, past]` to `[batch, channels, horizon]`."""
        half = self.window // 2
        smooth = F.avg_pool1d(F.pad(x, (half, half), "replicate"), self.window, 1)
        found: Tensor = self.course(smooth) + self.rest(x - smooth)
        return found


class Mixer(nn.Module):
    """Dense layers along time and across channels in turn (TSMixer: Chen et al. 2023, arXiv 2303.06053), then a weighted sum."""

    def __init__(self, past: int, horizon: int, channels: int, dropout: float, blocks: int = 2) -> None:
        super().__init__()
        self.times = nn.ModuleList([_mixing(past, past, dropout) for _ in range(blocks)])
        self.across = nn.ModuleList([_mixing(channels, _HIDDEN, dropout) for _ in range(blocks)])
        self.ahead = nn.Linear(past, horizon)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, channels, past]` to `[batch, channels, horizon]`."""
        last = x[..., -1:]
        x = x - last
        for along, across in zip(self.times, self.across, strict=True):
            x = x + along(x)
            x = x + across(x.transpose(1, 2)).transpose(1, 2)
        found: Tensor = self.ahead(x) + last
        return found


def _mixing(size: int, inner: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, inner),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(inner, size),
        nn.Dropout(dropout),
    )


class Onward(nn.Module):
    """A standardised series as it is, for a head that goes on with it."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1))

    mean: Tensor
    deviation: Tensor

    def forward(self, x: Tensor) -> Features:
        """Map `[batch, steps, channels]` to one map `[batch, channels, steps]`."""
        return Features((((x - self.mean) / self.deviation).transpose(1, 2),))


class SeriesNet(nn.Module):
    """A ConvNet along time whose layers see further and further (after WaveNet, van den Oord et al. 2016, arXiv 1609.03499)."""

    def __init__(
        self, mean: tuple[float, ...], deviation: tuple[float, ...], width: int, depth: int, dropout: float
    ) -> None:
        super().__init__()
        self.scaled = Onward(mean, deviation)
        self.entry = nn.Conv1d(len(mean), width, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv1d(width, width, 3, padding=2**k, dilation=2**k) for k in range(depth)])
        self.norms = nn.ModuleList([nn.GroupNorm(1, width) for _ in range(depth)])
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Features:
        """Map `[batch, steps, channels]` to `[batch, width, steps]`."""
        seen = self.entry(self.scaled(x).maps[0])
        for layer, norm in zip(self.layers, self.norms, strict=True):
            seen = seen + self.drop(F.relu(layer(norm(seen))))
        return Features((F.relu(seen),))
