"""Find labels that were flipped on purpose: precision and recall, beside cleanlab on the same probabilities.

pip install cleanlab
python benchmarks/label_errors.py MNIST_ZIP [SHARE]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import warmer
from warmer import examples
from warmer.insight import _mislabelled, subject
from warmer.insight._audited import Audited


def quality(found: Any, flipped: set[int]) -> str:
    hits = len({int(one) for one in found} & flipped)
    return f"precision {hits / max(1, len(found)):.3f}  recall {hits / len(flipped):.3f}  ({len(found):,} suspected)"


def main() -> None:
    table = examples.open(sys.argv[1])
    share = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    generator = np.random.default_rng(0)
    name = table.y or "label"
    labels = np.unique(table.columns[name])
    places = np.searchsorted(labels, table.columns[name])
    flipped = generator.permutation(len(table))[: round(share * len(table))]
    places[flipped] = (places[flipped] + generator.integers(1, len(labels), len(flipped))) % len(labels)
    table.columns[name] = labels[places]
    model = warmer.learn(table, y=name, advice=False)
    print(f"{model.evidence['sentence']} (labels flipped: {len(flipped):,} of {len(table):,})")
    audited = Audited.of(subject(model, (), table))
    began = time.perf_counter()
    shares, right = _mislabelled.crossed(audited, 0)
    print(f"fresh networks: {time.perf_counter() - began:.1f} s, {right:.1%} of all labels are what they answer")
    began = time.perf_counter()
    ours = np.flatnonzero(_mislabelled.confident(shares, audited.truths))
    print(f"ours      {quality(ours, set(flipped.tolist()))}  {time.perf_counter() - began:.3f} s")
    from cleanlab.filter import find_label_issues

    began = time.perf_counter()
    theirs = find_label_issues(
        audited.truths, shares.astype(float), return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    print(f"cleanlab  {quality(theirs, set(flipped.tolist()))}  {time.perf_counter() - began:.3f} s")


if __name__ == "__main__":
    main()
