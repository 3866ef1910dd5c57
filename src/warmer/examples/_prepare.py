"""From a table of raw cells to fitted kinds, a protected split and compact arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmer import kinds
from warmer.errors import InputError, UnknownName
from warmer.examples import _split
from warmer.examples._apart import by_time
from warmer.examples._contract import Ledger, Rows, Table, missing
from warmer.examples._store import Store, fill
from warmer.kinds._contract import Bid, Kind
from warmer.signature import Signature

Array = NDArray[Any]

_LOOKED_AT = 20_000
_ANSWERS = ("y", "target", "label", "class", "category", "answer", "outcome")
UNUSED = "unused"


@dataclass(frozen=True)
class Decision:
    """What was decided about one column, and why. `role` is "x", "y", "split", "group" or "unused"."""

    column: str
    role: str
    kind: str
    why: str


@dataclass(frozen=True)
class Columns:
    """The columns of a table with what was decided about each."""

    decisions: tuple[Decision, ...]
    signature: Signature

    def of(self, role: str) -> tuple[str, ...]:
        """Return the columns of one role."""
        return tuple(d.column for d in self.decisions if d.role == role)

    def kind(self, column: str) -> str:
        """Return the kind decided for a column."""
        return next(d.kind for d in self.decisions if d.column == column)


def decide(
    table: Table,
    x: Sequence[str] = (),
    y: Sequence[str] = (),
    signature: Signature | None = None,
    overrides: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Columns:
    """Decide what each column is for and of what kind.

    Args:
        table: the examples.
        x: columns to learn from; none: all that are of use.
        y: columns to answer; none: the one the source knows or that is named like an answer.
        signature: kinds of x and y, where the user wants other ones than recognised.
        overrides: column → kind, or "unused".
        group: column whose equal values must stay on one side of the split.
    """
    asked = dict(overrides or {})
    for name in (*x, *y, *asked, *((group,) if group else ())):
        if name not in table.columns:
            raise UnknownName("column", name, table.columns)
    answers = tuple(y) or _guess_answer(table)
    if both := set(x) & set(answers):
        raise InputError(f"column `{both.pop()}` cannot be both x and y")
    bids = {name: _bid(table, name, "y" if name in answers else "x", asked) for name in table.columns}
    inputs = tuple(x) or tuple(n for n in table.columns if n not in answers and n not in (table.split, group))
    decisions = []
    for name in table.columns:
        kind, bid = bids[name]
        decisions.append(_decision(name, kind, bid, table, answers, inputs, bool(x) or name in asked, group))
    used = [d for d in decisions if d.role == "x"]
    if not used:
        first = next((f" (`{d.column}`: {d.why})" for d in decisions if d.role == UNUSED and d.why), "")
        raise InputError(f"no column of `{table.origin}` is left to learn from{first}; name them with --x")
    return _signed(decisions, used, answers, signature)


def _bid(table: Table, name: str, role: str, asked: Mapping[str, str]) -> tuple[str, Bid]:
    if name in asked:
        return asked[name], Bid(1.0, "you asked for it")
    if name in table.kinds:
        return table.kinds[name], Bid(1.0, "known from the source")
    cells = table.columns[name]
    there = cells[~missing(cells)]
    if not len(there):
        return UNUSED, Bid(0.0, "holds nothing")
    # Evenly spaced, so that a column that counts rows still counts evenly.
    sample = list(there[:: max(1, len(there) // _LOOKED_AT)])
    kind, bid = kinds.recognise(sample, name, role)
    if bid.sure > 0:
        return kind, bid
    unknown = f"no kind knows cells like `{str(sample[0])[:60]}`"
    if role == "y":
        raise InputError(f"column `{name}` cannot be the answer: {unknown}; name its kind with --column {name}=KIND")
    return UNUSED, Bid(0.0, unknown)


def _decision(
    name: str,
    kind: str,
    bid: Bid,
    table: Table,
    answers: Sequence[str],
    inputs: Sequence[str],
    asked: bool,
    group: str | None,
) -> Decision:
    """Return the decision about one column."""
    if name in answers:
        return Decision(name, "y", kind, bid.why)
    if name == table.split:
        return Decision(name, "split", "", "says which examples are for training and which for testing")
    if name == group:
        return Decision(name, "group", "", "equal values stay on one side of the split")
    if name not in inputs:
        return Decision(name, UNUSED, kind, "not among the columns you named")
    if kind == UNUSED:
        return Decision(name, UNUSED, "", bid.why)
    if not kinds.get(kind).learnable:
        return Decision(name, UNUSED, kind, bid.why)
    cells = table.columns[name]
    if not asked and _is_constant(cells):
        return Decision(name, UNUSED, kind, "is the same everywhere")
    return Decision(name, "x", kind, bid.why)


def _is_constant(cells: Array) -> bool:
    """Tell whether a column of plain values is the same everywhere."""
    first = cells[0]
    if not isinstance(first, (str, bool, int, float, np.generic)):
        return False
    return (
        bool((cells == first).all())
        if cells.dtype != object
        else all(type(c) is type(first) and c == first for c in cells)
    )


def _guess_answer(table: Table) -> tuple[str, ...]:
    """Return the column the source or its name marks as the answer."""
    if table.y:
        return tuple(table.y.split(","))
    named = [name for name in table.columns if name.lower() in _ANSWERS]
    if len(named) == 1:
        return (named[0],)
    listed = ", ".join(list(table.columns)[:30])
    raise InputError(f"which column of `{table.origin}` is the answer? name it with --y; there are: {listed}")


def _signed(
    decisions: list[Decision], used: list[Decision], answers: Sequence[str], signature: Signature | None
) -> Columns:
    """Work out the signature, or apply the one asked for."""
    if signature is None:
        decisions, used = _without_partners(decisions, used)
    alone = len(used) == 1 and kinds.get(used[0].kind).alone
    several = kinds.compound()
    x = used[0].kind if alone else several
    y = next(d.kind for d in decisions if d.role == "y") if len(answers) == 1 else several
    if signature is not None:
        for name in (signature.x, signature.y):
            kinds.get(name)
        if signature.x != several and len(used) > 1:
            used = [d for d in used if d.kind == signature.x] or used
            if len(used) > 1:
                raise InputError(f"`{signature}` takes one x column and there are {len(used)}; name it with --x")
            decisions = [
                d
                if d.role != "x" or d is used[0]
                else Decision(d.column, UNUSED, d.kind, "not what the signature takes")
                for d in decisions
            ]
        if signature.x != several:
            decisions = [
                d if d.role != "x" else Decision(d.column, "x", signature.x, "by the signature you gave")
                for d in decisions
            ]
        if signature.y != several and len(answers) > 1:
            raise InputError(
                f"`{signature}` has one answer and you named {len(answers)} columns; leave the signature out"
            )
        if signature.y != several:
            decisions = [
                d if d.role != "y" else Decision(d.column, "y", signature.y, "by the signature you gave")
                for d in decisions
            ]
        x, y = signature.x, signature.y
    return Columns(tuple(decisions), Signature(x, y))


def _without_partners(decisions: list[Decision], used: list[Decision]) -> tuple[list[Decision], list[Decision]]:
    """Where a column cannot be one of several, learn from it alone."""
    loner = next((d for d in used if not kinds.get(d.kind).joins), None)
    if loner is None or len(used) == 1:
        return decisions, used
    why = f"{loner.kind} in `{loner.column}` stands alone; choose another x with --x"
    return [Decision(d.column, UNUSED, d.kind, why) if d in used and d is not loner else d for d in decisions], [loner]


@dataclass
class Prepared:
    """Examples, ready to be learned from.

    Attributes:
        x, y: fitted kinds.
        x_names, y_names: their columns.
        columns: all decisions.
        inputs, targets: compact arrays of all examples, in the table's order.
        sides: each example's side, by `_split.TRAIN` and so on.
        keys: 64-bit content hash of each example's x.
        hashes: what decided the side: `keys`, or a hash of the group.
        own_validation: whether the examples themselves name a validation part.
        folds: of each example, where several networks are each kept from one of them; None: there are no folds, and the
            validation side is apart.
        table: the raw cells, for reports.
        ledger: everything odd.
    """

    x: Kind
    y: Kind
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]
    columns: Columns
    inputs: Store
    targets: Store
    sides: Array
    keys: Array
    hashes: Array
    table: Table
    ledger: Ledger
    own_validation: bool = False
    folds: Array | None = None

    def rows(self, side: int) -> Array:
        """Return the indices of one side's examples; with folds, training and validation are the same ones."""
        if self.folds is not None and side == _split.VALIDATION:
            side = _split.TRAIN
        return np.flatnonzero(self.sides == side)

    def dealt(self, folds: int) -> Prepared:
        """Return these examples with training and validation together, dealt into folds; equal ones (or groups) stay together."""
        if folds == 1:
            return self
        found = _split.deal(self.hashes, folds)
        sides = np.where(self.sides == _split.VALIDATION, _split.TRAIN, self.sides)
        if len(np.unique(found[sides == _split.TRAIN])) < folds:
            raise InputError(f"there are too few different examples for {folds} folds; give fewer")
        return dataclasses.replace(self, sides=sides, folds=found)

    def fingerprint(self) -> str:
        """Return a text that changes when the examples do."""
        return f"{len(self.keys)}-{int(np.bitwise_xor.reduce(self.keys)):016x}" if len(self.keys) else "0"


