"""Numbers as a person writes them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmer.words import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (79379.4, "79,379"),
        (0.98934, "0.9893"),
        (12.0, "12"),
        (-0.00361, "-0.00361"),
        (0.0, "0"),
        (9.9999, "10"),
        (1234567.8, "1,234,568"),
        (1e-9, "1.000e-09"),
        (math.inf, "inf"),
        (100.0, "100"),
    ],
)
def test_figures(value, text):
    assert figures(value) == text


@given(st.floats(-1e300, 1e300, allow_subnormal=False))
def test_figures_keep_the_value(value):
    assert float(figures(value).replace(",", "")) == pytest.approx(value, rel=1e-3)
