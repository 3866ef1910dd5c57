"""The arithmetic of every neuron of the dense layers for one input: inputs × weights + bias, bent, passed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from warmer.errors import InputError
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.networks.blocks import Activation, MemberLinear, SharedLinear
from warmer.words import figures

NEEDS = Needs(even=True, inputs=(1, 1))
Vector = NDArray[np.float64]

_TERMS = 6
_NEURONS = 16
_DRAWN = 8
_BENDS = (Activation, nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.LeakyReLU, nn.ELU)


@dataclass(frozen=True)
class Dense:
    """One dense layer at work.

    Attributes:
        name: in the network.
        inputs: `[inputs]`.
        weight, bias: `[neurons, inputs]` and `[neurons]`.
        sums: what the network computed, `[neurons]`.
        bend: name of what bends them, or "".
        outputs: what is passed on, `[neurons]`.
    """

    name: str
    inputs: Vector
    weight: Vector
    bias: Vector
    sums: Vector
    bend: str
    outputs: Vector


def run(subject: Subject, *, neurons: int = _NEURONS) -> Finding:
    """Show the arithmetic; of an ensemble, its first member's.

    Args:
        subject: the model and one input.
        neurons: how many of each layer, those with the largest outputs first where there are more.
    """
    layers = at_work(subject)
    if not layers:
        raise InputError("this network has no dense layer whose neurons could be shown")
    sheets, off = {}, 0.0
    for one in layers:
        off = max(off, float(np.abs(one.weight @ one.inputs + one.bias - one.sums).max()))
        order = np.arange(len(one.sums))
        if len(order) > neurons:
            order = np.argsort(-np.abs(one.outputs), kind="stable")[:neurons]
        rows = tuple(
            (int(n) + 1, _sum(one, int(n)), float(one.sums[n]), one.bend or "passed on", float(one.outputs[n]))
            for n in order
        )
        sheets[f"{one.name}: {len(one.inputs)} inputs, {len(one.sums)} neurons"] = Sheet(
            ("neuron", "inputs × weights + bias", "sum", "bend", "output"), rows
        )
    count = sum(len(one.sums) for one in layers)
    largest = max((figures(float(one.outputs.max()), 3) for one in layers[-1:]), default="")
    sentence = (
        f"{count} neurons in {len(layers)} dense layers, computed by hand as the network does (up to {off:.0e}); "
        f"the largest output at the end is {largest}"
    )
    numbers = {"neurons": count, "off": off, "outputs": layers[-1].outputs.tolist()}
    return Finding("neurons", sentence, numbers, sheets, {"The neurons": _drawing(layers)})


def at_work(subject: Subject) -> list[Dense]:
    """Return the dense layers in the order in which they answer, as the first member of the network has them."""
    network = subject.model.network
    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    handles = []

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            calls.append((name, module, inputs[0], output))

        return hook

    with _watch.still(network), torch.no_grad():
        try:
            for name, module in network.named_modules():
                if isinstance(module, (nn.Linear, SharedLinear, MemberLinear, *_BENDS)):
                    handles.append(module.register_forward_hook(keep(name)))
            network(subject.batch)
        finally:
            for handle in handles:
                handle.remove()
    bent = {id(before): (module, after) for _, module, before, after in calls if isinstance(module, _BENDS)}
    found = []
    for name, module, inputs, output in calls:
        if isinstance(module, _BENDS) or output.dim() != 2 or "encoders." in name.replace("encoders.0.", ""):
            continue
        weight, bias = _first_member(module)
        bend, after = bent.get(id(output), (None, output))
        told = "" if bend is None else bend.name if isinstance(bend, Activation) else type(bend).__name__.lower()
        found.append(
            Dense(
                name,
                _numbers(inputs[0]),
                _numbers(weight),
                _numbers(bias),
                _numbers(output[0]),
                told,
                _numbers(after[0]),
            )
        )
    return found


def _numbers(x: Tensor) -> Vector:
    return x.detach().double().cpu().numpy()


def _first_member(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight `[neurons, inputs]` and bias `[neurons]` of a dense layer, of its first member."""
    if isinstance(module, SharedLinear):
        return module.weight * module.scale[0], module.bias[0]
    if isinstance(module, MemberLinear):
        return module.weight[0].t(), module.bias[0]
    assert isinstance(module, nn.Linear)
    return module.weight, module.bias if module.bias is not None else torch.zeros(len(module.weight))


