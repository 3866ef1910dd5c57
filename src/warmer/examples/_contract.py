"""Table: what a source returns. Ledger: what was odd about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MOST_LISTED = 1000


@dataclass(frozen=True)
class Entry:
    """One odd thing about one example.

    Attributes:
        example: its name: a path, or `row 12`.
        reason: one phrase.
        action: "left out", "kept" (and worth a look), or "taken as missing".
    """

    example: str
    reason: str
    action: str = "left out"


@dataclass
class Ledger:
    """Everything odd about some examples, the first 1,000 of each sort in full, the rest counted."""

    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, example: str, reason: str, action: str = "left out") -> None:
        """Write one line."""
        self.counts[action] += 1
        if self.counts[action] <= _MOST_LISTED:
            self.entries.append(Entry(example, reason, action))

    def extend(self, other: Ledger) -> None:
        """Copy another ledger's lines."""
        self.counts.update(other.counts)
        self.entries.extend(other.entries)

    @property
    def left_out(self) -> int:
        """How many examples were left out."""
        return self.counts["left out"]

    def to_json(self) -> dict[str, Any]:
        """Return counts and lines as plain JSON."""
        lines = [{"example": e.example, "reason": e.reason, "action": e.action} for e in self.entries]
        return {"counts": dict(self.counts), "entries": lines}


@dataclass
class Table:
    """Columns of raw cells, all of one length; None and NaN are missing.

    Attributes:
        columns: name → array of numbers, or of Python objects.
        origin: what a person calls the source.
        y: the column that is the answer, where the source knows it.
        split: name of the column that says train, validation or test, where there is one.
        kinds: kinds the source is sure of, column → name of the kind.
        name: index → what a person calls the example.
        ledger: what the source had to leave out.
        notes: sentences worth telling before training.
    """

    columns: dict[str, Array]
    origin: str
    y: str | None = None
    split: str | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    name: Callable[[int], str] = lambda index: f"row {index + 1}"
    ledger: Ledger = field(default_factory=Ledger)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def take(self, rows: Array) -> Table:
        """Return some of the examples, under the names they had."""
        kept = {name: cells[rows] for name, cells in self.columns.items()}
        places = np.asarray(rows)
        return Table(
            kept,
            self.origin,
            self.y,
            self.split,
            self.kinds,
            lambda i: self.name(int(places[i])),
            self.ledger,
            self.notes,
        )


class Rows(Sequence[Mapping[str, Any]]):
    """Some columns of a table as a sequence of mappings, read column by column where a kind can."""

    def __init__(self, columns: Mapping[str, Array], n: int) -> None:
        self._columns = columns
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            part = {name: cells[index] for name, cells in self._columns.items()}
            return Rows(part, len(range(*index.indices(self._n))))
        return {name: cells[index] for name, cells in self._columns.items()}

    def column(self, name: str) -> Array:
        """Return one column; an absent one as missing values."""
        found = self._columns.get(name)
        return np.full(self._n, None, dtype=object) if found is None else found


def objects(cells: Iterable[Any]) -> Array:
    """Return cells of any type, arrays included, as a one-dimensional array of objects."""
    listed = list(cells)
    found = np.empty(len(listed), dtype=object)
    for index, cell in enumerate(listed):
        found[index] = cell
    return found


def missing(cells: Array) -> Array:
    """Return which cells are missing: None, NaN, NaT."""
    if cells.dtype.kind == "f":
        return np.isnan(cells)
    if cells.dtype != object:
        return np.zeros(len(cells), dtype=bool)
    return np.fromiter(
        (cell is None or (not isinstance(cell, np.ndarray) and cell != cell) for cell in cells), bool, len(cells)
    )
