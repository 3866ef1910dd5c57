"""Groups of examples, how good the answers to each are, and whether that can be chance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import scores
from warmer.insight._audited import Audited, numeric, words

Array = NDArray[Any]

FEWEST = 30
"""Examples that a group must have to be judged."""
LEVEL = 0.05
_VALUES = 12
_DIFFERENT = 12
_CLUSTERS = 8


@dataclass(frozen=True)
class Group:
    """Some of the examples.

    Attributes:
        name: what they have in common.
        column: the column that says so, or "" for a group that was found.
        rows: `[examples]`, True for its members.
        judged: `[examples]`, True for those, of all groups alike, that say how good the answers are.
    """

    name: str
    column: str
    rows: Array
    judged: Array


@dataclass(frozen=True)
class Slice:
    """How good the answers to one group are.

    Attributes:
        group: of whom.
        n: examples.
        error: share of wrong answers, or mean absolute error.
        interval: its 95 % interval: Wilson's for shares, the normal one for means.
        rest: the same error over all other examples.
        p: chance of a difference as large where there is none, after Holm's correction for all slices looked at.
    """

    group: Group
    n: int
    error: float
    interval: tuple[float, float]
    rest: float
    p: float

    @property
    def worse(self) -> bool:
        """Whether the answers are worse here, and not by chance."""
        return self.p < LEVEL and self.error > self.rest

    @property
    def better(self) -> bool:
        """Whether the answers are better here, and not by chance."""
        return self.p < LEVEL and self.error < self.rest


def of_column(audited: Audited, column: str) -> list[Group]:
    """Return the groups that a column makes: its 12 most frequent values, or quarters of its numbers."""
    cells = audited.table.columns[column]
    values = numeric(cells)
    if values is not None and len(np.unique(values[~np.isnan(values)])) > _DIFFERENT:
        return _quarters(audited, column, values)
    said = words(cells)
    different, counts = np.unique(said, return_counts=True)
    common = different[np.argsort(-counts, kind="stable")][:_VALUES]
    return [Group(f"{column} = {value}", column, said == value, audited.judged) for value in common]


def _quarters(audited: Audited, column: str, values: Array) -> list[Group]:
    edges = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1]))
    found = []
    for low, high in itertools.pairwise(edges):
        rows = (values > low) & (values <= high) if low > edges[0] else (values >= low) & (values <= high)
        found.append(Group(f"{column} {low:g} to {high:g}", column, rows, audited.judged))
    if np.isnan(values).any():
        found.append(Group(f"{column} missing", column, np.isnan(values), audited.judged))
    return found


def found(audited: Audited, vectors: Array | None, seed: int) -> list[Group]:
    """Look for groups with many errors in one half of the judged examples; the other half is to judge them by.

    Columns are searched with a regression tree of depth two, anything else by clusters of its feature vectors.

    Args:
        audited: the examples.
        vectors: feature vectors `[examples, size]`, for what has no columns.
        seed: of the halves.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(audited.judged))
    search, judged = rows[: len(rows) // 2], np.zeros(len(audited), dtype=bool)
    judged[rows[len(rows) // 2 :]] = True
    names, matrix = audited.encoded
    if not len(search):
        return []
    if len(names):
        return [
            Group(name, "", member, judged) for name, member in _leaves(names, matrix, audited.errors, search, seed)
        ]
    if vectors is None or len(search) < _CLUSTERS * FEWEST:
        return []
    from sklearn.cluster import KMeans

    place = KMeans(_CLUSTERS, n_init=1, random_state=seed).fit(vectors[search]).predict(vectors)
    return [Group(f"look-alikes {number + 1}", "", place == number, judged) for number in range(_CLUSTERS)]


def _leaves(names: Sequence[str], matrix: Array, errors: Array, search: Array, seed: int) -> list[tuple[str, Array]]:
    """Return the leaves of a tree that predicts errors: its conditions in words, and who meets them."""
    from sklearn.tree import DecisionTreeRegressor

    filled = np.nan_to_num(matrix, nan=float(np.nanmin(matrix)) - 1 if matrix.size else 0.0)
    least = max(FEWEST, len(search) // 100)
    tree = DecisionTreeRegressor(max_depth=2, min_samples_leaf=least, random_state=seed)
    tree.fit(filled[search], errors[search])
    made, leaf = tree.tree_, tree.apply(filled)
    told: list[tuple[str, Array]] = []

    def walk(node: int, conditions: tuple[str, ...]) -> None:
        if made.children_left[node] == made.children_right[node]:
            if conditions:
                told.append((" and ".join(conditions), leaf == node))
            return
        name, limit = names[made.feature[node]], made.threshold[node]
        low, high = (name.replace(" is ", " is not ", 1), name) if " is " in name else (
            f"{name} ≤ {limit:.4g}", f"{name} > {limit:.4g}"
        )  # fmt: skip
        walk(made.children_left[node], (*conditions, low))
        walk(made.children_right[node], (*conditions, high))

    walk(0, ())
    return told


def judged(audited: Audited, groups: Sequence[Group]) -> list[Slice]:
    """Judge groups of at least 30 examples that leave as many others, worst first; p-values corrected (Holm 1979)."""
    drafts = []
    for group in groups:
        inside, outside = audited.errors[group.rows & group.judged], audited.errors[~group.rows & group.judged]
        if min(len(inside), len(outside)) >= FEWEST:
            drafts.append((group, inside, outside, _chance(inside, outside, audited.discrete)))
    corrected = holm([draft[-1] for draft in drafts])
    slices = [
        Slice(group, len(inside), float(inside.mean()), _interval(inside, audited.discrete), float(outside.mean()), p)
        for (group, inside, outside, _), p in zip(drafts, corrected, strict=True)
    ]
    return sorted(slices, key=lambda one: one.rest - one.error)


def _interval(errors: Array, shares: bool) -> tuple[float, float]:
    if shares:
        return scores.wilson(float(errors.mean()), len(errors))
    half = 1.959964 * float(errors.std(ddof=1)) / np.sqrt(len(errors))
    return float(errors.mean() - half), float(errors.mean() + half)


def _chance(inside: Array, outside: Array, shares: bool) -> float:
    """Return the two-sided p-value: Fisher's exact test for shares, Welch's for means."""
    from scipy import stats

    if shares:
        counts = [[int(one.sum()), int(len(one) - one.sum())] for one in (inside, outside)]
        return float(stats.fisher_exact(counts)[1])
    p = float(stats.ttest_ind(inside, outside, equal_var=False).pvalue)
    return 1.0 if np.isnan(p) else p


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979): the chance that any of those below is a false alarm."""
    order = np.argsort(values)
    corrected = np.empty(len(values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = highest
    return [float(one) for one in corrected]
