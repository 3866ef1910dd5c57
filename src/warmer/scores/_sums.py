"""Scores that follow from sums over examples."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def mean_of(sums: NDArray[Any]) -> float:
    """Return a total over a count."""
    return float(sums[0] / sums[1])
