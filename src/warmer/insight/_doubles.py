"""Examples that are there twice, sides that leak into each other, and answers that one column or the border gives away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.insight._audited import Audited
from warmer.insight._parity import guessed, source

Array = NDArray[Any]

_LIKE = 0.99
_AT_ONCE = 1000
_MOST = 20_000
_SHOWN = 8
_DIGITS = 3
_LOOKED_AT = 6000
_FOLDS = 2
_GIVES_AWAY = 0.98
_BORDER = 4


@dataclass(frozen=True)
class Doubles:
    """Equal and nearly equal examples.

    Attributes:
        equal: examples whose x is that of an earlier one.
        contradictory: of those, how many have another answer.
        near: pairs of places that are nearly equal, nearest first.
        across: of those, pairs of one example that the model learned from and one that it did not; None: unknown.
        criterion: what counts as nearly equal, in words.
    """

    equal: int
    contradictory: int
    near: tuple[tuple[int, int], ...]
    across: int | None
    criterion: str


def doubles(audited: Audited) -> Doubles:
    """Count examples that are there more than once."""
    _, first, places = np.unique(audited.keys, return_index=True, return_inverse=True)
    again = first[places] != np.arange(len(audited))
    odd = again & (audited.truths != audited.truths[first[places]])
    pairs, criterion = _near(audited)
    across = None
    if audited.learned is not None:
        across = int(sum(audited.learned[a] != audited.learned[b] for a, b in pairs))
    return Doubles(int(again.sum()), int(odd.sum()), pairs, across, criterion)


def _near(audited: Audited) -> tuple[tuple[tuple[int, int], ...], str]:
    small = audited.thumbnails
    if small is not None:
        return _alike(standardised(small[:_MOST]), audited.keys), f"gray thumbnails that correlate at {_LIKE} or more"
    names, matrix = audited.encoded
    if not names:
        return (), "nothing to compare"
    with np.errstate(divide="ignore", invalid="ignore"):
        size = 10.0 ** (np.floor(np.log10(np.abs(np.where(matrix == 0, 1, matrix)))) - _DIGITS + 1)
    rounded = np.nan_to_num(np.round(matrix / size) * size, nan=-1e300)
    _, first, places = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    places = places.ravel()
    rows = np.flatnonzero((first[places] != np.arange(len(audited))) & (audited.keys != audited.keys[first[places]]))
    pairs = tuple((int(first[places[row]]), int(row)) for row in rows)
    return pairs, f"equal up to {_DIGITS} significant digits"


def standardised(pictures: Array) -> Array:
    """Return pictures `[n, height, width]` as vectors of mean 0 and length 1, so that their products are correlations."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))


def _alike(vectors: Array, keys: Array) -> tuple[tuple[int, int], ...]:
    """Return pairs of standardised vectors that correlate, without those that are equal."""
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(vectors), _AT_ONCE):
        alike = vectors[start : start + _AT_ONCE] @ vectors[start:].T
        for a, b in zip(*np.nonzero(alike >= _LIKE), strict=True):
            one, other = int(a) + start, int(b) + start
            if one < other and keys[one] != keys[other]:
                found.append((-float(alike[a, b]), one, other))
    return tuple((one, other) for _, one, other in sorted(found))


def giveaways(audited: Audited, seed: int) -> list[tuple[str, float]]:
    """Return columns that tell the label all by themselves (AUC of at least .98): known too late to be used, perhaps."""
    if not audited.discrete:
        return []
    names, matrix = audited.encoded
    rows = np.random.default_rng(seed).permutation(len(audited))[:_LOOKED_AT]
    target = np.unique(audited.truths[rows], return_inverse=True)[1]
    if len(np.unique(target)) < 2:
        return []
    found = []
    for one in dict.fromkeys(source(name) for name in names):
        places = [place for place, name in enumerate(names) if source(name) == one]
        auc = guessed(matrix[rows][:, places], target, _FOLDS, seed, 30)
        if auc >= _GIVES_AWAY:
            found.append((one, auc))
    return found


def border(audited: Audited, seed: int) -> tuple[float, float] | None:
    """Return how often the border alone tells the label, and how often the most frequent label is right; None without pictures.

    A linear classifier, cross-validated, sees the outer eighth of gray thumbnails and nothing of the middle.
    """
    small = audited.thumbnails
    if small is None or not audited.discrete or len(np.unique(audited.truths)) < 2:
        return None
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedKFold

    rows = np.random.default_rng(seed).permutation(len(audited))[:_LOOKED_AT]
    target = audited.truths[rows]
    counts = np.bincount(target)
    if counts[counts > 0].min() < _FOLDS:
        return None
    outside = np.ones(small.shape[1:], dtype=bool)
    outside[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    pixels = small[rows][:, outside]
    right = 0
    for learn, ask in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(pixels, target):
        line = RidgeClassifier(alpha=1.0).fit(pixels[learn], target[learn])
        right += int((line.predict(pixels[ask]) == target[ask]).sum())
    return right / len(rows), float(counts.max() / len(rows))
