"""Numbers as a person writes them."""

from __future__ import annotations

import math


def figures(value: float, digits: int = 4) -> str:
    """Return a number with `digits` significant digits, thousands set off, and no exponent from 0.0001 to 1e15.

    Whole digits before the point are never dropped: 79,379.4 is `79,379`.
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 15:
        return f"{value:.{digits - 1}e}"
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


TEXTS = ("text", "caption", "sentence", "transcript", "transcription", "translation")
"""Names of columns whose cells are texts, even where each is a number: `007` is three letters."""
