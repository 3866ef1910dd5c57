"""Networks that read a line of writing from its picture, column by column."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from warmer.networks.blocks import ColumnLayer
from warmer.networks.features import Features
from warmer.networks.sequences import body

_CHANNELS = (32, 64, 128, 128)
_POOLS = ((2, 2), (2, 2), (2, 1), (2, 1))


class LineNet(nn.Module):
    """A picture of one line through convolutions, then its columns through what reads sequences.

    Args:
        channels, height: of the picture.
        spread: of its pixels.
        width, depth: numbers a place, and layers, of what reads the columns.
        dropout: share silenced in training.
        reader: one of `warmer.networks.sequences.BODIES`.
    """

    def __init__(
        self, channels: int, height: int, spread: float, width: int, depth: int, dropout: float, reader: str
    ) -> None:
        super().__init__()
        self.spread = spread
        self.layers = nn.ModuleList()
        before = channels
        for count, pool in zip(_CHANNELS, _POOLS, strict=True):
            self.layers.append(ColumnLayer(before, count, pool))
            before, height = count, math.ceil(height / pool[0])
        self.drop = nn.Dropout(dropout)
        self.entry = nn.Linear(before * height, width)
        self.body = body(reader, width, depth, dropout)

    def forward(self, x: Any) -> Features:
        """Map padded lines, values `[batch, columns, channels, height]` (0 is the background), to `[batch, numbers, places]`."""
        found: Tensor = x.values.permute(0, 2, 3, 1) / self.spread
        mask = x.mask.to(found.dtype)
        for layer in self.layers:
            found, mask = layer(found, mask)
        found = self.drop(torch.relu(self.entry(found.flatten(1, 2).transpose(1, 2))))
        read: Tensor = self.body(found, mask > 0)
        return Features((read.transpose(1, 2),), mask > 0)
