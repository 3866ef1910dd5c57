"""The head that answers with a series."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from warmer import drawing
from warmer.kinds._contract import Answer, Array, Head
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.series import Linear, Mixer, TwoLinear
from warmer.stretch import Frame
from warmer.words import figures

_SHARES = 10
_SHOWN_PAST = 2


class SeriesHead(Head):
    """Steps to come: squared error (the likelihood of a Gaussian) on standardised channels.

    Where x is the past of the same series, three simple networks go on with it, each with a loss of its own, and their
    mean is weighted by validation; of any other x the steps are a linear function of the pooled features.

    Outputs are `[batch, ways, horizon, channels]`, answers and truths `[batch, horizon, channels]`, all standardised.

    Args:
        spec: of the features.
        frame: what is known of the series.
        horizon: steps.
        past: steps of x where it is the past of the same series; 0: it is something else.
        dropout: share silenced in training.
    """

    scores = ("mse", "mae_scaled")

    def __init__(self, spec: FeatureSpec, frame: Frame, horizon: int, past: int, dropout: float) -> None:
        super().__init__(spec.members)
        self.frame, self.horizon, self.past = frame, horizon, past
        channels = len(frame.names)
        self.ways = nn.ModuleList()
        if past:
            self.ways.extend([Linear(past, horizon), TwoLinear(past, horizon), Mixer(past, horizon, channels, dropout)])
        else:
            self.ways.append(nn.Linear(spec.channels[-1], horizon * channels))
        self.register_buffer("weights", torch.full((len(self.ways),), 1 / len(self.ways)))
        self.register_buffer("mean", torch.tensor(frame.mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(frame.deviation, dtype=torch.float32))
        self.register_buffer("reach", torch.full((horizon, channels), float("nan")))
        self.register_buffer("coverage", torch.tensor(float("nan")))

    weights: Tensor
    mean: Tensor
    deviation: Tensor
    reach: Tensor
    coverage: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return what each way makes of it."""
        if not self.past:
            return self.ways[0](features.pooled()).unflatten(1, (1, self.horizon, -1))
        x = features.pyramid()[0]
        return torch.stack([way(x).transpose(1, 2) for way in self.ways], 1)

    def _scaled(self, targets: Tensor) -> Tensor:
        return (self.near(targets).float() - self.mean) / self.deviation

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over ways, steps and channels of the squared error, `[batch]`."""
        return (outputs.float() - self._scaled(targets).unsqueeze(1)).square().mean((1, 2, 3))

    def _combined(self, outputs: Tensor) -> Tensor:
        return (self.near(outputs).float() * self.weights.view(1, -1, 1, 1)).sum(1)

    def answers(self, outputs: Tensor) -> Array:
        """Return standardised steps, weighed over ways."""
        return self._combined(outputs.detach()).cpu().numpy()

    def truths(self, targets: Tensor) -> Array:
        """Return standardised steps."""
        return self._scaled(targets).cpu().numpy()

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Weigh the ways in tenths, as serves the validation examples best."""
        wanted = self._scaled(targets)
        count = len(self.ways)
        tried = [shares for shares in itertools.product(range(_SHARES + 1), repeat=count) if sum(shares) == _SHARES]
        # The error of any weighing follows from the ways' products, which are found once.
        wrong = (self.near(outputs).float() - wanted.unsqueeze(1)).flatten(2).double()
        products = torch.einsum("iaj,ibj->ab", wrong, wrong)
        weighings = torch.tensor(tried, dtype=torch.float64, device=wrong.device) / _SHARES
        errors = torch.einsum("na,ab,nb->n", weighings, products, weighings)
        self.weights.copy_(weighings[int(errors.argmin())])

    def conform(self, outputs: Tensor, targets: Tensor, coverage: float) -> None:
        """Note, step by step, how far from the truth the share `coverage` of answers stays."""
        wrong = (self._combined(outputs) - self._scaled(targets)).abs()
        n = len(wrong)
        rank = min(n, int(np.ceil((n + 1) * coverage)))
        self.reach.copy_(wrong.sort(0).values[rank - 1])
        self.coverage.fill_(coverage)

    # ---- for a person ----

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return the steps of the channels that were asked for, in their own units, with an interval for each."""
        found = []
        known = not bool(self.coverage.isnan())
        for steps in self._combined(outputs.detach()):
            value = self._told(steps)
            within = (self._told(steps - self.reach), self._told(steps + self.reach)) if known else ()
            found.append(Answer(value, None, ((value, 1.0),), within, float(self.coverage) if known else None))
        return found

    def _told(self, steps: Tensor) -> Any:
        """Return standardised steps as a list of numbers, or as one a channel where there are several."""
        own = (steps * self.deviation + self.mean).cpu().numpy()
        chosen = self.frame.targets or tuple(range(len(self.frame.names)))
        told = {self.frame.names[k]: [float(f"{number:.6g}") for number in own[:, k]] for k in chosen}
        return next(iter(told.values())) if len(told) == 1 else told

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the mean of the training part, always."""
        zeros = np.zeros((1, self.horizon, len(self.frame.names)), dtype=np.float32)
        return np.broadcast_to(zeros, (n, *zeros.shape[1:])), "always the mean of the training part"

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return errors in own units, by channel and by step, and a back-test of the first channel asked for."""
        answers, truths = self._combined(outputs.detach()), self._scaled(targets)
        wrong = (answers - truths) * self.deviation
        chosen = self.frame.targets or tuple(range(len(self.frame.names)))
        units = {
            self.frame.names[k]: {
                "mae": float(wrong[..., k].abs().mean()),
                "rmse": float(wrong[..., k].square().mean().sqrt()),
            }
            for k in chosen
        }
        found: dict[str, Any] = {
            "in_units": units,
            "ways": dict(zip(("linear", "two linear", "mixer"), self.weights.tolist(), strict=False)),
            "error_by_step": (answers - truths).square().mean((0, 2)).tolist(),
        }
        if not bool(self.coverage.isnan()):
            found["covered"] = float(((answers - truths).abs() <= self.reach).float().mean())
        if self.past:
            found["figures"] = [{"what": self._words(chosen[0]), "png": self._backtest(answers, truths, chosen[0])}]
        return found

    def _words(self, channel: int) -> str:
        return (
            f"Back-test of {self.frame.names[channel]} over the test part: each forecast of {self.horizon} steps was made "
            "from what came before it alone."
        )

    def _backtest(self, answers: Tensor, truths: Tensor, channel: int) -> str:
        """Draw forecasts that follow each other over the truth, as base64 PNG."""
        figure = drawing.figure(10, 3.2)
        axes = drawing.open_sides(figure.add_subplot())
        starts = list(range(0, len(truths), self.horizon))[:12]
        scale, middle = self.deviation[channel], self.mean[channel]
        own = [(one[..., channel] * scale + middle).cpu().numpy() for one in (answers, truths)]
        reach = (self.reach[:, channel] * scale).cpu().numpy()
        for number, start in enumerate(starts):
            steps = np.arange(number * self.horizon, (number + 1) * self.horizon)
            axes.plot(steps, own[1][start], color=drawing.INK, linewidth=1, label="what came" if not number else None)
            axes.plot(steps, own[0][start], color=drawing.WARM, linewidth=1.2, label="forecast" if not number else None)
            if np.isfinite(reach).all():
                axes.fill_between(
                    steps, own[0][start] - reach, own[0][start] + reach, color=drawing.WARM, alpha=0.15, linewidth=0
                )
        axes.set_xlabel("forecasts of the test part, one after another: steps")
        axes.set_ylabel(self.frame.names[channel])
        axes.legend(frameon=False, loc="upper right")
        return drawing.embedded(drawing.png(figure))

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how far off forecasts are."""
        told = (
            f"squared error {figures(scores['mse'], 3)} (in squared deviations, over {len(self.frame.names)} channels)"
        )
        return f"{told} on {n:,} stretches that came after all it learned from; always the mean: {figures(baseline['mse'], 3)}"


