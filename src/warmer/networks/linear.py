"""What comes before a linear readout where nothing but that readout shall be learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from warmer.networks.features import Features


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
