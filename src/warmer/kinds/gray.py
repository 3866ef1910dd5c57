"""A picture without its colours, to be coloured: made out of the coloured one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from warmer.kinds._contract import Adopted, Bid, Cells
from warmer.kinds.image import Image
from warmer.networks.weights import Weights


@dataclass(frozen=True)
class Gray(Image):
    """A picture of which the brightness alone is kept; everything else is as with pictures."""

    name: ClassVar[str] = "gray"
    derived: ClassVar[bool] = True
    colourless: ClassVar[bool] = True
    itself: ClassVar[None] = None

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Never bid: a picture is a picture, unless a signature asks for its brightness alone."""
        return Bid(0.0)

    @classmethod
    def adopt(cls, weights: Weights, *, answering: bool = False) -> Adopted | None:
        """Leave other people's networks to pictures in colour."""
        return None

    @classmethod
    def made_of(cls, cells: Cells, other: Cells | None) -> list[Any]:
        """Return the pictures themselves: what is read of them here has no colours."""
        return list(cells)
