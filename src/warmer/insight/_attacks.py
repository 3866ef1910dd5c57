"""Adversarial attacks on `logits`, a function from inputs `[n, …]` in 0..1 to `[n, labels]`.

All make a loss of the right (or a wanted) label larger within a ball around the input, and stay inside 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.insight import _watch
from warmer.insight._ascent import Rule, flat_norm, walk
from warmer.insight._pick import Logits
from warmer.training.adversary import Objective, slope

METHODS = ("fgsm", "pgd", "pgd-l2", "deepfool")
_RESTARTS = 2
_CANDIDATES = 10
_PACE = 0.03
_LEG = 4


def attack(
    method: str,
    logits: Logits,
    x: Tensor,
    labels: Tensor,
    goal: Tensor | None,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Return changed inputs by one of `METHODS`."""
    if method == "fgsm":
        return fgsm(logits, x, labels, epsilon, goal)
    if method == "deepfool":
        return deepfool(logits, x, steps, goal=goal)
    return pgd(
        logits, x, labels, epsilon, steps, goal=goal, norm="l2" if method == "pgd-l2" else "linf", generator=generator
    )


def loss(logits: Logits, labels: Tensor, goal: Tensor | None) -> Objective:
    """Return inputs → cross-entropy of their labels, or minus that of the goal: what an attack makes larger."""

    def found(x: Tensor) -> Tensor:
        outputs = logits(x)
        if goal is None:
            return F.cross_entropy(outputs, labels, reduction="none")
        return -F.cross_entropy(outputs, goal, reduction="none")

    return found


def fgsm(logits: Logits, x: Tensor, labels: Tensor, epsilon: float, goal: Tensor | None = None) -> Tensor:
    """One step of `epsilon` along the sign of the gradient (Goodfellow, Shlens and Szegedy 2014, arXiv 1412.6572)."""
    _, gradient = slope(loss(logits, labels, goal), x)
    return (x + epsilon * gradient.sign()).clamp(0, 1)


