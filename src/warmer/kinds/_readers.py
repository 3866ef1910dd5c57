"""What shall read a sequence: one check for all kinds that have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warmer.errors import InputError
from warmer.networks.sequences import BODIES

CHOICES = ("auto", "bag", *BODIES)


def chosen(options: Mapping[str, Any]) -> str:
    """Return the `reader` among the options, or "auto".

    Raises:
        InputError: there is none of that name.
    """
    reader = str(options.get("reader", "auto"))
    if reader not in CHOICES:
        raise InputError(f"`reader` is one of {', '.join(CHOICES)}, not `{reader}`")
    return reader
