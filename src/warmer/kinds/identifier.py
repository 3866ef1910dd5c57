"""A name tag: unique in each row, so nothing can be learned from it; recognised in order to be left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from warmer.kinds._contract import Array, Bid, Cells, Kind

_NUMBERED = re.compile(r"([^\W\d][^\d]*)\d+\Z")
_NAMED = re.compile(
    r"(^|[_\s.-])(id|ids|uuid|guid|index|idx|key|rowid|nr|no)$|[a-z](Id|ID)$|^unnamed: \d+$|^#$", re.IGNORECASE
)
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Identifier(Kind):
    """A cell that only names its row. It can be neither x nor y."""

    name: ClassVar[str] = "identifier"
    alone: ClassVar[bool] = False
    learnable: ClassVar[bool] = False

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for columns without repetition that count up, are named like an id, or look like a generated key."""
        if role == "y" or len(cells) < 20 or not isinstance(cells[0], (str, int, float, np.generic)):
            return Bid(0.0)
        if len(set(map(str, cells))) < len(cells):
            return Bid(0.0)
        if all(isinstance(cell, str) and _UUID.match(cell) for cell in cells):
            return Bid(0.97, "generated keys, one a row")
        numbered = [_NUMBERED.match(cell) if isinstance(cell, str) else None for cell in cells]
        if all(numbered) and len({found[1] for found in numbered if found}) == 1:
            return Bid(0.97, "numbered codes, one a row")
        whole = all(
            isinstance(cell, (int, np.integer)) or (isinstance(cell, float) and cell.is_integer()) for cell in cells
        )
        if whole and len(set(np.diff([int(cell) for cell in cells]).tolist())) == 1:
            return Bid(0.97, "counts the rows")
        whole = whole or all(isinstance(cell, str) and " " not in cell.strip() for cell in cells)
        if whole and _NAMED.search(column):
            return Bid(0.97, "named like an id, and different in each row")
        return Bid(0.0)

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "x",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Nothing to learn."""
        return cls()

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Nothing is kept."""
        return (0,)

    @property
    def dtype(self) -> str:
        """Nothing is kept."""
        return "uint8"

    def read(self, cell: Any) -> Array:
        """Keep nothing."""
        return np.zeros(0, dtype=np.uint8)

    def show(self, array: Array) -> Any:
        """Nothing to show."""
        return None

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few keys."""
        return [f"{seed:08x}-0000-4000-8000-{row:012x}" for row in range(24)]
