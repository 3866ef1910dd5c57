"""What a text is about: `warmer learn` with its defaults beside TF-IDF and logistic regression.

    python benchmarks/texts.py FOLDER [--splits 3]

FOLDER holds `news.csv` and `movie-reviews.csv`. A random fifth of the texts is held out; both learn from the others (ours
chooses and calibrates by some of them).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import warmer

TABLES = {"news": ("text", "topic"), "movie-reviews": ("review", "sentiment")}


def main() -> None:
    """Run the comparison and print one line a split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=3)
    chosen = parser.parse_args()
    print(f"{'texts':16} {'warmer':>8} {'TF-IDF + logistic regression':>30}  seconds (both)")
    for name, (x, y) in TABLES.items():
        table = pd.read_csv(chosen.folder / f"{name}.csv")
        found = []
        for number in range(chosen.splits):
            held_out = np.random.default_rng(number).random(len(table)) < 0.2
            found.append(compare(table.assign(split=np.where(held_out, "test", "train")), x, y))
            print(
                f"{name:16} {found[-1][0]:8.4f} {found[-1][1]:30.4f}  {found[-1][2]:.0f} {found[-1][3]:.0f}", flush=True
            )
        print(f"{name + ', mean':16} {np.mean([f[0] for f in found]):8.4f} {np.mean([f[1] for f in found]):30.4f}")


def compare(table: pd.DataFrame, x: str, y: str) -> tuple[float, float, float, float]:
    """Return both accuracies on the same held-out texts, and both times in seconds."""
    start = time.perf_counter()
    model = warmer.learn(table, y=y, advice=False)
    ours = time.perf_counter() - start
    train, test = (table[table.split == side] for side in ("train", "test"))
    start = time.perf_counter()
    peer = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=300)).fit(train[x], train[y])
    seconds = time.perf_counter() - start
    return model.evidence["scores"]["accuracy"], float(peer.score(test[x], test[y])), ours, seconds


if __name__ == "__main__":
    main()
