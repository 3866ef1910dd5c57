"""Multilayer perceptrons."""

from __future__ import annotations

from torch import Tensor, nn

from warmer.networks.blocks import Activation, Dropout, SharedLinear
from warmer.networks.features import Features


class EnsembleMLP(nn.Module):
    """A multilayer perceptron of many members that share their weights (TabM, arXiv 2410.24210).

    Args:
        inputs: width of the input vector.
        width, depth: neurons of a hidden layer; hidden layers.
        members: ensemble size; 1 is a plain perceptron.
        dropout: share of activations silenced in training.
        activation: what bends each layer's answer.
    """

    def __init__(self, inputs: int, width: int, depth: int, members: int, dropout: float, activation: str) -> None:
        super().__init__()
        self.members = members
        layers: list[nn.Module] = []
        for level in range(depth):
            first = SharedLinear(members, inputs, width) if members > 1 else nn.Linear(inputs, width)
            layers += [nn.Linear(width, width) if level else first, Activation(activation), Dropout(dropout)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Features:
        """Map `[batch, inputs]` to features of rank 0, one vector a member."""
        return Features((self.layers(x),), members=self.members)
