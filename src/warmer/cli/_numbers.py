"""Numbers on the command line."""

from __future__ import annotations


def of(option: str, text: str) -> list[float]:
    """Return the numbers of a text like `3,2,4,2`."""
    import math

    from warmer.errors import InputError

    try:
        found = [float(word) for word in text.replace(";", ",").replace(" ", ",").split(",") if word]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(number) for number in found):
        raise InputError(f"`{option}` takes numbers such as 3,2,4,2, not `{text}`")
    return found
