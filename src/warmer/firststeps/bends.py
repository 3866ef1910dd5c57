"""Why depth needs bends: linear layers on top of each other are one linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmer.firststeps.backpropagation import Net

Array = NDArray[np.float64]

_ASKED = 1000


@dataclass(frozen=True)
class Stacked:
    """A stack of layers, and the one layer that it is when nothing bends.

    Attributes:
        net: the stack.
        single: one layer with the product of all weights.
        rank: of that product: how many directions of the inputs come through.
        apart: largest difference of their answers to 1,000 random inputs.
        sentence: what was found, in words.
    """

    net: Net
    single: Net
    rank: int
    apart: float
    sentence: str


def stack(sizes: Sequence[int], *, activation: str = "identity", seed: int = 0) -> Stacked:
    """Multiply the weights of a stack of layers into one layer, and ask both the same.

    W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂), so without a bend in between they agree, and with one they do not.

    Args:
        sizes: inputs, neurons of each layer, answers.
        activation: between the layers.
        seed: the random weights follow from it.

    Raises:
        InputError: the sizes make no net.
        UnknownName: there is no such activation.
    """
    net = Net.drawn(sizes, seed=seed, activation=activation)
    weight, bias = net.weights[0], net.biases[0]
    for w, b in zip(net.weights[1:], net.biases[1:], strict=True):
        weight, bias = w @ weight, w @ bias + b
    single = net.but([weight], [bias])
    inputs = np.random.default_rng(seed + 1).normal(0, 1, (_ASKED, sizes[0]))
    nothing = [0.0] * sizes[-1]
    apart = max(float(np.abs(net.passes(x.tolist(), nothing).layers[-1] - (weight @ x + bias)).max()) for x in inputs)
    rank = int(np.linalg.matrix_rank(weight))
    counted = " + ".join(f"({before} + 1)·{after}" for before, after in zip(net.sizes, net.sizes[1:], strict=False))
    same = apart < 1e-9
    sentence = (
        f"{len(net.weights)} layers of {counted} = {net.parameters} parameters "
        + ("are" if same else "are not")
        + f" one layer of ({sizes[0]} + 1)·{sizes[-1]} = {single.parameters}: the answers to {_ASKED:,} inputs differ by "
        + ("nothing but rounding" if same else f"up to {apart:.3g}, because {activation} bends")
        + f"; the product of the weights has rank {rank}, and can have no more than the narrowest layer, {min(net.sizes)}"
    )
    return Stacked(net, single, rank, apart, sentence)
