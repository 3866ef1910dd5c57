"""A time of day such as 14:35, as somebody outside the package would add it: nearest neighbours across midnight."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from warmer.errors import BadCell
from warmer.kinds._contract import Answer, Bid, Head, Kind
from warmer.networks.features import Features
from warmer.scores import Score

_TIME = re.compile(r"(\d{1,2}):(\d{2})\Z")
_TURN = 2 * math.pi / 1440


def minutes_off(answers: Any, truths: Any) -> float:
    """Mean distance around the dial, in minutes."""
    gap = np.abs(answers - truths) % 1440
    return float(np.minimum(gap, 1440 - gap).mean())


class Dial(nn.Module):
    """Minutes as a point on a circle."""

    def forward(self, x: torch.Tensor) -> Features:
        angle = x.float().reshape(len(x), -1) * _TURN
        return Features((torch.cat([angle.cos(), angle.sin()], 1),))


@dataclass(frozen=True)
class Clock(Kind):
    """Minutes since midnight."""

    name: ClassVar[str] = "clock"
    alone: ClassVar[bool] = False
    shape = ()
    dtype = "float32"
    usual: float = 720.0

    @classmethod
    def recognise(cls, cells: Any, *, column: str, role: str) -> Bid:
        return Bid(0.97 * all(isinstance(c, str) and _TIME.match(c) is not None for c in cells), "times of day")

    @classmethod
    def fit(cls, cells: Any, *, role: str = "x", groups: Any = None, partner: Any = None, **options: Any) -> Clock:
        angles = np.array([_minutes(cell) for cell in cells if cell is not None]) * _TURN
        return cls(float(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean()) / _TURN % 1440))

    def read(self, cell: Any) -> Any:
        return np.float32(self.usual if cell is None else _minutes(cell))

    def show(self, array: Any) -> str:
        return f"{int(array) // 60 % 24:02d}:{int(array) % 60:02d}"

    def vector(self, arrays: Any) -> Any:
        return np.stack([np.cos(arrays * _TURN), np.sin(arrays * _TURN)], 1).astype(np.float32)

    @classmethod
    def sample(cls, seed: int) -> list[str]:
        return [cls().show(m) for m in np.random.default_rng(seed).integers(0, 1440, 24)]

    def encoder(self, plan: Any) -> nn.Module:
        return Dial()

    def head(self, plan: Any, spec: Any) -> Head:
        return ClockHead(self, spec)


def _minutes(cell: Any) -> int:
    found = _TIME.match(str(cell))
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise BadCell(f"`{cell}` is no time of day; write it as 14:35")
    return 60 * int(found[1]) + int(found[2])


class ClockHead(Head):
    scores = (Score("minutes_off", minutes_off, "minutes", "low"),)
    pools = True

    def __init__(self, kind: Clock, spec: Any) -> None:
        super().__init__(spec.members)
        self.kind = kind
        self.readout = nn.Linear(spec.channels[-1], 2)

    def outputs(self, features: Features) -> torch.Tensor:
        return self.readout(features.pooled())

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return ((outputs - torch.stack([(targets * _TURN).cos(), (targets * _TURN).sin()], 1)) ** 2).sum(1)

    def answers(self, outputs: torch.Tensor) -> Any:
        return (torch.atan2(outputs[:, 1], outputs[:, 0]) / _TURN % 1440).double().numpy()

    def truths(self, targets: torch.Tensor) -> Any:
        return targets.double().numpy()

    def decode(self, outputs: torch.Tensor) -> list[Answer]:
        return [Answer(self.kind.show(round(m)), None) for m in self.answers(outputs)]

    def constant(self, n: int) -> Any:
        return np.full(n, self.kind.usual), f"always answering {self.kind.show(self.kind.usual)}"