def prepare(
    table: Table,
    columns: Columns,
    *,
    options: Mapping[str, Any],
    test_share: float = 0.2,
    validation_share: float | None = None,
    time: str | None = None,
    store: str = "auto",
    adopted: Kind | None = None,
) -> Prepared:
    """Leave out what cannot be used, split, fit the kinds on the training part, and read everything into compact arrays.

    Args:
        table: the examples.
        columns: what was decided about its columns.
        options: options of the kinds, by name.
        test_share, validation_share: of the examples.
        time: column by which the latest examples are for the test.
        store: where the arrays lie: "auto", "memory" or "disk".
        adopted: a fitted kind to use for x as it is (that of a model learned from before).
    """
    ledger = table.ledger
    x_names, y_names = columns.of("x"), columns.of("y")
    table = _with_answers(table, y_names, columns, ledger)
    keys, bad = _split.keys(table, x_names)
    table, keys = _without(table, keys, bad, ledger)
    strata = _strata(table, columns, y_names)
    table, keys, strata = _without_loners(table, keys, strata, columns, ledger)
    derived = kinds.get(columns.signature.x).derived
    many = derived or kinds.get(columns.signature.y).many
    whole = _split.keys(table, (*x_names, *y_names))[0] if many else keys
    keys = whole if derived else keys
    _list_doubles(table, whole, strata, y_names, ledger)
    group = columns.of("group")
    hashes = _split.keys(table, group)[0] if group else whole
    shares = _split.shares(len(table), test_share, validation_share)
    given = official(table) if time is None else by_time(table, time, shares)
    # A group holds examples of many categories: it goes whole to one side.
    sides = _split.split(hashes, np.zeros_like(strata) if group else strata, shares, given)
    training = np.flatnonzero(sides == _split.TRAIN)
    groups = strata[training] if strata.any() else None
    if adopted is None:
        x = _fit(columns.signature.x, columns.signature.y, table, x_names, columns, training, "x", groups, options)
    else:
        x = _refit(adopted, columns.signature.y, table, x_names, training, groups, options)
    y = _fit(columns.signature.y, columns.signature.x, table, y_names, columns, training, "y", None, options)
    inputs, bad_x = fill(x, cells_of(table, x, x_names), store)
    targets, bad_y = fill(y, cells_of(table, y, y_names), "memory")
    own_validation = given is not None and bool((given == _split.VALIDATION).any())
    found = Prepared(
        x, y, x_names, y_names, columns, inputs, targets, sides, keys, hashes, table, ledger, own_validation
    )
    return _dropped(found, {**bad_x, **bad_y})


