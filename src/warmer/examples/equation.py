"""Examples of a function written down as a formula: `y = sin(3*x) + x**2`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from warmer.errors import InputError
from warmer.examples._contract import Ledger, Table
from warmer.formula import Formula

OPTIONS: dict[str, Any] = {"n": 2000, "noise": 0.0, "x_range": "-1,1"}


def claims(thing: Any) -> bool:
    """Claim texts of the form `name = formula`."""
    if not isinstance(thing, str) or "=" not in thing or os.path.exists(thing):
        return False
    name = thing.partition("=")[0].strip()
    return name.isidentifier()


def sample(folder: Path) -> Any:
    """Return a formula."""
    return "y = x**2 + 1"


def read(thing: str, n: Any = 2000, noise: Any = 0.0, x_range: Any = "-1,1") -> Table:
    """Compute the formula at `n` random places within `x_range`, with Gaussian noise of deviation `noise` added.

    Raises:
        InputError: the formula is none, the range is empty, or nothing can be computed there.
    """
    name = thing.partition("=")[0].strip()
    formula = Formula(thing)
    count, spread, (low, high) = _number("n", n), _number("noise", noise), _range(x_range)
    if count < 10 or spread < 0:
        raise InputError(f"a formula needs n of at least 10 and noise of at least 0, not n={n}, noise={noise}")
    if not formula.variables or name in formula.variables:
        raise InputError(f"`{thing}` must say {name} by other names, as in y = x**2 + 1")
    generator = np.random.default_rng(0)
    places = generator.uniform(low, high, (len(formula.variables), int(count)))
    values = formula(*places) + generator.normal(0, 1, int(count)) * spread
    good = np.isfinite(values)
    if good.sum() < 10:
        raise InputError(
            f"`{formula}` is no number at almost every place from {low:g} to {high:g}; give another x_range"
        )
    ledger = Ledger()
    for row in np.flatnonzero(~good):
        where = ", ".join(f"{v} = {places[k, row]:.4g}" for k, v in enumerate(formula.variables))
        ledger.add(f"row {row + 1}", f"is no number at {where}")
    columns = {**{v: places[k, good] for k, v in enumerate(formula.variables)}, name: values[good]}
    return Table(columns, thing, name, None, {}, ledger=ledger)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"`{name}` is a number, not `{value}`") from None


def _range(value: Any) -> tuple[float, float]:
    """Return the two ends of a range such as `-3,3`."""
    parts = value.split(",") if isinstance(value, str) else list(value)
    if len(parts) != 2:
        raise InputError(f"`x_range` is two numbers such as -3,3, not `{value}`")
    low, high = (_number("x_range", part) for part in parts)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"`x_range` goes from a smaller number to a larger one, not from {low:g} to {high:g}")
    return low, high
