"""Learning curves: what twice the examples and twice the time would bring.

A network like the finished one learns from an eighth of the examples, and another from all of them in an eighth of the
time. Errors of learning machines fall about as a power of either (Hestness et al. 2017, arXiv 1712.00409), so two points
give a line, and the line a forecast one doubling on. It is a forecast: where the error cannot fall further, it promises
too much, which is why the sentence says "at best".
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import scores
from warmer.plan import Plan
from warmer.training.judging import Part
from warmer.words import figures

SHARE = 8
_FEWEST = 50
_VALIDATIONS = 4
_LEAST_BATCH = 32


@dataclass(frozen=True)
class Point:
    """A score on the validation examples with an eighth of something, and with all of it."""

    little: float
    all: float


def forecast(score: scores.Score, point: Point) -> float:
    """Return the score that twice as much would bring at best; never a worse one than now.

    Args:
        score: what was measured; its error is 1 − value where high is best, else the value itself.
        point: with an eighth, and with all.
    """
    error = (lambda value: 1 - value) if score.best == "high" else (lambda value: value)
    little, now = error(point.little), error(point.all)
    if not 0 < now < little:
        return point.all
    doubled = now * (now / little) ** (1 / math.log2(SHARE))
    return 1 - doubled if score.best == "high" else doubled


def sentence(
    score: scores.Score, examples: Point | None, time: Point | None, stopped: bool = False, of: str = ""
) -> str:
    """Say what twice the examples and twice the time would bring.

    Args:
        score: what was measured.
        examples, time: the two measurements; None: not made.
        stopped: whether training ended by itself because it no longer paid.
        of: " of …", where it is not the finished network's.
    """
    parts = []
    if examples is not None:
        parts.append(f"twice the examples {_gain(score, examples)}")
    if time is not None:
        parts.append(f"twice the time {_gain(score, time)}")
    elif stopped:
        parts.append("more time nothing: it stopped because it no longer gained")
    now = examples or time
    if now is None:
        return ""
    return f"{score.name}{of} is {_number(score, now.all)} on the validation examples; at best, " + ", ".join(parts)


def _gain(score: scores.Score, point: Point) -> str:
    value = forecast(score, point)
    if _number(score, value) == _number(score, point.all):
        return "would change little"
    return f"would make it {_number(score, value)} (an eighth makes it {_number(score, point.little)})"


def _number(score: scores.Score, value: float) -> str:
    return f"{value:.1%}" if score.unit == "share" else figures(value)


def of_fewer(plan: Plan, epochs: float, n: int) -> Plan:
    """Return the plan of a run like one that took `epochs`, on `n` examples.

    A run that stops by itself may do so again; any other makes as many passes.
    """
    batch = min(plan.batch, max(_LEAST_BATCH, n // 20))
    if plan.patience:
        return dataclasses.replace(plan, batch=batch, until=None)
    return dataclasses.replace(plan, batch=batch, until=None, epochs=epochs, validations=_VALIDATIONS)


def of_less(plan: Plan, epochs: float) -> Plan:
    """Return the plan of a run that takes an eighth of `epochs`."""
    return dataclasses.replace(plan, until=None, epochs=epochs / SHARE, patience=0, validations=_VALIDATIONS)


def eighth(training: Part, keys: NDArray[Any]) -> Part | None:
    """Return an eighth of the examples, chosen by their content; None where that is too few to learn from."""
    count = len(training.rows) // SHARE
    if count < _FEWEST:
        return None
    return training.at(np.argsort(keys, kind="stable")[:count])


def best(history: list[dict[str, Any]], name: str) -> float:
    """Return a score at the validation whose weights were kept."""
    kept = [one["scores"] for one in history if one.get("scores") and one["warmer"]]
    return float(kept[-1][name]) if kept else math.nan
