"""What columns of text add to a table: `warmer learn` with them, and with them taken out.

    python benchmarks/text_columns.py titanic.csv --y Survived --text Name [--text Ticket] [--splits 5]

Both learn from the same rows and are scored on the same others; the second and further splits hold out a random fifth.
The error is the share of wrong answers (categories) or the root mean square error (numbers), lower is better.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import tables

import warmer


def main() -> None:
    """Print one line a split, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--y", required=True)
    parser.add_argument("--text", action="append", required=True, help="a column of text; may be given several times")
    parser.add_argument("--splits", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{'split':8} {'with text':>12} {'without':>12}")
    found = []
    for number in range(chosen.splits):
        rows = tables.rows_of(chosen.table, number)
        if "split" not in rows:  # the same rows must be held out, whatever columns there are
            held_out = np.random.default_rng(chosen.splits).random(len(rows)) < 0.2
            rows["split"] = np.where(held_out, "test", "train")
        found.append([error(some, chosen.y) for some in (rows, rows.drop(columns=chosen.text))])
        print(f"{number:<8} {found[-1][0]:12.5g} {found[-1][1]:12.5g}", flush=True)
    means = np.mean(found, 0)
    print(f"{'mean':8} {means[0]:12.5g} {means[1]:12.5g}")


def error(rows: pd.DataFrame, y: str) -> float:
    """Return how wrong a model is on the rows held out."""
    scores = warmer.learn(rows, y=y, advice=False).evidence["scores"]
    return float(1 - scores["accuracy"] if "accuracy" in scores else scores["rmse"])


if __name__ == "__main__":
    main()
