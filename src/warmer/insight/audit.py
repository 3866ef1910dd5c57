"""What may be wrong with the data and with whom the model treats worse: slices, parity, label errors, doubles, shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer.errors import InputError, UnknownName
from warmer.insight import _doubles, _draw, _mislabelled, _parity, _slices, _watch
from warmer.insight._audited import Audited
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.novelty import Novelty
from warmer.words import figures

Array = NDArray[Any]

NEEDS = Needs(simple=True, answers=True, examples=True)
_LISTED = 12
_DRAWN = 24
_MOST_COLUMNS = 30
_PROXY = 0.7
_FOUR_FIFTHS = 0.8
_RARE = 10.0
_EDGE = 0.05
_CANNOT = (
    "what nobody wrote down: groups, places and times that have no column and no example here",
    "why: a difference shows that something differs, not what caused it, and equal scores do not make equal treatment",
    "whether the labels themselves are fair: a network that repeats biased decisions perfectly looks perfect here",
)


@dataclass
class _Told:
    """What has been found so far: sentences, tables, numbers, pictures."""

    words: list[str] = field(default_factory=list)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)


def run(subject: Subject, *, by: str | None = None, mislabelled: str | None = None, seed: int = 0) -> Finding:
    """Audit a model and labelled examples.

    Args:
        subject: the model and examples; those it learned from say nothing about how good it is, and are used for that
            only where fewer than 200 others are there.
        by: columns whose groups are to be compared, with commas between; none: every column that makes groups, without
            parity and proxies.
        mislabelled: "yes": train fresh networks to find label errors; "no": do not; none: if it is quick.
        seed: of everything random.
    """
    table = subject.examples
    assert table is not None
    columns = [name.strip() for name in by.split(",") if name.strip()] if by else []
    for name in columns:
        if name not in table.columns:
            raise UnknownName("column", name, table.columns)
    with _watch.still(subject.model.network):
        audited = Audited.of(subject)
        if len(audited) < 2 * _slices.FEWEST:
            raise InputError(f"{len(audited)} examples are too few for an audit; give at least {2 * _slices.FEWEST}")
        told = _Told()
        _tell_slices(told, audited, columns, seed)
        for name in columns:
            _tell_parity(told, audited, name, seed)
        if audited.discrete:
            _tell_mislabelled(told, audited, _wish(mislabelled), seed)
            _tell_balance(told, audited)
        _tell_doubles(told, audited)
        _tell_shortcuts(told, audited, seed)
    told.numbers |= {"n": len(audited), "judged": int(audited.judged.sum())}
    words = (*told.words, *(f"cannot be known here: {one}" for one in _CANNOT))
    return Finding("audit", _summary(audited, told), told.numbers, told.sheets, told.pictures, words)


def _wish(text: str | None) -> bool | None:
    from warmer.plan import convert

    return None if text is None else bool(convert("mislabelled", text, bool))


def _summary(audited: Audited, told: _Told) -> str:
    judged = f"{int(audited.judged.sum()):,} of {len(audited):,} examples"
    basis = "some of which it learned from, so this flatters" if audited.flatters else "which it did not learn from"
    if audited.learned is None:
        basis = "and the model does not know which it learned from"
    found = f"{len(told.words) or 'no'} finding{'s' if len(told.words) != 1 else ''}"
    return f"judged by {judged}, {basis}: {found}"


# ---- slices ----


def _tell_slices(told: _Told, audited: Audited, columns: Sequence[str], seed: int) -> None:
    asked = list(columns) or [name for name in audited.model.x_names if name in audited.table.columns]
    groups = [one for name in asked[:_MOST_COLUMNS] for one in _grouping(audited, name)]
    groups += _slices.found(audited, None if audited.encoded[0] else _vectors(audited), seed)
    slices = _slices.judged(audited, groups)
    if not slices:
        return
    error = "wrong" if audited.discrete else "mean error"
    head = ("slice", "n", error, "95 % from", "to", "all others", "corrected", "")
    rows = [
        (one.group.name, one.n, one.error, *one.interval, one.rest, _chance(one.p), "worse" if one.worse else "")
        for one in slices[: 2 * _LISTED]
    ]
    told.sheets["Slices"] = Sheet(head, tuple(rows))
    told.numbers["slices"] = [
        {
            "slice": one.group.name,
            "n": one.n,
            "error": one.error,
            "interval": one.interval,
            "rest": one.rest,
            "p": one.p,
        }
        for one in slices
    ]
    told.pictures["Slices"] = _draw_slices(slices, audited)
    for one in [one for one in slices if one.worse][:3]:
        told.words.append(
            f"answers are worse where {one.group.name}: {_error(audited, one.error)} against {_error(audited, one.rest)} "
            f"elsewhere (n = {one.n:,}, {_chance(one.p)} after correction for {len(slices)} slices)"
        )
        if one.group.column == "" and audited.thumbnails is not None:
            told.pictures[f"Slice {one.group.name}"] = _pictures(
                audited, np.flatnonzero(one.group.rows & one.group.judged)[:_DRAWN]
            )


def _grouping(audited: Audited, column: str) -> list[_slices.Group]:
    """Return the groups of a column, or none where nearly every example is a group of its own."""
    groups = _slices.of_column(audited, column)
    return groups if any(int((one.rows & one.judged).sum()) >= _slices.FEWEST for one in groups) else []


def _vectors(audited: Audited) -> Array:
    """Return the feature vectors of all examples, `[examples, size]`."""
    model, found = audited.model, []
    with torch.no_grad():
        for start in range(0, len(audited), 256):
            batch = model.x.batch(audited.part.inputs.take(audited.part.rows[start : start + 256]), torch.device("cpu"))
            found.append(Novelty.vectors(model.network.features(batch)).numpy())
    return np.concatenate(found)


def _error(audited: Audited, value: float) -> str:
    return f"{value:.1%} wrong" if audited.discrete else f"off by {figures(value)}"


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _draw_slices(slices: Sequence[_slices.Slice], audited: Audited) -> bytes:
    shown = slices[:_LISTED] if len(slices) <= _LISTED else [*slices[: _LISTED - 5], *slices[-5:]]
    drawn = _draw.figure(8, 1.0 + 0.26 * len(shown))
    axes = drawn.add_subplot()
    scale = 100 if audited.discrete else 1
    for place, one in enumerate(reversed(shown)):
        colour = _draw.WARM if one.worse else _draw.COLD if one.better else "#888888"
        axes.plot([scale * limit for limit in one.interval], [place, place], color=colour, linewidth=2)
        axes.plot([scale * one.error], [place], "o", color=colour, markersize=5)
    axes.set_yticks(range(len(shown)), [f"{one.group.name}  (n = {one.n:,})" for one in reversed(shown)], fontsize=8)
    axes.axvline(scale * float(audited.errors[audited.judged].mean()), color=_draw.INK, linewidth=0.8, linestyle="--")
    what = "wrong answers, %" if audited.discrete else "mean absolute error"
    axes.set_xlabel(
        f"{what}, with 95 % intervals; red: worse than elsewhere, blue: better; dashed: everybody", fontsize=8
    )
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)


# ---- parity and proxies ----


def _tell_parity(told: _Told, audited: Audited, column: str, seed: int) -> None:
    groups = _grouping(audited, column)
    found = _parity.parity(audited, column, groups)
    if found is None:
        told.words.append(f"`{column}` makes fewer than two groups of {_slices.FEWEST}: nothing can be compared by it")
        return
    given = f"answered “{found.label}”" if audited.discrete else "mean answer"
    head = ("group", "n", given, "true", "found of the true ones", "false alarms among the others")
    rows = [(one.name, one.n, one.chosen, one.actual, one.found, one.alarmed) for one in found.rates]
    told.sheets[f"Parity by {column}"] = Sheet(head, tuple(rows))
    told.numbers[f"parity_by_{column}"] = {
        "label": found.label, "demographic_parity_difference": found.gap, "ratio": found.ratio,
        "equalised_odds_difference": found.odds,
    }  # fmt: skip
    high = max(found.rates, key=lambda one: one.chosen)
    low = min(found.rates, key=lambda one: one.chosen)
    if audited.discrete:
        _say_parity(told, column, found, high, low)
    else:
        told.words.append(
            f"by {column} the mean answer goes from {figures(low.chosen)} ({low.name}; truth {figures(low.actual)}) "
            f"to {figures(high.chosen)} ({high.name}; truth {figures(high.actual)})"
        )
    guess = _parity.proxy(audited, column, groups, seed)
    if guess is not None:
        told.sheets[f"What gives {column} away"] = Sheet(
            ("column", "AUC alone"), (("all of these together", guess.auc), *guess.single[:10])
        )
        told.numbers[f"proxy_of_{column}"] = {"auc": guess.auc, "single": dict(guess.single)}
        if guess.auc >= _PROXY:
            most = ", ".join(f"{name} ({auc:.2f})" for name, auc in guess.single[:3])
            told.words.append(
                f"leaving `{column}` out would not hide it: the other columns give it away with an AUC of {guess.auc:.2f}, "
                f"most of all {most}"
            )


def _say_parity(told: _Told, column: str, found: _parity.Parity, high: _parity.Rates, low: _parity.Rates) -> None:
    rule = ""
    if found.ratio < _FOUR_FIFTHS:
        rule = f", {found.ratio:.0%} of it and short of the four-fifths rule"
    told.words.append(
        f"“{found.label}” is answered for {high.chosen:.1%} where {high.name} and for {low.chosen:.1%} where {low.name}{rule}; "
        f"in truth it is {high.actual:.1%} and {low.actual:.1%}"
    )
    if not np.isnan(found.odds) and found.odds >= _EDGE:
        most = max(found.rates, key=lambda one: -1.0 if np.isnan(one.found) else one.found)
        least = min(found.rates, key=lambda one: 2.0 if np.isnan(one.found) else one.found)
        told.words.append(
            f"of those who truly are “{found.label}”, {most.found:.1%} are found where {most.name} and "
            f"{least.found:.1%} where {least.name} (equalised odds differ by {found.odds:.2f})"
        )


# ---- labels, doubles, shortcuts ----


def _tell_mislabelled(told: _Told, audited: Audited, wanted: bool | None, seed: int) -> None:
    found = _mislabelled.suspects(audited, wanted, seed)
    shown = found.rows[:_DRAWN]
    rows = [
        (
            audited.table.name(int(row)),
            audited.labels[int(audited.truths[row])],
            audited.labels[int(other)],
            float(doubt),
        )
        for row, other, doubt in zip(shown, found.suggested, found.doubt, strict=False)
    ]
    if rows:
        told.sheets["Probable label errors"] = Sheet(("example", "label", "rather", "doubt"), tuple(rows[:_LISTED]))
        told.words.append(
            f"{len(found.rows):,} of {found.looked_at:,} labels contradict what other examples teach, judged {found.how}; they "
            f"are wrong, or exceptions: {rows[0][0]} says “{rows[0][1]}” and is rather “{rows[0][2]}”"
        )
    told.numbers["mislabelled"] = {
        "looked_at": found.looked_at, "how": found.how, "n": len(found.rows), "rows": found.rows.tolist(),
        "suggested": [audited.labels[int(one)] for one in found.suggested], "doubt": found.doubt.tolist(),
    }  # fmt: skip
    if rows and audited.thumbnails is not None:
        titles = [f"{label} → {other}" for _, label, other, _ in rows]
        told.pictures["Probable label errors"] = _pictures(audited, shown[:_DRAWN], titles)


def _tell_balance(told: _Told, audited: Audited) -> None:
    counts = np.bincount(audited.truths, minlength=len(audited.labels))
    right = 1 - audited.errors
    rows = []
    for label in np.argsort(-counts):
        mine = (audited.truths == label) & audited.judged
        rows.append(
            (audited.labels[label], int(counts[label]), float(right[mine].mean()) if mine.any() else float("nan"))
        )
    told.sheets["Balance"] = Sheet(("label", "examples", "answered rightly"), tuple(rows[:_LISTED]))
    there = counts[counts > 0]
    told.numbers["imbalance"] = float(there.max() / there.min())
    if there.max() / there.min() >= _RARE:
        rare = rows[int((counts > 0).sum()) - 1]
        told.words.append(
            f"the labels are unbalanced: {rows[0][1]:,} “{rows[0][0]}” to {rare[1]:,} “{rare[0]}”, of which {rare[2]:.1%} are "
            "answered rightly; learning with --set balance=yes shows rare ones more often"
        )


def _tell_doubles(told: _Told, audited: Audited) -> None:
    found = _doubles.doubles(audited)
    told.numbers["doubles"] = {
        "equal": found.equal, "contradictory": found.contradictory, "near": len(found.near), "across": found.across,
    }  # fmt: skip
    if found.equal:
        odd = f", {found.contradictory:,} of them with another answer" if found.contradictory else ""
        told.words.append(f"{found.equal:,} examples repeat an earlier one exactly{odd}")
    if found.near:
        leak = ""
        if found.across:
            leak = f"; {found.across:,} pairs are of one learned from and one not, which flatters the scores a little"
        told.words.append(f"{len(found.near):,} pairs are nearly equal ({found.criterion}){leak}")
        rows = [(audited.table.name(a), audited.table.name(b)) for a, b in found.near[:_LISTED]]
        told.sheets["Nearly equal"] = Sheet(("example", "and"), tuple(rows))
        if audited.thumbnails is not None:
            places = [place for pair in found.near[: _DRAWN // 2] for place in pair]
            told.pictures["Nearly equal"] = _pictures(audited, np.array(places))


def _tell_shortcuts(told: _Told, audited: Audited, seed: int) -> None:
    for name, auc in _doubles.giveaways(audited, seed):
        told.words.append(
            f"`{name}` tells the answer all by itself (AUC {auc:.3f}); if it is known only afterwards, leave it out: "
            f"--column {name}=unused"
        )
    edge = _doubles.border(audited, seed)
    if edge is None:
        return
    right, constant = edge
    told.numbers["border"] = {"accuracy": right, "constant": constant}
    if right > constant + _EDGE:
        told.words.append(
            f"the border alone, without the middle of the pictures, tells the label {right:.1%} of the time (the most "
            f"frequent label: {constant:.1%}): backgrounds are a shortcut that a network can take"
        )


def _pictures(audited: Audited, rows: Array, titles: Sequence[str] = ()) -> bytes:
    """Return some examples side by side."""
    shown: list[Any] = []
    for row in rows:
        found = audited.model.x.picture(audited.part.inputs.take(audited.part.rows[[int(row)]])[0])
        shown.append(np.asarray(found.convert("RGB")) / 255)
    wide = min(8, len(shown))
    said = list(titles) or [f"{audited.labels[int(audited.truths[int(row)])]}" for row in rows]
    starts = range(0, len(shown), wide)
    return _draw.grid([shown[s : s + wide] for s in starts], [said[s : s + wide] for s in starts], side=1.15)
