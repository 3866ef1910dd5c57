"""How people write numbers: with units, separators, minus signs of all sorts, and thousands cut short."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PATTERN = re.compile(
    r"(?P<before>[^\d\s.,+-]{0,4})\s*"
    r"(?P<number>[+-]?(?:\d[\d.,'\u00a0\u202f ]*|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<after>[^\d.,+-]{0,12})\s*\Z"
)
_BRACKETED = re.compile(r"\(([^()]*)\)\Z")
_MINUS = str.maketrans(dict.fromkeys("\u2212\u2012\u2013\ufe63\uff0d", "-"))
"""Other signs that are written for a minus: the mathematical one, two dashes, a small and a wide one."""
_SIGNED = re.compile(r"([+-])\s?(?=[^\s+-])")
_COMMA = re.compile(r"\d,(?:\d{1,2}|\d{4,})\D*\Z|\.\d{3},|(?:\b0|\d{4}),\d")
_POINT = re.compile(r"\d\.(?:\d{1,2}|\d{4,})\D*\Z|,\d{3}\.|(?:\b0|\d{4})\.\d")
"""What only a decimal mark does: other than three digits follow it, thousands stand before it, or a zero alone."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):([0-5]\d(?:[.,]\d+)?)\Z")
_CUT = re.compile(r"(?<=\d)(k|K|M|B|bn)\Z")
_TIMES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9}
_MOSTLY = 0.9


@dataclass(frozen=True)
class Style:
    """How the numbers of one column are written.

    Attributes:
        decimal: the decimal mark, "." or ","; the other one, blanks and apostrophes separate thousands.
        short: whether k, M and B right behind a number stand for thousands, millions and billions.
        clock: whether durations and times of day are written `2:15:30`; `15:30` is read in its smaller unit then, too.
    """

    decimal: str = "."
    short: bool = False
    clock: bool = False

    @classmethod
    def of(cls, texts: Sequence[str]) -> Style:
        """Find out how these are written: marks by what reads more of them, a point where both do."""
        comma, point = (sum(map(bool, map(evidence.search, texts))) for evidence in (_COMMA, _POINT))
        # Where all are in thousands, that is a unit like others; where some are, they cannot be compared without.
        cuts = {cut[1].lower() if (cut := _CUT.search(text.strip())) else "" for text in texts}
        clock = bool(texts) and sum(bool(_CLOCK.match(text.strip())) for text in texts) >= _MOSTLY * len(texts)
        return cls("," if comma > point else ".", len(cuts) > 1, clock)

    def read(self, text: str) -> tuple[float, str]:
        """Read a number; return it with its unit ("" if none).

        Args:
            text: such as `1,234.5`, `€ 12`, `-$5`, `(12)` for minus twelve, `35 %`, `-4e3`; `1.2M` where `short`, and `1:30`,
                which is ninety, where `clock`.

        Raises:
            ValueError: it is no number.
        """
        plain = text.strip().translate(_MINUS)
        if self.clock and (clock := _CLOCK.match(plain)):
            hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in clock.groups())
            return 3600 * hours + 60 * minutes + seconds, ""
        if bracketed := _BRACKETED.match(plain):
            if bracketed[1].lstrip().startswith(("-", "+")):
                raise ValueError(text)
            value, unit = self.read(bracketed[1])
            return -value, unit
        sign = 1.0
        if before := _SIGNED.match(plain):
            sign, plain = -1.0 if before[1] == "-" else 1.0, plain[before.end() :]
        times = 1.0
        if self.short and (cut := _CUT.search(plain)):
            times, plain = _TIMES[cut[1]], plain[: cut.start()]
        match = _PATTERN.match(plain)
        if match is None or (before and match["number"].startswith(("-", "+"))):
            raise ValueError(text)
        return sign * times * float(self._digits(match["number"].strip())), (match["before"] + match["after"]).strip()

    def reads(self, text: str) -> tuple[float, str] | None:
        """Read a number and its unit; None where there is none."""
        try:
            return self.read(text)
        except ValueError:
            return None

    def _digits(self, written: str) -> str:
        """Return digits with a decimal point and no separators."""
        mark = re.escape(self.decimal)
        separator = "." if self.decimal == "," else ","
        whole = re.split(rf"{mark}|[eE]", written, maxsplit=1)[0]
        if re.search(r"[.,'\u00a0\u202f ]", whole) and not re.fullmatch(
            r"[+-]?\d{1,3}(?:[.,'\u00a0\u202f ]\d{2,3})*", whole
        ):
            raise ValueError(written)
        return re.sub(rf"[{re.escape(separator)}'\u00a0\u202f ]", "", written).replace(self.decimal, ".")
