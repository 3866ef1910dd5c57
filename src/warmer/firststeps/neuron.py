"""One neuron: what comes in, times weights, plus a bias, through an activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError, UnknownName

Array = NDArray[np.float64]
Curve = Callable[[Any], Any]


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(−x)), without overflow."""
    return np.exp(-np.logaddexp(0, -np.asarray(x, dtype=float)))


def _bell(x: Any) -> Any:
    return np.exp(-np.square(x) / 2) / np.sqrt(2 * np.pi)


def _share(x: Any) -> Any:
    """Return the share of a normal distribution below x."""
    return (1 + np.vectorize(math.erf, otypes=[float])(np.asarray(x, dtype=float) / np.sqrt(2))) / 2


ACTIVATIONS: Mapping[str, tuple[Curve, Curve, str]] = {
    "identity": (lambda x: x, lambda x: np.ones_like(x), "the sum itself"),
    "step": (
        lambda x: 1.0 * (np.asarray(x) > 0),
        lambda x: np.zeros_like(x),
        "1 above zero, else 0; its slope says nothing",
    ),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), "1 / (1 + exp(-x)): from 0 to 1"),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, "from -1 to 1; the same as 2 sigmoid(2x) - 1"),
    "relu": (lambda x: np.maximum(0.0, x), lambda x: 1.0 * (np.asarray(x) > 0), "the sum where positive, else 0"),
    "leaky_relu": (
        lambda x: np.where(np.asarray(x) > 0, x, 0.01 * np.asarray(x)),
        lambda x: np.where(np.asarray(x) > 0, 1.0, 0.01),
        "the sum where positive, else a hundredth of it",
    ),
    "softplus": (lambda x: np.logaddexp(0, x), sigmoid, "log(1 + exp(x)): a ReLU with a round corner"),
    "gelu": (
        lambda x: x * _share(x),
        lambda x: _share(x) + x * _bell(x),
        "the sum times a normal distribution's share below it",
    ),
}
"""Name → what it does, its slope, and that in words."""


