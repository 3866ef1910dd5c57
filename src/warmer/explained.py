"""For the report: which words, moments or places a few test answers hang on, by the instruments that say so."""

from __future__ import annotations

from typing import Any

import numpy as np

from warmer import insight
from warmer.drawing import embedded
from warmer.errors import BadCell
from warmer.examples import _split
from warmer.examples._prepare import Prepared
from warmer.insight._contract import Subject
from warmer.model import Model

_LOOKED_AT, _SHOWN = 24, 2
_FEW, _MANY = 3, 60


def figures(model: Model, prepared: Prepared) -> list[dict[str, Any]]:
    """Return, as the evidence has them, pictures of where some answers come from; none where no quick instrument fits.

    Texts that are written or read off are aligned with what they were made from; labels of texts and sounds are explained by
    leaving out one part after another. Pictures and rows have instruments of their own, which take longer than a report may.
    """
    one_number = model.y.shape == () and not model.y.compound
    if not (model.head.spelled or one_number):
        return []
    cells, names = _few(model, prepared)
    if not cells:
        return []
    name = "alignment" if model.head.spelled else "why"
    found = insight.run(name, Subject(model, cells, names))
    first, *others = [{"what": "", "png": embedded(png)} for png in found.pictures.values()]
    return [{**first, "what": f"Where answers come from: {found.sentence}."}, *others]


def _few(model: Model, prepared: Prepared) -> tuple[list[Any], list[str]]:
    """Return raw test inputs that have some parts, but not too many to see, and what they are called."""
    if prepared.x.compound or len(prepared.x_names) != 1:
        return [], []
    rows = prepared.rows(_split.TEST)
    rows = rows[np.linspace(0, len(rows) - 1, min(_LOOKED_AT, len(rows))).astype(int)]
    cells, names = [], []
    for row in rows:
        cell = prepared.table.columns[prepared.x_names[0]][int(row)]
        if model.head.spelled or _FEW <= _parts(model, cell) <= _MANY:
            cells.append(cell)
            names.append(prepared.table.name(int(row)).rsplit("/", 1)[-1])
        if len(cells) == _SHOWN:
            break
    return cells, names


def _parts(model: Model, cell: Any) -> int:
    """Return how many parts an input has that could be left out."""
    try:
        return len(model.x.leave_outs(cell))
    except BadCell:
        return 0
