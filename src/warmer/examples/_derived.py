"""Signatures whose x is made out of y: `gray -> image`, `noise -> image`, `image -> itself`; bare examples of y are enough."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warmer import kinds
from warmer.errors import InputError, UnknownName
from warmer.examples._contract import Array, Table, missing, objects
from warmer.signature import Signature

ITSELF = "itself"


@dataclass(frozen=True)
class Derived:
    """Examples with the columns that a signature asks for.

    Attributes:
        table: the examples.
        signature: of two kinds; None: to be recognised.
        x, y: columns; none: to be recognised.
        options: of the kinds, for what follows from the signature.
    """

    table: Table
    signature: Signature | None
    x: Sequence[str]
    y: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)


def derive(table: Table, signature: Signature | None, x: Sequence[str], y: Sequence[str]) -> Derived:
    """Return examples as they are, or with x made out of y where the signature says so.

    Raises:
        InputError: no column, or several, could be what the signature starts from.
    """
    if signature is None:
        return Derived(table, signature, x, y)
    if signature.y == ITSELF:
        kind = kinds.get(signature.x)
        if kind.itself is None:
            raise InputError(
                f"a {signature.x} cannot be put together again from a few numbers; ask for another signature"
            )
        column = _column(table, signature.x, x)
        table = _with(table, ITSELF, table.columns[column], ITSELF)
        return Derived(table, Signature(signature.x, signature.x), (column,), (ITSELF,), kind.itself)
    maker, _ = kinds.get(signature.x), kinds.get(signature.y)
    if not maker.derived:
        return Derived(table, signature, x, y)
    column = _column(table, signature.y, y)
    other = table.columns.get(table.y) if table.y and table.y != column else None
    cells = table.columns[column]
    made = objects(maker.made_of(list(cells), None if other is None else list(other)))
    return Derived(_with(table, maker.name, made, column), signature, (maker.name,), (column,))


def again(table: Table, signature: Signature, x: Sequence[str], y: Sequence[str]) -> Table:
    """Return other examples with x made out of y, for a model that learned from such: its signature and columns."""
    there = [name for name in y if name in table.columns]
    if kinds.get(signature.x).derived:
        found = derive(table, signature, (), there).table
        return dataclasses.replace(
            found, columns={y[0] if n == found.y else n: c for n, c in found.columns.items()}, y=y[0]
        )
    if tuple(y) == (ITSELF,) and not there:
        named = [name for name in x if name in table.columns]
        return derive(table, Signature(signature.x, ITSELF), named, ()).table
    return table


def _with(table: Table, name: str, cells: Array, y: str) -> Table:
    columns = {other: old for other, old in table.columns.items() if other != name}
    return dataclasses.replace(table, columns={**columns, name: cells}, y=y)


def _column(table: Table, kind: str, named: Sequence[str]) -> str:
    """Return the column named, or the only one that holds values of a kind."""
    if named:
        if named[0] not in table.columns:
            raise UnknownName("column", named[0], table.columns)
        return named[0]
    found = []
    for name, cells in table.columns.items():
        there = cells[~missing(cells)][:50]
        if len(there) and kinds.recognise(list(there), name, "x")[0] == kind:
            found.append(name)
    if len(found) != 1:
        several = f"there are several ({', '.join(found)}); name it" if found else "there is none; name one"
        raise InputError(f"which column of `{table.origin}` holds each {kind}? {several} with --x or --y")
    return found[0]
