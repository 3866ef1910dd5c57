"""The loss as a function of the weights: directions to walk in, values there, and how sharply it bends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from warmer.insight._audited import seen_examples
from warmer.insight._contract import Subject
from warmer.insight.summary import multiply_adds

Array = NDArray[Any]
Direction = Mapping[str, Tensor]

_WORK = 2e12
"""Multiply-adds that a surface may take; the number of examples follows from it."""
_MOST, _FEWEST = 512, 32
_AT_ONCE = 128
_APART = 1e-2


class Surface:
    """The mean loss of some examples, in evaluation mode and full precision, for any weights.

    Args:
        subject: the model and labelled examples.
        places: how many points will be asked for.
        seed: of the choice of examples.

    Attributes:
        weights: what was learned, name → tensor; normalisations' statistics stay as they are.
        n: examples looked at.
    """

    def __init__(self, subject: Subject, places: int, seed: int) -> None:
        model = subject.model
        self.network, self.head = model.network, model.head
        self.weights = {name: p.detach() for name, p in model.network.named_parameters() if p.requires_grad}
        work = sum(multiply_adds(model.network, subject.blank()).values())
        n = int(np.clip(_WORK / max(1, work * places), _FEWEST, _MOST))
        self.batch, self.targets = seen_examples(subject, n, seed)
        self.n = len(self.targets)

    def loss(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss with these weights, with its gradient graph."""
        total = torch.zeros(())
        for start in range(0, self.n, _AT_ONCE):
            some = _cut(self.batch, slice(start, start + _AT_ONCE))
            outputs = functional_call(self.network, dict(weights), (some,))
            total = total + self.head.loss(outputs, self.targets[start : start + _AT_ONCE]).sum()
        return total / self.n

    @torch.no_grad()
    def at(self, one: Direction, other: Direction, a: float, b: float) -> float:
        """Return the loss where `a` times one direction and `b` times another are added to the weights."""
        moved = {name: p + a * one[name] + b * other[name] if name in one else p for name, p in self.weights.items()}
        return float(self.loss(moved))

    def grid(self, one: Direction, other: Direction, a: Array, b: Array) -> Array:
        """Return the loss at every pair of steps, `[len(b), len(a)]`."""
        return np.array([[self.at(one, other, float(u), float(v)) for u in a] for v in b])

    def sharpness(self, steps: int, seed: int) -> tuple[float, float]:
        """Return the largest eigenvalue of the Hessian by power iteration, and how much its last step still changed it.

        One multiplication by the Hessian is a gradient of a gradient (Pearlmutter 1994); no matrix is ever made.
        """
        generator = torch.Generator().manual_seed(seed)
        turn = self._by_hessian()
        vector = [torch.randn(p.shape, generator=generator) for p in self.weights.values()]
        found, last = 0.0, float("inf")
        for _ in range(steps):
            size = torch.sqrt(sum((v.pow(2).sum() for v in vector), torch.zeros(())))
            vector = [v / size.clamp(min=1e-12) for v in vector]
            turned = turn(vector)
            found, last = float(sum((t * v).sum() for t, v in zip(turned, vector, strict=True))), found
            vector = turned
        return found, abs(found - last)

    def _slopes(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        with torch.enable_grad():
            point = {name: p.detach().clone().requires_grad_(True) for name, p in weights.items()}
            found = torch.autograd.grad(self.loss(point), list(point.values()), allow_unused=True)
        return [torch.zeros_like(p) if f is None else f for f, p in zip(found, point.values(), strict=True)]

    def _by_hessian(self) -> Callable[[list[Tensor]], list[Tensor]]:
        """Return what multiplies by the Hessian: exactly, or by two slopes where an operation has no second derivative."""
        point = {name: p.clone().requires_grad_(True) for name, p in self.weights.items()}
        places = list(point.values())

        def exactly(vector: list[Tensor]) -> list[Tensor]:
            with torch.enable_grad():
                slope = torch.autograd.grad(self.loss(point), places, create_graph=True, allow_unused=True)
                along = sum((s * v).sum() for s, v in zip(slope, vector, strict=True) if s is not None)
                found = torch.autograd.grad(along, places, allow_unused=True)  # type: ignore[arg-type]
            return [torch.zeros_like(v) if f is None else f.detach() for f, v in zip(found, vector, strict=True)]

        def nearly(vector: list[Tensor]) -> list[Tensor]:
            sides = []
            for sign in (1, -1):
                moved = {n: p + sign * _APART * v for (n, p), v in zip(self.weights.items(), vector, strict=True)}
                sides.append(self._slopes(moved))
            return [(a - b) / (2 * _APART) for a, b in zip(*sides, strict=True)]

        try:
            exactly([torch.zeros_like(p) for p in places])
        except RuntimeError as error:
            if "is not implemented" not in str(error):
                raise
            return nearly
        return exactly


def _cut(batch: Any, rows: slice) -> Any:
    """Return some rows of a batch, which may be several tensors side by side."""
    return batch[rows] if isinstance(batch, Tensor) else type(batch)(*(part[rows] for part in batch))


def random_direction(weights: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Return a random direction, each filter of which is as long as the filter it will be added to.

    So that networks whose weights are merely larger do not look flatter (Li et al. 2018, arXiv 1712.09913). Biases and
    normalisations stay where they are.
    """
    found = {}
    for name, p in weights.items():
        if p.dim() < 2:
            found[name] = torch.zeros_like(p)
            continue
        drawn = torch.randn(p.shape, generator=generator)
        axes = tuple(range(1, p.dim()))
        length = p.pow(2).sum(axes, keepdim=True).sqrt()
        found[name] = drawn / drawn.pow(2).sum(axes, keepdim=True).sqrt().clamp(min=1e-12) * length
    return found
