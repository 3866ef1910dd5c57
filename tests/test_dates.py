"""Dates as people write them in tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from warmer.errors import BadCell
from warmer.kinds.date import Date


def days(text):
    return np.float32((pd.Timestamp(text) - pd.Timestamp("1970-01-01")).total_seconds() / 86_400)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2020-01-05", "2020-01-05"), ("2020/1/5", "2020-01-05"), ("1/5/2020 3:45 PM", "2020-01-05 15:45"),
        ("2020-01-05T10:00:00Z", "2020-01-05 10:00"), ("2020-01-05 10:00:00.5+02:00", "2020-01-05 08:00:00.5"),
        ("5 March 2021", "2021-03-05"), ("5-Mar-21", "2021-03-05"), ("Mar. 5th, 2021", "2021-03-05"),
        ("Sept 5, 2020", "2020-09-05"), ("Mon, 06 Jan 2020 10:00:00 GMT", "2020-01-06 10:00"), ("2020-11", "2020-11-01"),
        ("Jan 2020", "2020-01-01"),
    ],
)  # fmt: skip
def test_moments(written, moment):
    assert Date.recognise([written] * 3, column="when", role="x").sure > 0.5
    assert Date.fit([written] * 3).read(written) == days(moment)


@pytest.mark.parametrize(
    "written", ["2019-20", "1.2.3", "192.168.1.1", "3:45", "may", "12", "1234-5678", "mayor 1, 20"]
)
def test_what_is_no_date(written):
    assert Date.recognise([written] * 3, column="when", role="x").sure == 0
    with pytest.raises(BadCell, match="is not a date"):
        Date().read(written)


@pytest.mark.parametrize(
    ("cells", "march"),
    [
        (["3/4/2020", "3/14/2020"], True), (["3/4/2020", "14/3/2020"], False), (["3/4/2020", "5/6/2020"], True),
        (["3.4.2020", "5.6.2020"], False), (["3.4.2020", "3.14.2020"], True),
    ],
)  # fmt: skip
def test_day_or_month_comes_first(cells, march):
    kind = Date.fit(cells * 5)
    assert kind.read(cells[0]) == days("2020-03-04" if march else "2020-04-03")
