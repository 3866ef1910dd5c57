"""Multilayer perceptrons."""

from __future__ import annotations

from torch import Tensor, nn

from warmer.networks.blocks import SharedLinear
from warmer.networks.features import Features


class EnsembleMLP(nn.Module):
    """A multilayer perceptron of many members that share their weights (TabM, arXiv 2410.24210).

    Args:
        inputs: width of the input vector.
        width, depth: neurons of a hidden layer; hidden layers.
        members: ensemble size; 1 is a plain perceptron.
        dropout: share of activations silenced in training.
    """

    def __init__(self, inputs: int, width: int, depth: int, members: int, dropout: float) -> None:
        super().__init__()
        self.members = members
        layers: list[nn.Module] = []
        for level in range(depth):
            layers += [
                SharedLinear(inputs if level == 0 else width, width, members, first=level == 0 and members > 1),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Features:
        """Map `[batch, inputs]` to features of rank 0, one vector a member."""
        spread = x.repeat_interleave(self.members, 0) if self.members > 1 else x
        return Features((self.layers(spread),), members=self.members)
