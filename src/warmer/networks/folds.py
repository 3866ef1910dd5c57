"""Several networks side by side, each kept from a part of the examples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from warmer.networks.features import Features


class Folds(nn.Module):
    """Encoders of one shape that answer together, as members of one ensemble: those of the first come first.

    Each learns from all but one fold of the examples (bagging by cross-validation): the fold it never saw says how good
    it is, and all folds together say so for every example.

    Args:
        encoders: at least two, whose features have a vector or maps of the same shapes.
    """

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)

    def forward(self, x: Tensor) -> Features:
        """Map a batch to the features of all encoders' members."""
        found = [Features.of(encoder(x)) for encoder in self.encoders]
        together = [
            torch.cat([one.unflatten(0, (-1, each.members)) for one, each in zip(maps, found, strict=True)], 1)
            for maps in zip(*(each.maps for each in found), strict=True)
        ]
        mask = found[0].mask
        return Features(tuple(one.flatten(0, 1) for one in together), mask, sum(each.members for each in found))


def unseen(raw: Tensor, folds: Tensor, count: int) -> Tensor:
    """Return the outputs of those members alone that never learned from an example.

    Args:
        raw: outputs of all members, `[batch, members, …]`.
        folds: each example's fold, `[batch]`.
        count: how many folds there are.
    """
    return raw.unflatten(1, (count, -1))[torch.arange(len(raw), device=raw.device), folds]


def learning(folds: Tensor, count: int, members: int) -> Tensor:
    """Tell which members may learn from which example, `[batch * members]`: all but those of its fold."""
    of_member = torch.arange(members, device=folds.device) // (members // count)
    return (folds.unsqueeze(1) != of_member).flatten()
