"""What comes before a linear readout where nothing but that readout shall be learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from warmer.networks.features import Features


class Scaled(nn.Module):
    """Numbers, centred and scaled, with a column more that says "missing"; nothing bends.

    Args:
        centre, scale: one a column; `scale` is more than zero.
    """

    def __init__(self, centre: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("scale", torch.tensor(scale))

    centre: Tensor
    scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, columns]`, NaN where missing, to `[batch, 2 * columns]`."""
        absent = x.isnan()
        scaled = (torch.where(absent, self.centre, x) - self.centre) / self.scale
        return torch.cat([scaled, absent.to(scaled.dtype)], dim=1)


class OneHot(nn.Module):
    """Labels, each as ones and zeros: one number for each label of each column, all 0 where missing or never seen.

    Args:
        sizes: how many labels each column has.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Map codes `[batch, columns]`, −1 where missing, to `[batch, sum of sizes]`."""
        codes = x.long()
        parts = [nn.functional.one_hot(codes[:, place] + 1, size + 1)[:, 1:] for place, size in enumerate(self.sizes)]
        return torch.cat(parts, 1).to(x.dtype)


class Doubled(nn.Module):
    """What another module makes of x in double precision.

    Args:
        inner: takes a tensor.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Features:
        """Map x, of any precision."""
        return Features.of(self.inner(x.double()))


class Flat(nn.Module):
    """A picture's pixels, standardised channel by channel, as one vector.

    Args:
        mean, deviation: of each channel.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1))

    mean: Tensor
    deviation: Tensor

    def forward(self, x: Tensor) -> Features:
        """Map `[batch, channels, height, width]` to `[batch, channels * height * width]`."""
        return Features((((x - self.mean) / self.deviation).flatten(1),))
