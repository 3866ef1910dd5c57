"""What a model is compared with: the simplest constant answer, and a linear model, on the same split."""

from __future__ import annotations

from typing import Any

import numpy as np

from warmer.kinds._contract import Array, Head, Kind
from warmer.training.judging import Part

_MOST = 20_000


def linear(head: Head, x: Kind, y: Kind, training: Part, test: Part) -> tuple[Array, str] | None:
    """Return answers and name of a linear model on plain vectors of x, learned from up to 20,000 training examples."""
    import torch

    rows = training.rows
    if len(rows) > _MOST:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST).astype(int)]
    known, new = x.vector(training.inputs.take(rows)), x.vector(test.inputs.take(test.rows))
    if known is None or new is None:
        return None
    mean, deviation = known.mean(0), known.std(0)
    moving = deviation > 1e-6
    if not moving.any():
        return None
    known = (known[:, moving] - mean[moving]) / deviation[moving]
    new = (new[:, moving] - mean[moving]) / deviation[moving]
    targets: Any = y.batch(training.targets.take(rows), torch.device("cpu"))
    found = head.linear(known, targets, new)
    if found is None:
        return None
    name = found[1] + (f" on {len(rows):,} of the examples" if len(rows) < len(training.rows) else "")
    return found[0], name
