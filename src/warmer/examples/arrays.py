"""Tables and arrays in memory: pandas, polars and Arrow tables, and arrays or lists as (x, y)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from warmer.errors import InputError
from warmer.examples import table
from warmer.examples._contract import Array, Table, objects

OPTIONS: dict[str, Any] = {}


def claims(thing: Any) -> bool:
    """Claim tables that can turn themselves into a pandas one, and pairs of arrays or lists."""
    if isinstance(thing, pd.DataFrame) or hasattr(thing, "to_pandas"):
        return True
    pair = isinstance(thing, tuple) and len(thing) == 2
    return pair and all(
        isinstance(part, list) or (hasattr(part, "shape") and hasattr(part, "__array__")) for part in thing
    )


def sample(folder: Path) -> Any:
    """Return a table of three columns."""
    return pd.DataFrame({"a": np.arange(40) % 7, "b": np.linspace(0, 1, 40), "y": ["small", "big"] * 20})


def read(thing: Any) -> Table:
    """Return the columns."""
    if isinstance(thing, tuple):
        return _pair(*(_array(part) for part in thing))
    frame = thing if isinstance(thing, pd.DataFrame) else pd.DataFrame(_columns(thing))
    columns = table.from_frame(frame)
    split = next((name for name in columns if name.lower() in ("split", "fold", "subset")), None)
    return Table(columns, "the table", None, split, table.declared(frame))


def _columns(thing: Any) -> dict[str, Any]:
    """Return a polars or Arrow table's columns as lists; this needs no further package."""
    names = getattr(thing, "column_names", None) or thing.columns
    return {
        str(name): (thing[name].to_pylist() if hasattr(thing[name], "to_pylist") else thing[name].to_list())
        for name in names
    }


def _array(part: Any) -> Array:
    """Return a list as an array: of two axes where all its items are lists of as many cells, else of one."""
    if not isinstance(part, list):
        return np.asarray(part)
    rows = part and all(isinstance(one, (list, tuple)) and not any(np.ndim(cell) for cell in one) for one in part)
    if rows and len({len(one) for one in part}) == 1:
        return np.stack([objects(one) for one in part])
    return table.cells(part)


def _pair(x: Array, y: Array) -> Table:
    """Return arrays x and y as columns: a matrix as numbers x1, x2, …; anything of more axes as pictures."""
    if len(x) != len(y):
        raise InputError(f"x has {len(x)} examples and y has {len(y)}; they must be as many")
    if not len(x):
        raise InputError("x and y are empty; give at least a few examples")
    answers = _named("y", y)
    return Table({**_named("x", x), **answers}, "the arrays", ",".join(answers))


def _named(name: str, array: Array) -> dict[str, Array]:
    """Return an array's columns: a matrix has several, anything else one."""
    if array.ndim == 2:
        return {f"{name}{place + 1}": table.tidy(array[:, place]) for place in range(array.shape[1])}
    return {name: table.tidy(array) if array.ndim == 1 else objects(array)}
