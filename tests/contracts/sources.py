"""What every source of examples must do. Run over whatever the folder of sources holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from warmer import examples, kinds
from warmer.examples import _prepare
from warmer.plan import Plan

STRANGERS = (None, 3, 2.5, "", "no such thing", Path("no/such/file"), object(), {}, (), (1, 2), b"bytes", {1, 2})


def check_all(name, folder):
    """Run every check on one source."""
    source = examples.sources()[name]
    thing = source.sample(folder)
    check_claims(name, source, thing)
    check_options(source)
    check_table(source.read(thing), source.read(thing))
    check_way_on(thing)


def check_claims(name, source, thing):
    claiming = [other for other, module in examples.sources().items() if module.claims(thing)]
    assert claiming == [name], f"the sample of {name} is claimed by {claiming}"
    for stranger in STRANGERS:
        assert source.claims(stranger) is False, f"{name} claims {stranger!r}"


def check_options(source):
    taken = {*Plan.names(), *(option for kind in kinds.names() for option in kinds.get(kind).options())}
    assert not taken & set(source.OPTIONS), "an option's name belongs to the plan or to a kind"


def check_table(table, again):
    assert len(table) > 0
    assert {len(cells) for cells in table.columns.values()} == {len(table)}
    assert all(isinstance(name, str) and name for name in table.columns)
    assert all(isinstance(cells, np.ndarray) and cells.ndim == 1 for cells in table.columns.values())
    assert table.y is None or table.y in table.columns
    assert table.split is None or table.split in table.columns
    assert set(table.kinds) <= set(table.columns)
    assert set(table.kinds.values()) <= set(kinds.names())
    assert len({table.name(index) for index in range(len(table))}) == len(table)
    for one, other in zip(table.columns.values(), again.columns.values(), strict=True):
        assert list(map(str, one)) == list(map(str, other)), "reading twice differs"
    few = table.take(np.array([3, 1]))
    assert [few.name(0), few.name(1)] == [table.name(3), table.name(1)]


def check_way_on(thing):
    table = examples.open(thing)
    decided = _prepare.decide(table, (), (), None, {}, None)
    assert {decision.column for decision in decided.decisions} == set(table.columns)
    assert all(decision.why for decision in decided.decisions)
