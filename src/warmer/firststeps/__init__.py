"""The ideas themselves, small enough to follow with a pencil.

Those that are arithmetic need NumPy alone; `boundaries` and `compare` really learn, and load torch when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmer.firststeps.backpropagation import LOSSES, Net, Passes
from warmer.firststeps.bends import Stacked, stack
from warmer.firststeps.boundaries import Boundaries, boundaries
from warmer.firststeps.descent import Path, descend
from warmer.firststeps.flow import Flow, flow
from warmer.firststeps.mistakes import Mistakes, count_mistakes
from warmer.firststeps.neuron import ACTIVATIONS, Neuron, curves
from warmer.firststeps.starts import Starts, descend_from_many
from warmer.formula import Formula

if TYPE_CHECKING:
    from warmer.comparison import compare

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Boundaries",
    "Flow",
    "Formula",
    "Mistakes",
    "Net",
    "Neuron",
    "Passes",
    "Path",
    "Stacked",
    "Starts",
    "boundaries",
    "compare",
    "count_mistakes",
    "curves",
    "descend",
    "descend_from_many",
    "flow",
    "stack",
]


def __getattr__(name: str) -> Any:
    if name != "compare":
        raise AttributeError(f"module `warmer.firststeps` has no attribute `{name}`")
    from warmer.comparison import compare

    return compare
