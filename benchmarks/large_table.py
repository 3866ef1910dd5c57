"""1.3 million rows: seconds to the first batch and in all, memory, and accuracy beside a linear model of spelling.

    python benchmarks/large_table.py baby-names.csv.gz

The table has year, name, sex and births; sex is asked for. The peer is scikit-learn's logistic regression on the name's
groups of one to four letters, on the same split. (Equal names with equal answers are one weighted example for it: the
same loss, much sooner.)
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

import warmer
from warmer import examples
from warmer.course import Silence
from warmer.examples import _prepare, _split


class Watch(Silence):
    """Notes when the first batch was learned from."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.first: float | None = None

    def moment(self, moment: Any) -> None:
        if self.first is None:
            self.first = time.perf_counter() - self.began


def main() -> None:
    """Run the comparison and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--y", default="sex")
    parser.add_argument("--text", default="name", help="the column that the peer reads")
    chosen = parser.parse_args()
    watch = Watch()
    model = warmer.learn(str(chosen.file), y=chosen.y, listener=watch)
    seconds = time.perf_counter() - watch.began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = model.evidence
    print(f"first batch after {watch.first:.1f} s, all after {seconds:.0f} s, at most {peak:.2f} GiB")
    right, constant = found["scores"]["accuracy"], found["baselines"]["constant"]["scores"]["accuracy"]
    print(f"ours: {right:.2%} of {found['n']:,}, constant {constant:.2%}")
    print(f"letters and a linear model: {linear(chosen.file, chosen.y, chosen.text):.2%}")


def linear(file: Path, y: str, text: str) -> float:
    """Return the accuracy of logistic regression on letters, on the same test rows."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    table = examples.open(str(file))
    prepared = _prepare.prepare(table, _prepare.decide(table, (), (y,)), options={})
    texts = np.array([str(cell).lower() for cell in table.columns[text]])
    answers = np.array([str(cell) for cell in table.columns[y]])
    learn = np.concatenate([prepared.rows(_split.TRAIN), prepared.rows(_split.VALIDATION)])
    test = prepared.rows(_split.TEST)
    pairs, weights = np.unique(np.stack([texts[learn], answers[learn]], 1), axis=0, return_counts=True)
    letters = CountVectorizer(analyzer="char_wb", ngram_range=(1, 4)).fit(pairs[:, 0])
    model = LogisticRegression(solver="liblinear").fit(
        letters.transform(pairs[:, 0]), pairs[:, 1], sample_weight=weights
    )
    return float((model.predict(letters.transform(texts[test])) == answers[test]).mean())


if __name__ == "__main__":
    main()