def _sum(one: Dense, neuron: int) -> str:
    """Return a neuron's sum as a person writes it, the largest products first."""
    products = one.inputs * one.weight[neuron]
    order = np.argsort(-np.abs(products), kind="stable")
    shown = [place for place in order[:_TERMS] if products[place] != 0 or len(order) <= _TERMS]
    rest = float(products[[place for place in order if place not in shown]].sum()) if len(shown) < len(order) else None
    terms = [f"{_short(one.inputs[place])} × {_short(one.weight[neuron, place])}" for place in shown]
    text = " + ".join(terms) or "0"
    if rest is not None:
        text += f" + {_short(rest)} from {len(order) - len(shown)} more"
    return f"{text} + bias {_short(one.bias[neuron])}"


def _short(value: float) -> str:
    text = figures(float(value), 3)
    return f"({text})" if text.startswith("-") else text


def _drawing(layers: list[Dense]) -> bytes:
    """Draw layers as columns of neurons; lines are products, red above zero and blue below, wide where they count."""
    chosen = [_largest(layers[0].inputs)]
    values = [layers[0].inputs]
    for one in layers:
        chosen.append(_largest(one.outputs))
        values.append(one.outputs)
    drawn = _draw.figure(2.2 + 2.1 * len(values), 1.1 + 0.62 * max(len(places) for places in chosen))
    axes = _draw.plain(drawn.add_subplot())
    tall = max(len(places) for places in chosen)
    spots = [
        [(column, _height(i, len(places), tall)) for i in range(len(places))] for column, places in enumerate(chosen)
    ]
    for column, one in enumerate(layers):
        shown = one.weight[np.ix_(chosen[column + 1], chosen[column])]
        products = shown * one.inputs[chosen[column]]
        most = float(np.abs(products).max()) or 1.0
        for (to, start), product in np.ndenumerate(products):
            (x0, y0), (x1, y1) = spots[column][start], spots[column + 1][to]
            share = abs(float(product)) / most
            axes.plot(
                [x0, x1], [y0, y1], color=_draw.WARM if product > 0 else _draw.COLD, linewidth=0.3 + 3 * share,
                alpha=0.15 + 0.75 * share, zorder=1,
            )  # fmt: skip
    for column, places in enumerate(chosen):
        most = float(np.abs(values[column]).max()) or 1.0
        for place, (x, y) in zip(places, spots[column], strict=True):
            value = float(values[column][place])
            shade = plain_shade(value / most)
            axes.scatter([x], [y], s=620, color=shade, edgecolors=_draw.INK, linewidths=0.8, zorder=2)
            axes.text(x, y, figures(value, 2), ha="center", va="center", fontsize=7, zorder=3)
        left_out = len(values[column]) - len(places)
        title = "inputs" if column == 0 else layers[column - 1].bend or "answer"
        more = f"\n{left_out} more" if left_out else ""
        axes.text(column, -0.65, title + more, ha="center", va="top", fontsize=8, color=_draw.INK)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set_ylim(-1.4, tall - 0.4)
    return _draw.png(drawn)


def plain_shade(share: float) -> tuple[float, float, float]:
    """Return white for 0, a warm colour for 1 and a cold one for −1."""
    end = (0.93, 0.55, 0.60) if share > 0 else (0.55, 0.72, 0.83)
    size = min(1.0, abs(share))
    return (1 + size * (end[0] - 1), 1 + size * (end[1] - 1), 1 + size * (end[2] - 1))


def _largest(values: Vector) -> NDArray[np.int64]:
    """Return the places of the largest values, in their own order."""
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:_DRAWN])


def _height(place: int, count: int, tall: int) -> float:
    """Return how high the neuron of that place stands, so that layers of different size share a middle."""
    return (tall - count) / 2 + count - 1 - place
