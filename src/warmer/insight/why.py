"""Which part of this input decided: pixels of a picture, columns of a row, words of a text, moments of a sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.errors import InputError
from warmer.examples._store import fill
from warmer.insight import _attribution, _draw, _leaving_out, _pick, _shapley, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.words import figures

NEEDS = Needs(answers=True, inputs=(1, 8))
_PLANE = Needs(plane=True, inputs=NEEDS.inputs)
_BACKGROUND = 100
_ORDERS = 60


def run(subject: Subject, *, label: str | None = None, layer: str | None = None, seed: int = 0) -> Finding:
    """Explain answers.

    Pictures: integrated gradients, Grad-CAM and occlusion, each compared with what the same method says about a network
    whose weights were shuffled; an explanation that does not care about the weights explains nothing. Rows: Shapley
    values against the rows given as examples. Texts and sounds: each word or stretch is left out in turn.

    Args:
        subject: the model and inputs; for rows also examples to compare with (their answers are not looked at).
        label: whose score to explain; none: that of the answer.
        layer: for Grad-CAM; none: the last stage.
        seed: of everything random.
    """
    if subject.model.x.compound:
        if layer is not None:
            raise InputError("`layer` is for pictures; what the columns add is found without looking inside")
        return _of_columns(subject, label, seed)
    if not subject.model.x.plane and all(subject.model.x.leave_outs(cell) for cell in subject.cells):
        if layer is not None:
            raise InputError("`layer` is for pictures; words and moments are left out without looking inside")
        return _leaving_out.explain(subject, label, seed)
    _PLANE.check(subject)
    return _of_pixels(subject, label, layer, seed)


# ---- pictures ----


def _of_pixels(subject: Subject, label: str | None, layer: str | None, seed: int) -> Finding:
    model, x = subject.model, subject.batch
    chosen = None if label is None else subject.label(label)
    side = min(x.shape[2:])
    patch, step = max(2, side // 6), max(1, side // 12)
    if layer is not None:
        _watch.find(model.network, subject.blank(), layer, rank=2)
    maps: dict[str, list[Tensor]] = {}
    gaps = []
    with _watch.still(model.network), torch.no_grad():
        which = _pick.target(_pick.logits(subject)(x), chosen)
    for network in (model.network, _pick.randomised(model.network, seed)):
        with _watch.still(network):
            for place in range(len(x)):
                one, asked, aim = x[place : place + 1], _pick.logits(subject, network), which[place]
                mine = _pinned(asked, aim)
                shares, gap = _attribution.integrated_gradients(mine, one, torch.zeros_like(one))
                if network is model.network:
                    gaps.append(float(gap.abs() / shares.sum().abs().clamp(min=1e-6)))
                maps.setdefault("integrated gradients", []).append(shares[0].sum(0))
                cam = _attribution.grad_cam(network, _pinned(lambda outputs: outputs, aim), one, layer)
                maps.setdefault("Grad-CAM", []).append(cam[0])
                sure = _pinned(lambda some, asked=asked: _sure(subject, asked(some)), aim)
                maps.setdefault("occlusion", []).append(_attribution.occlusion(sure, one, patch, step)[0])
    return _told(subject, x, which, maps, max(gaps))


def _pinned(asked: Any, which: Tensor) -> Any:
    """Return inputs → one output of each, always the same one."""
    return lambda some: _pick.score(asked(some), which.expand(len(some)))


def _sure(subject: Subject, outputs: Tensor) -> Tensor:
    """Return logarithms of probabilities where there are labels."""
    return outputs.log_softmax(1) if subject.model.y.discrete else outputs


def _told(subject: Subject, x: Tensor, which: Tensor, maps: dict[str, list[Tensor]], gap: float) -> Finding:
    n = len(x)
    pictures, titles, rows = [], [], []
    for place in range(n):
        shown = [_draw.image(x[place])]
        named = [_name(subject, int(which[place]))]
        for name, each in maps.items():
            real, shuffled = each[place], each[n + place]
            shown += [_over(x[place], real), _over(x[place], shuffled)]
            named += [name, "the same, weights shuffled"]
            rows.append((subject.name(place), name, _attribution.rank_correlation(real, shuffled)))
        pictures.append(shown)
        titles.append(named)
    alike = float(np.mean([row[2] for row in rows]))
    sentence = (
        f"red speaks for the answer, blue against it; maps of the network and of one with shuffled weights agree by "
        f"{alike:.2f} (1: the same, so explaining nothing; 0: unrelated); integrated gradients miss their sum by {gap:.1%}"
    )
    sheet = Sheet(("input", "method", "agreement with shuffled weights"), tuple(rows))
    drawn = _draw.grid(pictures, titles, [subject.name(place)[-18:] for place in range(n)], side=1.5)
    numbers = {"completeness_gap": gap, "agreement_with_shuffled": alike}
    return Finding(
        "why", sentence, numbers, {"Do the maps depend on what was learned?": sheet}, {"What decided": drawn}
    )


def _name(subject: Subject, which: int) -> str:
    if not subject.model.y.discrete:
        return str(subject.model.y.name)
    return f"“{subject.labels[which]}”"


def _over(x: Tensor, found: Tensor) -> NDArray[Any]:
    """Lay a map over a grey picture: red for, blue against, strength by the 99th percentile."""
    grey = x.mean(0).numpy() * 0.5 + 0.25
    size = min(found.shape) // 56 * 2 + 1  # of large pictures, what single pixels say is too fine to see
    smooth = torch.nn.functional.avg_pool2d(found[None, None], size, 1, size // 2, count_include_pad=False)[0, 0]
    value = smooth.numpy()
    most = float(np.quantile(np.abs(value), 0.99)) or float(np.abs(value).max()) or 1.0
    strength = np.clip(value / most, -1, 1)
    colour = np.where(strength[..., None] > 0, np.array([0.84, 0.1, 0.2]), np.array([0.1, 0.35, 0.75]))
    weight = np.abs(strength)[..., None] * 0.85
    return np.asarray(grey[..., None] * (1 - weight) + colour * weight)


# ---- rows ----


def _of_columns(subject: Subject, label: str | None, seed: int) -> Finding:
    model = subject.model
    if model.y.compound:
        raise InputError("this model answers with several columns at once; learn one of them alone to ask why")
    if subject.examples is None:
        raise InputError("to say what each column adds, rows are needed to compare with; give them with --examples")
    others, _ = model.cells(subject.examples)
    chosen = np.random.default_rng(seed).permutation(len(subject.examples))[:_BACKGROUND]
    background = [others[int(place)] for place in chosen]
    names = model.x_names
    which = None if label is None else subject.label(label)
    sheets, pictures, told = {}, {}, []
    with _watch.still(model.network):
        for place, cell in enumerate(subject.cells):
            mine = _answers(subject, [cell])
            aim = int(mine[0].argmax()) if which is None and mine.ndim == 2 else which or 0

            def value(known: Any, rows: Any, cell: Any = cell, aim: int = aim) -> Any:
                made = [
                    {n: (cell if k else background[r]).get(n) for n, k in zip(names, mask, strict=True)}
                    for mask, r in zip(known, rows, strict=True)
                ]
                found = _answers(subject, made)
                return found[:, aim] if found.ndim == 2 else found

            adds, error, without, whole = _shapley.contributions(value, len(names), len(background), _ORDERS, seed)
            order = np.argsort(-np.abs(adds))
            asked = f"the probability of “{subject.labels[aim]}”" if model.y.discrete else "the answer"
            rows = tuple((names[i], _cell(cell.get(names[i])), float(adds[i]), float(error[i])) for i in order)
            sheets[subject.name(place)] = Sheet(
                ("column", "value here", f"adds to {asked}", "± (standard error)"), rows
            )
            pictures[f"{subject.name(place)}: {asked}"] = _bars(rows, without, whole)
            first = rows[0]
            told.append(
                f"{subject.name(place)}: {asked} is {figures(whole)}, on average {figures(without)}; "
                f"most comes from {first[0]} = {first[1]} ({first[2]:+.3g})"
            )
    return Finding("why", "; ".join(told), {"orders": 2 * _ORDERS, "background": len(background)}, sheets, pictures)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    return figures(value) if isinstance(value, float) else str(value)[:30]


def _answers(subject: Subject, cells: list[Any]) -> NDArray[Any]:
    """Return probabilities `[n, labels]`, or numbers `[n]` in the user's unit."""
    model = subject.model
    store, bad = fill(model.x, cells, "memory")
    for place, why in bad.items():
        raise InputError(f"{subject.name(place)} {why}")
    found = []
    for start in range(0, len(cells), 512):
        rows = np.arange(start, min(len(cells), start + 512))
        with torch.no_grad():
            outputs = model.network(model.x.batch(store.take(rows), torch.device("cpu")))
        found.append(model.head.answers(outputs.float()))
    return np.concatenate(found)


def _bars(rows: tuple[tuple[Any, ...], ...], without: float, whole: float) -> bytes:
    shown = rows[:15]
    drawn = _draw.figure(6.5, 1.1 + 0.28 * len(shown))
    axes = drawn.add_subplot()
    places = np.arange(len(shown))[::-1]
    values = [row[2] for row in shown]
    colours = [_draw.WARM if value > 0 else _draw.COLD for value in values]
    axes.barh(places, values, xerr=[row[3] for row in shown], color=colours, height=0.65, ecolor="#999999")
    axes.set_yticks(places, [f"{row[0]} = {row[1]}" for row in shown], fontsize=8)
    axes.axvline(0, color=_draw.INK, linewidth=0.8)
    axes.set_xlabel(f"moves the answer from {figures(without)} (other rows) to {figures(whole)} (this row)", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
