"""Labelled examples beside what a model answers: what every part of an audit looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from warmer.examples import _split
from warmer.examples._contract import Table, missing
from warmer.insight._contract import Subject
from warmer.model import Model
from warmer.training.judging import Judgement, Part

Array = NDArray[Any]

_FEWEST = 200
_VALUES = 20


@dataclass(frozen=True)
class Audited:
    """Examples that can be read, and the answers to them.

    Attributes:
        model: the model.
        table: the examples.
        part: their compact arrays.
        answers: probabilities `[examples, labels]`, or numbers `[examples]`.
        truths: label indices, or numbers, `[examples]`.
        learned: which of them the model learned from, `[examples]`; None: it cannot know.
    """

    model: Model
    table: Table
    part: Part
    answers: Array
    truths: Array
    learned: Array | None

    @classmethod
    def of(cls, subject: Subject) -> Audited:
        """Let the model answer the examples of a subject.

        Raises:
            InputError: none of them can be read.
        """
        model = subject.model
        part, table, _ = model.labelled(subject.examples)
        judged = Judgement(model.network, model.x, model.y, part, torch.device("cpu"), model.plan)
        answers, truths = model.head.answers(judged.outputs()), model.head.truths(judged.targets)
        table = model.under_own_names(table.take(part.rows))
        return cls(model, table, part, answers, truths, model.learned_from(table))

    def __len__(self) -> int:
        return len(self.truths)

    @property
    def discrete(self) -> bool:
        """Whether the answers are labels."""
        return self.model.y.discrete

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels as words."""
        return tuple(str(label) for label in self.model.y.labels) if self.discrete else ()  # type: ignore[attr-defined]

    @cached_property
    def errors(self) -> Array:
        """1 for a wrong label and 0 for a right one, or the absolute error, `[examples]`."""
        if self.discrete:
            return np.asarray(self.answers.argmax(1) != self.truths, dtype=float)
        return np.abs(self.answers - self.truths)

    @cached_property
    def judged(self) -> Array:
        """Which examples say how good the model is: those it did not learn from, where there are at least 200."""
        if self.learned is None or (~self.learned).sum() < _FEWEST:
            return np.ones(len(self), dtype=bool)
        return ~self.learned

    @property
    def flatters(self) -> bool:
        """Whether examples that the model learned from are among those it is judged by."""
        return self.learned is not None and bool((self.learned & self.judged).any())

    @cached_property
    def keys(self) -> Array:
        """A hash of each example's x."""
        return _split.keys(self.table, tuple(name for name in self.model.x_names if name in self.table.columns))[0]

    @cached_property
    def thumbnails(self) -> Array | None:
        """Gray pictures `[examples, 32, 32]` in 0..1; None where x is no picture."""
        if not self.model.x.plane:
            return None
        found = []
        for start in range(0, len(self), 256):
            rows = self.part.rows[start : start + 256]
            batch = self.model.x.batch(self.part.inputs.take(rows), torch.device("cpu")).float().mean(1, keepdim=True)
            found.append(torch.nn.functional.interpolate(batch, (32, 32), mode="bilinear", antialias=True)[:, 0])
        return torch.cat(found).numpy()

    @cached_property
    def encoded(self) -> tuple[list[str], Array]:
        """The columns of x as numbers, names and `[examples, names]`: a category is one column of 0 and 1 for each value."""
        names, columns = [], []
        for name in self.model.x_names:
            cells = self.table.columns.get(name)
            if cells is None:
                continue
            values = numeric(cells)
            if values is not None:
                names.append(name)
                columns.append(values)
                continue
            said = words(cells)
            different, counts = np.unique(said, return_counts=True)
            if len(different) > max(_VALUES, len(said) / 2):
                continue  # texts, names and pictures are no categories
            for value in different[np.argsort(-counts)][:_VALUES]:
                names.append(f"{name} is {value}")
                columns.append((said == value).astype(float))
        return names, np.stack(columns, 1) if columns else np.zeros((len(self), 0))


def seen_examples(subject: Subject, n: int, seed: int) -> tuple[Any, torch.Tensor]:
    """Return a batch of up to `n` of a subject's labelled examples, and their targets."""
    part, _, _ = subject.model.labelled(subject.examples)
    places = np.sort(np.random.default_rng(seed).permutation(len(part.rows))[:n])
    some, device = part.at(places), torch.device("cpu")
    batch = subject.model.x.batch(some.inputs.take(some.rows), device)
    return batch, subject.model.y.batch(some.targets.take(some.rows), device)


def numeric(cells: Array) -> Array | None:
    """Return a column as numbers (NaN where missing), or None where most of it is none."""
    if cells.dtype.kind in "iuf":
        return cells.astype(float)
    if cells.dtype.kind == "b" or not len(cells) or isinstance(cells[0], (np.ndarray, bytes)):
        return None
    found = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(dtype=float)
    there = ~missing(cells)
    return found if there.any() and np.isfinite(found[there]).mean() > 0.9 else None


def words(cells: Array) -> Array:
    """Return a column as words."""
    absent = missing(cells)
    return np.array(["missing" if gone else str(cell) for cell, gone in zip(cells, absent, strict=True)], dtype=object)
