"""Networks that read a line of writing from its picture, column by column."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from warmer.networks.blocks import ColumnLayer, Dropout
from warmer.networks.features import Features, Plane
from warmer.networks.sequences import body

_STEM = 32
FINE = 48
"""Rows from which on a line has pixels to spare; of smaller ones each counts."""

_FINE_STEPS = ((8, (2, 2)), (4, (2, 1)), (2, (2, 1)))
"""Numbers a place over channels, and the rows and columns of which one is kept, of each step after the stem."""
_SMALL_STEPS = ((64, (2, 2)), (128, (2, 1)), (128, (2, 1)))
"""Channels, and the rows and columns of which one is kept."""


class LineNet(nn.Module):
    """A picture of one line through convolutions, then its columns through what reads sequences.

    Of a line with pixels to spare the highest value in each column is kept (Retsinas et al. 2022, arXiv 2404.11339), of a
    smaller one all of them.

    Args:
        channels, height: of the picture.
        width, depth: numbers a place, and layers, of what reads the columns; of a line with pixels to spare the
            convolutions widen along with them.
        dropout: share silenced in training.
        reader: one of `warmer.networks.sequences.BODIES`.
        own: share of each line's own mean and variance in what normalises it.
    """

    def __init__(
        self, channels: int, height: int, width: int, depth: int, dropout: float, reader: str, own: float = 0.0
    ) -> None:
        super().__init__()
        fine = height >= FINE
        steps = [(width // share, pool) for share, pool in _FINE_STEPS] if fine else list(_SMALL_STEPS)
        before = steps[0][0] if fine else _STEM
        stem = (
            ColumnLayer(channels, before, side=5, stride=(2, 2), own=own)
            if fine
            else ColumnLayer(channels, before, pool=(2, 2), own=own)
        )
        self.layers = nn.ModuleList([stem])
        height = math.ceil(height / 2)
        for count, pool in steps:
            self.layers.append(ColumnLayer(before, count, pool=pool, own=own))
            if fine:
                self.layers.append(ColumnLayer(count, count, residual=True, own=own))
            before, height = count, math.ceil(height / pool[0])
        self.drop = Dropout(dropout)
        self.highest = fine
        self.entry = nn.Linear(before if fine else before * height, width)
        self.body = body(reader, width, depth, dropout)

    def forward(self, x: Any) -> Features:
        """Map padded lines `[batch, columns, channels, height]`, 0 being their paper, to two maps `[batch, numbers, places]`.

        The first is what each column shows, the second what it means after the others were read.
        """
        return self.read(self.lay(x))

    def lay(self, x: Any) -> Plane:
        """Return padded lines as planes, `[batch, channels, height, columns]`."""
        found: Tensor = x.values.permute(0, 2, 3, 1).contiguous(memory_format=torch.channels_last)
        return Plane(found, x.mask.to(found.dtype))

    def read(self, plane: Plane) -> Features:
        """Return what a line holds."""
        found, mask = plane
        for layer in self.layers:
            found, mask = layer(found, mask)
        # Of pixels to spare, how high in its column a stroke lies is left out: hands differ in that.
        found = found.amax(2) if self.highest else found.flatten(1, 2)
        found = self.drop(torch.relu(self.entry(found.transpose(1, 2))))
        read: Tensor = self.body(found, mask > 0)
        return Features((found.transpose(1, 2), read.transpose(1, 2)), mask > 0)
