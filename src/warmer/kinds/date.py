"""A date or a moment: its year, season, weekday and hour are what is learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from warmer.errors import BadCell
from warmer.kinds._contract import Array, Bid, Cells, Kind
from warmer.networks.features import Features
from warmer.plan import Plan
from warmer.written import moments

_DAY = np.timedelta64(1, "D")
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Date(Kind):
    """A moment, kept as days since 1970.

    Attributes:
        centre, scale: mean and half the range of the training dates, in days.
        low, high: earliest and latest.
        day_first: whether 3/4/2020 is the third of April.
    """

    name: ClassVar[str] = "date"
    alone: ClassVar[bool] = False

    centre: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    day_first: bool = False

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for moments and for text written like one."""
        if all(isinstance(cell, (date, np.datetime64)) for cell in cells):
            return Bid(0.95, "dates")
        matching = sum(isinstance(cell, str) and moments.is_moment(cell) for cell in cells)
        return Bid(0.9, "dates written as text") if matching >= 0.95 * len(cells) else Bid(0.0)

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "x",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Find out whether day or month comes first, and the range."""
        blank = cls(day_first=moments.day_first(cell for cell in cells if isinstance(cell, str)))
        read, bad = blank.read_all(cells)
        days = np.delete(np.asarray(read, dtype=np.float64), list(bad))
        days = days[~np.isnan(days)]
        if len(days) == 0:
            return blank
        low, high = float(days.min()), float(days.max())
        return cls(float(days.mean()), (high - low) / 2 or 1.0, low, high, blank.day_first)

    @property
    def linear(self) -> bool:
        """Yes, as a fixed code of the moment."""
        return True

    @property
    def shape(self) -> tuple[int | None, ...]:
        """A scalar."""
        return ()

    @property
    def dtype(self) -> str:
        """float32: days since 1970, NaN where missing; exact to about three minutes."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Read one moment."""
        if cell is None or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
            return np.float32(np.nan)  # type: ignore[return-value]
        found = moments.read([cell], self.day_first)
        if np.isnat(found[0]):
            raise BadCell(_no_date(cell))
        return self._days(found)[0]

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read each different cell once."""
        codes, different = pd.factorize(np.asarray(cells, dtype=object), use_na_sentinel=True)
        found = moments.read(different, self.day_first)
        wrong = {int(place): _no_date(different[place]) for place in np.flatnonzero(np.isnat(found))}
        days = np.append(self._days(found), np.float32(np.nan))
        return days[codes], {int(row): wrong[codes[row]] for row in np.flatnonzero(np.isin(codes, list(wrong)))}

    @staticmethod
    def _days(moments: Array) -> Array:
        return np.asarray((moments - np.datetime64(_EPOCH)) / _DAY, dtype=np.float32)

    def show(self, array: Array) -> Any:
        """Return the day, with the time of day where there is one, in ISO 8601."""
        days = float(array)
        if math.isnan(days):
            return None
        moment = _EPOCH + timedelta(days=days)
        return moment.date().isoformat() if days == int(days) else moment.replace(microsecond=0).isoformat(" ")

    def unlike(self, array: Array) -> str | None:
        """Flag dates outside the training range by more than half its length."""
        days = float(array)
        if math.isnan(days) or self.low - self.scale <= days <= self.high + self.scale:
            return None
        return f"{self.show(array)} lies far outside {self.show(np.float32(self.low))} to {self.show(np.float32(self.high))}"  # type: ignore[arg-type]

    def vector(self, arrays: Array) -> Array:
        """Return elapsed time, season and weekday as numbers."""
        with torch.no_grad():
            found: Tensor = _Dates((self,))(torch.as_tensor(np.asarray(arrays))[:, None])
        return found.numpy()

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few days."""
        days = np.random.default_rng(seed).integers(18_000, 20_000, 24)
        return [(_EPOCH + timedelta(days=int(day))).date().isoformat() for day in days]

    def encoder(self, plan: Plan) -> nn.Module:
        """Return a fixed code of the moment."""
        return _Dates((self,), flat=False)

    @classmethod
    def join(cls, columns: Sequence[Kind], plan: Plan) -> nn.Module:
        """Encode all date columns of a row at once."""
        return _Dates([column for column in columns if isinstance(column, Date)])


def _no_date(cell: Any) -> str:
    return f"`{str(cell)[:40]}` is not a date"


class _Dates(nn.Module):
    """Elapsed time, the season and the hour as points on circles, the weekday as one of seven, and "missing"."""

    def __init__(self, columns: Sequence[Date], flat: bool = True) -> None:
        super().__init__()
        self.flat = flat
        self.register_buffer("centre", torch.tensor([column.centre for column in columns]))
        self.register_buffer("scale", torch.tensor([column.scale for column in columns]))

    centre: Tensor
    scale: Tensor

    def forward(self, x: Tensor) -> Any:
        """Map days `[batch]` or `[batch, columns]` to 13 numbers each."""
        x = x.unsqueeze(1) if x.dim() == 1 else x
        absent = x.isnan()
        days = torch.where(absent, self.centre, x)
        year, day = 2 * math.pi * (days / 365.2425), 2 * math.pi * (days - days.floor())
        weekday = nn.functional.one_hot((days.floor().long() + 3) % 7, 7).to(x.dtype)
        elapsed = (days - self.centre) / self.scale
        parts = [elapsed, year.sin(), year.cos(), day.sin(), day.cos(), absent.to(x.dtype)]
        found = torch.cat([torch.stack(parts, -1), weekday], -1).flatten(1)
        return found if self.flat else Features((found,))
