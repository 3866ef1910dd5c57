"""The learning-rate range test (Smith 2017, arXiv 1506.01186), as advice: the plan's rate stays what it is.

An untrained network takes a hundred steps, each at a somewhat larger rate. Where the loss falls fastest is a good rate;
where it turns up again is too large a one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from warmer.kinds._contract import Batches, Kind
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training.judging import Part
from warmer.training.loop import Descent, Loss

STEPS = 100
_LOWEST, _HIGHEST = -3.0, 1.5
_MEMORY = 0.9
_TOO_FAR = 2.0
_FIRST, _STRETCH = 10, 12


@dataclass(frozen=True)
class RangeTest:
    """What the test saw.

    Attributes:
        rates: learning rate of each step.
        losses: smoothed loss after it.
        fastest: the rate at which the loss fell fastest; None where it never fell.
        planned: the plan's peak rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    fastest: float | None
    planned: float

    def to_json(self) -> dict[str, Any]:
        """Return everything, and the sentence, as plain JSON."""
        return {
            "rates": list(self.rates),
            "losses": list(self.losses),
            "fastest": self.fastest,
            "planned": self.planned,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """Say it in words."""
        if self.fastest is None:
            return f"range test of the learning rate: the loss never fell; the plan has {self.planned:.2g}"
        turn = self.rates[int(np.argmin(self.losses))]
        return (
            f"range test of the learning rate: the loss falls fastest near {self.fastest:.2g} and no further beyond "
            f"{turn:.2g}; the plan has {self.planned:.2g}"
        )


def rising(plan: Plan, done: float) -> float:
    """Return the share of the peak rate when `done` of the test is over: from a thousandth to about thirty times it."""
    return float(10 ** (_LOWEST + (_HIGHEST - _LOWEST) * done))


def range_test(
    network: Network,
    x: Batches,
    y: Kind,
    training: Part,
    plan: Plan,
    device: torch.device,
    *,
    loss: Loss | None = None,
) -> RangeTest:
    """Take up to a hundred steps at rising rates.

    Args:
        network: untrained; it is spoilt.
        x, y: fitted kinds.
        training: examples to learn from.
        plan: of the run to come.
        device: where to compute.
        loss: the user's own.
    """
    n = len(training.rows)
    plan = dataclasses.replace(plan, epochs=(STEPS + 1) * min(plan.batch, n) / n, validations=1, until=None, clip=0.0)
    descent = Descent(network, x, y, training, training, plan, device, loss=loss, schedule=rising)
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    for moment in descent:
        if not np.isfinite(moment.loss) or len(losses) == STEPS:
            break
        average = _MEMORY * average + (1 - _MEMORY) * moment.loss
        rates.append(moment.learning_rate)
        losses.append(average / (1 - _MEMORY ** len(rates)))
        if len(losses) > _FIRST and losses[-1] > _TOO_FAR * min(losses):
            break
    return RangeTest(tuple(rates), tuple(losses), steepest(rates, losses), plan.learning_rate)


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which the loss falls fastest over a tenth of the test; None where it never falls.

    The first steps, whose average is of few losses, do not count.
    """
    if len(rates) <= _FIRST:
        return None
    lowest = int(np.argmin(losses))
    falls = [(losses[k + _STRETCH] - losses[k], k) for k in range(_FIRST, lowest + 1 - _STRETCH)]
    fall, place = min(falls, default=(0.0, 0))
    return rates[place + _STRETCH // 2] if fall < 0 else None
