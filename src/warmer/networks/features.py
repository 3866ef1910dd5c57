"""Features: the contract between any encoder and any head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Plane(NamedTuple):
    """What a network made of its x before it looked closer: a spectrogram, or the columns of a line.

    Attributes:
        values: `[batch, channels, rows, columns]`, of a spread of about one, 0 in the padding.
        mask: `[batch, columns]`, 1 where there is something, and 0 in the padding.
    """

    values: Tensor
    mask: Tensor


def lays_out(encoder: nn.Module) -> bool:
    """Whether an encoder makes a plane first: has `lay(x) → Plane` and `read(plane) → Features`, together the whole of it."""
    return callable(getattr(encoder, "lay", None)) and callable(getattr(encoder, "read", None))


@dataclass
class Features:
    """What an encoder found: maps from fine to coarse, of any grid rank.

    Attributes:
        maps: each `[batch * members, channels, *grid]`; a grid of rank 0 is a vector, 1 a sequence, 2 a plane, 3 a video.
        mask: `[batch, *grid]` of the coarsest map, True where there is something and False in the padding; None: all.
        members: networks that answer at once; example `i` has rows `i * members … i * members + members - 1`.
    """

    maps: tuple[Tensor, ...]
    mask: Tensor | None = None
    members: int = 1

    @classmethod
    def of(cls, found: Features | Tensor) -> Features:
        """Wrap a bare tensor `[batch, channels, *grid]`, as other people's encoders return it."""
        return found if isinstance(found, Features) else cls((found,))

    @property
    def rank(self) -> int:
        """The number of grid axes of the coarsest map."""
        return self.maps[-1].dim() - 2

    def pooled(self, how: str = "mean") -> Tensor:
        """Return one vector an example, `[batch * members, channels]`: mean or max over the unmasked grid."""
        last = self.maps[-1]
        if self.rank == 0:
            return last
        flat = last.flatten(2)
        if self.mask is None:
            return flat.amax(-1) if how == "max" else flat.mean(-1)
        keep = self.mask.flatten(1).repeat_interleave(self.members, 0).unsqueeze(1)
        if how == "max":
            return flat.masked_fill(~keep, float("-inf")).amax(-1)
        return (flat * keep).sum(-1) / keep.sum(-1).clamp(min=1)

    def tokens(self) -> Tensor:
        """Return the coarsest map as a sequence, `[batch * members, places, channels]`."""
        return self.maps[-1].flatten(2).transpose(1, 2) if self.rank else self.maps[-1].unsqueeze(1)

    def pyramid(self) -> tuple[Tensor, ...]:
        """Return all maps, fine to coarse."""
        return self.maps


@dataclass(frozen=True)
class FeatureSpec:
    """What a head must know to be built: channels of each map (fine to coarse), grid rank, members.

    `grids` are the maps' sizes for the inputs that were probed with.
    """

    channels: tuple[int, ...]
    rank: int
    members: int = 1
    grids: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def probe(cls, encoder: nn.Module, batch: object) -> FeatureSpec:
        """Run the encoder once, without gradient, and read the shapes off its answer."""
        training = encoder.training
        encoder.eval()
        try:
            with torch.no_grad():
                found = Features.of(encoder(batch))
        finally:
            encoder.train(training)
        grids = tuple(tuple(one.shape[2:]) for one in found.maps)
        return cls(tuple(one.shape[1] for one in found.maps), found.rank, found.members, grids)
