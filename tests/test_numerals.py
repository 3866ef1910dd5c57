"""Numbers as people write them in tables."""

from __future__ import annotations

import pytest

from warmer import kinds
from warmer.errors import BadCell
from warmer.kinds.number import Number
from warmer.written.numerals import Style


@pytest.mark.parametrize(
    ("written", "value", "unit"),
    [
        ("1,234.5", 1234.5, ""), ("-$5.00", -5, "$"), ("$-5", -5, "$"), ("(1,234)", -1234, ""), ("($5)", -5, "$"),
        ("− 5 °C", -5, "°C"), ("+5 %", 5, "%"), ("-4e3", -4000, ""), ("5'000 CHF", 5000, "CHF"), (".5", 0.5, ""),
        ("1.2k", 1.2, "k"),
    ],
)  # fmt: skip
def test_signs_separators_and_units(written, value, unit):
    assert Style().read(written) == (value, unit)


@pytest.mark.parametrize("written", ["", "()", "--5", "(-5)", "-$-5", "3-5", "3–5", "5-", "12:30", "1,2,3", "a"])
def test_what_is_no_number_is_none(written):
    assert Style().reads(written) is None


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1,5", "2,25"], ","), (["1,234", "5,678"], "."), (["0,512", "1,024"], ","), (["1234,567"], ","),
        (["1.234,5"], ","), (["1,234.5"], "."), (["0.512"], "."), (["1,234,567"], "."), (["10,250", "0.5"], "."),
    ],
)  # fmt: skip
def test_which_mark_is_the_decimal_one(cells, decimal):
    assert Style.of(cells).decimal == decimal


def test_thousands_cut_short_are_made_comparable():
    cells = ["950", "1.2k", "3M", "87", "12K", "0.5M", "640", "2.5k"] * 5
    assert Number.recognise(cells, column="views", role="x").sure > 0
    kind = Number.fit(cells)
    assert [float(kind.read(cell)) for cell in cells[:3]] == [950, 1200, 3e6]
    assert kind.high == 3e6
    assert Number.from_json(kind.to_json()) == kind


def test_durations_and_times_of_day():
    kind = Number.fit(["2:15:30", "1:02:03", "59:30.5"] * 10 + ["DNF"] * 3)
    assert [float(kind.read(cell)) for cell in ("2:15:30", "59:30.5", "45")] == [8130, 3570.5, 45]
    assert str(kind.read("DNF")) == "nan"
    name, bid = kinds.recognise(["12:30", "7:05", "23:59", "0:00"] * 10, "departure", "x")
    assert (name, bid.why) == ("number", "times or durations, as `1:30`")
    assert kinds.recognise(["2:1", "0:0", "3:2"] * 10, "score", "x")[0] == "category"


def test_where_all_are_in_thousands_that_is_a_unit():
    kind = Number.fit(["5k", "7k", "12k"] * 10)
    assert (kind.unit, kind.high) == ("k", 12)


def test_different_units_are_no_column_of_numbers():
    cells = ["5", "7", "9", "5 km", "300 m"] * 10
    assert Number.recognise(cells, column="distance", role="x").sure == 0


def test_a_number_in_another_unit_is_no_number_of_the_column():
    kind = Number.fit(["5 km", "7 km", "9"] * 10)
    assert float(kind.read("8")) == 8
    with pytest.raises(BadCell, match="in `m`"):
        kind.read("300 m")


def test_few_codes_of_a_letter_and_digits_are_categories():
    codes = ["A11", "A12", "A14"] * 20
    assert kinds.recognise(codes, "status", "x")[0] == "category"
    assert kinds.recognise([f"EUR{1000 + 7 * (k % 40)}" for k in range(60)], "price", "x")[0] == "number"
