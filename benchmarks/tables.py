"""Seven tables: `warmer learn` with its defaults beside scikit-learn's gradient-boosted trees and perceptron.

    python benchmarks/tables.py FOLDER [--only adult,titanic] [--splits 5]

FOLDER holds the tables. With more than one split, the second and further ones hold out a random fifth of the rows, and
their means follow: a few hundred test rows say little. All three are scored on the same test rows. The two peers, which
use no validation rows of the caller's, learn from the training and validation rows together; ours chooses and calibrates
by the latter (and learns from them too where rows are few: five networks, each kept from a fifth). The error is the
share of wrong answers (categories) or the root mean square error (numbers), lower is better.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import warmer
from warmer import examples
from warmer.cli._pairs import pairs
from warmer.examples import _prepare, _split

TABLES = {
    "adult": "income",
    "california-housing": "median_house_value",
    "diamonds": "price",
    "german": "bad",
    "phoneme": "nasal",
    "titanic": "Survived",
    "winequality-white": "quality",
}


def main() -> None:
    """Run the comparison and print one line a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument(
        "--splits", type=int, default=1, help="test parts to try, the first being that of `warmer learn`"
    )
    parser.add_argument("--set", action="append", default=[], help="FIELD=VALUE of the plan")
    chosen = parser.parse_args()
    names = [name for name in chosen.only.split(",") if name] or list(TABLES)
    wishes = pairs(chosen.set, "--set")
    print(f"{'table':20} {'warmer':>10} {'trees':>10} {'MLP':>10}  warmer/trees  warmer/MLP  seconds (all three)")
    for name in names:
        found = []
        for number in range(chosen.splits):
            found.append(compare(rows_of(chosen.folder / f"{name}.csv", number), TABLES[name], wishes))
            print(line(name, found[-1]), flush=True)
        if len(found) > 1:
            means = {key: np.mean([one[key] for one in found], 0) for key in ("errors", "seconds")}
            print(line(f"{name}, mean", {**means, "more": {}}), flush=True)


def rows_of(path: Path, number: int) -> pd.DataFrame:
    """Return a table; from the second split on, a column says which rows are held out."""
    table = pd.read_csv(path)
    if number:
        held_out = np.random.default_rng(number).random(len(table)) < 0.2
        table["split"] = np.where(held_out, "test", "train")
    return table


def line(name: str, found: dict[str, Any]) -> str:
    """Return one line of the table."""
    ours, trees, perceptron = found["errors"]
    seconds = " ".join(f"{value:.0f}" for value in found["seconds"])
    return (
        f"{name:20} {ours:10.5g} {trees:10.5g} {perceptron:10.5g}  {ours / trees:12.3f}  {ours / perceptron:10.3f}  {seconds}"
        f"  {json.dumps(found['more'])}"
    )


def compare(rows: pd.DataFrame, y: str, wishes: dict[str, str]) -> dict[str, Any]:
    """Return the three errors and times on one table."""
    start = time.perf_counter()
    model = warmer.learn(rows, y=y, **wishes)
    ours = model.evidence["scores"]
    seconds = [time.perf_counter() - start]
    table = examples.open(rows)
    prepared = _prepare.prepare(table, _prepare.decide(table, (), (y,)), options={})
    test = prepared.rows(_split.TEST)
    learned = np.concatenate([prepared.rows(_split.TRAIN), prepared.rows(_split.VALIDATION)])
    errors = [1 - ours["accuracy"] if "accuracy" in ours else ours["rmse"]]
    truths = _truths(prepared)
    for peer, x in ((_trees, _raw(prepared)), (_perceptron, _encoded(prepared, learned))):
        start = time.perf_counter()
        answers = peer(x[learned], truths[learned], prepared, "accuracy" in ours)(x[test])
        seconds.append(time.perf_counter() - start)
        wrong = answers != truths[test] if "accuracy" in ours else (answers - truths[test]) ** 2
        errors.append(float(np.mean(wrong)) if "accuracy" in ours else float(np.sqrt(np.mean(wrong))))
    more = {k: round(v, 4) for k, v in ours.items() if k in ("log_loss", "ece", "roc_auc", "r2")}
    return {"errors": errors, "seconds": seconds, "more": more, "n": len(test)}


def _truths(prepared: _prepare.Prepared) -> NDArray[Any]:
    """Return labels' indices, or numbers in the user's unit."""
    arrays = prepared.targets.take(np.arange(len(prepared.sides)))
    return np.asarray(arrays, dtype=float)


def _raw(prepared: _prepare.Prepared) -> NDArray[Any]:
    """Return what trees like best: numbers as they are, NaN where missing, categories as codes."""
    return np.asarray(prepared.inputs.take(np.arange(len(prepared.sides))), dtype=float)


def _encoded(prepared: _prepare.Prepared, learned: NDArray[Any]) -> NDArray[Any]:
    """Return what a perceptron needs: one-hot codes and standardised numbers, none missing."""
    found = prepared.x.vector(prepared.inputs.take(np.arange(len(prepared.sides))))
    assert found is not None
    mean, deviation = found[learned].mean(0), found[learned].std(0)
    return (found - mean) / np.where(deviation > 1e-6, deviation, 1)


def _trees(x: NDArray[Any], y: NDArray[Any], prepared: _prepare.Prepared, sorts: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kinds = [kind for kind, size in zip(prepared.x.columns, prepared.x.sizes, strict=True) for _ in range(size)]  # type: ignore[attr-defined]
    categories = [kind.name == "category" and len(kind.labels) < 255 for kind in kinds]
    maker = HistGradientBoostingClassifier if sorts else HistGradientBoostingRegressor
    return maker(categorical_features=categories, random_state=0).fit(x, y).predict


def _perceptron(x: NDArray[Any], y: NDArray[Any], prepared: _prepare.Prepared, sorts: bool) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    mean, deviation = (0.0, 1.0) if sorts else (y.mean(), y.std())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its defaults stop after 200 epochs
        made = (MLPClassifier if sorts else MLPRegressor)(random_state=0).fit(x, y if sorts else (y - mean) / deviation)
    return made.predict if sorts else lambda new: made.predict(new) * deviation + mean


if __name__ == "__main__":
    main()
