"""Scores of series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def mse(answers: Array, truths: Array) -> float:
    """Mean squared error of a series' standardised steps, over all of its channels, in squared deviations."""
    return float(np.square(answers - truths, dtype=np.float64).mean())


def mae_scaled(answers: Array, truths: Array) -> float:
    """Mean absolute error of a series' standardised steps, over all of its channels, in deviations."""
    return float(np.abs(answers - truths, dtype=np.float64).mean())


def _in_runs(
    score: Callable[[Array, Array], float], answers: Array, truths: Array, draws: Sequence[Array]
) -> list[float]:
    """Return the score of several draws of runs of neighbours, each as long as the horizon.

    Stretches of a series overlap, so that single ones would be drawn as if each told something new (Künsch 1989).
    """
    n, length = len(truths), max(1, min(len(truths), truths.shape[1]))
    found = []
    for draw in draws:
        starts = draw[: -(-n // length)]
        places = ((starts[:, None] + np.arange(length)) % n).reshape(-1)[:n]
        found.append(score(answers[places], truths[places]))
    return found


def mse_redrawn(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    """Return the squared error of several draws."""
    return _in_runs(mse, answers, truths, draws)


def mae_redrawn(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    """Return the absolute error of several draws."""
    return _in_runs(mae_scaled, answers, truths, draws)
