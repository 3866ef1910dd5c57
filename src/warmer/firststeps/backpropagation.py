"""Backpropagation by hand: a small net, every layer's answer forwards, the chain rule backwards, each slope as a number."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError, UnknownName
from warmer.firststeps.neuron import ACTIVATIONS, sigmoid

Array = NDArray[np.float64]

_LARGEST, _LARGEST_DRAWN = 1000, 120
_HALF = 1e-6


def _squared(answer: Array, target: Array) -> tuple[float, Array]:
    return float(((answer - target) ** 2).sum()), 2 * (answer - target)


def _absolute(answer: Array, target: Array) -> tuple[float, Array]:
    return float(np.abs(answer - target).sum()), np.sign(answer - target)


def _log_loss(answer: Array, target: Array) -> tuple[float, Array]:
    """Return −log of the probability of the truth, each answer being the log-odds of yes."""
    loss = np.logaddexp(0, answer) - target * answer
    return float(loss.sum()), sigmoid(answer) - target


def _cross_entropy(answer: Array, target: Array) -> tuple[float, Array]:
    """Return −log of the softmax probability of the truth, `target` holding one share for each answer."""
    logs = answer - np.logaddexp.reduce(answer)
    return float(-(target * logs).sum()), np.exp(logs) * target.sum() - target


LOSSES: Mapping[str, tuple[Callable[[Array, Array], tuple[float, Array]], str]] = {
    "squared": (_squared, "the sum of (answer − target)²"),
    "absolute": (_absolute, "the sum of |answer − target|"),
    "log_loss": (_log_loss, "−log of the probability of the truth, answers being log-odds of yes (target 1) or no (0)"),
    "cross_entropy": (_cross_entropy, "−log of the softmax probability of the truth"),
}
"""Name → (answer, target) → (loss, its slope along each answer); and that in words."""


@dataclass(frozen=True)
class Passes:
    """One example, forwards and backwards.

    Attributes:
        layers: X₀ (the inputs) to X_L (the answer).
        sums: Z₁ to Z_L: weights times the layer before, plus biases.
        loss: of the answer.
        layer_slopes, sum_slopes: ∂loss/∂X_l for 0 to L, ∂loss/∂Z_l for 1 to L.
        weight_slopes, bias_slopes: ∂loss/∂W_l `[out, in]` and ∂loss/∂b_l `[out]`, for 1 to L.
    """

    layers: tuple[Array, ...]
    sums: tuple[Array, ...]
    loss: float
    layer_slopes: tuple[Array, ...]
    sum_slopes: tuple[Array, ...]
    weight_slopes: tuple[Array, ...]
    bias_slopes: tuple[Array, ...]


@dataclass(frozen=True)
class Net:
    """Layers of neurons: X_l = activation(W_l X_{l−1} + b_l).

    Attributes:
        weights: W_l `[out, in]` of each layer.
        biases: b_l `[out]` of each layer.
        activation: of the hidden layers, one of `ACTIVATIONS`.
        last: of the last layer.

    Raises:
        InputError: shapes that do not fit together.
        UnknownName: there is no such activation.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activation: str = "tanh"
    last: str = "identity"

    def __post_init__(self) -> None:
        for name in (self.activation, self.last):
            if name not in ACTIVATIONS:
                raise UnknownName("activation", name, ACTIVATIONS)
        if not self.weights or len(self.weights) != len(self.biases):
            raise InputError(
                f"{len(self.weights)} layers have weights and {len(self.biases)} biases; there must be as many, and one at least"
            )
        for place, (w, b) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            before = self.weights[place - 2].shape[0] if place > 1 else w.shape[-1]
            if w.ndim != 2 or w.shape != (b.size, before):
                raise InputError(
                    f"layer {place} has weights of shape {w.shape}; {b.size} neurons of {before} inputs need {(b.size, before)}"
                )
        if (count := self.parameters) > _LARGEST:
            raise InputError(f"a net of {count:,} parameters is too large to follow by hand; {_LARGEST} are the most")

    @classmethod
    def drawn(cls, sizes: Sequence[int], *, seed: int = 0, activation: str = "tanh", last: str = "identity") -> Net:
        """Return a net of random weights, rounded to two decimals so that they can be written down.

        Args:
            sizes: inputs, neurons of each layer, answers; such as `(2, 3, 1)`.
        """
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"a net needs at least inputs and answers, such as 2,3,1, not {','.join(map(str, sizes))}")
        generator = np.random.default_rng(seed)
        weights = [
            np.round(generator.normal(0, 1 / np.sqrt(before), (after, before)), 2)
            for before, after in itertools.pairwise(sizes)
        ]
        biases = [np.round(generator.normal(0, 0.3, after), 2) for after in sizes[1:]]
        return cls(tuple(weights), tuple(biases), activation, last)

    @classmethod
    def written(
        cls,
        weights: Sequence[Sequence[Sequence[float]]],
        biases: Sequence[Sequence[float]] | None = None,
        activation: str = "tanh",
        last: str = "identity",
    ) -> Net:
        """Return a net of the given numbers: of each layer one row of weights a neuron; without biases, they are 0.

        Raises:
            InputError: neurons of one layer have different numbers of weights, or layers do not fit together.
        """
        for place, layer in enumerate(weights, 1):
            if len({len(row) for row in layer}) != 1:
                raise InputError(
                    f"the neurons of layer {place} have different numbers of weights; each has one an input"
                )
        made = tuple(np.array(layer, dtype=float) for layer in weights)
        given = [np.zeros(len(w)) for w in made] if biases is None else [np.array(b, dtype=float) for b in biases]
        return cls(made, tuple(given), activation, last)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are: (inputs + 1) × neurons, layer by layer."""
        return sum(w.size + b.size for w, b in zip(self.weights, self.biases, strict=True))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, neurons of each layer."""
        return (self.weights[0].shape[1], *(len(w) for w in self.weights))

    def passes(self, inputs: Sequence[float], target: Sequence[float], loss: str = "squared") -> Passes:
        """Go forwards with one example, and backwards from its loss.

        Raises:
            InputError: there are not as many inputs or targets as the net has.
            UnknownName: there is no such loss.
        """
        x, truth = np.asarray(inputs, dtype=float), np.asarray(target, dtype=float)
        if x.shape != (self.sizes[0],) or truth.shape != (self.sizes[-1],):
            raise InputError(
                f"the net takes {self.sizes[0]} inputs and {self.sizes[-1]} targets; {x.size} and {truth.size} are given"
            )
        if loss not in LOSSES:
            raise UnknownName("loss", loss, LOSSES)
        layers, sums = [x], []
        for w, b, name in zip(self.weights, self.biases, self._bends(), strict=True):
            sums.append(w @ layers[-1] + b)
            layers.append(np.asarray(ACTIVATIONS[name][0](sums[-1]), dtype=float))
        value, slope = LOSSES[loss][0](layers[-1], truth)
        of_layers = [slope]
        of_sums: list[Array] = []
        of_weights: list[Array] = []
        of_biases: list[Array] = []
        for place in reversed(range(len(self.weights))):
            bend = ACTIVATIONS[self._bends()[place]][1]
            of_sums.insert(0, of_layers[0] * bend(sums[place]))
            of_weights.insert(0, np.outer(of_sums[0], layers[place]))
            of_biases.insert(0, of_sums[0])
            of_layers.insert(0, self.weights[place].T @ of_sums[0])
        return Passes(
            tuple(layers), tuple(sums), value, tuple(of_layers), tuple(of_sums), tuple(of_weights), tuple(of_biases)
        )

    def _bends(self) -> list[str]:
        return [self.activation] * (len(self.weights) - 1) + [self.last]

    def but(self, weights: Sequence[Array], biases: Sequence[Array]) -> Net:
        """Return a net of the same shape with other numbers."""
        return Net(tuple(weights), tuple(biases), self.activation, self.last)

    def stepped(self, passes: Passes, rate: float) -> Net:
        """Return the net after one step of gradient descent."""
        return self.but(
            [w - rate * s for w, s in zip(self.weights, passes.weight_slopes, strict=True)],
            [b - rate * s for b, s in zip(self.biases, passes.bias_slopes, strict=True)],
        )

    def table(self, inputs: Sequence[float], target: Sequence[float], loss: str = "squared") -> list[dict[str, Any]]:
        """Return for each parameter: its name, value, slope of the loss by the chain rule, and by a small step to each side."""
        passes = self.passes(inputs, target, loss)
        rows = []
        for place in range(len(self.weights)):
            for which, numbers, slopes in (
                ("W", self.weights[place], passes.weight_slopes[place]),
                ("b", self.biases[place], passes.bias_slopes[place]),
            ):
                for index in np.ndindex(numbers.shape):
                    ends = [self._moved(which, place, index, sign * _HALF) for sign in (1, -1)]
                    above, below = (net.passes(inputs, target, loss).loss for net in ends)
                    name = f"{which}{place + 1}[{','.join(str(i + 1) for i in index)}]"
                    felt = (above - below) / (2 * _HALF)
                    rows.append(
                        {"parameter": name, "value": float(numbers[index]), "slope": float(slopes[index]), "felt": felt}
                    )
        return rows

    def _moved(self, which: str, place: int, index: tuple[int, ...], by: float) -> Net:
        weights, biases = [w.copy() for w in self.weights], [b.copy() for b in self.biases]
        (weights if which == "W" else biases)[place][index] += by
        return self.but(weights, biases)

    def steps(self, inputs: Sequence[float], target: Sequence[float], loss: str = "squared") -> list[str]:
        """Return the arithmetic of both passes, a line a step."""
        p, bends, last = self.passes(inputs, target, loss), self._bends(), len(self.weights)
        lines = ["forwards", f"  X0 = {_v(p.layers[0])}"]
        for place in range(1, last + 1):
            lines.append(f"  Z{place} = W{place} X{place - 1} + b{place} = {_v(p.sums[place - 1])}")
            lines.append(f"  X{place} = {bends[place - 1]}(Z{place}) = {_v(p.layers[place])}")
        lines += [f"  loss = {p.loss:.6g}   ({LOSSES[loss][1]}; target {_v(np.asarray(target, dtype=float))})"]
        lines += ["backwards", f"  ∂loss/∂X{last} = {_v(p.layer_slopes[last])}"]
        for place in range(last, 0, -1):
            bend, slope = f"{bends[place - 1]}′(Z{place})", _v(p.sum_slopes[place - 1])
            lines.append(f"  ∂loss/∂Z{place} = ∂loss/∂X{place} ⊙ {bend} = {slope} = ∂loss/∂b{place}")
            rows = "; ".join(_v(row) for row in p.weight_slopes[place - 1])
            lines.append(f"  ∂loss/∂W{place} = ∂loss/∂Z{place} X{place - 1}ᵀ = [{rows}]")
            lines.append(f"  ∂loss/∂X{place - 1} = W{place}ᵀ ∂loss/∂Z{place} = {_v(p.layer_slopes[place - 1])}")
        return lines

    def picture(self, inputs: Sequence[float], target: Sequence[float], loss: str = "squared") -> bytes:
        """Draw the net as PNG: what each neuron answers, above; how the loss changes with it, below; the same on each line."""
        if self.parameters > _LARGEST_DRAWN:
            raise InputError(
                f"{self.parameters} parameters are too many to read in one picture; {_LARGEST_DRAWN} are the most"
            )
        p = self.passes(inputs, target, loss)
        columns = len(self.sizes)
        tallest = max(self.sizes)
        figure = drawing.figure(3.1 * columns + 0.6, max(3.2, 1.5 * tallest))
        axes = figure.add_subplot()
        places = [[(2.4 * c, 1.3 * ((size - 1) / 2 - r)) for r in range(size)] for c, size in enumerate(self.sizes)]
        for c, (w, slopes) in enumerate(zip(self.weights, p.weight_slopes, strict=True)):
            _draw_lines(axes, places[c], places[c + 1], w, slopes)
        for c, column in enumerate(places):
            for r, (x, y) in enumerate(column):
                _draw_neuron(axes, x, y, p.layers[c][r], p.layer_slopes[c][r], inside=c > 0)
                if c:
                    bias = f"b {self.biases[c - 1][r]:.3g}  "
                    axes.text(x, y - 0.44, bias, ha="right", va="top", fontsize=7, color=drawing.COLD)
                    axes.text(x, y - 0.44, f"  {p.bias_slopes[c - 1][r]:.3g}", va="top", fontsize=7, color=drawing.WARM)
        end = 2.4 * (columns - 1)
        axes.text(end + 0.62, 0, f"loss\n{p.loss:.4g}", va="center", fontsize=11)
        top = 1.3 * (tallest - 1) / 2
        axes.text(-0.4, top + 0.72, "values, forwards", color=drawing.COLD, fontsize=9)
        axes.text(-0.4 + end / 2 + 0.4, top + 0.72, "∂loss/∂(each), backwards", color=drawing.WARM, fontsize=9)
        axes.set(xlim=(-0.6, end + 1.5), ylim=(-top - 0.8, top + 0.95), aspect="equal")
        axes.axis("off")
        return drawing.png(figure)


