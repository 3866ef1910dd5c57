"""Where to compute, and with how many threads."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import Tensor

from warmer.errors import InputError
from warmer.plan import Plan

_ALIKE = 0.05


def choose(plan: Plan) -> torch.device:
    """Return the plan's device; "auto" is a GPU where there is one.

    Raises:
        InputError: the device asked for is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if plan.device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    if not there.get(plan.device.partition(":")[0], False):
        raise InputError(
            f"there is no device `{plan.device}` here; use one of: {', '.join(n for n, is_ in there.items() if is_)}"
        )
    return torch.device(plan.device)


def mistrusted(device: torch.device, answers: Callable[[torch.device], Tensor]) -> str:
    """Return why a device is better left alone, in words; "" where it answers as the CPU does, within 5 %.

    Not every operation is there on every GPU, and a few have been wrong.

    Args:
        device: another than the CPU.
        answers: device → what the same network makes of the same examples there.
    """
    true = answers(torch.device("cpu"))
    try:
        found = answers(device).to(true)
    except RuntimeError as error:
        return f"cannot compute this network ({str(error).splitlines()[0]})"
    wrong = float((found - true).norm() / true.norm().clamp(min=1e-9))
    return "" if wrong <= _ALIKE else f"answers otherwise than the processor (by {wrong:.0%})"


def prepare(plan: Plan) -> None:
    """Use the plan's number of threads, or as many as this process may use; on a GPU, add up in one and the same order."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(plan.threads or min(allowed, torch.get_num_threads()))
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
