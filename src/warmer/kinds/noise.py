"""Noise: what pictures are made out of, and if you like which sort of picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from warmer.errors import BadCell
from warmer.kinds._contract import Array, Bid, Cells, Kind
from warmer.networks.features import Features
from warmer.plan import Plan

_ANY = "any"
_WIDTH = 64


@dataclass(frozen=True)
class Noise(Kind):
    """Nothing but a wish: one of the labels that the training examples had, or `any`.

    Attributes:
        labels: sorted; none where the examples had none.
    """

    name: ClassVar[str] = "noise"
    derived: ClassVar[bool] = True
    joins: ClassVar[bool] = False

    labels: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Never bid: it has to be asked for."""
        return Bid(0.0)

    @classmethod
    def made_of(cls, cells: Cells, other: Cells | None) -> list[Any]:
        """Return the labels beside the pictures, or `any` for each."""
        return [_ANY] * len(cells) if other is None else [str(label) for label in other]

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
        """Note the labels."""
        return cls(tuple(sorted({str(cell) for cell in cells if cell is not None} - {_ANY})), **options)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """One number."""
        return ()

    @property
    def dtype(self) -> str:
        """int64."""
        return "int64"

    def read(self, cell: Any) -> Array:
        """Return the label's place from 1; 0 for any."""
        if cell is None or str(cell) == _ANY or not self.labels:
            return np.asarray(0, dtype=np.int64)
        if str(cell) not in self.labels:
            raise BadCell(f"`{cell}` is none of those it can make: {', '.join(self.labels[:20])}, or any")
        return np.asarray(1 + self.labels.index(str(cell)), dtype=np.int64)

    def show(self, array: Array) -> Any:
        """Return the label."""
        return self.labels[int(array) - 1] if int(array) else _ANY

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return two labels in turn."""
        return ["left", "right"] * 12

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Tensor:
        """Return `[batch]` places."""
        return torch.as_tensor(np.asarray(arrays)).long().to(device)

    def encoder(self, plan: Plan) -> nn.Module:
        """Return a vector for each label."""
        return _Wishes(len(self.labels) + 1)


class _Wishes(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.table = nn.Embedding(count, _WIDTH)

    def forward(self, x: Tensor) -> Features:
        return Features((self.table(x),))