@dataclass(frozen=True)
class Neuron:
    """Weights, a bias and an activation.

    Attributes:
        weights: one for each input.
        bias: is added to the weighted sum; minus the threshold that the sum has to exceed.
        activation: one of `ACTIVATIONS`.

    Raises:
        UnknownName: there is no such activation.
    """

    weights: tuple[float, ...]
    bias: float = 0.0
    activation: str = "step"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise UnknownName("activation", self.activation, ACTIVATIONS)

    def total(self, inputs: Sequence[float]) -> float:
        """Return the weighted sum of the inputs plus the bias.

        Raises:
            InputError: there are not as many inputs as weights.
        """
        if len(inputs) != len(self.weights):
            raise InputError(f"{len(inputs)} inputs and {len(self.weights)} weights are given; there must be as many")
        return float(np.dot(inputs, self.weights) + self.bias)

    def __call__(self, inputs: Sequence[float]) -> float:
        """Return what the neuron answers."""
        return float(ACTIVATIONS[self.activation][0](self.total(inputs)))

    def steps(self, inputs: Sequence[float]) -> list[str]:
        """Return the arithmetic, a line a step."""
        total, answer = self.total(inputs), self(inputs)
        products = " + ".join(f"{_n(x, True)}×{_n(w, True)}" for x, w in zip(inputs, self.weights, strict=True))
        lines = [f"{products} = {_n(total - self.bias)}"]
        if self.bias:
            lines.append(f"{_n(total - self.bias)} {'−' if self.bias < 0 else '+'} {_n(abs(self.bias))} = {_n(total)}")
        if self.activation == "step":
            lines.append(
                f"{_n(total)} > 0, so it fires" if total > 0 else f"{_n(total)} is not above 0, so it stays silent"
            )
        else:
            slope = float(ACTIVATIONS[self.activation][1](total))
            lines.append(f"{self.activation}({_n(total)}) = {_n(answer)}, where its slope is {_n(slope)}")
        if self.activation == "tanh":
            lines.append(f"2 sigmoid(2×{_n(total, True)}) − 1 = {_n(float(2 * sigmoid(2 * total) - 1))}: the same")
        return lines

    def picture(self, inputs: Sequence[float]) -> bytes:
        """Draw the neuron with its numbers, and its activation with the slope, as PNG."""
        figure = drawing.figure(10, 4)
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        drawing.open_sides(right)
        total, answer = self.total(inputs), self(inputs)
        heights = np.linspace(1, -1, len(inputs)) if len(inputs) > 1 else np.zeros(1)
        middle = {"ha": "center", "va": "center", "zorder": 3}
        largest = max((abs(w) for w in self.weights), default=0) or 1
        for x, w, y in zip(inputs, self.weights, heights, strict=True):
            colour = drawing.COLD if w >= 0 else drawing.WARM
            left.plot([0, 1.5], [y, 0], color=colour, linewidth=0.8 + 2.2 * abs(w) / largest, zorder=1)
            round_box = {"boxstyle": "circle", "facecolor": "#e8eef2", "edgecolor": drawing.COLD}
            left.text(0, y, _n(x), bbox=round_box, **middle)
            plain = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            left.text(0.62, y * (1 - 0.62 / 1.5), f"×{_n(w, True)}", fontsize=9, bbox=plain, **middle)
        told = f"{_n(total - self.bias)}\n{'−' if self.bias < 0 else '+'} {_n(abs(self.bias))}\n= {_n(total)}"
        lit = {
            "boxstyle": "circle,pad=0.5",
            "facecolor": "#fff3b0" if answer > 0 else "#eeeeee",
            "edgecolor": drawing.INK,
        }
        left.text(1.5, 0, told, bbox=lit, **middle)
        left.annotate(
            _n(answer), (1.86, 0), (2.6, 0), ha="center", va="center", fontsize=13, arrowprops={"arrowstyle": "<-"}
        )
        left.set(xlim=(-0.3, 2.9), ylim=(-1.35, 1.35))
        left.axis("off")
        reach = max(4.0, 1.3 * abs(total))
        xs = np.linspace(-reach, reach, 801)
        curve, slope, words = ACTIVATIONS[self.activation]
        right.axhline(0, color="#bbbbbb", linewidth=0.6)
        right.axvline(0, color="#bbbbbb", linewidth=0.6)
        right.plot(xs, curve(xs), color=drawing.COLD, linewidth=2, label=self.activation)
        right.plot(xs, slope(xs), color=drawing.WARM, linewidth=1, linestyle="--", label="its slope")
        right.plot([total], [answer], "o", color=drawing.INK, label="this neuron")
        right.set(xlabel="weighted sum plus bias", title=words)
        right.title.set_fontsize(9)
        right.legend(frameon=False, loc="upper left")
        return drawing.png(figure)


def curves() -> bytes:
    """Draw every activation with its slope, as PNG."""
    figure = drawing.figure(10, 4.6)
    xs = np.linspace(-4, 4, 801)
    for axes, (name, (curve, slope, _)) in zip(figure.subplots(2, 4).ravel(), ACTIVATIONS.items(), strict=True):
        drawing.open_sides(axes)
        axes.axhline(0, color="#bbbbbb", linewidth=0.6)
        axes.axvline(0, color="#bbbbbb", linewidth=0.6)
        axes.plot(xs, curve(xs), color=drawing.COLD, linewidth=2)
        axes.plot(xs, slope(xs), color=drawing.WARM, linewidth=1, linestyle="--")
        axes.set(ylim=(-1.4, 2.2), title=name)
    return drawing.png(figure)


def _n(number: float, inside: bool = False) -> str:
    """Return a number as a person writes it; a negative one within a product in brackets."""
    text = f"{number + 0.0:.6g}".replace("-", "−")
    return f"({text})" if inside and number < 0 else text
