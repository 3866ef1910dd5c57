"""Yes or no: what moving the threshold gains and costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import scores
from warmer.errors import InputError
from warmer.insight import _draw, _watch
from warmer.insight._audited import Audited
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.words import figures

Array = NDArray[Any]

NEEDS = Needs(labels=True, examples=True)
_LISTED, _FEWEST = 11, 30


def run(subject: Subject, *, yes: str | None = None, alarm: float = 1.0, miss: float = 1.0) -> Finding:
    """Say yes from another probability on than one half, and count what that does (ROC: Fawcett 2006).

    Of more than two answers, `yes` is one and all others are no.

    Args:
        subject: a model that answers with labels, and labelled examples; those it learned from are left out.
        yes: the answer that counts as yes; none: the rarer of two, the commonest of more.
        alarm: what a yes costs that should have been a no.
        miss: what a no costs that should have been a yes.
    """
    if alarm < 0 or miss < 0 or alarm + miss == 0:
        raise InputError("`alarm` and `miss` are costs, at least 0, and not both 0")
    with _watch.still(subject.model.network):
        shares, truths, seen = _answered(subject)
    label = _label(subject, truths, yes)
    share, truth = shares[:, label], truths == label
    if not 0 < truth.sum() < len(truth):
        raise InputError(f"the examples must hold some that are `{subject.labels[label]}` and some that are not")
    word, n = str(subject.labels[label]), len(truth)
    table = _counted(share, truth)
    cost = alarm * table["alarms"] + miss * table["misses"]
    best = _cheapest(cost, table["threshold"])
    half = int(np.searchsorted(table["threshold"], 0.5))
    area = scores.get("roc_auc")(np.stack([1 - share, share], 1), truth.astype(int))
    sentence = (
        f"on {n:,} examples{seen}: {_told(table, half, word)}; "
        f"a false alarm costing {alarm:g} and a miss {miss:g}, {table['threshold'][best]:.2f} is cheapest: "
        f"{_told(table, best, word)}, cost {cost[best]:g} instead of {cost[half]:g}; "
        f"area under the ROC curve {figures(float(area))}"
    )
    numbers = {
        "yes": word,
        "n": n,
        "best_threshold": float(table["threshold"][best]),
        "cost_at_best": float(cost[best]),
        "cost_at_half": float(cost[half]),
        "roc_auc": float(area),
    }
    pictures = {"The threshold moved": _lines(table, cost, best), "ROC and precision": _curves(table, best, half)}
    return Finding("threshold", sentence, numbers, {"Thresholds": _sheet(table, cost)}, pictures)


def _answered(subject: Subject) -> tuple[Array, Array, str]:
    """Return probabilities, truths and a word on how fresh the examples are."""
    asked = Audited.of(subject)
    if asked.learned is None:
        return asked.answers, asked.truths, ""
    fresh = ~asked.learned
    if fresh.sum() >= _FEWEST and len(np.unique(asked.truths[fresh])) > 1:
        return asked.answers[fresh], asked.truths[fresh], " it never saw"
    return asked.answers, asked.truths, ", some of them learned from, so this flatters"


def _label(subject: Subject, truths: Array, yes: str | None) -> int:
    """Return the index of the label that counts as yes."""
    if yes is not None:
        return subject.label(yes)
    counts = np.bincount(truths, minlength=len(subject.labels))
    return int(counts.argmin()) if len(counts) == 2 else int(counts.argmax())


def _counted(share: Array, truth: Array) -> dict[str, Array]:
    """Return for thresholds from 0 to 1 how many are found, missed and falsely alarmed."""
    threshold = np.linspace(0, 1, 201)
    said = share[None] >= threshold[:, None]
    found, alarms = (said & truth).sum(1), (said & ~truth).sum(1)
    yes, no = truth.sum(), (~truth).sum()
    with np.errstate(invalid="ignore"):
        precision = np.where(found + alarms > 0, found / np.maximum(found + alarms, 1), np.nan)
    return {
        "threshold": threshold,
        "found": found,
        "misses": yes - found,
        "alarms": alarms,
        "precision": precision,
        "recall": found / yes,
        "false_alarm_rate": alarms / no,
        "accuracy": (found + no - alarms) / len(truth),
    }


def _cheapest(cost: Array, threshold: Array) -> int:
    """Return the place of the least cost; of several, the one nearest to one half."""
    least = np.flatnonzero(cost == cost.min())
    return int(least[np.abs(threshold[least] - 0.5).argmin()])


def _told(table: dict[str, Array], place: int, word: str) -> str:
    yes = table["found"][place] + table["misses"][place]
    return (
        f"saying {word} from {table['threshold'][place]:.2f} on finds {table['found'][place]:,} of {yes:,} "
        f"with {table['alarms'][place]:,} false alarms"
    )


def _sheet(table: dict[str, Array], cost: Array) -> Sheet:
    names = ("threshold", "found", "misses", "alarms", "precision", "recall", "false_alarm_rate", "accuracy")
    places = np.linspace(0, len(cost) - 1, _LISTED).astype(int)
    rows = tuple((*(_plain(table[name][p]) for name in names), _plain(cost[p])) for p in places)
    return Sheet((*(name.replace("_", " ") for name in names), "cost"), rows)


def _plain(value: Any) -> Any:
    """Return a count as an int, a share as a float, and what cannot be computed as None."""
    if np.isnan(value):
        return None
    return int(value) if isinstance(value, np.integer) else float(value)


def _lines(table: dict[str, Array], cost: Array, best: int) -> bytes:
    figure = _draw.figure(7.5, 4)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    x = table["threshold"]
    for name, colour in (("precision", _draw.COLD), ("recall", _draw.WARM), ("accuracy", "#888888")):
        axes.plot(x, table[name], color=colour, linewidth=1.8, label=name)
    axes.plot(x, cost / max(cost.max(), 1e-12), color=_draw.INK, linestyle=":", label="cost (share of the highest)")
    axes.axvline(0.5, color="#bbbbbb", linewidth=0.8)
    axes.axvline(x[best], color=_draw.INK, linewidth=0.8)
    axes.annotate(f"cheapest {x[best]:.2f}", (x[best], 1.03), ha="center", fontsize=8)
    axes.set(xlabel="say yes from this probability on", ylim=(0, 1.08), xlim=(0, 1))
    axes.legend(fontsize=8, frameon=False)
    return _draw.png(figure)


def _curves(table: dict[str, Array], best: int, half: int) -> bytes:
    figure = _draw.figure(8.5, 4)
    left, right = figure.subplots(1, 2)
    left.plot(table["false_alarm_rate"], table["recall"], color=_draw.COLD, linewidth=1.8)
    left.plot([0, 1], [0, 1], color="#bbbbbb", linestyle=":")
    left.set(xlabel="false alarms, share of all no", ylabel="found, share of all yes", title="ROC")
    right.plot(table["recall"], table["precision"], color=_draw.COLD, linewidth=1.8)
    right.set(
        xlabel="recall: found, share of all yes", ylabel="precision: right, share of all said yes", ylim=(0, 1.03)
    )
    right.set_title("precision and recall")
    for axes, (x, y) in ((left, ("false_alarm_rate", "recall")), (right, ("recall", "precision"))):
        for place, marker, name in ((half, "o", "0.50"), (best, "s", "cheapest")):
            axes.plot(table[x][place], table[y][place], marker, color=_draw.WARM, label=name)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    return _draw.png(figure)
