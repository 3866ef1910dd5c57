"""The ideas themselves, small enough to follow with a pencil: a neuron, and going downhill. No torch, only NumPy."""

from __future__ import annotations

from warmer.firststeps.backpropagation import LOSSES, Net, Passes
from warmer.firststeps.descent import Path, descend
from warmer.firststeps.flow import Flow, flow
from warmer.firststeps.neuron import ACTIVATIONS, Neuron
from warmer.firststeps.starts import Starts, descend_from_many
from warmer.formula import Formula

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Flow",
    "Formula",
    "Net",
    "Neuron",
    "Passes",
    "Path",
    "Starts",
    "descend",
    "descend_from_many",
    "flow",
]
