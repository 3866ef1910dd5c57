"""Tables and arrays in memory: pandas, polars and Arrow tables, and NumPy arrays as (x, y)."""

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
    """Claim tables that can turn themselves into a pandas one, and pairs of arrays."""
    if isinstance(thing, pd.DataFrame) or hasattr(thing, "to_pandas"):
        return True
    pair = isinstance(thing, tuple) and len(thing) == 2
    return pair and all(hasattr(part, "shape") and hasattr(part, "__array__") for part in thing)


def sample(folder: Path) -> Any:
    """Return a table of three columns."""
    return pd.DataFrame({"a": np.arange(40) % 7, "b": np.linspace(0, 1, 40), "y": ["small", "big"] * 20})


def read(thing: Any) -> Table:
    """Return the columns."""
    if isinstance(thing, tuple):
        return _pair(*(np.asarray(part) for part in thing))
    frame = thing if isinstance(thing, pd.DataFrame) else pd.DataFrame(_columns(thing))
    columns = table.from_frame(frame)
    split = next((name for name in columns if name.lower() in ("split", "fold", "subset")), None)
    return Table(columns, "the table", None, split)


def _columns(thing: Any) -> dict[str, Any]:
    """Return a polars or Arrow table's columns as lists; this needs no further package."""
    names = getattr(thing, "column_names", None) or thing.columns
    return {
        str(name): (thing[name].to_pylist() if hasattr(thing[name], "to_pylist") else thing[name].to_list())
        for name in names
    }


def _pair(x: Array, y: Array) -> Table:
    """Return arrays x and y as columns: a matrix x as numbers x1, x2, …; anything of more axes as pictures."""
    if len(x) != len(y):
        raise InputError(f"x has {len(x)} examples and y has {len(y)}; they must be as many")
    columns: dict[str, Array] = {"x": x} if x.ndim == 1 else {}
    if x.ndim == 2:
        columns = {f"x{place + 1}": x[:, place] for place in range(x.shape[1])}
    elif x.ndim > 2:
        columns = {"x": objects(x)}
    answers = ["y"] if y.ndim == 1 else [f"y{place + 1}" for place in range(y.shape[1])]
    columns |= {name: table.tidy(y if y.ndim == 1 else y[:, place]) for place, name in enumerate(answers)}
    return Table(columns, "the arrays", answers[0] if len(answers) == 1 else ",".join(answers))