def _draw_lines(axes: Any, before: list[Any], after: list[Any], weights: Array, slopes: Array) -> None:
    """Draw each weight as a line with its value and its slope; neighbours' numbers are set off from each other."""
    largest = max(float(np.abs(weights).max()), 1e-9)
    plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85}
    for i, (x1, y1) in enumerate(after):
        for j, (x0, y0) in enumerate(before):
            w = weights[i, j]
            colour = drawing.COLD if w >= 0 else "#888888"
            axes.plot([x0, x1], [y0, y1], color=colour, linewidth=0.5 + 2 * abs(w) / largest, alpha=0.55, zorder=1)
            share = 0.3 + 0.4 * ((i + 0.5) / len(after) if len(after) > 1 else (j + 0.5) / len(before))
            x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
            written: dict[str, Any] = {"ha": "center", "fontsize": 7.5, "bbox": plain, "zorder": 2}
            axes.text(x, y + 0.015, f"{w:.3g}", va="bottom", color=drawing.COLD, **written)
            axes.text(x, y - 0.015, f"{slopes[i, j]:.3g}", va="top", color=drawing.WARM, **written)


def _draw_neuron(axes: Any, x: float, y: float, value: float, slope: float, inside: bool) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.36, facecolor="#e8eef2" if inside else "white", edgecolor=drawing.INK, zorder=3))
    axes.text(x, y + 0.03, f"{value:.3g}", ha="center", va="bottom", fontsize=9, color=drawing.COLD, zorder=4)
    axes.text(x, y - 0.03, f"{slope:.3g}", ha="center", va="top", fontsize=9, color=drawing.WARM, zorder=4)


def _v(numbers: Array) -> str:
    """Return a vector as a person writes it."""
    return "(" + ", ".join(f"{number + 0.0:.6g}" for number in numbers) + ")"