def cells_of(table: Table, kind: Kind, names: Sequence[str]) -> Any:
    """Return the cells a kind reads: one column's, or for a row the columns side by side."""
    if kind.compound:
        return Rows({name: table.columns[name] for name in names if name in table.columns}, len(table))
    return table.columns[names[0]]


def _with_answers(table: Table, y_names: Sequence[str], columns: Columns, ledger: Ledger) -> Table:
    """Leave out examples whose answer is missing, and refuse answers that teach nothing."""
    for name in y_names:
        cells = table.columns[name]
        absent = missing(cells)
        if absent.all():
            raise InputError(
                f"column `{name}` of `{table.origin}` is empty; the answer must be known for the examples to learn from"
            )
        for row in np.flatnonzero(absent):
            ledger.add(table.name(int(row)), f"has no answer in column `{name}`")
        table = table.take(np.flatnonzero(~absent)) if absent.any() else table
    for name in y_names:
        _check_answer(table, name, columns)
    return table


def _told(cell: Any) -> str:
    """Say in a few words what a cell is."""
    shape = getattr(cell, "shape", ())
    if shape:
        return f"the same array of {' × '.join(map(str, shape))} numbers"
    return f"`{' '.join(str(cell).split())[:60]}`"


def _check_answer(table: Table, name: str, columns: Columns) -> None:
    cells = table.columns[name]
    words = cells
    if cells.dtype == object:
        words = np.array([cell.tobytes() if hasattr(cell, "tobytes") else str(cell) for cell in cells], dtype=object)
    different = len(pd.unique(words))
    if different == 1:
        raise InputError(
            f"the answer `{name}` is always {_told(cells[0])}; there is nothing to tell apart, "
            "so add examples of other answers"
        )
    if kinds.get(columns.kind(name)).discrete and different > 0.5 * len(cells) and len(cells) >= 20:
        sorts = {type(cell).__name__ for cell in cells}
        mixed = f" of mixed types ({', '.join(sorted(sorts))})" if len(sorts) > 1 else ""
        raise InputError(
            f"the answer `{name}` has {different} different values{mixed} in {len(cells)} examples; "
            "clean the column, or name another with --y"
        )


