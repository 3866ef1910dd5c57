"""A row of a table: several columns, each of its own kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from warmer import kinds
from warmer.errors import BadCell, InputError
from warmer.kinds._contract import Answer, Array, Bid, Cells, Head, Kind
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.mlp import EnsembleMLP
from warmer.plan import Plan, Proposal

_TINY, _FEW = 1000, 6000


@dataclass(frozen=True)
class Row(Kind):
    """Named columns; a row is one vector, each column's compact array flattened, side by side.

    Attributes:
        names: the columns' names.
        columns: their fitted kinds.
    """

    name: ClassVar[str] = "row"
    compound: ClassVar[bool] = True

    names: tuple[str, ...] = ()
    columns: tuple[Kind, ...] = ()

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for mappings."""
        return Bid(0.9, "rows") if all(isinstance(cell, Mapping) for cell in cells) else Bid(0.0)

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "x",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Recognise and fit each column of a list of mappings."""
        names = tuple(dict.fromkeys(name for cell in cells for name in cell))
        columns = []
        for name in names:
            values = [cell.get(name) for cell in cells]
            word, _ = kinds.recognise([value for value in values if value is not None] or [0.0], name, role)
            columns.append(kinds.get(word).fit(values, role=role, groups=groups))
        return cls(names, tuple(columns))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers of the vector belong to each column."""
        return tuple(int(np.prod([size or 1 for size in column.shape])) for column in self.columns)

    @property
    def linear(self) -> bool:
        """Whether all columns can."""
        return all(column.linear for column in self.columns)

    @property
    def losses(self) -> tuple[str, ...]:
        """What all columns know."""
        first = self.columns[0].losses if self.columns else ()
        return tuple(name for name in first if all(name in column.losses for column in self.columns))

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[sum of sizes]`."""
        return (sum(self.sizes),)

    @property
    def dtype(self) -> str:
        """float32, exact for codes below 2²⁴."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Read a mapping from column name to cell; an absent column is a missing value."""
        if not isinstance(cell, Mapping):
            raise BadCell(f"a row is a mapping from column names to values, not a {type(cell).__name__}")
        parts = []
        for name, kind in zip(self.names, self.columns, strict=True):
            try:
                parts.append(np.asarray(kind.read(cell.get(name)), dtype=np.float32).reshape(-1))
            except BadCell as error:
                raise BadCell(f"column `{name}`: {error}") from None
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read column by column where the cells come as columns (`columns(name)`), else row by row."""
        if not hasattr(cells, "column"):
            return super().read_all(cells)
        found = np.empty((len(cells), sum(self.sizes)), dtype=np.float32)
        bad: dict[int, str] = {}
        start = 0
        for name, kind, size in zip(self.names, self.columns, self.sizes, strict=True):
            arrays, wrong = kind.read_all(cells.column(name))
            for index, sentence in wrong.items():
                bad.setdefault(index, f"column `{name}`: {sentence}")
            if isinstance(arrays, list):
                empty = np.zeros(size, dtype=np.float32)
                arrays = np.stack([empty if one is None else np.asarray(one).reshape(-1) for one in arrays])
            found[:, start : start + size] = arrays.reshape(len(cells), size)
            start += size
        return found, bad

    def parts(self, array: Array) -> list[tuple[str, Kind, Array]]:
        """Cut one row's vector into (name, kind, compact array)."""
        found = []
        ends = np.cumsum(self.sizes)
        for name, kind, size, end in zip(self.names, self.columns, self.sizes, ends, strict=True):
            shape = tuple(int(length or 1) for length in kind.shape)
            found.append((name, kind, np.asarray(array[end - size : end], dtype=kind.dtype).reshape(shape)))
        return found

    def show(self, array: Array) -> Any:
        """Return a mapping from column name to value."""
        with np.errstate(invalid="ignore"):
            return {name: kind.show(part) for name, kind, part in self.parts(array)}

    def unlike(self, array: Array) -> str | None:
        """Return the first column's reason."""
        with np.errstate(invalid="ignore"):
            for name, kind, part in self.parts(array):
                if reason := kind.unlike(part):
                    return f"{name}: {reason}"
        return None

    def vector(self, arrays: Array) -> Array | None:
        """Return the columns' vectors side by side."""
        found, start = [], 0
        for kind, size in zip(self.columns, self.sizes, strict=True):
            shape = tuple(int(length or 1) for length in kind.shape)
            part = kind.vector(arrays[:, start : start + size].reshape(-1, *shape))
            start += size
            if part is not None:
                found.append(part)
        return np.concatenate(found, axis=1) if found else None

    def cell(self, text: str) -> Any:
        """Read a JSON object."""
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise InputError(
                f'`{text[:60]}` is no table and no row; write a row as JSON, like {{"{self.names[0]}": …}}'
            )
        return found

    def blank(self) -> Any:
        """Return an empty row."""
        return {}

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few rows of two columns."""
        generator = np.random.default_rng(seed)
        return [
            {"size": float(f"{a:.3g}"), "colour": "red" if b else "blue"}
            for a, b in zip(generator.normal(5, 2, 24), generator.integers(0, 2, 24), strict=True)
        ]

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose an ensemble perceptron: small for small tables, so that it does not learn them by heart."""
        if role == "y":
            return {}
        tiny, small, large = n < _TINY, n < 3000, n > 200_000
        few = n < _FEW and (tiny or minutes is None or minutes >= 2)  # five times the work
        sorts = partner.discrete
        batch = 64 if n < 1500 else 128 if n < 6000 else 256 if not large else 2048
        return {
            "batch": (batch, f"rows a step for {n:,} training rows"),
            "epochs": (
                100.0 if n < 20_000 else 60.0 if not large else 6.0,
                "passes at the most; stops earlier when it no longer pays",
            ),
            "patience": (12 if not large else 0, "validations without gain before the cool-down"),
            "validations": (100 if not large else 12, "times the validation rows are scored, at the most"),
            "learning_rate": (2e-3 if not large else 4e-3, "TabM's default"),
            "weight_decay": (0.02 if small else 3e-4, "stronger where rows are few" if small else "TabM's default"),
            "width": (128 if small else 192 if sorts else 256, "neurons a layer"),
            "depth": (2, "hidden layers"),
            "members": (
                8 if few else 4 if large else 32 if sorts and 3000 <= n < 20_000 else 16,
                "perceptrons that share weights and are averaged",
            ),
            "folds": (
                5 if few else 1,
                "so few rows serve five networks best, each kept from a fifth" if few else "enough rows",
            ),
            "dropout": (0.4 if tiny else 0.2 if small else 0.3 if sorts and n > 6000 else 0.1, "silenced activations"),
            "cooldown": (0.2, "share of the steps at the end in which the learning rate falls"),
        }

    def encoder(self, plan: Plan) -> nn.Module:
        """Return the columns' encoders, joined kind by kind, and an ensemble of perceptrons on top."""
        return RowEncoder(self, plan)

    def head(self, plan: Plan, spec: FeatureSpec) -> Head | None:
        """Return the columns' own heads side by side; None if a column has none."""
        heads = [kind.head(plan, spec) for kind in self.columns]
        made = [head for head in heads if head is not None]
        return RowHead(self, made) if len(made) == len(heads) else None

    def to_json(self) -> dict[str, Any]:
        """Return names and columns."""
        return {"kind": self.name, "names": list(self.names), "columns": [column.to_json() for column in self.columns]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(tuple(data["names"]), tuple(kinds.load(column) for column in data["columns"]))


class RowEncoder(nn.Module):
    """Columns of one kind are encoded together, all found vectors joined, and an ensemble perceptron learns from them.

    In a linear network the joined numbers are all there is.
    """

    def __init__(self, row: Row, plan: Plan) -> None:
        super().__init__()
        ends = np.cumsum(row.sizes)
        groups: dict[str, list[int]] = {}
        for index, kind in enumerate(row.columns):
            groups.setdefault(kind.name, []).append(index)
        self.joins = nn.ModuleDict()
        for name, members in groups.items():
            places = [place for i in members for place in range(ends[i] - row.sizes[i], ends[i])]
            self.joins[name] = kinds.get(name).join([row.columns[i] for i in members], plan)
            self.register_buffer(f"places_{name}", torch.tensor(places, dtype=torch.long), persistent=False)
        with torch.no_grad():
            width = self.joined(torch.zeros(2, sum(row.sizes))).shape[1]
        self.body: nn.Module | None = None
        if plan.network != "linear":
            self.body = EnsembleMLP(
                width, plan.width or 256, plan.depth or 2, max(1, plan.members), plan.dropout, plan.activation
            )

    def joined(self, x: Tensor) -> Tensor:
        """Return the encoded columns side by side, `[batch, sum of encoded sizes]`."""
        return torch.cat([join(x[:, getattr(self, f"places_{name}")]) for name, join in self.joins.items()], 1)

    def forward(self, x: Tensor) -> Features:
        """Map raw rows `[batch, numbers]` (NaN: missing) to one vector a member."""
        joined = self.joined(x)
        return Features((joined,)) if self.body is None else self.body(joined)


class RowHead(Head):
    """Several answers at once: one head a column; the loss is the mean of theirs."""

    def __init__(self, row: Row, heads: Sequence[Head]) -> None:
        super().__init__(heads[0].members)
        self.names = row.names
        self.sizes = row.sizes
        self.heads = nn.ModuleList(heads)
        self.widths: list[int] = []
        self.scores = tuple(
            _of_column(name, index, score)
            for index, (name, head) in enumerate(zip(row.names, heads, strict=True))
            for score in head.scores
        )
        self.scores = (_mean_of(self.scores, heads), *self.scores)

    def _heads(self) -> list[Head]:
        return [head for head in self.heads if isinstance(head, Head)]

    def _split(self, outputs: Tensor) -> list[Tensor]:
        return list(outputs.split(self.widths, -1))

    def _targets(self, targets: Tensor) -> list[Tensor]:
        return [part.squeeze(1) if part.shape[1] == 1 else part for part in targets.split(list(self.sizes), 1)]

    def outputs(self, features: Features) -> Tensor:
        """Return all heads' raw outputs side by side."""
        found = [head.outputs(features) for head in self._heads()]
        self.widths = [one.shape[-1] for one in found]
        return torch.cat(found, -1)

    def average(self, outputs: Tensor) -> Tensor:
        """Average each head's part in its own sense."""
        return torch.cat(
            [head.average(part) for head, part in zip(self._heads(), self._split(outputs), strict=True)], -1
        )

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean of the heads' losses, `[batch]`."""
        pairs = zip(self._heads(), self._split(outputs), self._targets(targets), strict=True)
        return torch.stack([head.loss(part, truth) for head, part, truth in pairs]).mean(0)

    def prepare(self, targets: Tensor) -> None:
        """Let each head see its targets."""
        for head, part in zip(self._heads(), self._targets(targets), strict=True):
            head.prepare(part)

    def answers(self, outputs: Tensor) -> Array:
        """Return an object array `[batch, columns]` of each head's answers."""
        found = [head.answers(part) for head, part in zip(self._heads(), self._split(outputs), strict=True)]
        return _objects(found)

    def truths(self, targets: Tensor) -> Array:
        """Return an object array `[batch, columns]` of each head's truths."""
        return _objects([head.truths(part) for head, part in zip(self._heads(), self._targets(targets), strict=True)])

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return a mapping from column to value; the least of the confidences."""
        columns = [head.decode(part) for head, part in zip(self._heads(), self._split(outputs), strict=True)]
        found = []
        for row in zip(*columns, strict=True):
            value = {name: answer.value for name, answer in zip(self.names, row, strict=True)}
            sure = [answer.confidence for answer in row if answer.confidence is not None]
            within = tuple((name, *answer.within) for name, answer in zip(self.names, row, strict=True))
            confidence = min(sure) if sure else None
            found.append(Answer(value, confidence, ((value, confidence or 0.0),), within, row[0].coverage))
        return found

    def constant(self, n: int) -> tuple[Array, str] | None:
        """Return the heads' constants."""
        found = [head.constant(n) for head in self._heads()]
        made = [one for one in found if one is not None]
        return (_objects([one[0] for one in made]), "always answering the same") if len(made) == len(found) else None

    def linear(self, x: Array, targets: Tensor, x_new: Array) -> tuple[Array, str] | None:
        """Return the heads' linear models."""
        found = [head.linear(x, part, x_new) for head, part in zip(self._heads(), self._targets(targets), strict=True)]
        made = [one for one in found if one is not None]
        return (_objects([one[0] for one in made]), "a linear model a column") if len(made) == len(found) else None

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Calibrate each head."""
        for head, part, truth in zip(self._heads(), self._split(outputs), self._targets(targets), strict=True):
            head.calibrate(part, truth)

    def conform(self, outputs: Tensor, targets: Tensor, coverage: float) -> None:
        """Fix each head's sets or intervals; each holds its truth with `coverage`, not all at once."""
        for head, part, truth in zip(self._heads(), self._split(outputs), self._targets(targets), strict=True):
            head.conform(part, truth, coverage)

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return each column's evidence under its name."""
        triples = zip(self.names, self._heads(), self._split(outputs), self._targets(targets), strict=True)
        return {"answers": {name: head.evidence(part, truth) for name, head, part, truth in triples}}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say each column's sentence."""
        told = []
        for name, head in zip(self.names, self._heads(), strict=True):
            own = {key.partition(": ")[2]: value for key, value in scores.items() if key.startswith(f"{name}: ")}
            base = {key.partition(": ")[2]: value for key, value in baseline.items() if key.startswith(f"{name}: ")}
            told.append(f"{name}: {head.sentence(own, base, n, unit)}")
        return "; ".join(told)


def _objects(columns: Sequence[Array]) -> Array:
    """Return columns of any shape as an object array `[rows, columns]`."""
    found = np.empty((len(columns[0]), len(columns)), dtype=object)
    for place, column in enumerate(columns):
        for row, value in enumerate(column):
            found[row, place] = value
    return found


def _of_column(name: str, index: int, score: Any) -> Any:
    """Return a score of one column as a score of the row."""
    from warmer.scores import Score, get

    inner = get(score)

    def function(answers: Array, truths: Array) -> float:
        return inner(np.stack(answers[:, index].tolist()), np.asarray(truths[:, index].tolist()))

    return Score(f"{name}: {inner.name}", function, inner.unit, inner.best)


def _mean_of(scores: Sequence[Any], heads: Sequence[Head]) -> Any:
    """Return the mean over columns of R² (numbers) or the head's first score (others; negative where low is best).

    It is called `mean_r2` and the like where all columns have the same, else `mean`.
    """
    from warmer.scores import Score

    leads = []
    start = 0
    for head in heads:
        own = scores[start : start + len(head.scores)]
        start += len(head.scores)
        leads.append(next((score for score in own if score.name.endswith(": r2")), own[0]))

    def function(answers: Array, truths: Array) -> float:
        signed = [score(answers, truths) * (1 if score.best == "high" else -1) for score in leads]
        return float(np.mean(signed))

    which = {score.name.partition(": ")[2] for score in leads}
    return Score(f"mean_{which.pop()}" if len(which) == 1 else "mean", function, "", "high")
