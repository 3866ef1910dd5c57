"""Opening a model file: one of ours, or a pretrained network as it stands."""

from __future__ import annotations

from pathlib import Path

from warmer.model import Model, load


def open_model(path: str | Path) -> Model:
    """Open a model file.

    Raises:
        NotAModel: it is none, is damaged, or was written by a later version.
    """
    return load(path)
