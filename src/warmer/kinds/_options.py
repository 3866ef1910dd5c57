"""What a user may set of a kind: fields of its dataclass that say so, with the values that mean something."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from warmer.plan import check_limits, convert

_WORDS = {"true": True, "yes": True, "false": False, "no": False, "none": None}


@dataclass(frozen=True)
class Option:
    """One such field.

    Attributes:
        default: its value where nobody asks for another; None: the kind decides.
        help: what it is, in a few words.
        least, most: numbers outside of which no run could use it; None: no limit.
    """

    default: Any
    help: str
    least: float | None = None
    most: float | None = None

    def convert(self, name: str, value: Any) -> Any:
        """Turn a value, often text, into the type of the default; where that is None, into a truth value or a number.

        Raises:
            InputError: it is of another type, or outside of the limits.
        """
        if isinstance(value, str) and self.default is None:
            found = _WORDS[value.lower()] if value.lower() in _WORDS else convert(name, value, int)
        else:
            found = value if self.default is None else convert(name, value, type(self.default))
        if isinstance(found, (int, float)):
            check_limits(name, found, self.least, self.most)
        return found


def option(default: Any, help: str, least: float | None = None, most: float | None = None) -> Any:
    """Declare a dataclass field of a kind that the user may set; arguments as of `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(default, help, least, most)})
