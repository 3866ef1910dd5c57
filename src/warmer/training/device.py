"""Where to compute, and with how many threads."""

from __future__ import annotations

import os

import torch

from warmer.errors import InputError
from warmer.plan import Plan


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


def prepare(plan: Plan) -> None:
    """Use the plan's number of threads, or as many as this process may use; on a GPU, add up in one and the same order."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(plan.threads or min(allowed, torch.get_num_threads()))
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
