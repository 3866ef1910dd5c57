"""Real data sets that come with scikit-learn: digits, wine, iris, breast-cancer, diabetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from warmer.examples._contract import Array, Table, objects

OPTIONS: dict[str, Any] = {}
NAMES = ("breast-cancer", "diabetes", "digits", "iris", "wine")


def claims(thing: Any) -> bool:
    """Claim the names above."""
    return isinstance(thing, str) and thing in NAMES


def sample(folder: Path) -> Any:
    """Return the name of one of them."""
    return "iris"


def read(thing: str) -> Table:
    """Load one of them, with the words its authors use."""
    from sklearn import datasets

    if thing == "digits":
        found = datasets.load_digits()
        pictures = objects((image * (255 / 16)).round().astype(np.uint8) for image in found.images)
        columns: dict[str, Array] = {"image": pictures, "digit": found.target.astype(np.int64)}
        return Table(columns, thing, "digit", None, {"digit": "category"})
    loader = getattr(datasets, f"load_{thing.replace('-', '_')}")
    found = loader() if thing != "diabetes" else loader(scaled=False)
    columns = {str(name): np.asarray(found.data[:, place]) for place, name in enumerate(found.feature_names)}
    if thing == "diabetes":
        columns["progression"] = found.target.astype(np.float64)
        return Table(columns, thing, "progression", None, {"progression": "number"})
    y = {"wine": "cultivar", "iris": "species", "breast-cancer": "diagnosis"}[thing]
    columns[y] = objects(str(found.target_names[k]) for k in found.target)
    return Table(columns, thing, y, None, {y: "category"})
