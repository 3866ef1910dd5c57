"""How people write dates, and times of day behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_TEXT = re.compile(
    r"\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
    r"|(?:1[5-9]|2[01])\d\d[-/](?:0[1-9]|1[0-2])"
    r"|(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}[-\s]{_MONTH}[-,\s]\s*(?:\d{{4}}|\d{{2}})"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}"
    rf"|{_MONTH}[-\s]\d{{4}})"
    r"(?:,?[\sT]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]m)?\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?\s*\Z",
    re.IGNORECASE,
)
"""Days by numbers, months by number and by English name; then a time of day, on a clock of 24 or 12 hours."""


def is_moment(text: str) -> bool:
    """Tell whether a text is written like a moment."""
    return _TEXT.match(text) is not None


def day_first(texts: Iterable[str]) -> bool:
    """Tell whether 3/4/2020 is the third of April among these.

    Where both numbers could be months in all of them, those who part them by points name the day first.
    """
    written = [match for text in texts if (match := _TEXT.match(text)) and match["mark"]]
    if not written:
        return False
    firsts, seconds = ([int(match[name]) for match in written] for name in ("first", "second"))
    dots = sum(match["mark"] == "." for match in written)
    return max(seconds) <= 12 and (max(firsts) > 12 or dots > len(written) / 2)


def read(cells: Sequence[Any] | NDArray[Any], day_first: bool) -> NDArray[np.datetime64]:
    """Return moments in UTC, `[cells]`; NaT where there is none.

    Args:
        cells: texts, dates, moments, or None.
        day_first: what a text with two numbers that could be a month means.
    """
    known = [None if isinstance(cell, str) and not is_moment(cell) else cell for cell in cells]
    found = pd.to_datetime(
        pd.Series(known, dtype=object), errors="coerce", format="mixed", dayfirst=day_first, utc=True
    )
    return np.asarray(found.dt.tz_localize(None).to_numpy("datetime64[ns]"))
