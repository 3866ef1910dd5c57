"""Which words, moments or places a few test answers hang on, by the instruments that say so."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from warmer import insight
from warmer.drawing import embedded
from warmer.files import File
from warmer.insight._contract import Subject
from warmer.model import Model


def figures(model: Model) -> list[dict[str, Any]]:
    """Return pictures of where some answers come from, each with what it shows; none where no quick instrument fits.

    Texts that are written or read off are aligned with what they were made from; labels and numbers told of texts and sounds are
    explained by leaving out one part after another.
    """
    asked = model.evidence.get("asked", [])
    if not asked:
        return []
    subject = Subject(model, [_cell(one) for one in asked], [one["name"] for one in asked])
    found = insight.run("alignment" if model.head.spelled else "why", subject)
    first, *others = [{"what": "", "png": embedded(png)} for png in found.pictures.values()]
    return [{**first, "what": f"Where answers come from: {found.sentence}."}, *others]


def _cell(one: Mapping[str, Any]) -> Any:
    """Return an input as it was given: a text, or the file of a sound or picture."""
    if "words" in one:
        return one["words"]
    data = base64.b64decode(one["data"])
    return File(one["name"], lambda: data)
