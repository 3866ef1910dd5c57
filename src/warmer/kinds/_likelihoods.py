"""What a number is taken to scatter like: each a loss that is the negative log-likelihood of it, and an interval that fits it.

A *margin* is how far an interval reaches, in the measure in which `apart` says how far a truth lies from what was
answered; it is found on held-back examples (split-conformal intervals, arXiv 2107.07511), so coverage holds for any of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.plan import Plan

_HUBER = 1.35
_NARROWEST = -7.0


class Squared(nn.Module):
    """The Gaussian's, of one spread for all: answers are means."""

    numbers = 1
    """How many numbers the network answers with."""

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return a loss for each of `[batch, numbers]` and `[batch]`, both in standard deviations of y."""
        return (outputs[:, 0] - y) ** 2

    def middle(self, outputs: Tensor) -> Tensor:
        """Return the answers, `[batch]`."""
        return outputs[:, 0]

    def apart(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return how far each truth lies from its answer; up to the margin it lies in the interval."""
        return (self.middle(outputs) - y).abs() / self.spread(outputs)

    def spread(self, outputs: Tensor) -> Tensor:
        """Return what a margin of one reaches to each side, `[batch]`."""
        return torch.ones_like(outputs[:, 0])

    def interval(self, outputs: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Return both ends of the intervals, `[batch]`."""
        reach = margin * self.spread(outputs)
        return self.middle(outputs) - reach, self.middle(outputs) + reach


class Absolute(Squared):
    """The Laplace distribution's, of one spread for all: answers are medians."""

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the absolute errors."""
        return (outputs[:, 0] - y).abs()


class Huber(Squared):
    """Squared near the middle and absolute further out, with a scale that is learned too (Huber 1981, §7.7; Owen 2007)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return Huber's losses of errors in units of the scale, which itself costs."""
        scale = self.log_scale.exp()
        apart = (outputs[:, 0] - y) / scale
        return scale * (1 + 2 * F.huber_loss(apart, torch.zeros_like(apart), reduction="none", delta=_HUBER))


class Gaussian(Squared):
    """The Gaussian's, with a mean and a spread for each example (Nix and Weigend 1994)."""

    numbers = 2

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return −log of the density, less a constant."""
        log = outputs[:, 1].clamp(min=_NARROWEST)
        return log + 0.5 * ((outputs[:, 0] - y) * (-log).exp()) ** 2

    def spread(self, outputs: Tensor) -> Tensor:
        """Return the standard deviations."""
        return outputs[:, 1].clamp(min=_NARROWEST).exp()


class Laplace(Gaussian):
    """The Laplace distribution's, with a median and a spread for each example."""

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return −log of the density, less a constant."""
        log = outputs[:, 1].clamp(min=_NARROWEST)
        return log + (outputs[:, 0] - y).abs() * (-log).exp()


class Quantile(Squared):
    """Three quantiles: the median and the ends of an interval (Koenker and Bassett 1978), made honest afterwards as in
    conformalised quantile regression (Romano, Patterson and Candès 2019, arXiv 1905.03222).

    Args:
        coverage: of the interval.
    """

    numbers = 3

    def __init__(self, coverage: float) -> None:
        super().__init__()
        self.levels = (0.5, (1 - coverage) / 2, (1 + coverage) / 2)

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the sum of the three pinball losses."""
        apart = y.unsqueeze(1) - outputs
        levels = torch.tensor(self.levels, dtype=outputs.dtype, device=outputs.device)
        return ((levels - 0.5) * apart + 0.5 * apart.abs()).sum(1)

    def apart(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return how far each truth lies outside its quantiles; below zero inside."""
        return torch.maximum(outputs[:, 1] - y, y - outputs[:, 2])

    def interval(self, outputs: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outer quantiles, moved apart by the margin; never beyond the median."""
        middle = self.middle(outputs)
        return torch.minimum(outputs[:, 1] - margin, middle), torch.maximum(outputs[:, 2] + margin, middle)


LOSSES = ("mse", "mae", "huber", "gaussian", "laplace", "quantile")
"""What a number's loss can be called in a plan, besides `auto`."""


def chosen(plan: Plan) -> Squared:
    """Return what the plan's loss asks for; the squared error where it leaves the choice."""
    if plan.loss == "quantile":
        return Quantile(plan.coverage)
    made = {"mae": Absolute, "huber": Huber, "gaussian": Gaussian, "laplace": Laplace}
    return made.get(plan.loss, Squared)()
