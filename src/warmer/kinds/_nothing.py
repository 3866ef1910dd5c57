"""The y of a network that was learned elsewhere and gives no answers of its own: it can be looked at, not asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from warmer.errors import BadCell, InputError
from warmer.kinds._contract import Answer, Array, Bid, Cells, Head, Kind
from warmer.networks.features import Features, FeatureSpec
from warmer.plan import Plan


@dataclass(frozen=True)
class Nothing(Kind):
    """No answer."""

    name: ClassVar[str] = "nothing"

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Never bid."""
        return Bid(0.0)

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "y",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Return nothing."""
        return cls()

    @property
    def shape(self) -> tuple[int | None, ...]:
        """No axes."""
        return ()

    @property
    def dtype(self) -> str:
        """float32."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Refuse: there is nothing to read."""
        raise BadCell("cannot be an answer of a network that gives none")

    def show(self, array: Array) -> Any:
        """Return nothing."""
        return None

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return no cells."""
        return []

    def head(self, plan: Plan, spec: FeatureSpec) -> Head:
        """Return an end that passes on the pooled features."""
        return _Mute()


class _Mute(Head):
    def outputs(self, features: Features) -> Tensor:
        return features.pooled()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise InputError("this network gives no answers, so they cannot be wrong; learn with --from it first")

    def answers(self, outputs: Tensor) -> Array:
        return np.asarray(outputs)

    def truths(self, targets: Tensor) -> Array:
        return np.asarray(targets)

    def decode(self, outputs: Tensor) -> list[Answer]:
        raise InputError("this network gives no answers of its own; learn with --from it first")
