"""Instrument and Finding: what a file in this folder must provide, and what it gives back.

An instrument is a module with

    NEEDS = Needs(…)                                  what a model must have for it, as data
    def run(subject: Subject, *, …) -> Finding        its options are the keyword parameters, with their defaults

and a first docstring line that is its one-line help. It reads the network through `_watch` and changes inputs through
`_ascent`; weights, mode, hooks and random state are the same afterwards, also when it is interrupted.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from warmer.errors import InputError
from warmer.examples._contract import Table as Examples
from warmer.examples._store import fill
from warmer.files import write_whole
from warmer.model import Model
from warmer.networks.features import lays_out

Array = NDArray[Any]


@dataclass(frozen=True)
class Needs:
    """What an instrument needs of a model and of whoever asks.

    Attributes:
        plane: x is a picture-like tensor, `[batch, channels, height, width]`.
        laid: x is a picture, or the network makes a plane of it first: a spectrogram, say.
        kernels: the network lays kernels over a plane: a picture, or the spectrogram of a sound.
        columns: x is made of several columns.
        spread: x is one or the other, so that it can be varied along two axes.
        even: a batch of x is one tensor, with no padding beside it.
        labels: y is one of several labels, scored by logits.
        simple: an answer is one label or one number.
        spelled: the answer is a text made part by part, of which it can tell what each was made from.
        noted: training noted what was answered to a few examples as it went on.
        answers: the network answers at all; one without its last layer does not.
        inputs: the least and the largest number of inputs to look at; None: any number.
        examples: whether labelled examples are needed.
    """

    plane: bool = False
    laid: bool = False
    kernels: bool = False
    columns: bool = False
    spread: bool = False
    even: bool = False
    simple: bool = False
    labels: bool = False
    spelled: bool = False
    noted: bool = False
    answers: bool = False
    inputs: tuple[int, int | None] = (0, 0)
    examples: bool = False

    def missing(self, model: Model) -> str | None:
        """Say why this model does not do, or None."""
        if self.plane and not model.x.plane:
            return f"it looks at pictures, and this model takes {model.x.name}"
        if self.laid and not (model.x.plane or lays_out(model.network.encoder)):
            return f"it looks at pictures, spectrograms or lines, and this model takes {model.x.name}"
        if self.kernels and not any(isinstance(one, nn.Conv2d) for one in model.network.modules()):
            return "it looks at kernels, and this network has none"
        if self.columns and not model.x.compound:
            return f"it looks at columns, and this model takes {model.x.name}"
        if self.spread and not (model.x.plane or model.x.compound):
            return f"it looks at columns or pictures, and this model takes {model.x.name}"
        if self.even and None in model.x.shape:
            return f"it looks at inputs of one size, and this model takes {model.x.name} of any length"
        if self.simple and (model.y.sequential or model.y.compound):
            return f"it looks at answers that are one label or one number, and this model answers with {model.y.name}"
        if (self.answers or self.labels) and not model.head.scores:
            return "it looks at answers, and this network gives none of its own; learn with --from it first"
        if self.spelled and not model.head.spelled:
            return f"it looks at answers that are made part by part, and this model answers with {model.y.name}"
        if self.noted and not model.evidence.get("followed"):
            return "it shows notes of a training, and this model has none; learn it anew to have them"
        if self.labels and not model.y.discrete:
            return f"it needs answers that are one of several labels, and this model answers with {model.y.name}"
        return None

    def check(self, subject: Subject) -> None:
        """Refuse what cannot be looked at.

        Raises:
            InputError: the model, the inputs or the examples do not do.
        """
        if (why := self.missing(subject.model)) is not None:
            raise InputError(f"this instrument does not fit: {why}")
        least, most = self.inputs
        given = len(subject.cells)
        if given < least or (most is not None and given > most):
            wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
            raise InputError(f"this instrument looks at {wanted} inputs, and {given} were given")
        if self.examples and subject.examples is None:
            raise InputError("this instrument needs labelled examples; give them with --examples")


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        model: the model.
        cells: raw inputs.
        names: what a person calls them.
        examples: labelled examples, if somebody gave them.
    """

    model: Model
    cells: Sequence[Any] = ()
    names: Sequence[str] = ()
    examples: Examples | None = None

    @cached_property
    def batch(self) -> Any:
        """The inputs as one batch, `[inputs, …]`, on the CPU.

        Raises:
            InputError: one of them cannot be read.
        """
        store, bad = fill(self.model.x, list(self.cells), "memory")
        for place, why in sorted(bad.items()):
            raise InputError(f"{self.name(place)} {why}")
        return self.model.x.batch(store.take(np.arange(len(self.cells))), torch.device("cpu"))

    def name(self, place: int) -> str:
        """Return what a person calls an input."""
        return self.names[place] if place < len(self.names) else f"input {place + 1}"

    def label(self, word: Any) -> int:
        """Return the index of a label of y, given as a person writes it.

        Raises:
            UnknownName: there is none.
        """
        from warmer.errors import UnknownName

        labels = [str(label) for label in self.labels]
        if str(word) not in labels:
            raise UnknownName("answer", str(word), labels)
        return labels.index(str(word))

    @property
    def labels(self) -> tuple[Any, ...]:
        """The labels of y, in the order of the logits."""
        return tuple(self.model.y.labels)  # type: ignore[attr-defined]

    def blank(self) -> Any:
        """Return a batch of one ordinary input, to find shapes with."""
        store, _ = fill(self.model.x, [self.model.x.blank()], "memory")
        return self.model.x.batch(store.take(np.arange(1)), torch.device("cpu"))


@dataclass(frozen=True)
class Sheet:
    """A table: one head, rows of words and numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Finding:
    """What an instrument found; plain data that draws and tabulates itself.

    Attributes:
        instrument: its name.
        sentence: what was found, and how well it worked, in plain words.
        numbers: name → number, text or list of them, as JSON has them.
        sheets: title → table.
        pictures: title → PNG, or GIF where they move.
        words: further sentences.
    """

    instrument: str
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    words: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON, pictures in base64."""
        return {
            "instrument": self.instrument,
            "sentence": self.sentence,
            "words": list(self.words),
            "numbers": _plain(self.numbers),
            "sheets": {t: {"head": list(s.head), "rows": _plain(s.rows)} for t, s in self.sheets.items()},
            "pictures": {title: base64.b64encode(data).decode() for title, data in self.pictures.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Read what `to_json` wrote."""
        sheets = {
            title: Sheet(tuple(one["head"]), tuple(tuple(row) for row in one["rows"]))
            for title, one in data["sheets"].items()
        }
        pictures = {title: base64.b64decode(text) for title, text in data["pictures"].items()}
        return cls(data["instrument"], data["sentence"], data["numbers"], sheets, pictures, tuple(data["words"]))

    def save(self, folder: str | Path) -> list[Path]:
        """Write pictures, and everything else as one JSON file; return where."""
        place = Path(folder)
        written = []
        for title, data in self.pictures.items():
            suffix = "gif" if data.startswith(b"GIF") else "png"
            written.append(place / f"{self.instrument}-{_slug(title)}.{suffix}")
            write_whole(written[-1], data)
        written.append(place / f"{self.instrument}.json")
        told = {name: value for name, value in self.to_json().items() if name != "pictures"}
        write_whole(written[-1], json.dumps(told, ensure_ascii=False, indent=1).encode())
        return written


def _slug(title: str) -> str:
    return re.sub(r"\W+", "-", title.casefold()).strip("-")[:80] or "picture"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, Tensor)):
        return value.item() if value.ndim == 0 else value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value
