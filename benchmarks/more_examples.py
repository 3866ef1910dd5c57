"""How answers become better with more examples: the same test part, and growing shares of what there is to learn from.

    python benchmarks/more_examples.py handwriting-lines --y text --set group=writer --set epochs=24

Each larger share holds the smaller ones; which examples come first is drawn at random. Validation and test part are those of
`warmer learn` with the same wishes.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np
from _runs import prepared_for

import warmer
from warmer.cli._pairs import pairs
from warmer.examples import _split
from warmer.examples._contract import Table, objects

SIDE = "(side of the split)"


def main() -> None:
    """Learn from each share, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples")
    parser.add_argument("--y", required=True)
    parser.add_argument("--shares", default="0.25,0.5,1")
    parser.add_argument("--set", action="append", default=[], help="FIELD=VALUE of the plan")
    options = parser.parse_args()
    wishes: dict[str, Any] = dict(pairs(options.set, "--set"))
    table, sides = parted(options.examples, options.y, wishes)
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(sides == _split.TRAIN))
    for share in map(float, options.shares.split(",")):
        rows = np.sort(np.concatenate([drawn[: round(share * len(drawn))], np.flatnonzero(sides > _split.TRAIN)]))
        model = warmer.learn(table.take(rows), options.y, advice=False, **wishes)
        evidence = model.evidence
        found = ", ".join(
            f"{name} {value:.4f} ({' to '.join(f'{end:.4f}' for end in evidence['intervals'][name])})"
            for name, value in list(evidence["scores"].items())[:3]
        )
        print(
            f"{evidence['examples']['train']:6,} to learn from: {found} on {evidence['examples']['test']:,}; "
            f"{model.history[-1]['epoch']:.1f} epochs, {evidence['seconds']:,.0f} s",
            flush=True,
        )


def parted(source: str, y: str, wishes: dict[str, Any]) -> tuple[Table, np.ndarray]:
    """Return the examples that can be used, with a column that names the side of each, and the sides."""
    prepared, _ = prepared_for(source, y, **wishes)
    used = np.flatnonzero(prepared.sides >= 0)
    table, sides = prepared.table.take(used), prepared.sides[used]
    named = {**table.columns, SIDE: objects([_split.SIDES[side] for side in sides])}
    return dataclasses.replace(table, columns=named, split=SIDE), sides


if __name__ == "__main__":
    main()
