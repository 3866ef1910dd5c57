"""What a person names on the command line as inputs of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from warmer import examples
from warmer.errors import BadCell
from warmer.examples import _tree
from warmer.examples._contract import Ledger, Table
from warmer.files import File, decoded
from warmer.model import Model


@dataclass(frozen=True)
class Inputs:
    """Inputs that were named together.

    Attributes:
        cells: raw, for the model.
        names: what a person calls each.
        warnings: sentences about what is missing or odd.
        beside: columns of a table that the model does not read, so that its rows can be told apart.
    """

    cells: Any
    names: Sequence[str]
    warnings: Sequence[str] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)

    def told(self, place: int) -> dict[str, Any]:
        """Return what stands beside one of them."""
        return {name: cells[place] for name, cells in self.beside.items()}


def of(model: Model, texts: Sequence[str]) -> Iterator[Inputs]:
    """Yield the inputs of each thing named: a table, a folder or archive of files, a file, or a value."""
    loose: list[str] = []
    for text in texts:
        path = Path(text)
        if not (path.exists() or text in _built_in()):
            loose.append(text)
        elif path.is_dir() or _tree.is_archive(path):
            yield _files(model, path)
        elif model.x.written and _is_text(model, path):
            yield _texts(model, path)
        elif _holds_rows(model, text):
            yield _rows(model, text)
        else:
            loose.append(text)
    if loose:
        yield Inputs([model.x.cell(text) for text in loose], loose)


def _built_in() -> set[str]:
    from warmer.examples import builtin, formula

    return {*builtin.NAMES, *formula.NAMES}


def _holds_rows(model: Model, text: str) -> bool:
    return any(source.claims(text) for name, source in examples.sources().items())


def _rows(model: Model, text: str) -> Inputs:
    table: Table = examples.open(text, **model.x.opening(model.y, last=True))
    cells, warnings = model.cells(table)
    several = "" if len(table) < 2 else f"{text} "
    names = [f"{several}{table.name(index)}" for index in range(len(table))]
    read = model.under_own_names(table).columns.keys() - set(model.x_names)
    beside = {name: found for name, found in table.columns.items() if name in read and _plain(found)}
    return Inputs(cells, names, warnings, beside if len(cells) == len(table) else {})


def _plain(cells: Any) -> bool:
    return all(cell is None or isinstance(cell, (str, bool, int, float, np.generic)) for cell in cells)


def _files(model: Model, path: Path) -> Inputs:
    ledger = Ledger()
    files = [file for _, file in _tree.walk(path, ledger)]
    warnings = [f"{entry.example} {entry.reason}" for entry in ledger.entries]
    if not model.x.written:
        return Inputs(files, [file.name for file in files], warnings)
    texts = {file.name: _text(file, warnings) for file in files}
    read = {name: text for name, text in texts.items() if text is not None}
    return Inputs(list(read.values()), list(read), warnings)


def _is_text(model: Model, path: Path) -> bool:
    """Tell whether a file is no table, but text alone."""
    if not path.is_file():
        return False
    if path.suffix.lower() != ".txt":
        return not _holds_rows(model, str(path))
    header = (_text(File.at(path), []) or "").partition("\n")[0]
    return not any(name in re.split(r"[,;\t|]", header.strip()) for name in model.x_names)


def _texts(model: Model, path: Path) -> Inputs:
    """Return what a file says: line by line, where it ends as the files that were learned from line by line, else as one."""
    warnings: list[str] = []
    text = _text(File.at(path), warnings)
    if text is None:
        return Inputs([], [], warnings)
    if path.suffix.lstrip(".") not in model.x_names:
        return Inputs([text], [str(path)])
    lines = {
        f"{path} line {k + 1}": line for k, line in enumerate(text.replace("\r\n", "\n").split("\n")) if line.strip()
    }
    return Inputs(list(lines.values()), list(lines))


def _text(file: File, warnings: list[str]) -> str | None:
    """Return what a file says; where it cannot be read, None, and a warning that says so."""
    try:
        return decoded(file.read())[0]
    except BadCell as error:
        warnings.append(f"{file.name} {error}")
        return None