def pgd(
    logits: Logits,
    x: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    *,
    generator: torch.Generator,
    goal: Tensor | None = None,
    norm: str = "linf",
    restarts: int = _RESTARTS,
    step: float | None = None,
    leave: bool = False,
) -> Tensor:
    """Many small steps, projected back into the ball of radius `epsilon` (Madry et al. 2017, arXiv 1706.06083).

    Each input keeps its best result over all restarts; inputs that are fooled already are left out of the later ones.

    Args:
        logits: inputs → outputs.
        x, labels: inputs `[n, …]` and their right labels `[n]`.
        epsilon: radius of the ball.
        steps: of each restart.
        generator: of the random starts.
        goal: labels to reach instead of any wrong one.
        norm: "linf" (no pixel changes more) or "l2" (length of the whole change).
        restarts: random starts.
        step: length of a step; none: 2.5 · epsilon / steps, as Madry has it.
        leave: let inputs go as soon as they fool, which is several times as quick where that is all one wants to know;
            otherwise they are pushed on, and fool with more confidence.
    """
    best, fooled = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    for _ in range(restarts):
        rows = (~fooled).nonzero().squeeze(1)
        if not len(rows):
            break
        noise = torch.empty(x[rows].shape).uniform_(-1, 1, generator=generator)
        _, ball = _ball(norm, x[rows], epsilon, 0.0)
        best[rows] = ball(x[rows] + (noise * epsilon if norm == "linf" else noise / flat_norm(noise) * epsilon))
        for leg in [_LEG] * (steps // _LEG) + [steps % _LEG] if leave else [steps]:
            mine, aim = labels[rows], None if goal is None else goal[rows]
            rule, ball = _ball(norm, x[rows], epsilon, 2.5 * epsilon / steps if step is None else step)
            for now in walk(loss(logits, mine, aim), best[rows], rule, ball, leg):
                best[rows] = now
            with torch.no_grad():
                answers = logits(best[rows]).argmax(1)
            fooled[rows] = answers != mine if aim is None else answers == aim
            rows = rows[~fooled[rows]]
            if not len(rows):
                break
    return best


def _ball(norm: str, x: Tensor, epsilon: float, step: float) -> tuple[Rule, Rule]:
    """Return the rule of a step, and the projection into the ball around `x` and into 0..1."""
    if norm == "linf":
        low, high = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
        return (lambda g: step * g.sign()), (lambda y: torch.minimum(torch.maximum(y, low), high))

    def into(y: Tensor) -> Tensor:
        change = y - x
        return (x + change * (epsilon / flat_norm(change)).clamp(max=1)).clamp(0, 1)

    return (lambda g: step * g / flat_norm(g)), into


def deepfool(
    logits: Logits, x: Tensor, steps: int = 50, *, overshoot: float = 0.02, goal: Tensor | None = None
) -> Tensor:
    """Step after step to the nearest of the linearised boundaries (Moosavi-Dezfooli et al. 2015, arXiv 1511.04599).

    Finds about the smallest change in the Euclidean sense. Of many labels the ten likeliest are tried; with a goal, it alone.
    """
    found, start = x.clone(), x.clone()
    with torch.no_grad():
        outputs = logits(x)
    labels = outputs.argmax(1)
    others = outputs.topk(min(_CANDIDATES, outputs.shape[1]), 1).indices[:, 1:] if goal is None else goal.unsqueeze(1)
    active = torch.ones(len(x), dtype=torch.bool) if goal is None else labels != goal
    total = torch.zeros_like(x)
    for _ in range(steps):
        rows = active.nonzero().squeeze(1)
        if not len(rows):
            break
        total[rows] += _nearest(logits, found[rows], labels[rows], others[rows])
        found[rows] = (start[rows] + (1 + overshoot) * total[rows]).clamp(0, 1)
        with torch.no_grad():
            answers = logits(found[rows]).argmax(1)
        active[rows] = answers == labels[rows] if goal is None else answers != goal[rows]
    return found


def _nearest(logits: Logits, x: Tensor, labels: Tensor, others: Tensor) -> Tensor:
    """Return the shortest step to a linearised boundary between each input's label and one of the others."""
    row = torch.arange(len(x))
    best, length = torch.zeros_like(x), torch.full((len(x),), float("inf"))
    for column in range(others.shape[1]):
        other = others[:, column]

        def lead(some: Tensor, other: Tensor = other) -> Tensor:
            outputs = logits(some)
            return outputs[row, other] - outputs[row, labels]

        value, gradient = slope(lead, x)
        size = gradient.flatten(1).norm(dim=1).clamp(min=1e-9)
        distance = (value.abs() + 1e-4) / size
        step = gradient * (distance / size).view(-1, *[1] * (x.dim() - 1))
        nearer = distance < length
        best[nearer], length[nearer] = step[nearer], distance[nearer]
    return best


def universal(
    logits: Logits, x: Tensor, epsilon: float, epochs: int, *, generator: torch.Generator, batch: int = 128
) -> Tensor:
    """Return one change `[1, …]` that turns the answers to many inputs (Moosavi-Dezfooli et al. 2016, arXiv 1610.08401).

    By projected sign steps over mini-batches on the clipped loss (Shafahi et al. 2018, arXiv 1811.11304).
    """
    with torch.no_grad():
        labels = torch.cat([logits(some).argmax(1) for some in x.split(512)])
    change = torch.zeros_like(x[:1])
    rounds = epochs * max(1, len(x) // batch)
    for place in range(rounds):
        rows = torch.randint(len(x), (min(batch, len(x)),), generator=generator)

        def clipped(delta: Tensor, rows: Tensor = rows) -> Tensor:
            outputs = logits((x[rows] + delta).clamp(0, 1))
            return F.cross_entropy(outputs, labels[rows], reduction="none").clamp(max=9).mean().unsqueeze(0)

        _, gradient = slope(clipped, change)
        step = epsilon / 4 * (1 - place / rounds)
        change = (change + step * gradient.sign()).clamp(-epsilon, epsilon)
    return change


def from_noise(logits: Logits, start: Tensor, goal: Tensor, steps: int, sure: float) -> tuple[Tensor, Tensor]:
    """Return inputs that began as noise and are taken for the goal, and the steps each took.

    After Nguyen, Yosinski and Clune 2014 (arXiv 1412.1897), by sign steps along the gradient with momentum.
    """
    row = torch.arange(len(start))
    x, taken = start.clone(), torch.full((len(start),), steps)
    active, pace = torch.ones(len(start), dtype=torch.bool), torch.zeros_like(start)

    def margin(some: Tensor, goal: Tensor) -> Tensor:
        return logits(some).log_softmax(1)[torch.arange(len(some)), goal]

    for step in range(steps):
        rows = active.nonzero().squeeze(1)
        if not len(rows):
            break
        aim = goal[rows]
        with _watch.leaking():
            _, gradient = slope(lambda some, aim=aim: margin(some, aim), x[rows])  # type: ignore[misc]
        pace[rows] = 0.8 * pace[rows] + gradient / gradient.flatten(1).abs().mean(1).clamp(min=1e-12).view(-1, 1, 1, 1)
        x[rows] = (x[rows] + _PACE * pace[rows].sign()).clamp(0, 1)
        with torch.no_grad():
            share = logits((x[rows] * 255).round() / 255).softmax(1)[row[: len(rows)], aim]
        reached = share >= sure
        taken[rows[reached]] = step + 1
        active[rows[reached]] = False
    return x, taken
