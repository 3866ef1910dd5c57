"""What each column of a row adds to the answer: Shapley values against other rows, by sampling orders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def contributions(
    value: Callable[[NDArray[np.bool_], NDArray[np.int64]], Array],
    columns: int,
    background: int,
    orders: int,
    seed: int,
) -> tuple[Array, Array, float, float]:
    """Return each column's mean contribution, its standard error, the value with no column known and with all.

    Columns are taken over from the row one after another into a row of the background, in a random order and in that
    order reversed; each column's contribution is how the answer moves (Štrumbelj and Kononenko 2014; Lundberg and Lee
    2017, arXiv 1705.07874). In each order the contributions add up to the difference exactly.

    Args:
        value: (known `[m, columns]`, background row of each `[m]`) → answers `[m]`.
        columns: how many.
        background: how many background rows there are.
        orders: pairs of orders.
        seed: of the sampling.
    """
    generator = np.random.default_rng(seed)
    chosen = [generator.permutation(columns) for _ in range(orders)]
    both = [one for order in chosen for one in (order, order[::-1])]
    rows = np.repeat(generator.permutation(np.arange(orders) % background), 2)
    known = np.zeros((len(both), columns + 1, columns), dtype=bool)
    for place, order in enumerate(both):
        for step, column in enumerate(order, 1):
            known[place, step:, column] = True
    answers = value(known.reshape(-1, columns), np.repeat(rows, columns + 1)).reshape(len(both), columns + 1)
    moved = np.diff(answers, axis=1)
    found = np.zeros((len(both), columns))
    for place, order in enumerate(both):
        found[place, order] = moved[place]
    pairs = found.reshape(orders, 2, columns).mean(1)
    error = pairs.std(0, ddof=1) / np.sqrt(orders) if orders > 1 else np.full(columns, np.nan)
    return pairs.mean(0), error, float(answers[:, 0].mean()), float(answers[:, -1].mean())