def plot(answer: Answer, past: Array, frame: Frame) -> bytes:
    """Draw a forecast after the end of its past, with its interval, as PNG."""
    chosen = frame.targets or tuple(range(len(frame.names)))
    figure = drawing.figure(9, 2.6 * len(chosen[:6]))
    for row, k in enumerate(chosen[:6]):
        axes = drawing.open_sides(figure.add_subplot(len(chosen[:6]), 1, row + 1))
        parts = [answer.value, *answer.within]
        steps, *within = (part if len(chosen) == 1 else part[frame.names[k]] for part in parts)
        shown = past[-_SHOWN_PAST * len(steps) :, k] if len(past) > _SHOWN_PAST * len(steps) else past[:, k]
        ahead = np.arange(1, len(steps) + 1)
        axes.plot(np.arange(1 - len(shown), 1), shown, color=drawing.INK, linewidth=1, label="past")
        axes.plot(ahead, steps, color=drawing.WARM, linewidth=1.4, label="forecast")
        if within:
            axes.fill_between(
                ahead,
                *within,
                color=drawing.WARM,
                alpha=0.15,
                linewidth=0,
                label=f"{answer.coverage:.0%} of such steps",
            )
        axes.set_ylabel(frame.names[k])
        axes.legend(frameon=False, loc="upper left", fontsize=8)
    axes.set_xlabel("steps from now")
    return drawing.png(figure)
