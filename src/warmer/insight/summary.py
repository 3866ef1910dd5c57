"""Layers, shapes, weights, multiply-adds and receptive fields of the network, as a table and a drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.networks.network import Network
from warmer.words import figures

NEEDS = Needs()


def run(subject: Subject) -> Finding:
    """Summarise the network, from one ordinary input."""
    network, batch = subject.model.network, subject.blank()
    layers = [one for one in _watch.layers(network, batch) if one.leaf]
    adds = multiply_adds(network, batch)
    seen = receptive_fields(network, batch)
    side = max(batch.shape[2:]) if isinstance(batch, Tensor) and batch.dim() == 4 else None
    rows = []
    for one in layers:
        field = seen.get(one.name)
        told = "" if side is None else "everything" if field is None or field >= 2 * side else f"{field} × {field}"
        shape = " × ".join(str(size) for size in one.shape)
        rows.append((one.name, one.type, shape, _learned(network, one.name), adds.get(one.name, 0), told))
    total, learned = sum(adds.values()), subject.model.parameters
    head = ("layer", "type", "answers", "weights", "multiply-adds", "sees of the input")
    sentence = (
        f"{len(rows)} layers, {learned:,} weights ({figures(learned * 4 / 2**20)} MiB), "
        f"{figures(total / 1e6)} million multiply-adds an input"
    )
    numbers = {"weights": learned, "multiply_adds": total, "layers": len(rows)}
    return Finding("summary", sentence, numbers, {"Layers": Sheet(head, tuple(rows))}, {"The network": _drawing(rows)})


def _learned(network: Network, name: str) -> int:
    return sum(p.numel() for p in dict(network.named_modules())[name].parameters())


def multiply_adds(network: Network, batch: Any) -> dict[str, int]:
    """Return each leaf module's multiply-adds for one input, counted by torch as the network runs."""
    from torch.utils.flop_counter import FlopCounterMode

    found: dict[str, int] = {}
    leaves = [name for name, module in network.named_modules() if name and not any(True for _ in module.children())]
    with _watch.still(network), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(batch)
    for path, counts in counter.get_flop_counts().items():
        name = path.partition(".")[2]
        if name in leaves:
            found[name] = sum(counts.values()) // 2
    return found


class _Fields(TorchFunctionMode):
    """Follow through every operation how wide a square of the input a number can depend on, and how far apart such squares lie.

    Convolutions and poolings widen it by (kernel − 1) · dilation · distance; what joins several tensors keeps the widest.
    """

    def __init__(self, batch: Tensor) -> None:
        super().__init__()
        self.known: dict[int, tuple[int, int]] = {id(batch): (1, 1)}
        self.kept: list[Tensor] = [batch]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if isinstance(output, Tensor):
            fields = [self.known[id(one)] for one in _tensors((args, tuple(kwargs.values()))) if id(one) in self.known]
            if fields:
                field = max(fields)
                size, step, dilation = _window(func, args, kwargs)
                if size == 0:
                    field = (10**9, field[1])
                elif size > 1 or step > 1:
                    field = (field[0] + (size - 1) * dilation * field[1], field[1] * step)
                self.known[id(output)] = field
                self.kept.append(output)
        return output


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    return [one for value in values for one in _tensors(value)] if isinstance(values, (tuple, list)) else []


def _window(func: Any, args: Any, kwargs: Any) -> tuple[int, int, int]:
    """Return (kernel, step, dilation) of an operation; kernel 0: it looks at everything."""
    name = getattr(func, "__name__", "")
    if name == "conv2d":
        step = _first(args[3] if len(args) > 3 else kwargs.get("stride", 1))
        dilation = _first(args[5] if len(args) > 5 else kwargs.get("dilation", 1))
        return int(args[1].shape[-1]), step, dilation
    if name in ("max_pool2d", "avg_pool2d"):
        size = _first(args[1] if len(args) > 1 else kwargs["kernel_size"])
        step = args[2] if len(args) > 2 else kwargs.get("stride")
        return size, _first(step) if step else size, 1
    if name in ("linear", "adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax", "matmul", "baddbmm"):
        return 0, 1, 1
    return 1, 1, 1


def _first(value: Any) -> int:
    return int(value[0]) if isinstance(value, (tuple, list)) else int(value)


def receptive_fields(network: Network, batch: Any) -> dict[str, int]:
    """Return for each module the side of the square of the input that one number of its answer depends on."""
    if not isinstance(batch, Tensor) or batch.dim() != 4:
        return {}
    found: dict[str, int] = {}
    mode = _Fields(batch)
    handles = []

    def keep(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and id(output) in mode.known:
                found[name] = mode.known[id(output)][0]

        return hook

    with _watch.still(network), torch.no_grad():
        try:
            for name, module in network.named_modules():
                handles.append(module.register_forward_hook(keep(name)))
            with mode:
                network(batch)
        finally:
            for handle in handles:
                handle.remove()
    return found


def _drawing(rows: list[tuple[Any, ...]]) -> bytes:
    """Draw the layers as bars from top to bottom: numbers answered, weights, multiply-adds."""
    drawn = _draw.figure(9, 1.0 + 0.26 * len(rows))
    places = np.arange(len(rows))[::-1]
    answered = [float(np.prod([int(size) for size in row[2].split(" × ")])) for row in rows]
    columns = (
        ("numbers answered", answered),
        ("weights", [row[3] for row in rows]),
        ("multiply-adds", [row[4] for row in rows]),
    )
    for index, ((title, values), axes) in enumerate(zip(columns, drawn.subplots(1, 3, sharey=True), strict=True)):
        axes.barh(places, values, color=(_draw.COLD, _draw.WARM, "#8a8a8a")[index], height=0.7)
        axes.set_title(title, fontsize=9, color=_draw.INK)
        axes.set_yticks(places, [f"{row[0]}  ({row[1]})" for row in rows], fontsize=7)
        axes.tick_params(axis="x", labelsize=7)
        axes.xaxis.get_offset_text().set_fontsize(7)
        axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
