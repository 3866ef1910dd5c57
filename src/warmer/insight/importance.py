"""How much worse the answers get when one column is shuffled among the examples."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import scores
from warmer.examples._contract import Ledger
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.words import figures

NEEDS = Needs(columns=True, answers=True, examples=True)
_MOST, _FEWEST = 2000, 50


def run(subject: Subject, *, times: int = 5, seed: int = 0) -> Finding:
    """Shuffle columns one after another (Breiman 2001, Random Forests; Fisher, Rudin and Dominici 2019, arXiv 1801.01489).

    A column whose knowledge another one shares looks less important than it is.

    Args:
        subject: the model and labelled examples; those it learned from are left out where at least 50 others remain.
        times: how often each column is shuffled.
        seed: of the shuffling.
    """
    model, table = subject.model, subject.examples
    assert table is not None
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(table))
    learned = model.learned_from(table)
    if learned is not None and (~learned).sum() >= _FEWEST:
        order = order[~learned[order]]  # the others flatter
    some = table.take(np.sort(order[:_MOST]))
    score = scores.get(model.head.scores[0])

    def value(columns: dict[str, NDArray[Any]]) -> tuple[float, int, int | None]:
        found = model.test(dataclasses.replace(some, columns=columns, ledger=Ledger()), intervals=False)
        return found.scores[score.name], found.n, found.seen

    with _watch.still(model.network):
        base, n, seen = value(some.columns)
        rows = []
        for name in model.x_names:
            if name not in some.columns:
                continue
            worse = []
            for _ in range(times):
                shuffled = some.columns[name][generator.permutation(len(some))]
                now = value({**some.columns, name: shuffled})[0]
                worse.append(base - now if score.best == "high" else now - base)
            spread = float(np.std(worse, ddof=1) / np.sqrt(times)) if times > 1 else float("nan")
            rows.append((name, float(np.mean(worse)), spread))
    rows.sort(key=lambda row: -row[1])
    flatters = f", {seen:,} of them learned from" if seen else " it never saw" if seen == 0 else ""
    sentence = (
        f"{score.name} is {figures(base)} on {n:,} examples{flatters}; it suffers most without {rows[0][0]} "
        f"({figures(rows[0][1])}), and not at all without {sum(row[1] <= 2 * row[2] for row in rows)} of {len(rows)} columns"
    )
    sheet = Sheet(("column", f"{score.name} lost by shuffling it", "± (standard error)"), tuple(rows))
    numbers = {"score": score.name, "before": base, "n": n}
    return Finding(
        "importance", sentence, numbers, {"Columns": sheet}, {"What the answers lose": _bars(rows, score.name)}
    )


def _bars(rows: list[tuple[str, float, float]], name: str) -> bytes:
    shown = rows[:25]
    drawn = _draw.figure(6.5, 0.9 + 0.27 * len(shown))
    axes = drawn.add_subplot()
    places = np.arange(len(shown))[::-1]
    errors = [0 if np.isnan(row[2]) else row[2] for row in shown]
    axes.barh(places, [row[1] for row in shown], xerr=errors, color=_draw.COLD, ecolor="#999999", height=0.65)
    axes.set_yticks(places, [row[0] for row in shown], fontsize=8)
    axes.axvline(0, color=_draw.INK, linewidth=0.8)
    axes.set_xlabel(f"{name} lost when the column is shuffled", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
