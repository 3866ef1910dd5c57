"""What a person names on the command line as inputs of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from warmer import examples
from warmer.examples import _tree
from warmer.examples._contract import Ledger, Table
from warmer.model import Model


def of(model: Model, texts: Sequence[str]) -> Iterator[tuple[str, Any, list[str], list[str]]]:
    """Yield (text, cells, names, warnings) for each thing named: a table, a folder or archive of files, a file, or a value."""
    loose: list[str] = []
    for text in texts:
        path = Path(text)
        if not (path.exists() or text in _built_in()):
            loose.append(text)
        elif path.is_dir() or _tree.is_archive(path):
            yield _files(model, path)
        elif _holds_rows(model, text):
            yield _rows(model, text)
        else:
            loose.append(text)
    if loose:
        yield "", [model.x.cell(text) for text in loose], loose, []


def _built_in() -> set[str]:
    from warmer.examples import builtin, formula

    return {*builtin.NAMES, *formula.NAMES}


def _holds_rows(model: Model, text: str) -> bool:
    return any(source.claims(text) for name, source in examples.sources().items())


def _rows(model: Model, text: str) -> tuple[str, Any, list[str], list[str]]:
    table: Table = examples.open(text, **model.x.opening(model.y, last=True))
    cells, warnings = model.cells(table)
    several = "" if len(table) < 2 else f"{text} "
    return text, cells, [f"{several}{table.name(index)}" for index in range(len(table))], warnings


def _files(model: Model, path: Path) -> tuple[str, Any, list[str], list[str]]:
    ledger = Ledger()
    files = [file for _, file in _tree.walk(path, ledger)]
    return (
        str(path),
        files,
        [file.name for file in files],
        [f"{entry.example} {entry.reason}" for entry in ledger.entries],
    )
