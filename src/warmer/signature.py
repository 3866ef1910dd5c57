"""`"image -> category"`: what goes in, what comes out. Knows no kind by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from warmer.errors import InputError

_WORD = re.compile(r"[a-z][a-z0-9_-]*\Z")


@dataclass(frozen=True)
class Signature:
    """A pair of kinds.

    Attributes:
        x: name of the kind that goes in.
        y: name of the kind that comes out.
    """

    x: str
    y: str

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read `"x -> y"` (or `"x → y"`).

        Raises:
            InputError: the text is not two names with an arrow between them.
        """
        parts = [part.strip() for part in re.split(r"->|→", text)]
        if len(parts) != 2 or not all(_WORD.match(part) for part in parts):
            raise InputError(f"`{text}` is not a signature; write two kinds with an arrow, as in `image -> category`")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.x} -> {self.y}"
