"""A number: a price, a temperature, a count; also one written with a unit or thousands separators."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from warmer import scores
from warmer.errors import BadCell
from warmer.kinds import _likelihoods
from warmer.kinds._contract import Answer, Array, Bid, Cells, Head, Kind
from warmer.networks.blocks import PiecewiseLinear, Standardise, exact, readout
from warmer.networks.features import Features, FeatureSpec
from warmer.plan import Plan, Proposal
from warmer.words import figures
from warmer.written.numerals import Style

_LARGEST = 3.0e38
_CODE = re.compile(r"\s*[^\W\d_]+\d+\s*\Z")
_FEW = 0.2
_BINS = 48
_LEAST_FOR_BINS = 1000
_MOST_COLUMNS_WITH_BINS = 200


def _usual(units: Counter[str]) -> str:
    """Return the commonest unit; none where none is named."""
    return next((unit for unit, _ in units.most_common() if unit), "")


@dataclass(frozen=True)
class Number(Kind):
    """A number, with what is known of it from the training examples.

    Attributes:
        centre, scale: median and half the spread of the middle half (or the like where that is zero).
        low, high: smallest and largest.
        average: mean of the values.
        mean, deviation: of the values, or of ln(1 + value) where `log`; what a network's output is measured in.
        log: whether y is learned as ln(1 + y), as fits quantities that are above zero and strongly skewed.
        edges: quantiles between which piecewise-linear codes run; empty where there are too few examples.
        decimal, short, clock, unit: how the text of a cell is read (see `Style`), and the unit that it may name.
        words: texts that stand for a missing value.
        whole: whether all values are whole numbers.
    """

    name: ClassVar[str] = "number"
    alone: ClassVar[bool] = False

    centre: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    average: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0
    log: bool = False
    edges: tuple[float, ...] = ()
    decimal: str = "."
    short: bool = False
    clock: bool = False
    unit: str = ""
    words: tuple[str, ...] = ()
    whole: bool = False

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for numbers and for text that is nearly all numbers with one unit."""
        kinds = Counter(_sort(cell) for cell in cells)
        if kinds["number"] == len(cells):
            return Bid(0.8, "numbers")
        if kinds["text"] + kinds["number"] < len(cells):
            return Bid(0.0)
        texts = [str(cell) for cell in cells]
        style = Style.of(texts)
        found = [one for one in map(style.reads, texts) if one is not None]
        units = Counter(unit for _, unit in found)
        unit = _usual(units)
        if len(found) < 0.9 * len(texts) or units[unit] + units[""] * bool(unit) < 0.9 * len(found):
            return Bid(0.0)
        if all(map(_CODE.match, texts)) and len(set(texts)) <= _FEW * len(texts):
            return Bid(0.6, f"codes that begin with `{unit}`")
        if style.short:
            return Bid(0.75, "numbers, some of them in k, M or B")
        if style.clock:
            return Bid(0.75, "times or durations, as `1:30`")
        return Bid(0.75, f"numbers written with `{unit}`" if unit else "numbers stored as text")

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
        """Learn how the cells are written, and their centre, spread and quantiles."""
        is_numeric = isinstance(cells, np.ndarray) and cells.dtype.kind != "O"
        texts = [] if is_numeric else [cell for cell in cells if isinstance(cell, str)]
        style = Style.of(texts)
        unit = _usual(Counter(found[1] for found in map(style.reads, texts) if found))
        unread = Counter(text.strip().lower() for text in texts if style.reads(text) is None)
        words = tuple(sorted(word for word, count in unread.items() if count >= 3)) if role == "x" else ()
        blank = cls(decimal=style.decimal, short=style.short, clock=style.clock, unit=unit, words=words)
        read, bad = blank.read_all(cells)
        values = np.delete(np.asarray(read, dtype=np.float64), list(bad))
        values = values[~np.isnan(values)]
        return blank._with(values) if len(values) else blank

    def _with(self, values: Array) -> Self:
        """Return this kind with the statistics of `values`."""
        lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75])
        scale = (upper - lower) or (values.max() - values.min()) / 2 or 1.0
        skewed = bool(values.min() >= 0 and _skew(values) > 3)
        measured = np.log1p(values) if skewed else values
        edges: Array = np.array([])
        if len(values) >= _LEAST_FOR_BINS:
            edges = _edges(values, _BINS)
        return type(self)(
            centre=float(middle),
            scale=float(scale),
            low=float(values.min()),
            high=float(values.max()),
            average=float(values.mean()),
            mean=float(measured.mean()),
            deviation=float(measured.std()) or 1.0,
            log=skewed,
            edges=tuple(edges.tolist()) if len(edges) > 2 else (),
            decimal=self.decimal,
            short=self.short,
            clock=self.clock,
            unit=self.unit,
            words=self.words,
            whole=bool((values == np.round(values)).all()),
        )

    @property
    def linear(self) -> bool:
        """Yes."""
        return True

    @property
    def losses(self) -> tuple[str, ...]:
        """What a number may scatter like."""
        return _likelihoods.LOSSES

    @property
    def shape(self) -> tuple[int | None, ...]:
        """A scalar."""
        return ()

    @property
    def dtype(self) -> str:
        """float32; NaN where missing."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Read one number; None and NaN are missing."""
        if cell is None:
            return np.float32(np.nan)  # type: ignore[return-value]
        if isinstance(cell, str):
            if cell.strip().lower() in self.words:
                return np.float32(np.nan)  # type: ignore[return-value]
            found = Style(self.decimal, self.short, self.clock).reads(cell)
            if found is None:
                raise BadCell(f"`{_short(cell)}` is not a number")
            if found[1] not in ("", self.unit):
                raise BadCell(f"`{_short(cell)}` is in `{found[1]}`, the others are in `{self.unit or 'no unit'}`")
            cell = found[0]
        try:
            value = float(cell)
        except (TypeError, ValueError):
            raise BadCell(f"`{_short(cell)}` is not a number") from None
        if abs(value) > _LARGEST:
            raise BadCell(f"{value} is not a finite number that a computer can calculate with")
        return np.float32(value)  # type: ignore[return-value]

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read a whole column of numbers at once."""
        if not isinstance(cells, np.ndarray) or cells.dtype.kind == "O":
            arrays, bad = super().read_all(cells)
            return np.array([np.nan if one is None else one for one in arrays], dtype=np.float32), bad
        values = cells.astype(np.float64)
        wrong = np.flatnonzero(np.abs(values) > _LARGEST)
        bad = {
            int(index): f"{values[index]} is not a finite number that a computer can calculate with" for index in wrong
        }
        values[wrong] = np.nan
        return values.astype(np.float32), bad

    def show(self, array: Array) -> Any:
        """Return a float, an int where all values are whole, None where missing."""
        value = float(array)
        if math.isnan(value):
            return None
        return int(value) if self.whole and value == int(value) else float(f"{value:.7g}")

    def unlike(self, array: Array) -> str | None:
        """Flag values that lie further outside the training range than half its width."""
        value = float(array)
        margin = (self.high - self.low) / 2
        if math.isnan(value) or self.low - margin <= value <= self.high + margin:
            return None
        return f"{value:g} lies far outside {self.low:g} to {self.high:g}"

    def vector(self, arrays: Array) -> Array:
        """Return the standardised value and whether it is missing."""
        missing = np.isnan(arrays)
        scaled = (np.where(missing, self.centre, arrays) - self.centre) / self.scale
        return np.stack([np.clip(scaled, -10, 10), missing], axis=1).astype(np.float32)

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few numbers."""
        return [float(f"{value:.3g}") for value in np.random.default_rng(seed).normal(20, 5, 24)]

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """A number as y asks for nothing."""
        return {}

    def encoder(self, plan: Plan) -> nn.Module:
        """Return piecewise-linear codes of one number."""
        return _Numbers((self,), plan)

    @classmethod
    def join(cls, columns: Sequence[Kind], plan: Plan) -> nn.Module:
        """Encode all number columns of a row at once."""
        return _Numbers([column for column in columns if isinstance(column, Number)], plan, flat=True)

    def head(self, plan: Plan, spec: FeatureSpec) -> Head:
        """Return a linear readout with the plan's loss, the squared error by default.

        A linear network answers in the unit of y itself: of its logarithm it would be another model.
        """
        kind = self
        if plan.network == "linear":
            kind = dataclasses.replace(self, log=False, mean=self.average, deviation=self.scale)
        return NumberHead(kind, spec, plan)


