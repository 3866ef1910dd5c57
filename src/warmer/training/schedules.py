"""How the learning rate changes over a run."""

from __future__ import annotations

from warmer.plan import Plan


def rate(plan: Plan, done: float) -> float:
    """Return the share of the peak learning rate when `done` (0 to 1) of the run is over.

    Warm-up, constant, linear cool-down to zero (warm-up–stable–decay, Hägele et al. 2024, arXiv 2405.18392): the
    constant part can be left at any moment, so a run can be made shorter while it goes on.
    """
    climbing = done / plan.warmup if plan.warmup > 0 else 1.0
    falling = (1 - done) / plan.cooldown if plan.cooldown > 0 else 1.0
    return max(0.0, min(1.0, climbing + 1e-3, falling))
