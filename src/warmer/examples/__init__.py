"""Examples: columns of cells from anywhere. The list of sources is this folder.

A source is a module with

    OPTIONS: dict[str, default]                    what a user may set
    claims(thing) -> bool                          whether it can read this; looks, does not read
    read(thing, **options) -> Table                the cells
    sample(folder) -> thing                        a tiny thing it can read, made in a folder where it needs one

`open(thing)` asks each in turn, in the order of their names; exactly one shall claim.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from warmer.errors import InputError, Missing
from warmer.examples import _series
from warmer.examples._contract import Table


def sources() -> dict[str, ModuleType]:
    """Return name → module of every source."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def options() -> dict[str, Any]:
    """Return every option of every source with its default."""
    of_sources = {name: default for source in sources().values() for name, default in source.OPTIONS.items()}
    return {**of_sources, **_series.OPTIONS}


def open(thing: Any, answers: Sequence[str] = (), **chosen: Any) -> Table:
    """Read examples from a built-in name, path, table, arrays or pairs.

    Args:
        thing: what a source claims.
        answers: columns to forecast, where rows are steps of a series.
        chosen: options of that source, such as `n` and `noise` of made-up data; or `horizon` (and `past`), which turn rows in
            the order of time into examples of a past and what came after it.

    Raises:
        InputError: nothing can read it; or the source says what is wrong with it.
    """
    if steps := _series.asked(chosen):
        rows = open(thing, **{name: value for name, value in chosen.items() if name not in steps})
        return _series.windows(rows, answers, **steps)
    if isinstance(thing, Table):
        return thing
    for source in sources().values():
        if source.claims(thing):
            table: Table = source.read(thing, **_of(source, chosen))
            if not len(table):
                raise InputError(f"`{table.origin}` holds no examples{_first_reason(table)}")
            if isinstance(thing, str) and thing in getattr(source, "NAMES", ()) and os.path.exists(thing):
                table.notes.append(f"these are the built-in examples; what lies here under that name is `./{thing}`")
            return table
    raise _unreadable(thing)


def _of(source: ModuleType, chosen: Mapping[str, Any]) -> dict[str, Any]:
    wrong = [name for name in chosen if name not in source.OPTIONS]
    if wrong:
        raise InputError(f"`{wrong[0]}` means nothing for these examples; it belongs to made-up ones such as `moons`")
    return dict(chosen)


def _first_reason(table: Table) -> str:
    entries = table.ledger.entries
    return f"; the first thing left out: {entries[0].example} {entries[0].reason}" if entries else ""


def _unreadable(thing: Any) -> InputError:
    if isinstance(thing, (str, Path)):
        from warmer.examples import builtin, formula

        if not os.path.exists(thing):
            names = ", ".join(sorted({*builtin.NAMES, *formula.NAMES}))
            return Missing(f"there is no file or folder `{thing}`, and no built-in examples of that name ({names})")
        return InputError(
            f"`{thing}` is no folder, zip, tar, CSV, TSV, JSON Lines, Parquet or Excel file; convert it first"
        )
    kind = type(thing).__name__
    return InputError(f"a {kind} holds no examples; give a path, a table, (x, y) arrays or a list of (x, y) pairs")
