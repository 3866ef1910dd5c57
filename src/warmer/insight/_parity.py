"""Whether groups of people, say, get the same answers, and which other columns give their membership away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import scores
from warmer.insight import _slices
from warmer.insight._audited import Audited
from warmer.insight._slices import Group

Array = NDArray[Any]

_LOOKED_AT = 6000
_FOLDS = 3
_SINGLE_FOLDS = 2


@dataclass(frozen=True)
class Rates:
    """How one group is answered.

    Attributes:
        name: of the group.
        n: examples.
        chosen: share that gets the label; for numbers, the mean answer.
        actual: share that has it; for numbers, the mean truth.
        found: of those that have it, the share that gets it (true positives); not a number for numbers.
        alarmed: of those that do not, the share that gets it (false positives).
    """

    name: str
    n: int
    chosen: float
    actual: float
    found: float
    alarmed: float


@dataclass(frozen=True)
class Parity:
    """How differently the groups of one column are answered, for one label.

    Attributes:
        column: whose groups.
        label: the answer looked at; "" for numbers.
        rates: one for each group of at least 30.
        gap: largest difference of `chosen` (demographic parity).
        ratio: smallest `chosen` as a share of the largest (the four-fifths rule asks for .8).
        odds: largest difference of `found` or of `alarmed` (equalised odds, Hardt et al. 2016, arXiv 1610.02413).
    """

    column: str
    label: str
    rates: tuple[Rates, ...]
    gap: float
    ratio: float
    odds: float


def parity(audited: Audited, column: str, groups: Sequence[Group]) -> Parity | None:
    """Compare the groups of a column; None where fewer than two have 30 examples.

    Of two labels the rarer one is looked at; of more, the one whose shares differ most.
    """
    fitting = [one for one in groups if (one.rows & one.judged).sum() >= _slices.FEWEST]
    if len(fitting) < 2:
        return None
    if not audited.discrete:
        return _summed(column, "", [_means(audited, one) for one in fitting], absolute=True)
    labels = range(len(audited.labels))
    if len(audited.labels) == 2:
        labels = [int(np.bincount(audited.truths, minlength=2).argmin())]  # type: ignore[assignment]
    compared = [
        _summed(column, audited.labels[label], [_rates(audited, one, label) for one in fitting]) for label in labels
    ]
    return max(compared, key=lambda one: one.gap)


def _rates(audited: Audited, group: Group, label: int) -> Rates:
    rows = group.rows & group.judged
    chosen, actual = audited.answers[rows].argmax(1) == label, audited.truths[rows] == label
    return Rates(
        group.name,
        int(rows.sum()),
        float(chosen.mean()),
        float(actual.mean()),
        float(chosen[actual].mean()) if actual.sum() >= _slices.FEWEST else float("nan"),
        float(chosen[~actual].mean()) if (~actual).sum() >= _slices.FEWEST else float("nan"),
    )


def _means(audited: Audited, group: Group) -> Rates:
    rows = group.rows & group.judged
    answers, truths = audited.answers[rows], audited.truths[rows]
    return Rates(group.name, int(rows.sum()), float(answers.mean()), float(truths.mean()), float("nan"), float("nan"))


def _summed(column: str, label: str, rates: list[Rates], absolute: bool = False) -> Parity:
    chosen = np.array([one.chosen for one in rates])
    ratio = float("nan") if absolute else float(chosen.min() / chosen.max()) if chosen.max() > 0 else 1.0
    odds = [_spread([one.found for one in rates]), _spread([one.alarmed for one in rates])]
    known = [one for one in odds if not np.isnan(one)]
    return Parity(
        column, label, tuple(rates), float(chosen.max() - chosen.min()), ratio, max(known) if known else float("nan")
    )


def _spread(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return max(known) - min(known) if len(known) > 1 else float("nan")


@dataclass(frozen=True)
class Proxy:
    """How well a column can be guessed from the others.

    Attributes:
        column: that is guessed.
        auc: of all other columns together: .5 is chance, 1 is certainty.
        single: other column → AUC of it alone, highest first.
    """

    column: str
    auc: float
    single: tuple[tuple[str, float], ...]


def proxy(audited: Audited, column: str, groups: Sequence[Group], seed: int) -> Proxy | None:
    """Guess a column's groups from the columns that the model sees, by boosted trees, cross-validated; None without others."""
    names, matrix = audited.encoded
    keep = [place for place, name in enumerate(names) if source(name) != column]
    target = np.full(len(audited), -1)
    for place, group in enumerate(groups):
        target[group.rows] = place
    rows = np.flatnonzero(target >= 0)
    rows = np.random.default_rng(seed).permutation(rows)[:_LOOKED_AT]
    different, target = np.unique(target[rows], return_inverse=True)
    counts = np.bincount(target)
    if not keep or len(different) < 2 or counts.min() < _FOLDS:
        frequent = np.flatnonzero(counts >= _slices.FEWEST)
        if not keep or len(frequent) < 2:
            return None
        inside = np.isin(target, frequent)
        rows, target = rows[inside], np.unique(target[inside], return_inverse=True)[1]
    auc = guessed(matrix[rows][:, keep], target, _FOLDS, seed)
    sources = list(dict.fromkeys(source(names[place]) for place in keep))
    single = []
    for one in sources:
        places = [place for place in keep if source(names[place]) == one]
        single.append((one, guessed(matrix[rows][:, places], target, _SINGLE_FOLDS, seed, 30)))
    return Proxy(column, auc, tuple(sorted(single, key=lambda pair: -pair[1])))


def source(name: str) -> str:
    """Return the column that an encoded column comes from."""
    return name.partition(" is ")[0]


def guessed(matrix: Array, target: Array, folds: int, seed: int, rounds: int = 100) -> float:
    """Return the AUC with which boosted trees, cross-validated, guess a label `[rows]` from `[rows, columns]`."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    shares = np.zeros((len(target), int(target.max()) + 1))
    if np.bincount(target).min() < folds:
        return float("nan")
    for learn, ask in StratifiedKFold(folds, shuffle=True, random_state=seed).split(matrix, target):
        trees = HistGradientBoostingClassifier(max_iter=rounds, early_stopping=False, random_state=seed)
        shares[ask] = trees.fit(matrix[learn], target[learn]).predict_proba(matrix[ask])
    return scores.roc_auc(shares, target)
