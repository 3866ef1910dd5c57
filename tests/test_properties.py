"""Whatever a table holds: it is split for good, nothing crashes, and nothing passes silently."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warmer import examples
from warmer.errors import InputError
from warmer.examples import _prepare, _split
from warmer.written.numerals import Style

WILD = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(-(10**12), 10**12),
    st.booleans(),
    st.sampled_from([float("nan"), float("inf"), 0.1, -1e30, "1,234.5", "€ 12", "NaN", "?", "", "2020-01-02", "12:30"]),
)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(st.lists(st.tuples(WILD, WILD, st.sampled_from(["yes", "no"])), min_size=1, max_size=60))
@SLOW
def test_any_table_is_prepared_or_refused_in_one_sentence(rows):
    frame = pd.DataFrame(
        {"a": [r[0] for r in rows], "b": [r[1] for r in rows], "y": [r[2] for r in rows]}, dtype=object
    )
    try:
        table = examples.open(frame)
        found = _prepare.prepare(table, _prepare.decide(table, y=("y",)), options={})
    except InputError as error:
        assert "\n" not in str(error)
        return
    used = (found.sides >= 0).sum()
    assert used + found.ledger.left_out == len(rows)
    values = np.asarray(found.inputs.values, dtype=float)
    assert not np.isinf(values[found.sides >= 0]).any()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300), st.randoms())
@SLOW
def test_the_split_does_not_depend_on_order_and_keeps_equals_together(values, random):
    frame = pd.DataFrame({"a": [float(v) for v in values], "y": [v % 2 for v in values]})
    keys, _ = _split.keys(examples.open(frame), ("a",))
    order = list(range(len(values)))
    random.shuffle(order)
    again, _ = _split.keys(examples.open(frame.iloc[order].reset_index(drop=True)), ("a",))
    assert (keys[order] == again).all()
    assert len(set(keys.tolist())) == len(set(values))


@given(st.integers(100, 3000), st.integers(1, 500), st.integers(0, 2**32))
@SLOW
def test_a_growing_collection_never_moves_an_example_out_of_training(n, more, seed):
    hashes = np.random.default_rng(seed).integers(0, 2**63, n + more).astype(np.uint64)
    strata = np.zeros(n + more, dtype=int)
    before = _split.split(hashes[:n], strata[:n], _split.shares(n, 0.2, 0.15))
    after = _split.split(hashes, strata, _split.shares(n + more, 0.2, 0.15))[:n]
    assert not ((before == _split.TRAIN) & (after != _split.TRAIN)).any()


@given(st.lists(st.integers(1, 300), min_size=1, max_size=59), st.integers(0, 2**32))
@SLOW
def test_few_groups_are_dealt_out_by_how_many_examples_they_hold(sizes, seed):
    groups = np.unique(np.random.default_rng(seed).integers(0, 2**63, len(sizes)).astype(np.uint64))
    hashes = np.repeat(groups, sizes[: len(groups)])
    sides = _split._deal(hashes, {_split.TEST: 0.2, _split.VALIDATION: 0.1})
    assert all(len(np.unique(sides[hashes == group])) == 1 for group in groups)
    for side, share in ((_split.TEST, 0.2), (_split.VALIDATION, 0.1)):
        held = hashes[sides == side]
        largest = np.unique(held, return_counts=True)[1].max(initial=0)
        assert largest <= share * len(hashes) or len(held) == largest, "one larger than the side only where all are"
        assert len(held) < share * len(hashes) + largest


def test_a_group_larger_than_a_side_leaves_it_to_the_others():
    groups = np.arange(1, 11, dtype=np.uint64)
    hashes = np.repeat(groups, [10, 10, 60, 10, 10, 10, 10, 10, 10, 60])
    sides = _split._deal(hashes, {_split.TEST: 0.1, _split.VALIDATION: 0.1})
    assert set(hashes[sides == _split.TEST]) == {1, 2}
    assert set(hashes[sides == _split.VALIDATION]) == {4, 5}
    sides = _split._deal(np.repeat(groups[:5], 20), {_split.TEST: 0.2, _split.VALIDATION: 0.15})
    assert sides.reshape(5, 20)[:, 0].tolist() == [_split.TEST, _split.VALIDATION, *[_split.TRAIN] * 3], (
        "all are larger"
    )


def test_groups_stay_on_one_side_whatever_their_answers():
    generator = np.random.default_rng(0)
    sizes = generator.integers(5, 60, 20)
    who = np.repeat([f"hand {i}" for i in range(20)], sizes)
    frame = pd.DataFrame(
        {"a": generator.normal(size=len(who)), "y": generator.choice(["yes", "no"], len(who)), "who": who}
    )
    table = examples.open(frame)
    found = _prepare.prepare(table, _prepare.decide(table, y=("y",), group="who"), options={})
    assert found.x_names == ("a",)
    assert all(len(np.unique(found.sides[who == one])) == 1 for one in np.unique(who))
    for side, share in ((_split.TEST, 0.2), (_split.VALIDATION, 0.15)):
        assert abs((found.sides == side).mean() - share) < sizes.max() / 2 / len(who)


@given(st.integers(-(10**9), 10**9), st.integers(0, 99), st.sampled_from(["", " kg", " €", "%"]))
@SLOW
def test_numbers_are_read_as_people_write_them(whole, cents, unit):
    number = float(f"{whole}.{cents:02d}")
    assert Style().read(f"{whole:,}.{cents:02d}{unit}")[0] == number
    assert Style(",").read(f"{whole:,}".replace(",", ".") + f",{cents:02d}{unit}")[0] == number
    assert Style().read(f"{whole}.{cents:02d}{unit}")[1] == unit.strip()


@given(st.integers(0, 10**9), st.sampled_from(["", "$", "€ "]), st.sampled_from("-−–‒﹣－"))
@SLOW
def test_no_way_to_write_a_minus_is_taken_for_a_unit(whole, currency, minus):
    for written in (f"{minus}{currency}{whole:,}", f"{currency}{minus}{whole}", f"({currency}{whole:,})"):
        assert Style().reads(written) in ((-float(whole), currency.strip()), None)
    assert Style().read(f"{minus}{whole}") == (-float(whole), "")
    assert Style().reads(f"{whole}{minus}") is None
