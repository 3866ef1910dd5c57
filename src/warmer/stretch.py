"""A stretch of a series: some steps of one or several channels, and what is known of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Frame:
    """What all stretches of one series share.

    Attributes:
        names: of the channels.
        targets: places of the channels that were asked for.
        period: steps after which the series tends to repeat; 1: it does not.
        step: nanoseconds from one step to the next; 0: unknown.
        mean, deviation: of each channel over the part to learn from.
    """

    names: tuple[str, ...]
    targets: tuple[int, ...] = ()
    period: int = 1
    step: int = 0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Stretch:
    """Values `[steps, channels]`, float32, and when they begin."""

    values: Array
    frame: Frame
    begins: str = ""
    size: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.values.shape)

    def tobytes(self) -> bytes:
        """Return the values as bytes."""
        return np.ascontiguousarray(self.values).tobytes()

    def __repr__(self) -> str:
        return f"{len(self.values)} steps from {self.begins}" if self.begins else f"{len(self.values)} steps"
