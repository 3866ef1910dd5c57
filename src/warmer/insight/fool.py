"""Change an input as little as possible so that the answer changes: one-step, many-step, targeted, smallest, from noise."""

from __future__ import annotations

import torch
from torch import Tensor

from warmer.errors import InputError
from warmer.insight import _attacks, _draw, _pick, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject

NEEDS = Needs(plane=True, labels=True, inputs=(0, 16))
_SURE = 0.99
_FURTHER = (1.03, 1.06, 1.1, 1.2, 1.4, 1.7)


def run(
    subject: Subject,
    *,
    target: str | None = None,
    epsilon: float = 8 / 255,
    method: str = "pgd",
    steps: int = 40,
    from_noise: bool = False,
    seed: int = 0,
) -> Finding:
    """Fool the model.

    Args:
        subject: the model and pictures.
        target: the answer it shall give; none: any other.
        epsilon: how much a pixel may change (`fgsm`, `pgd`), as a share of the whole range; for `pgd-l2` the length of the
            whole change; `deepfool` finds the smallest and needs none.
        method: fgsm, pgd, pgd-l2 or deepfool.
        steps: of pgd, deepfool and from noise.
        from_noise: start from random noise instead of a picture, and stop when the model is sure.
        seed: of everything random.
    """
    if method not in _attacks.METHODS:
        raise InputError(f"`method` is one of {', '.join(_attacks.METHODS)}, not `{method}`")
    if from_noise:
        return _noise(subject, target, steps, seed)
    if not len(subject.cells):
        raise InputError("give pictures to change, or start from noise (from_noise)")
    network, x = subject.model.network, subject.batch
    generator = torch.Generator().manual_seed(seed)
    goal = None if target is None else torch.full((len(x),), subject.label(target))
    with _watch.still(network):
        answer = _pick.logits(subject)
        with torch.no_grad():
            before = answer(x)
        labels = before.argmax(1)
        changed = _attacks.attack(method, answer, x, labels, goal, epsilon, steps, generator)
        changed = _rounded(answer, x, changed, labels, goal)
        with torch.no_grad():
            after = answer(changed)
    return _told(subject, x, changed, before.softmax(1), after.softmax(1), goal)


@torch.no_grad()
def _rounded(answer: _pick.Logits, x: Tensor, changed: Tensor, labels: Tensor, goal: Tensor | None) -> Tensor:
    """Round to 256 levels a channel: what is saved is what has to work. Where that undoes it, go a little further."""

    def works(some: Tensor) -> Tensor:
        answers = answer(some).argmax(1)
        return answers != labels if goal is None else answers == goal

    best = (changed * 255).round() / 255
    worked = works(changed)
    for further in _FURTHER:
        rows = (worked & ~works(best)).nonzero().squeeze(1)
        if not len(rows):
            break
        best[rows] = ((x + further * (changed - x)).clamp(0, 1)[rows] * 255).round() / 255
    return best


def _told(subject: Subject, x: Tensor, changed: Tensor, before: Tensor, after: Tensor, goal: Tensor | None) -> Finding:
    labels, found = before.argmax(1), after.argmax(1)
    worked = found == goal if goal is not None else found != labels
    change = changed - x
    largest, length = change.flatten(1).abs().amax(1), change.flatten(1).norm(dim=1)
    words = subject.labels
    rows, pictures, titles = [], [], []
    for place in range(len(x)):
        was, now = int(labels[place]), int(found[place])
        shown = (f"{words[was]} {before[place, was]:.1%}", f"{words[now]} {after[place, now]:.1%}")
        rows.append(
            (subject.name(place), *shown, float(largest[place] * 255), float(length[place]), bool(worked[place]))
        )
        pictures.append([_draw.image(one) for one in (x[place], 0.5 + 10 * change[place], changed[place])])
        titles.append([shown[0], "the change, 10 times", shown[1]])
    sheet = Sheet(
        ("input", "before", "after", "largest change (of 255)", "length of the change", "fooled"), tuple(rows)
    )
    share = float(worked.float().mean())
    aim = "" if goal is None else f" into “{words[int(goal[0])]}”"
    sentence = (
        f"{int(worked.sum())} of {len(x)} answers turned{aim}, changing no pixel by more than "
        f"{float(largest.max() * 255):.1f} of 255"
    )
    if share < 1:
        sentence += (
            "; a larger epsilon, more steps, or method=deepfool, which finds the smallest change, would turn more"
        )
    drawn = {"Original, change, result": _draw.grid(pictures, titles, side=1.7)}
    for place in range(len(x)):
        drawn[f"Result {place + 1}"] = _draw.png_of(changed[place])
    return Finding("fool", sentence, {"success": share}, {"Before and after": sheet}, drawn)


def _noise(subject: Subject, target: str | None, steps: int, seed: int) -> Finding:
    """Turn noise into something the model is sure of: one label, or each of the first ten."""
    network, words = subject.model.network, subject.labels
    goals = [subject.label(target)] if target is not None else list(range(min(10, len(words))))
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand((len(goals), *subject.blank().shape[1:]), generator=generator)
    with _watch.still(network):
        answer = _pick.logits(subject)
        x, taken = _attacks.from_noise(answer, start, torch.tensor(goals), max(steps, 100), _SURE)
        x = (x * 255).round() / 255
        with torch.no_grad():
            sure = answer(x).softmax(1)
    rows, titles = [], []
    for place, goal in enumerate(goals):
        share = float(sure[place, goal])
        rows.append((str(words[goal]), share, int(taken[place]), share >= _SURE))
        titles.append(f"{words[goal]} {share:.1%}")
    wide = min(5, len(goals))
    starts = range(0, len(goals), wide)
    shown = [_draw.image(one) for one in x]
    drawn = {
        "What the model is sure of": _draw.grid(
            [shown[s : s + wide] for s in starts], [titles[s : s + wide] for s in starts], side=1.6
        )
    }
    for place, goal in enumerate(goals):
        drawn[f"Noise taken for {words[goal]}"] = _draw.png_of(x[place])
    done = sum(row[-1] for row in rows)
    sentence = f"{done} of {len(goals)} noises are taken for something with at least {_SURE:.0%} confidence"
    sheet = Sheet(("taken for", "confidence", "steps", "sure"), tuple(rows))
    return Finding("fool", sentence, {"success": done / len(goals)}, {"From noise": sheet}, drawn)
