"""How well pictures out of noise are what was wished for, read by a classifier that learned from real ones alone.

    python benchmarks/generating.py mnist/train.zip --methods flow vae gan --minutes 8

The classifier and each generator learn from the same zip of class folders; 100 pictures of every class are asked for.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import warmer
from warmer.scores import get

EACH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples")
    parser.add_argument("--methods", nargs="+", default=["flow", "vae", "gan"])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--save", help="write each generator beside this name")
    options = parser.parse_args()
    common = {"advice": False, "threads": options.threads}
    reader = warmer.learn(options.examples, **common)
    print(f"the classifier: {reader.evidence['sentence']}", flush=True)
    for method in options.methods:
        began = time.monotonic()
        model = warmer.learn(
            options.examples,
            signature="noise -> image",
            method=method,
            minutes=options.minutes,
            threads=options.threads,
        )
        wishes = [label for label in model.x.labels for _ in range(EACH)]
        began_making = time.monotonic()
        made = [np.asarray(answer.picture) for answer in model(wishes)]
        each = (time.monotonic() - began_making) / len(made)
        read = [str(answer.value) for answer in reader(made)]
        right = np.mean([a == b for a, b in zip(read, wishes, strict=True)])
        frechet = model.evidence["scores"][get("frechet").name]
        print(
            f"{method}: {right:.1%} of {len(made)} read as wished, Fréchet {frechet:.3f}, "
            f"distance to training pictures {model.evidence['distance_to_training']:.2f} of that of unseen real ones, "
            f"{each * 1000:.0f} ms a picture, learned in {began_making - began:.0f} s",
            flush=True,
        )
        if options.save:
            model.save(f"{options.save}-{method}.safetensors")


if __name__ == "__main__":
    main()
