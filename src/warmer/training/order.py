"""In which order the examples of an epoch are learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from warmer.kinds._contract import Kind
from warmer.plan import Plan
from warmer.training.judging import Part

Array = NDArray[Any]

_SORTED = 50
"""Batches whose examples are sorted by length together."""


class Order:
    """A new order for each epoch, which follows from the seed and the epoch's number alone.

    Args:
        training: the examples.
        y: the kind of their answers.
        targets: their answers, for plans that balance.
        plan: the seed, and whether rare categories come more often.
    """

    def __init__(self, training: Part, y: Kind, targets: Tensor, plan: Plan) -> None:
        self.n, self.seed = len(training.rows), plan.seed
        ragged = training.inputs.offsets is not None or not y.sequential
        self.lengths = (training.inputs if ragged else training.targets).lengths(training.rows)
        self.chance: Array | None = None
        if plan.balance:
            _, places, counts = np.unique(targets.numpy(), return_inverse=True, return_counts=True)
            often = 1 / np.sqrt(counts[places])
            self.chance = often / often.sum()

    def of(self, epoch: int, batch: int) -> Array:
        """Return the places of the examples, `[n]`, to be learned from `batch` at a time."""
        generator = np.random.default_rng([self.seed, epoch])
        if self.chance is not None:
            return generator.choice(self.n, self.n, p=self.chance)
        order = generator.permutation(self.n)
        if self.lengths is None or self.n < 2 * batch:
            return order
        return _alike(order, self.lengths, batch, generator)


def _alike(order: Array, lengths: Array, batch: int, generator: np.random.Generator) -> Array:
    """Put examples of about equal length side by side, so that little of a batch is padding; batches stay in random order."""
    whole = len(order) // batch * batch
    parts = np.array_split(order[:whole].reshape(-1, batch), max(1, whole // batch // _SORTED))
    batches = []
    for part in parts:
        rows = part.flatten()
        batches.append(rows[np.argsort(lengths[rows], kind="stable")].reshape(-1, batch))
    shuffled = np.concatenate(batches)
    return np.concatenate([shuffled[generator.permutation(len(shuffled))].flatten(), order[whole:]])
