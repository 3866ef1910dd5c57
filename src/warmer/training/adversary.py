"""Training against an adversary: every example is learned as somebody who wants it misread would change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from warmer.kinds._contract import Batches, Head, Kind
from warmer.networks.network import Network
from warmer.plan import Plan, Proposal
from warmer.training import precision
from warmer.training.judging import Part

Objective = Callable[[Tensor], Tensor]

LEARNED_STEPS = 2
"""Of the attack on each training example, half the radius long."""
STEPS = 10
"""Of the attack that chooses between checkpoints."""
FINAL_STEPS = 20
"""Of the attack that the finished network is judged by."""
JUDGED = 1000
_CHOOSING = 512
_BATCH = 128
_LONGER = 2.0
_WIDEST = 64


def slope(objective: Objective, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return an objective of inputs `[n, …]`, and its gradient with respect to each of them, `[n, …]`."""
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        value = objective(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def pushed(loss: Objective, x: Tensor, epsilon: float, steps: int, step: float, generator: torch.Generator) -> Tensor:
    """Return inputs after sign steps along the gradient, from a random start, kept within `epsilon` of `x` and within 0..1.

    Projected gradient descent (Madry et al. 2017, arXiv 1706.06083). Training takes two steps: with a single one (Wong,
    Rice and Kolter 2020, arXiv 2001.03994) these networks learn within an epoch to fool that step and nothing else.

    Args:
        loss: inputs → what is made larger.
        x: inputs `[n, …]` in 0..1.
        epsilon: how much each of their numbers may change.
        steps, step: how many, and how long each is.
        generator: of the random start.
    """
    low, high = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
    found = (x + torch.empty(x.shape).uniform_(-epsilon, epsilon, generator=generator).to(x.device)).clamp(0, 1)
    for _ in range(steps):
        _, gradient = slope(loss, found)
        found = torch.minimum(torch.maximum(found + step * gradient.sign(), low), high)
    return found


def attacked(
    network: Network, x: Batches, y: Kind, part: Part, device: torch.device, plan: Plan, *, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """Return outputs of evaluation mode, and targets, of some examples under the attack of many steps.

    Always the same examples (evenly spread, 512, or 1,000 for the long attack) and the same random starts.
    """
    head = network.head
    assert isinstance(head, Head)
    network.eval()
    most = _CHOOSING if steps == STEPS else JUDGED
    rows = part.rows[np.linspace(0, len(part.rows) - 1, min(most, len(part.rows))).astype(int)]
    targets = y.batch(part.targets.take(rows), torch.device("cpu"))
    generator = torch.Generator().manual_seed(plan.seed)
    wanted = [(p, p.requires_grad) for p in network.parameters()]
    found = []
    try:
        for p, _ in wanted:
            p.requires_grad_(False)
        for start in range(0, len(rows), _BATCH):
            batch = x.batch(part.inputs.take(rows[start : start + _BATCH]), device)
            truth = targets[start : start + _BATCH].to(device)

            def answered(some: Tensor) -> Tensor:
                with precision.autocast(plan.precision, device):
                    outputs: Tensor = network(precision.arrange(some, plan.memory_format))
                return outputs.float()

            changed = pushed(
                lambda some, truth=truth: head.loss(answered(some), truth),  # type: ignore[misc]
                batch,
                plan.epsilon,
                steps,
                2.5 * plan.epsilon / steps,
                generator,
            )
            with torch.no_grad():
                found.append(answered(changed).cpu())
    finally:
        for p, flag in wanted:
            p.requires_grad_(flag)
    return torch.cat(found), targets


def proposals(proposed: Proposal) -> Proposal:
    """Propose what robust training needs otherwise than what was proposed before."""
    told: dict[str, tuple[Any, str]] = {}
    if "epochs" in proposed:
        told["epochs"] = (_LONGER * proposed["epochs"][0], f"{_LONGER:g} times as long: resisting is harder to learn")
    if proposed.get("width", (0, ""))[0] > _WIDEST:
        told["width"] = (_WIDEST, "a step costs three times as much")
    return told
