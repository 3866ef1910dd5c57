"""Which of the networks that read sequences is best at what: each learns the same examples for the same minutes.

    python benchmarks/readers.py texts/news.csv --y topic
    python benchmarks/readers.py texts/movie-reviews.csv --y sentiment
    python benchmarks/readers.py spoken-digits --y text --signature "audio -> text"
    python benchmarks/readers.py order

`order` is made on the spot: twelve words in random order, and which of two of them comes first; nothing but the order tells. A
bag of words, which has none, is tried where x is a text.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import warmer
from warmer.cli._pairs import pairs
from warmer.networks.sequences import BODIES

WORDS = ("red", "green", "blue", "black", "white", "brown", "pink", "grey", "gold", "lime", "plum", "sand")


def main() -> None:
    """Learn with each, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples")
    parser.add_argument("--y", default="")
    parser.add_argument("--signature")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="FIELD=VALUE of the plan")
    options = parser.parse_args()
    wishes: dict[str, Any] = dict(pairs(options.set, "--set"))
    source: Any = ordered(4000) if options.examples == "order" else options.examples
    is_text = not (options.signature or "").startswith("audio")
    for reader in [*BODIES, *(["bag"] if is_text else [])]:
        model = warmer.learn(
            source, options.y or (), signature=options.signature, encoder=reader, minutes=options.minutes,
            threads=options.threads, advice=False, **wishes,
        )  # fmt: skip
        found = ", ".join(f"{name} {value:.4f}" for name, value in list(model.evidence["scores"].items())[:3])
        passes = model.history[-1]["epoch"]
        print(f"{reader:12} {found}; {model.parameters:,} weights, {passes:.1f} epochs", flush=True)


def ordered(n: int) -> tuple[list[str], list[str]]:
    """Return texts of twelve words, and which of the first two of `WORDS` comes first in each."""
    draw = np.random.default_rng(0)
    texts = [draw.permutation(WORDS).tolist() for _ in range(n)]
    first = [WORDS[0] if text.index(WORDS[0]) < text.index(WORDS[1]) else WORDS[1] for text in texts]
    return [" ".join(text) for text in texts], first


if __name__ == "__main__":
    main()
