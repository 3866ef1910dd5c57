"""Number format and memory layout, chosen by timing the real network on this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from warmer.plan import Plan

_FASTER = 1.2
_ALIKE = 0.02
_ALIKE_VECTORS = 0.05
_STEPS = 3
_WORTH_MEASURING = 200e6
"""Multiply-adds of a forward pass; below, a measurement says more about the machine's other work than about this, and
the same seed would not give the same weights."""


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which forward passes run."""
    if precision != "bf16":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def arrange(x: Any, memory_format: str) -> Any:
    """Return pictures in the plan's memory layout; anything else as it is."""
    if memory_format == "channels_last" and isinstance(x, Tensor) and x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def arrange_network(network: nn.Module, memory_format: str) -> None:
    """Put the network's filters into the plan's memory layout."""
    if memory_format == "channels_last":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def measured(plan: Plan, network: nn.Module, loss: Callable[[], Tensor], x: Any, device: torch.device) -> Plan:
    """Return the plan with `precision` and `memory_format` decided.

    Three real forward and backward steps are timed for each combination worth trying. bf16 is taken only where it is at
    least 1.2 times as fast and its loss agrees within 2 %; a fast forward pass alone says nothing (some shapes' backward
    pass is many times slower).

    Args:
        plan: says which of the two are to be measured.
        network: as it will be trained; its gradients are cleared again and its buffers restored.
        loss: computes the training loss of one batch.
        x: the batch's input, to see whether it is pictures.
        device: where it lies.
    """
    pictures = isinstance(x, Tensor) and x.dim() == 4
    formats = ["channels_last", "contiguous"] if pictures else ["contiguous"]
    formats = formats if plan.memory_format == "measure" else [plan.memory_format]
    precisions = ["fp32", "bf16"] if _has_bf16(device) else ["fp32"]
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    if (
        not pictures
        and plan.precision == "measure"
        and len(precisions) > 1
        and _multiply_adds(network, loss) < _WORTH_MEASURING
    ):
        precisions = ["fp32"]
    precisions = precisions if plan.precision == "measure" else [plan.precision]
    tries = [
        (p, f) for f in formats for p in precisions if not (p == "bf16" and f == "contiguous" and len(formats) > 1)
    ]
    if len(tries) == 1:
        reason = "nothing else is worth trying here"
        _restore(network, buffers)
        return _decided(plan, reason, *tries[0])
    found = {}
    for precision, layout in tries:
        network.to(memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format)  # type: ignore[call-overload]
        found[precision, layout] = _time(network, loss, precision, layout, device)
    _restore(network, buffers)
    plain = min((key for key in found if key[0] == "fp32"), key=lambda key: found[key][0], default=tries[0])
    best = min(found, key=lambda key: found[key][0])
    if best[0] == "bf16" and plain[0] == "fp32":
        agree = abs(found[best][1] - found[plain][1]) <= _ALIKE * abs(found[plain][1])
        best = best if agree and found[plain][0] >= _FASTER * found[best][0] else plain
    slower = max(found.values())[0] / found[best][0]
    return _decided(plan, f"measured here: up to {slower:.1f} times as fast as the alternatives", *best)


def _decided(plan: Plan, reason: str, precision: str, memory_format: str) -> Plan:
    """Return the plan with what was left to be measured; what was chosen before keeps its own reason."""
    found = {"precision": precision, "memory_format": memory_format}
    return plan.but(reason, **{name: value for name, value in found.items() if getattr(plan, name) == "measure"})


def quicker(forward: Callable[[str], Tensor], device: torch.device) -> str:
    """Return "bf16" where that computes the same vectors (within 5 %) at least 1.2 times as fast, else "fp32".

    Args:
        forward: precision → output of a forward pass.
        device: where it runs.
    """
    if not _has_bf16(device):
        return "fp32"
    times, found = {}, {}
    for how in ("fp32", "bf16"):
        forward(how)
        start = time.perf_counter()
        found[how] = forward(how)
        times[how] = time.perf_counter() - start
    alike = bool((found["bf16"] - found["fp32"]).norm() <= _ALIKE_VECTORS * found["fp32"].norm())
    return "bf16" if alike and times["fp32"] >= _FASTER * times["bf16"] else "fp32"


def _restore(network: nn.Module, buffers: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])


def _multiply_adds(network: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Count the multiply-adds of the dense layers and convolutions in one forward pass."""
    counts = []

    def count(layer: nn.Module, given: Any, answer: Tensor) -> None:
        counts.append(answer.numel() * layer.weight[0].numel())  # type: ignore[index]

    counted = (nn.Linear, nn.Conv1d, nn.Conv2d)
    hooks = [one.register_forward_hook(count) for one in network.modules() if isinstance(one, counted)]
    try:
        with torch.no_grad(), torch.random.fork_rng():
            loss()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counts)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and any(
        bool(getattr(torch.cpu, name, bool)()) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )


def _time(
    network: nn.Module, loss: Callable[[], Tensor], precision: str, layout: str, device: torch.device
) -> tuple[float, float]:
    """Return (seconds of the fastest step, its loss)."""
    times, value = [], 0.0
    for _ in range(_STEPS):
        torch.manual_seed(0)
        start = time.perf_counter()
        with autocast(precision, device):
            found = loss()
        torch.autograd.grad(found, [p for p in network.parameters() if p.requires_grad], allow_unused=True)
        value = float(found.detach())
        times.append(time.perf_counter() - start)
    return min(times), value
