"""The ideas themselves, small enough to follow with a pencil: a neuron, and going downhill. No torch, only NumPy."""

from __future__ import annotations

from warmer.firststeps.descent import Path, descend
from warmer.firststeps.formula import Formula
from warmer.firststeps.neuron import ACTIVATIONS, Neuron

__all__ = ["ACTIVATIONS", "Formula", "Neuron", "Path", "descend"]
