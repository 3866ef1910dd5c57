"""Encoder and head as one ordinary `torch.nn.Module`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from warmer.networks.features import Features


class Network(nn.Module):
    """`outputs = network(x)`: the whole function, logits for categories, scaled values for numbers.

    In training mode an ensemble of m members returns `[batch * m, outputs]`, so that each member has a loss of its own;
    in evaluation mode `[batch, outputs]`, the members' average in the head's sense and calibrated.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def features(self, x: Any) -> Features:
        """Return what the encoder found in a batch."""
        return Features.of(self.encoder(x))

    def forward(self, x: Any) -> Tensor:
        """Answer a batch."""
        outputs: Tensor = self.head(self.features(x))
        return outputs
