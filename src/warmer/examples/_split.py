"""Train, validation, test: by a hash of each example's content, so that equal examples are never on two sides.

An example's side depends on its own x alone, not on its place in a file or on its neighbours. So a split survives
shuffling; and when a collection grows, examples stay where they were (where the shares shrink because a side has
reached its cap, some return to training; none leaves it). Categories of fewer than 60 different examples, and fewer than
60 groups, are dealt out by rank instead, so that each side has its share of the examples.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmer.errors import BadCell, InputError
from warmer.examples._contract import Table
from warmer.files import File

Array = NDArray[Any]

TRAIN, VALIDATION, TEST = 0, 1, 2
SIDES = ("train", "validation", "test")
_WORDS = {
    **dict.fromkeys(("train", "training", "tr"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "eval", "holdout"), TEST),
}
_CAPS = {VALIDATION: 2_500, TEST: 5_000}
_FEW = 60


def side_of(word: Any) -> int | None:
    """Return the side that a folder's or a cell's word names, or None."""
    return _WORDS.get(str(word).strip().lower())


def keys(table: Table, names: tuple[str, ...]) -> tuple[Array, dict[int, str]]:
    """Return a 64-bit hash of the content of these columns for each example, and index → why for unreadable files."""
    found = np.zeros(len(table), dtype=np.uint64)
    bad: dict[int, str] = {}
    for name in names:
        cells = table.columns[name]
        salt = np.uint64(2 * zlib.crc32(name.encode()) + 1)
        with np.errstate(over="ignore"):
            found += _column_keys(cells, bad) * salt
    return _mix(found), bad


def _column_keys(cells: Array, bad: dict[int, str]) -> Array:
    if cells.dtype.kind in "biuf":
        return np.asarray(pd.util.hash_array(cells.astype(np.float64) + 0.0))
    first = next((cell for cell in cells if cell is not None), None)
    if first is None or isinstance(first, (str, bool, int, float)):
        words = np.array(["nan" if cell is None else str(cell) for cell in cells], dtype=object)
        return np.asarray(pd.util.hash_array(words))
    found = np.zeros(len(cells), dtype=np.uint64)
    for index, cell in enumerate(cells):
        try:
            found[index] = int.from_bytes(hashlib.blake2b(content(cell), digest_size=8).digest(), "little")
        except BadCell as error:
            bad[index] = str(error)
    return found


def content(cell: Any) -> bytes:
    """Return a cell's content as bytes: a file's bytes, an array's values, anything else as text."""
    if isinstance(cell, File):
        return cell.read()
    if isinstance(cell, np.ndarray):
        return str((cell.shape, cell.dtype.str)).encode() + np.ascontiguousarray(cell).tobytes()
    if hasattr(cell, "tobytes"):
        return str(getattr(cell, "size", "")).encode() + bytes(cell.tobytes())
    return str(cell).encode("utf-8", "surrogatepass")


def _mix(values: Array) -> Array:
    """Spread hashes evenly over 64 bits (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shares(n: int, test: float, validation: float | None) -> Mapping[int, float]:
    """Return the share of each held-out side among `n` examples, capped at 5,000 and 2,500 of them."""
    wanted = {TEST: test, VALIDATION: (0.15 if n < 10_000 else 0.1) if validation is None else validation}
    return {side: min(share, _CAPS[side] / n) for side, share in wanted.items()}


def split(
    hashes: Array,
    strata: Array,
    shares: Mapping[int, float],
    given: Array | None = None,
) -> Array:
    """Return each example's side.

    Args:
        hashes: of each example's content (or group): equal ones stay together.
        strata: category index of each example; zeros where there are none.
        shares: side → share, for VALIDATION and TEST.
        given: side of each example by an official split, −1 where it says nothing. Sides it holds stay as they are; a
            side that it lacks is taken from its training part.

    Raises:
        InputError: a side stays empty because there are too few different examples.
    """
    sides = np.zeros(len(hashes), dtype=np.int8)
    open_rows = np.ones(len(hashes), dtype=bool)
    wanted = dict(shares)
    if given is not None:
        sides[given >= 0] = given[given >= 0]
        wanted = {side: share for side, share in shares.items() if not (given == side).any()}
        open_rows = (given == TRAIN) | (given < 0)
    for stratum in np.unique(strata[open_rows]):
        rows = np.flatnonzero(open_rows & (strata == stratum))
        sides[rows] = _deal(hashes[rows], wanted)
    sides = _together(hashes, sides, open_rows)
    return _none_empty(hashes, sides, wanted, open_rows)


def deal(hashes: Array, folds: int) -> Array:
    """Return each example's fold, 0 to `folds` − 1, of about equal size; equal examples share theirs."""
    different, places = np.unique(_mix(hashes), return_inverse=True)
    return (np.arange(len(different)) % folds)[places]


def _deal(hashes: Array, wanted: Mapping[int, float]) -> Array:
    """Deal one stratum out: many by threshold, few by rank."""
    different, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    if len(different) < _FEW:
        return _ranked(counts, wanted)[places]
    position = different.astype(np.float64) / 2.0**64
    sides = np.zeros(len(different), dtype=np.int8)
    start = 0.0
    for side in (TEST, VALIDATION):
        share = wanted.get(side, 0.0)
        sides[(position >= start) & (position < start + share)] = side
        start += share
    return sides[places]


def _ranked(counts: Array, wanted: Mapping[int, float]) -> Array:
    """Return the sides of groups of so many examples: in their order until a side has its share of all examples.

    A group larger than the whole side is passed over, for the side would be that group alone; where all are, the smallest
    may be taken.
    """
    sides = np.zeros(len(counts), dtype=np.int8)
    left = 0.0
    for side in (TEST, VALIDATION):
        rest = np.flatnonzero(sides == TRAIN)
        if not len(rest):
            break
        smallest = rest[counts[rest].argmin()]
        share = wanted.get(side, 0.0) * counts.sum()
        left = min(left, counts[smallest] / 2) + share  # what the one side lacks by rounding is the other's
        fitting = rest[counts[rest] <= share]
        for place in fitting if len(fitting) else (smallest,):
            if counts[place] / 2 >= left:
                break
            sides[place] = side
            left -= counts[place]
    return sides


def _together(hashes: Array, sides: Array, open_rows: Array) -> Array:
    """Put equal examples of different strata (contradictory ones) on the side of the first."""
    rows = np.flatnonzero(open_rows)
    _, first, places = np.unique(hashes[rows], return_index=True, return_inverse=True)
    sides = sides.copy()
    sides[rows] = sides[rows][first][places]
    return sides


def _none_empty(hashes: Array, sides: Array, wanted: Mapping[int, float], open_rows: Array) -> Array:
    """Where so few different examples exist that a side is empty, deal all of them by rank."""
    if all((sides == side).any() for side in (TRAIN, *wanted)):
        return sides
    rows = np.flatnonzero(open_rows)
    different, places = np.unique(hashes[rows], return_inverse=True)
    if len(different) < 3:
        raise InputError(
            f"only {len(different)} different examples are left to learn and test on; at least 3 are needed, better 100"
        )
    counts = {side: max(1, round(share * len(different))) for side, share in wanted.items()}
    order = np.full(len(different), TRAIN, dtype=np.int8)
    start = 0
    for side, count in counts.items():
        order[start : start + count] = side
        start += count
    sides = sides.copy()
    sides[rows] = order[places]
    return sides
