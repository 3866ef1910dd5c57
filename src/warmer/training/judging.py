"""What a network answers to many examples: to choose between checkpoints, and at the end."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer import scores
from warmer.examples._store import Store
from warmer.kinds._contract import Batches, Head, Kind
from warmer.networks.folds import unseen
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training import precision

Array = NDArray[Any]

_EVALUATED = 512


@dataclass(frozen=True)
class Part:
    """Some examples: inputs and targets, and which rows of them.

    With `folds`, one a row, the network is an ensemble of as many as the plan has folds: the members of an example's fold
    do not learn from it, and they alone answer it.
    """

    inputs: Store
    targets: Store
    rows: Array
    folds: Array | None = None

    def at(self, places: Array) -> Part:
        """Return some of these examples."""
        return dataclasses.replace(
            self, rows=self.rows[places], folds=None if self.folds is None else self.folds[places]
        )

    def at_most(self, count: int | None) -> Part:
        """Return `count` of these examples, evenly chosen; all where there are no more, or where it is None."""
        if count is None or len(self.rows) <= count:
            return self
        return self.at(np.linspace(0, len(self.rows) - 1, count).astype(int))

    def in_batches(self, most: int) -> list[Array]:
        """Return places of `rows`, batch by batch of `most` at the most; those of about equal length together."""
        lengths = self.inputs.lengths(self.rows)
        order = np.arange(len(self.rows)) if lengths is None else np.argsort(lengths, kind="stable")
        step = self.inputs.at_once(most)
        return [order[start : start + step] for start in range(0, len(order), step)]

    def folds_at(self, places: Any, device: torch.device) -> Tensor | None:
        """Return the folds of some of these examples, or None."""
        return None if self.folds is None else torch.from_numpy(self.folds[places]).to(device)


def goal(head: Head, n: int) -> scores.Score:
    """Return the score that chooses between checkpoints: the head's first; log loss where `n` examples are too few for it."""
    lead = scores.get(head.scores[0])
    if n < 1000 and "log_loss" in head.scores:
        return scores.get("log_loss")
    return lead


@torch.no_grad()
def evaluate(
    network: Network, x: Batches, y: Kind, part: Part, device: torch.device, plan: Plan
) -> tuple[Tensor, Tensor]:
    """Return outputs of evaluation mode and targets of some examples, on the CPU."""
    network.eval()
    found, batches = [], part.in_batches(max(_EVALUATED, plan.batch))
    for places in batches:
        batch = x.batch(part.inputs.take(part.rows[places]), device)
        folds = part.folds_at(places, device)
        with precision.autocast(plan.precision, device):
            found.append(_answered(network, precision.arrange(batch, plan.memory_format), folds, plan).float().cpu())
    return _in_order(together(found), batches), y.batch(part.targets.take(part.rows), torch.device("cpu"))


def _in_order(found: Tensor, batches: list[Array], axis: int = 0) -> Tensor:
    """Return what was found batch by batch in the order of the places along an axis."""
    order = torch.from_numpy(np.argsort(np.concatenate(batches)))
    return (
        found if len(order) < 2 or bool((order.diff() == 1).all()) else found.index_select(axis, order.to(found.device))
    )


def together(parts: list[Tensor], axis: int = 0) -> Tensor:
    """Join outputs of several batches along an axis; where their other axes differ in length, zeros fill them up at the end."""
    longest = [max(sizes) for sizes in zip(*(one.shape for one in parts), strict=True)]
    filled = []
    for one in parts:
        lacking = [
            0 if place == axis else most - size
            for place, (most, size) in enumerate(zip(longest, one.shape, strict=True))
        ]
        padding = [number for lack in reversed(lacking) for number in (0, lack)]
        filled.append(torch.nn.functional.pad(one, padding) if any(lacking) else one)
    return torch.cat(filled, axis)


def _answered(network: Network, batch: Any, folds: Tensor | None, plan: Plan) -> Tensor:
    """Return the outputs of evaluation mode; with folds, of the members alone that never saw an example."""
    if folds is None:
        found: Tensor = network(batch)
        return found
    head = network.head
    assert isinstance(head, Head)
    raw = head.outputs(network.features(batch)).unflatten(0, (-1, head.members))
    return head.average(unseen(raw, folds, plan.folds))


class Judgement:
    """A finished network's raw outputs for some examples, over all views of each, computed once in full precision.

    What calibration changes comes after them, so `outputs()` can be asked before and after it. `vectors` holds each
    example's pooled features, averaged over members.
    """

    @torch.no_grad()
    def __init__(
        self,
        network: Network,
        x: Batches,
        y: Kind,
        part: Part,
        device: torch.device,
        plan: Plan,
        *,
        views: bool = True,
    ) -> None:
        assert isinstance(network.head, Head)
        self.head = head = network.head
        network.eval()
        found, vectors = [], []
        batches = part.in_batches(_EVALUATED)
        for places in batches:
            batch = x.batch(part.inputs.take(part.rows[places]), device)
            sides = x.view(batch) if views and plan.augment and head.blends else [batch]
            seen = [network.features(precision.arrange(one, plan.memory_format)) for one in sides]
            folds = part.folds_at(places, device)
            raw = [head.outputs(one).unflatten(0, (-1, head.members)).float() for one in seen]
            found.append(torch.stack(raw if folds is None else [unseen(one, folds, plan.folds) for one in raw]))
            first = seen[0].pooled().float()
            vectors.append(first.unflatten(0, (-1, head.members)).mean(1).cpu())
        self.raw, self.vectors = _in_order(together(found, 1).cpu(), batches, 1), _in_order(torch.cat(vectors), batches)
        self.targets = y.batch(part.targets.take(part.rows), torch.device("cpu"))

    @torch.no_grad()
    def outputs(self) -> Tensor:
        """Return the outputs, averaged over members and views, calibrated as the head is now."""
        return torch.stack([self.head.average(one) for one in self.raw]).mean(0)