def _without(table: Table, keys: Array, bad: Mapping[int, str], ledger: Ledger) -> tuple[Table, Array]:
    """Leave unreadable examples out."""
    if not bad:
        return table, keys
    for row, reason in sorted(bad.items()):
        ledger.add(table.name(row), reason)
    kept = np.setdiff1d(np.arange(len(table)), np.fromiter(bad, dtype=int))
    if not len(kept):
        row, reason = next(iter(bad.items()))
        raise InputError(
            f"none of the {len(table)} examples of `{table.origin}` can be read; the first, {table.name(row)}, {reason}"
        )
    return table.take(kept), keys[kept]


def _strata(table: Table, columns: Columns, y_names: Sequence[str]) -> Array:
    """Return the category index of each example; zeros where the answer is no category."""
    if len(y_names) == 1 and kinds.get(columns.kind(y_names[0])).discrete:
        cells = table.columns[y_names[0]]
        return np.asarray(pd.factorize(cells.astype(str) if cells.dtype == object else cells, sort=True)[0])
    return np.zeros(len(table), dtype=int)


def _without_loners(
    table: Table, keys: Array, strata: Array, columns: Columns, ledger: Ledger
) -> tuple[Table, Array, Array]:
    """Leave out categories with a single example: it cannot be both learned from and asked about."""
    counts = np.bincount(strata)
    lonely = counts[strata] == 1
    if not lonely.any() or len(table) == 1:
        return table, keys, strata
    for row in np.flatnonzero(lonely):
        label = table.columns[columns.of("y")[0]][row]
        ledger.add(table.name(int(row)), f"is the only example of its category `{label}`")
    kept = np.flatnonzero(~lonely)
    if len(np.unique(strata[kept])) < 2:
        raise InputError(f"`{table.origin}` has fewer than two categories with two examples or more; add examples")
    return table.take(kept), keys[kept], strata[kept]


def _list_doubles(table: Table, keys: Array, strata: Array, y_names: Sequence[str], ledger: Ledger) -> None:
    """List equal examples; they stay, all on one side. Contradictory ones have the same x and different answers."""
    _, first, places, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    answers = table.columns[y_names[0]]
    for row in np.flatnonzero(counts[places] > 1):
        other = first[places[row]]
        if row == other:
            continue
        if str(answers[row]) == str(answers[other]):
            ledger.add(table.name(int(row)), f"is the same as {table.name(int(other))}", "kept (duplicate)")
        else:
            told = f"is the same as {table.name(int(other))} but is answered `{answers[row]}` instead of `{answers[other]}`"
            ledger.add(table.name(int(row)), told, "kept (contradictory)")


def official(table: Table) -> Array | None:
    """Return each example's side by the table's own split column, −1 where it says nothing known."""
    if table.split is None:
        return None
    sides = [_split.side_of(word) for word in table.columns[table.split]]
    given = np.array([-1 if side is None else side for side in sides])
    if not (given == _split.TRAIN).any():
        table.notes.append(f"column `{table.split}` marks nothing as training, so it is not used as a split")
        return None
    return given


def _fit(
    kind: str,
    partner: str,
    table: Table,
    names: Sequence[str],
    columns: Columns,
    training: Array,
    role: str,
    groups: Array | None,
    options: Mapping[str, Any],
) -> Kind:
    """Fit a kind, or the kinds of a row's columns, on the training examples."""

    def fit(name: str, word: str) -> Kind:
        wanted = kinds.get(word)
        mine = {key: value for key, value in options.items() if key in wanted.options()}
        cells: Any = table.columns[name][training]
        other = None if kinds.get(kind).compound else kinds.get(partner)
        return wanted.fit(cells, role=role, groups=groups, partner=other, **mine)

    wanted: Any = kinds.get(kind)
    if not wanted.compound:
        return fit(names[0], kind)
    fitted: Kind = wanted(tuple(names), tuple(fit(name, columns.kind(name)) for name in names))
    return fitted


def _refit(
    adopted: Kind,
    partner: str,
    table: Table,
    names: Sequence[str],
    training: Array,
    groups: Array | None,
    options: Mapping[str, Any],
) -> Kind:
    """Let a kind that was fitted elsewhere see the training examples."""
    mine = {key: value for key, value in options.items() if key in adopted.options()}
    cells = cells_of(table.take(training), adopted, names)
    return adopted.refit(cells, groups=groups, partner=kinds.get(partner), **mine)


def _dropped(found: Prepared, bad: Mapping[int, str]) -> Prepared:
    """Leave out what could not be read after all, and check that enough is left."""
    for row, reason in sorted(bad.items()):
        found.ledger.add(found.table.name(row), reason)
        found.sides[row] = -1
    for side, word in enumerate(_split.SIDES):
        if not (found.sides == side).any():
            first = f" (the first: {found.table.name(min(bad))} {bad[min(bad)]})" if bad else ""
            raise InputError(f"no {word} examples of `{found.table.origin}` are left that can be read{first}")
    return found
