"""Longer examples out of short ones of the same part: words said alone become sentences, and their texts with them."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from warmer import kinds
from warmer.errors import InputError
from warmer.examples import _split
from warmer.examples._contract import Array, Table, missing, objects
from warmer.examples._prepare import Columns, official

SPLIT = "(side of the split)"
_OFTEN = 2
"""Strings that begin with each training example; held-out ones begin one each."""


def counts(wish: str) -> tuple[int, int]:
    """Return how few and how many examples make one: of `3-7` three and seven, of `5` one and five.

    Raises:
        InputError: it says something else.
    """
    found = re.fullmatch(r"(?:(\d{1,3})-)?(\d{1,3})", wish.strip())
    low, high = (int(found[1] or 1), int(found[2])) if found else (0, 0)
    if not 1 <= low <= high or high < 2:
        raise InputError(f"`join` says how many examples make one, such as 3-7 or 5, not `{wish}`")
    return low, high


def strung(table: Table, columns: Columns, wish: str, shares: tuple[float, float | None], seed: int) -> Table:
    """Return examples each made of several, all of them of one side of the split, and of one group where there is one.

    Args:
        table: the examples.
        columns: what was decided about its columns; x and y are one column each, of kinds that can be strung together.
        wish: how many make one, such as `3-7`.
        shares: of the test and the validation part.
        seed: which are joined follows from it.

    Raises:
        InputError: x or y is no sequence.
    """
    low, high = counts(wish)
    names = (*columns.of("x"), *columns.of("y"))
    made = [kinds.get(kind) for kind in (columns.signature.x, columns.signature.y)]
    if len(names) != 2:
        raise InputError("`join` needs one column as x and one as y; name them with --x and --y")
    absent = np.any([missing(table.columns[name]) for name in names], 0)
    for row in np.flatnonzero(absent):
        table.ledger.add(table.name(int(row)), f"lacks its `{names[0]}` or its `{names[1]}`")
    table = table.take(np.flatnonzero(~absent))
    group = columns.of("group")
    hashes = _split.keys(table, group or names[:1])[0]
    wanted = _split.shares(len(table), *shares)
    sides = _split.split(hashes, np.zeros(len(table), dtype=int), wanted, official(table))
    chosen = [
        rows
        for side in range(len(_split.SIDES))
        for rows in _drawn(sides, hashes if group else None, side, low, high, seed)
    ]
    cells = {
        name: objects(kind.strung([table.columns[name][row] for row in rows]) for rows in chosen)
        for name, kind in zip(names, made, strict=True)
    }
    first = np.array([rows[0] for rows in chosen])
    rest = {name: table.columns[name][first] for name in group}
    part_of = objects(_split.SIDES[sides[row]] for row in first)
    return dataclasses.replace(
        table,
        columns={**cells, **rest, SPLIT: part_of},
        split=SPLIT,
        name=lambda i: f"{table.name(int(first[i]))} and {len(chosen[i]) - 1} more",
        notes=[
            *table.notes,
            f"{len(chosen):,} examples were made of {len(table):,}, {low} to {high} each, of one part alone",
        ],
    )


def _drawn(sides: Array, groups: Array | None, side: int, low: int, high: int, seed: int) -> list[list[int]]:
    """Return the rows of each string of a side, one or two strings beginning with every row."""
    draw = np.random.default_rng([seed, side])
    rows = np.flatnonzero(sides == side)
    found = []
    for row in np.tile(rows, _OFTEN if side == _split.TRAIN else 1):
        among = rows if groups is None else rows[groups[rows] == groups[row]]
        found.append([int(row), *draw.choice(among, int(draw.integers(low, high + 1)) - 1).tolist()])
    return found
