"""Where training's time goes: the share outside forward, backward and step; and what starting costs.

    python benchmarks/loop.py mnist/train.zip

One epoch of MNIST with the default plan. The three costly calls are timed from outside; everything else the iterator
does between two moments (fetching and augmenting the batch, schedule, bookkeeping) is the loop's own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _runs import descent_of, prepared_for


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    chosen = parser.parse_args()
    for code in ("import warmer", "from warmer.cli.app import run; run(['--help'])"):
        print(f"{code}: {starting(code):.2f} s more than an empty Python")
    print(f"outside forward, backward and step: {overhead(chosen.file):.1%}")


def starting(code: str) -> float:
    """Return the median seconds that `code` takes in a fresh process, beyond those of an empty one."""

    def once(text: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    once(code)
    return float(np.median([once(code) for _ in range(9)]) - np.median([once("") for _ in range(9)]))


def overhead(file: Path) -> float:
    """Return the share of an epoch spent outside forward, backward and step."""
    descent = descent_of(*prepared_for(str(file), epochs=1, validations=1))
    network = descent.network
    inside = [0.0]

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                inside[0] += time.perf_counter() - start

        return wrapper

    network.forward = timed(network.forward)  # type: ignore[method-assign]
    descent._loss = timed(descent._loss)  # type: ignore[method-assign]
    descent.optimiser.step = timed(descent.optimiser.step)  # type: ignore[method-assign]
    backward = torch.Tensor.backward
    torch.Tensor.backward = timed(backward)  # type: ignore[method-assign, assignment]
    try:
        for moment in descent:
            if moment.scores is None:
                share = 1 - inside[0] / descent.state.training_seconds
    finally:
        torch.Tensor.backward = backward  # type: ignore[method-assign]
    return share


if __name__ == "__main__":
    main()
