"""Examples that belong together, or follow one another: splits that ask more than a split by chance does."""

from __future__ import annotations

import datetime
import re
import shlex
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from warmer.errors import InputError, UnknownName
from warmer.examples._contract import Array, Table
from warmer.examples._split import TEST, TRAIN, VALIDATION
from warmer.written import moments

_LEAST = 50
_LOOKED_AT = 5_000
_WHO = re.compile(
    r"(^|[_\s.-])(ids?|uuid|speaker|patient|subject|person|user|customer|client|writer|author|participant|household|student|"
    r"employee|hospital|session|owner|machine|sensor)$|[a-z](Id|ID)$",
    re.IGNORECASE,
)
BY = ("group", "join", "time")
"""Plan fields that say what a split goes by."""


def check(table: Table, wishes: Mapping[str, Any]) -> None:
    """Refuse to split by time where that cannot be.

    Raises:
        InputError: there is no such column, or examples are split by something else already.
    """
    name = wishes.get("time")
    if name is None:
        return
    if name not in table.columns:
        raise UnknownName("column", name, table.columns)
    if other := next((field for field in BY if field != "time" and wishes.get(field)), None):
        raise InputError(f"examples are split by `time` or by `{other}`, not by both; leave one out")


def noticed(table: Table, columns: Collection[str]) -> list[str]:
    """Return what these columns say of a table that is to be split by chance: groups by their name, times by their cells."""
    if len(table) < _LEAST:
        return []
    found = []
    for name in sorted(columns):
        cells = table.columns[name]
        some = cells[:: max(1, len(cells) // _LOOKED_AT)]
        if _WHO.search(name) and (count := _repeating(cells)):
            told = f"`{name}` has {count:,} different values; how good answers are for others than these"
            found.append(f"{told}, --set {shlex.quote(f'group={name}')} finds out")
        elif _are_times(some):
            told = f"`{name}` holds times; how good answers are for what comes later"
            found.append(f"{told}, --set {shlex.quote(f'time={name}')} finds out")
    return found


def _repeating(cells: Array) -> int:
    """Return how many different values a column has, if each comes twice or more on average, else 0."""
    if not all(isinstance(cell, (str, int, np.integer)) or cell is None for cell in cells[:_LOOKED_AT]):
        return 0
    count = int(pd.Series(cells).nunique())
    return count if 3 <= count <= len(cells) / 2 else 0


def _are_times(cells: Array) -> bool:
    if cells.dtype.kind == "M":
        return True
    there = [cell for cell in cells if cell is not None]
    return bool(there) and all(
        moments.is_moment(cell) if isinstance(cell, str) else isinstance(cell, (datetime.date, np.datetime64))
        for cell in there
    )


def by_time(table: Table, name: str, shares: Mapping[int, float]) -> Array:
    """Return each example's side: the latest for the test, those before for choosing, the earlier ones to learn from.

    Args:
        table: the examples.
        name: of a column of moments or numbers; equal ones stay on one side, and whoever has none is learned from.
        shares: side → share, for VALIDATION and TEST.

    Raises:
        InputError: the column holds neither, or too few different ones for three parts.
    """
    cells = table.columns[name]
    if cells.dtype.kind in "iuf":
        times = cells.astype(np.float64)
    else:
        found = moments.read(cells, moments.day_first(cell for cell in cells if isinstance(cell, str)))
        times = np.where(np.isnat(found), np.nan, found.astype(np.int64).astype(np.float64))
    known = np.sort(times[np.isfinite(times)])
    if len(known) < len(cells) / 2:
        raise InputError(f"column `{name}` of `{table.origin}` holds no times; give one of moments or numbers")
    test = known[len(known) - max(1, round(shares[TEST] * len(known)))]
    earlier = known[known < test]
    held = min(len(earlier), max(1, round(shares[VALIDATION] * len(known))))
    if not held or earlier[-held] == earlier[0]:
        raise InputError(
            f"column `{name}` of `{table.origin}` has too few different times for three parts in their order"
        )
    sides = np.full(len(cells), TRAIN, dtype=np.int8)
    sides[times >= earlier[-held]] = VALIDATION
    sides[times >= test] = TEST
    return sides
