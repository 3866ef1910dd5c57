"""Lists: of (x, y) pairs, or of mappings from column names to cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warmer.errors import InputError
from warmer.examples import table
from warmer.examples._contract import Array, Table

OPTIONS: dict[str, Any] = {}


def claims(thing: Any) -> bool:
    """Claim lists."""
    return isinstance(thing, list)


def sample(folder: Path) -> Any:
    """Return a list of mappings and answers."""
    return [({"size": k, "colour": "red" if k % 3 else "blue"}, "big" if k > 19 else "small") for k in range(40)]


def read(thing: list[Any]) -> Table:
    """Return the columns."""
    if not thing:
        raise InputError("the list of examples is empty")
    if all(isinstance(item, Mapping) for item in thing):
        names = dict.fromkeys(name for item in thing for name in item)
        return Table({str(name): table.cells([item.get(name) for item in thing]) for name in names}, "the list")
    wrong = next((i for i, item in enumerate(thing) if not isinstance(item, (tuple, list)) or len(item) != 2), None)
    if wrong is not None:
        raise InputError(f"item {wrong} of the list is no (x, y) pair: {str(thing[wrong])[:60]}")
    x, y = [item[0] for item in thing], table.cells([item[1] for item in thing])
    if all(isinstance(one, Mapping) for one in x):
        columns: dict[str, Array] = read(x).columns
        return Table({**columns, "y": y}, "the list", "y")
    if all(isinstance(one, (tuple, list)) and not any(getattr(part, "shape", ()) for part in one) for one in x):
        if len({len(one) for one in x}) > 1:
            raise InputError("the x of the pairs have different lengths; give each the same columns")
        return Table(
            {**{f"x{k + 1}": table.cells([one[k] for one in x]) for k in range(len(x[0]))}, "y": y}, "the list", "y"
        )
    return Table({"x": table.cells(x), "y": y}, "the list", "y")
