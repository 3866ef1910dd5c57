"""Examples made on the spot: xor, moons, circles, spirals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from warmer.errors import InputError
from warmer.examples._contract import Array, Table, objects

OPTIONS: dict[str, Any] = {"n": 1000, "noise": 0.1}
NAMES = ("circles", "moons", "spirals", "xor")


def claims(thing: Any) -> bool:
    """Claim the names above."""
    return isinstance(thing, str) and thing in NAMES


def sample(folder: Path) -> Any:
    """Return the name of one of them."""
    return "xor"


def read(thing: str, n: Any = 1000, noise: Any = 0.1) -> Table:
    """Make `n` points of two categories, each moved by Gaussian noise of deviation `noise`; always the same ones."""
    count, spread = int(float(n)), float(noise)
    if count < 10 or spread < 0:
        raise InputError(f"`{thing}` needs n of at least 10 and noise of at least 0, not n={n}, noise={noise}")
    generator = np.random.default_rng(0)
    label = np.arange(count) % 2
    points = _MAKERS[thing](label, generator) + generator.normal(0, 1, (count, 2)) * spread
    columns: dict[str, Array] = {
        "x1": points[:, 0],
        "x2": points[:, 1],
        "category": objects(["one", "other"][k] for k in label),
    }
    return Table(columns, thing, "category", None, {"category": "category"})


def _xor(label: Array, generator: np.random.Generator) -> Array:
    """Two of the four quarters of a square belong to each category."""
    first = generator.integers(0, 2, len(label))
    corner = np.stack([first, first ^ label], axis=1) * 2 - 1
    return corner * generator.uniform(0.1, 1.0, (len(label), 2))


def _moons(label: Array, generator: np.random.Generator) -> Array:
    """Two half circles, each reaching into the other."""
    angle = generator.uniform(0, np.pi, len(label))
    return np.stack([np.cos(angle) + label, np.sin(angle) * (1 - 2 * label) + 0.5 * label], axis=1)


def _circles(label: Array, generator: np.random.Generator) -> Array:
    """A ring inside a ring."""
    angle = generator.uniform(0, 2 * np.pi, len(label))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 - 0.5 * label)[:, None]


def _spirals(label: Array, generator: np.random.Generator) -> Array:
    """Two arms that wind around each other."""
    reach = np.sqrt(generator.uniform(0.02, 1, len(label)))
    angle = 3 * np.pi * reach + np.pi * label
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (2 * reach)[:, None]


_MAKERS = {"xor": _xor, "moons": _moons, "circles": _circles, "spirals": _spirals}