def _sort(cell: Any) -> str:
    """Say what sort of raw cell this is."""
    if isinstance(cell, (bool, np.bool_)):
        return "boolean"
    if isinstance(cell, (int, float, np.integer, np.floating)):
        return "number"
    return "text" if isinstance(cell, str) else "other"


def _short(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= 40 else text[:39] + "…"


def _edges(values: Array, bins: int) -> Array:
    """Return rising bin edges: every value where there are few, else quantiles that no frequent value takes all of.

    A column that is nearly always 0 keeps bins for the rest: each value counts for one bin at the most.
    """
    distinct, counts = np.unique(values.astype(np.float32), return_counts=True)
    if len(distinct) <= bins + 1:
        return distinct
    weights = counts.astype(float)
    for _ in range(8):
        weights = np.minimum(weights, weights.sum() / bins)
    places = np.searchsorted(np.cumsum(weights) / weights.sum(), np.linspace(0, 1, bins + 1) - 1e-9)
    return np.unique(distinct[np.clip(places, 0, len(distinct) - 1)])


def _skew(values: Array) -> float:
    deviation = values.std()
    return float(np.mean(((values - values.mean()) / deviation) ** 3)) if deviation else 0.0


class _Numbers(nn.Module):
    """Several numbers: standardised, and as piecewise-linear codes where there are enough examples for bins."""

    def __init__(self, columns: Sequence[Number], plan: Plan, flat: bool = False) -> None:
        super().__init__()
        self.flat = flat
        linear = plan.network == "linear"
        self.plain = Standardise(tuple(c.centre for c in columns), tuple(c.scale for c in columns), not linear)
        binned = [index for index, column in enumerate(columns) if column.edges]
        if len(binned) > _MOST_COLUMNS_WITH_BINS or linear:
            binned = []
        self.codes = PiecewiseLinear(tuple(columns[i].edges for i in binned), 16) if binned else None
        self.register_buffer("binned", torch.tensor(binned, dtype=torch.long), persistent=False)

    binned: Tensor

    def forward(self, x: Tensor) -> Any:
        """Map `[batch]` or `[batch, columns]` to a vector each."""
        x = x.unsqueeze(1) if x.dim() == 1 else x
        found = self.plain(x)
        if self.codes is not None:
            found = torch.cat([found, torch.relu(self.codes(x[:, self.binned])).flatten(1)], 1)
        return found if self.flat else Features((found,))


class NumberHead(Head):
    """A number: linear readout in standardised units, the loss of a likelihood, split-conformal interval."""

    scores: tuple[Any, ...] = ("rmse", "mae", "r2")
    pools = True

    def __init__(self, kind: Number, spec: FeatureSpec, plan: Plan) -> None:
        super().__init__(spec.members)
        self.kind = kind
        self.pooling = plan.pooling
        self.bounded = plan.network != "linear"
        self.likelihood = _likelihoods.chosen(plan)
        self.readout = readout(spec.channels[-1], self.likelihood.numbers, spec.members)
        self.register_buffer("half_width", torch.tensor(float("nan")))
        self.register_buffer("coverage", torch.tensor(float("nan")))

    half_width: Tensor
    coverage: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return `[batch * members, numbers]`, the first in standard deviations of y from its mean."""
        found: Tensor = self.readout(features.pooled(self.pooling))
        return found

    def _scaled(self, targets: Tensor) -> Tensor:
        values = targets.double()
        values = values.clamp(min=0).log1p() if self.kind.log else values
        return (values - self.kind.mean) / self.kind.deviation

    def _unscaled(self, outputs: Tensor) -> Array:
        values = outputs.detach().double().cpu().numpy() * self.kind.deviation + self.kind.mean
        values = np.expm1(values) if self.kind.log else values
        return np.asarray(values)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the plan's likelihood in standardised units, `[batch]`."""
        outputs = exact(outputs)
        return self.likelihood.losses(outputs, self._scaled(targets).to(outputs))

    def answers(self, outputs: Tensor) -> Array:
        """Return values in the user's unit, kept within the training range unless the network is linear."""
        values = self._unscaled(self.likelihood.middle(exact(outputs)))
        return np.clip(values, self.kind.low, self.kind.high) if self.bounded else values

    def truths(self, targets: Tensor) -> Array:
        """Return the true values, `[batch]`."""
        return targets.double().cpu().numpy()

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return each value with its interval."""
        values = self.answers(outputs)
        half, coverage = float(self.half_width), float(self.coverage)
        known = not math.isnan(half)
        ends = self.likelihood.interval(exact(outputs), self.half_width)
        low, high = (self._unscaled(end) for end in ends) if known else (values, values)
        found = []
        for index, value in enumerate(values):
            shown = float(f"{value:.7g}")
            within = (float(f"{low[index]:.7g}"), float(f"{high[index]:.7g}")) if known else ()
            confidence = coverage if known else None
            alternatives = ((shown, coverage),) if known else ()
            found.append(Answer(shown, confidence, alternatives, within, confidence))
        return found

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the mean of the training values."""
        return np.full(n, self.kind.average), f"always answering the mean, {self.kind.average:.6g}"

    def linear(self, x: Array, targets: Tensor, x_new: Array) -> tuple[Array, str]:
        """Return a ridge regression's answers."""
        from sklearn.linear_model import Ridge

        values = self._scaled(targets).float().numpy()
        found = Ridge(alpha=1.0).fit(x, values).predict(x_new)
        return np.clip(self._unscaled(torch.as_tensor(found)), self.kind.low, self.kind.high), "linear regression"

    def conform(self, outputs: Tensor, targets: Tensor, coverage: float) -> None:
        """Set the interval's margin to the right quantile of how far truths lie from the answers."""
        errors = np.sort(self._apart(outputs, targets).cpu().numpy())
        place = math.ceil((len(errors) + 1) * coverage)
        if place <= len(errors):
            self.half_width.fill_(float(errors[place - 1]))
            self.coverage.fill_(coverage)

    def _apart(self, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = exact(outputs)
        return self.likelihood.apart(outputs, self._scaled(targets).to(outputs))

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return up to 500 (truth, answer) pairs, and how often the interval held the truth."""
        answers, truths = self.answers(outputs), self.truths(targets)
        chosen = np.linspace(0, len(truths) - 1, min(500, len(truths))).astype(int)
        found: dict[str, Any] = {
            "scatter": [[float(f"{truths[i]:.6g}"), float(f"{answers[i]:.6g}")] for i in chosen],
            "unit": self.kind.unit,
        }
        if not math.isnan(float(self.half_width)):
            inside = self._apart(outputs, targets) <= self.half_width
            found["coverage"] = {"asked": float(self.coverage), "measured": float(inside.float().mean())}
        return found

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how far off an answer is on average."""
        unit = f" {self.kind.unit}" if self.kind.unit else ""
        return (
            f"off by {figures(scores['mae'])}{unit} on average on {n:,} examples it never saw; "
            f"always answering the mean would be off by {figures(baseline['mae'])}{unit}"
        )


assert set(NumberHead.scores) <= set(scores.names())
