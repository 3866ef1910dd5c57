"""Why training does not count mistakes: the count is flat nearly everywhere, and a smooth cost is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError
from warmer.firststeps.neuron import sigmoid

Array = NDArray[np.float64]

_REACH, _SIDE = 6.0, 81
_HALF = 1e-4
_STEPS, _RATE = 400, 1.0


@dataclass(frozen=True)
class Mistakes:
    """One sigmoid neuron over examples of one number and a yes or no: what counting and a smooth cost say of it.

    The number is standardised, z = (x − mean) / deviation, and the neuron says yes where sigmoid(weight · z + bias) > ½.

    Attributes:
        weights, biases: tried, `[side]` each.
        counts: mistakes for each pair, `[biases, weights]`.
        costs: mean cross-entropy in nats for each pair, likewise.
        flat_counts, flat_costs: share of the pairs where a small step in any direction changes nothing.
        path: weight and bias on the way down the smooth cost, `[steps + 1, 2]`.
        boundary: the x at which yes begins (or ends), at the end of the way.
        sentence: what was found, in words.
    """

    weights: Array
    biases: Array
    counts: Array
    costs: Array
    flat_counts: float
    flat_costs: float
    path: Array
    boundary: float
    sentence: str

    def picture(self) -> bytes:
        """Draw both surfaces from above, the way down on the smooth one, and a cut through each; PNG."""
        figure = drawing.figure(11, 4)
        left, middle, right = figure.subplots(1, 3)
        extent = (self.weights[0], self.weights[-1], self.biases[0], self.biases[-1])
        left.imshow(self.counts, origin="lower", extent=extent, aspect="auto", cmap="viridis")
        left.set_title("mistakes: steps without a slope", fontsize=9)
        middle.imshow(self.costs, origin="lower", extent=extent, aspect="auto", cmap="viridis")
        middle.contour(self.weights, self.biases, self.costs, levels=16, colors="white", linewidths=0.5, alpha=0.7)
        middle.plot(*self.path.T, "-", color=drawing.WARM, linewidth=1.6)
        middle.plot(*self.path[0], "o", color=drawing.WARM)
        middle.plot(*self.path[-1], "*", color=drawing.WARM, markersize=12)
        middle.set_title("cross-entropy: downhill everywhere", fontsize=9)
        for axes in (left, middle):
            axes.set(xlabel="weight", ylabel="bias", xlim=extent[:2], ylim=extent[2:])
        row = int(np.abs(self.biases - self.path[-1, 1]).argmin())
        drawing.open_sides(right)
        right.step(self.weights, self.counts[row], color=drawing.INK, where="mid", label="mistakes")
        right.set(xlabel=f"weight (bias {self.biases[row]:.2g})", ylabel="mistakes")
        other = right.twinx()
        other.plot(self.weights, self.costs[row], color=drawing.WARM, linewidth=1.8)
        other.set_ylabel("cross-entropy", color=drawing.WARM)
        other.spines[["top"]].set_visible(False)
        right.set_title("a cut through both", fontsize=9)
        return drawing.png(figure)

    def to_json(self) -> dict[str, Any]:
        """Return what was found as plain JSON."""
        return {
            "flat_counts": self.flat_counts,
            "flat_costs": self.flat_costs,
            "weight": float(self.path[-1, 0]),
            "bias": float(self.path[-1, 1]),
            "boundary": self.boundary,
            "mistakes": int(self.counts.min()),
            "sentence": self.sentence,
        }


def count_mistakes(x: Sequence[float] | Array, yes: Sequence[bool] | Array) -> Mistakes:
    """Look at both costs of one neuron, and go down the smooth one.

    Args:
        x: one number for each example, `[n]`.
        yes: what is true of each, `[n]`.

    Raises:
        InputError: there are not as many numbers as truths, the numbers are all equal or not finite, or all truths are.
    """
    numbers, truth = np.asarray(x, dtype=float), np.asarray(yes).astype(bool)
    if numbers.ndim != 1 or numbers.shape != truth.shape:
        raise InputError(f"give one number and one truth for each example, not {numbers.size} and {truth.size}")
    if not np.isfinite(numbers).all() or np.ptp(numbers) == 0:
        raise InputError("the numbers must be finite and not all the same")
    if truth.all() or not truth.any():
        raise InputError("some examples must be yes and some no")
    mean, deviation = float(numbers.mean()), float(numbers.std())
    z = (numbers - mean) / deviation
    tried = np.linspace(-_REACH, _REACH, _SIDE)
    counts = np.array([[_count(z, truth, w, b) for w in tried] for b in tried], dtype=float)
    costs = np.array([[_cost(z, truth, w, b) for w in tried] for b in tried])
    path = _down(z, truth)
    flat_counts, flat_costs = (_flat(function, z, truth, tried) for function in (_count, _cost))
    weight, bias = path[-1]
    boundary = mean - deviation * bias / weight if weight else float("nan")
    wrong = _count(z, truth, weight, bias)
    sentence = (
        f"a small step changes the number of mistakes at {1 - flat_counts:.1%} of {tried.size**2:,} places, and the "
        f"cross-entropy at {1 - flat_costs:.0%} of them; going down the latter ends with yes "
        f"{'above' if weight > 0 else 'below'} {boundary:.4g} and {int(wrong)} of {len(z):,} wrong"
    )
    return Mistakes(tried, tried, counts, costs, flat_counts, flat_costs, path, float(boundary), sentence)


def _count(z: Array, truth: Any, weight: float, bias: float) -> float:
    return float(((weight * z + bias > 0) != truth).sum())


def _cost(z: Array, truth: Any, weight: float, bias: float) -> float:
    total = weight * z + bias
    return float(np.mean(np.logaddexp(0, total) - truth * total))


def _flat(function: Any, z: Array, truth: Any, tried: Array) -> float:
    """Return the share of places where a ten-thousandth to each side, of weight and of bias, changes nothing."""
    still = [
        all(
            abs(function(z, truth, w + a, b + c) - function(z, truth, w - a, b - c)) < 1e-12
            for a, c in ((_HALF, 0.0), (0.0, _HALF))
        )
        for w in tried
        for b in tried
    ]
    return float(np.mean(still))


def _down(z: Array, truth: Any) -> Array:
    """Go down the cross-entropy from a wrong guess."""
    place = np.array([-3.0, 3.0])
    way = [place]
    for _ in range(_STEPS):
        apart = sigmoid(place[0] * z + place[1]) - truth
        place = place - _RATE * np.array([np.mean(apart * z), np.mean(apart)])
        way.append(place)
    return np.array(way)
