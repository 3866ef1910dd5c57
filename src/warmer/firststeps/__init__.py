"""The ideas themselves, small enough to follow with a pencil: a neuron, and going downhill. No torch, only NumPy."""

from __future__ import annotations

from warmer.firststeps.backpropagation import LOSSES, Net, Passes
from warmer.firststeps.bends import Stacked, stack
from warmer.firststeps.boundaries import Boundaries, boundaries
from warmer.firststeps.descent import Path, descend
from warmer.firststeps.flow import Flow, flow
from warmer.firststeps.mistakes import Mistakes, count_mistakes
from warmer.firststeps.neuron import ACTIVATIONS, Neuron
from warmer.firststeps.starts import Starts, descend_from_many
from warmer.formula import Formula

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
    "count_mistakes",
    "descend",
    "descend_from_many",
    "flow",
    "stack",
]
