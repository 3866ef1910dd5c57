"""A category: one of a few words, codes or booleans, such as a species, a country or yes and no."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.errors import BadCell
from warmer.kinds._contract import Answer, Array, Bid, Cells, Head, Kind
from warmer.networks.blocks import exact, readout
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.linear import OneHot
from warmer.plan import Plan, Proposal

_MOST = 1000
_IMBALANCED = 10.0
_EMBEDDING = 8


@dataclass(frozen=True)
class Category(Kind):
    """One of several labels, in the user's own words.

    Attributes:
        labels: sorted, as they stand in the cells: text, whole numbers or booleans.
        counts: how often each occurred in the training cells.
        strict: whether a label never seen is an error (y) or counts as missing (x).
    """

    name: ClassVar[str] = "category"
    alone: ClassVar[bool] = False
    discrete: ClassVar[bool] = True

    labels: tuple[Any, ...] = ()
    counts: tuple[int, ...] = ()
    strict: bool = False

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for booleans, for words that come again, and as y for codes counted from 0 or 1."""
        if all(isinstance(cell, (bool, np.bool_)) for cell in cells):
            return Bid(1.0, "true or false")
        if any(not isinstance(cell, (str, bool, int, float, np.generic)) for cell in cells):
            return Bid(0.0)
        different = {_plain(cell) for cell in cells}
        if all(isinstance(label, int) for label in different):
            numbers = sorted(label for label in different if isinstance(label, int))
            counted = len(numbers) <= 20 and numbers[0] in (0, 1) and numbers[-1] - numbers[0] == len(numbers) - 1
            if role == "y" and (len(numbers) <= 2 or (counted and len(cells) >= 3 * len(numbers))):
                return Bid(
                    0.9, f"{len(numbers)} codes counted from {numbers[0]}" if counted else f"{len(numbers)} values"
                )
            return Bid(0.3)
        if any(isinstance(label, float) for label in different):
            return Bid(0.2 if len(different) > 2 else 0.9 * (role == "y"), f"{len(different)} values")
        few = len(different) <= max(2, min(_MOST, 0.5 * len(cells)))
        if role == "y":
            return Bid(0.7 if few else 0.3, f"{len(different)} different words")
        few = len(different) <= max(2, min(_MOST, 0.2 * len(cells)))
        return Bid(0.7 if few else 0.2, f"{len(different)} different words")

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
        """Collect the labels; an x leaves out those seen once where there are many, so that "never seen" is learned too."""
        counted = Counter(_column(cells))
        counted = Counter({label: count for label, count in counted.items() if not isinstance(label, _Odd | None)})
        if role == "x" and len(counted) > 50:
            counted = Counter(dict(counted.most_common(50_000)))
            frequent = {label: count for label, count in counted.items() if count > 1}
            counted = Counter(frequent) or counted
        labels = tuple(sorted(counted, key=_order))
        return cls(labels, tuple(counted[label] for label in labels), role == "y")

    @property
    def linear(self) -> bool:
        """Yes."""
        return True

    @property
    def losses(self) -> tuple[str, ...]:
        """The multinomial's."""
        return ("cross_entropy",)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """A scalar."""
        return ()

    @property
    def dtype(self) -> str:
        """int32: the label's index, −1 where missing or never seen."""
        return "int32"

    def _index(self) -> dict[Any, int]:
        return {label: index for index, label in enumerate(self.labels)}

    def _lookup(self, cell: Any, index: Mapping[Any, int]) -> int:
        label = _plain(cell)
        if label is None:
            return -1
        if isinstance(label, _Odd):
            raise BadCell(f"a {label.type} is no label")
        found = index.get(label)
        if found is None:
            found = next((i for known, i in index.items() if str(known) == str(label)), None)
        if found is None and self.strict:
            known = ", ".join(str(label) for label in self.labels[:8]) + (" …" if len(self.labels) > 8 else "")
            raise BadCell(f"the answer `{label}` is none of those learned ({known})")
        return -1 if found is None else found

    def read(self, cell: Any) -> Array:
        """Return the label's index."""
        return np.int32(self._lookup(cell, self._index()))  # type: ignore[return-value]

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Look each different label up once."""
        index = self._index()
        found: dict[Any, int] = {}
        bad: dict[int, str] = {}
        codes = np.empty(len(cells), dtype=np.int32)
        for row, label in enumerate(_column(cells)):
            code = found.get(label)
            if code is None:
                try:
                    code = found[label] = self._lookup(label, index)
                except BadCell as error:
                    bad[row] = str(error)
                    code = -1
            codes[row] = code
        return codes, bad

    def show(self, array: Array) -> Any:
        """Return the label."""
        return None if int(array) < 0 else self.labels[int(array)]

    def unlike(self, array: Array) -> str | None:
        """A missing label is nothing unusual; a label never seen cannot be told from it here, and is noted on reading."""
        return None

    def vector(self, arrays: Array) -> Array:
        """Return one-hot codes of the 100 commonest labels."""
        top = np.argsort(-np.asarray(self.counts), kind="stable")[:100]
        return (np.asarray(arrays)[:, None] == top[None, :]).astype(np.float32)

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few words."""
        words = ["mild", "cold", "hot"]
        return [words[i] for i in np.random.default_rng(seed).permutation(24) % 3]

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """As y with rare labels, propose to show those more often."""
        if role == "y" and self.counts and max(self.counts) > _IMBALANCED * min(self.counts):
            times = max(self.counts) / min(self.counts)
            return {"balance": (True, f"the commonest category has {times:,.0f} times as many examples as the rarest")}
        return {}

    def encoder(self, plan: Plan) -> nn.Module:
        """Return an embedding of the label."""
        return _Categories((self,))

    @classmethod
    def join(cls, columns: Sequence[Kind], plan: Plan) -> nn.Module:
        """Encode all category columns of a row with one table; as ones and zeros where nothing shall be learned of them."""
        if plan.network == "linear":
            return OneHot([len(column.labels) for column in columns if isinstance(column, Category)])
        return _Categories([column for column in columns if isinstance(column, Category)], flat=True)

    def head(self, plan: Plan, spec: FeatureSpec) -> Head:
        """Return a linear readout with cross-entropy."""
        return CategoryHead(self, spec, plan)


class _Odd(NamedTuple):
    """Stands for a cell that is no label at all: a list, a set."""

    type: str


def _plain(cell: Any) -> Any:
    """Return a label as plain Python; NaN and None as None; whole floats as ints, text stripped."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return int(cell) if math.isfinite(cell) and cell == int(cell) else cell
    return cell if cell is None or isinstance(cell, (bool, int, _Odd)) else _Odd(type(cell).__name__)


def _column(cells: Cells) -> list[Any]:
    """Return all labels as plain Python, quickly for arrays of numbers."""
    if isinstance(cells, np.ndarray) and cells.dtype != object:
        values, places = np.unique(cells, return_inverse=True)
        plain = [_plain(value) for value in values]
        return [plain[place] for place in places]
    if isinstance(cells, np.ndarray) and pd.api.types.infer_dtype(cells, skipna=False) == "string":
        places, values = pd.factorize(cells)
        plain = [_plain(value) for value in values]
        return [plain[place] for place in places]
    return [_plain(cell) for cell in cells]


def _order(label: Any) -> tuple[Any, ...]:
    """Sort numbers before words, each among themselves; so the order of labels never depends on the order of examples."""
    return (0, float(label), "") if isinstance(label, (int, float)) else (1, 0.0, str(label))


class _Categories(nn.Module):
    """Several labels, each with a learned vector; the first of each column stands for missing or never seen."""

    def __init__(self, columns: Sequence[Category], flat: bool = False) -> None:
        super().__init__()
        self.flat = flat
        sizes = [len(column.labels) + 1 for column in columns]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.register_buffer("starts", torch.tensor(starts + 1, dtype=torch.long), persistent=False)
        self.table = nn.Embedding(sum(sizes), _EMBEDDING)

    starts: Tensor

    def forward(self, x: Tensor) -> Any:
        """Map `[batch]` or `[batch, columns]`, −1 where missing, to a vector each."""
        x = x.unsqueeze(1) if x.dim() == 1 else x
        found = self.table(x.long() + self.starts).flatten(1)
        return found if self.flat else Features((found,))


class CategoryHead(Head):
    """A category: linear readout, cross-entropy (the multinomial's likelihood), temperature, prediction sets.

    In evaluation mode outputs are logits: their softmax is the calibrated probability.
    """

    pools = True

    def __init__(self, kind: Category, spec: FeatureSpec, plan: Plan) -> None:
        super().__init__(spec.members)
        self.kind = kind
        self.pooling = plan.pooling
        self.smoothing = plan.label_smoothing
        self.balance = plan.balance
        count = len(kind.labels)
        self.readout = readout(spec.channels[-1], count, spec.members)
        self.dropout = nn.Dropout(plan.dropout if spec.rank else 0.0)
        lead = ("balanced_accuracy", "accuracy") if plan.balance else ("accuracy", "balanced_accuracy")
        self.scores = (*lead, "macro_f1", "roc_auc", "log_loss", "ece", *(("top5_accuracy",) if count > 5 else ()))
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("prior", torch.zeros(count))
        self.register_buffer("threshold", torch.tensor(float("nan")))
        self.register_buffer("coverage", torch.tensor(float("nan")))

    temperature: Tensor
    prior: Tensor
    threshold: Tensor
    coverage: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return logits `[batch * members, categories]`."""
        found: Tensor = self.readout(self.dropout(features.pooled(self.pooling)))
        return found

    def average(self, outputs: Tensor) -> Tensor:
        """Return the logarithm of the members' mean probability, with the prior put right and the temperature applied."""
        outputs = exact(outputs)
        if outputs.shape[1] == 1:
            mean = outputs.squeeze(1)
        else:
            mean = outputs.log_softmax(-1).logsumexp(1) - math.log(outputs.shape[1])
        return mean / self.temperature + self.prior

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy in nats, `[batch]`, smoothed in training only."""
        smoothing = self.smoothing if self.training else 0.0
        return F.cross_entropy(exact(outputs), targets.long(), reduction="none", label_smoothing=smoothing)

    def prepare(self, targets: Tensor) -> None:
        """Where rare categories will be shown more often, note by how much, so that probabilities can be put right."""
        if self.balance:
            frequency = torch.bincount(targets.long().cpu(), minlength=len(self.kind.labels)).double().clamp(min=0.5)
            shown = frequency.sqrt()
            self.prior.copy_((frequency / frequency.sum()).log() - (shown / shown.sum()).log())

    def answers(self, outputs: Tensor) -> Array:
        """Return probabilities `[batch, categories]`."""
        return outputs.double().softmax(-1).cpu().numpy()

    def truths(self, targets: Tensor) -> Array:
        """Return category indices `[batch]`."""
        return targets.long().cpu().numpy()

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return the likeliest label with its probability, all others, and the prediction set."""
        found = []
        threshold, coverage = float(self.threshold), float(self.coverage)
        for row in self.answers(outputs):
            order = np.argsort(-row, kind="stable")
            alternatives = tuple((self.kind.labels[i], float(row[i])) for i in order)
            chosen = [label for label, share in alternatives if share >= threshold] or [alternatives[0][0]]
            within = () if math.isnan(threshold) else tuple(chosen)
            known = None if math.isnan(coverage) else coverage
            found.append(Answer(alternatives[0][0], alternatives[0][1], alternatives, within, known))
        return found

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the training frequencies for every example."""
        counts = np.asarray(self.kind.counts, dtype=np.float64)
        commonest = self.kind.labels[int(counts.argmax())]
        return np.tile(counts / counts.sum(), (n, 1)), f"always answering the commonest, `{commonest}`"

    def linear(self, x: Array, targets: Tensor, x_new: Array) -> tuple[Array, str] | None:
        """Return a logistic regression's probabilities."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        truths = self.truths(targets)
        present = np.unique(truths)
        if len(present) < 2:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline stopped after 150 steps is still one
            model = LogisticRegression(max_iter=150).fit(x, truths)
        answers = np.zeros((len(x_new), len(self.kind.labels)))
        answers[:, present] = model.predict_proba(x_new)
        return answers, "logistic regression"

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Set the temperature that makes the likelihood of unseen answers largest (Guo et al. 2017, arXiv 1706.04599).

        As if half an example more had been seen and been wrong (Jeffreys' prior): a few examples, all right, prove no
        certainty.
        """
        from scipy.optimize import minimize_scalar

        count = outputs.shape[1]
        doubt = count / ((count - 1) * 2 * (len(outputs) + 1))
        logits, truths = (outputs.double() - self.prior) * self.temperature, targets.long()

        def surprise(log_temperature: float) -> float:
            scaled = logits / math.exp(log_temperature) + self.prior
            return float(F.cross_entropy(scaled, truths, label_smoothing=min(1.0, doubt)))

        found = minimize_scalar(surprise, bounds=(-3.0, 3.0), method="bounded")
        self.temperature.fill_(math.exp(float(found.x)))

    def conform(self, outputs: Tensor, targets: Tensor, coverage: float) -> None:
        """Set the probability from which a label belongs to the prediction set (least ambiguous sets, Sadinle et al. 2019)."""
        answers, truths = self.answers(outputs), self.truths(targets)
        doubt = np.sort(1 - answers[np.arange(len(truths)), truths])
        place = math.ceil((len(doubt) + 1) * coverage)
        if place <= len(doubt):
            self.threshold.fill_(float(1 - doubt[place - 1]))
            self.coverage.fill_(coverage)

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return the confusion matrix, the reliability curve and the coverage of the prediction sets."""
        answers, truths = self.answers(outputs), self.truths(targets)
        found: dict[str, Any] = {
            "labels": [str(label) for label in self.kind.labels],
            "reliability": reliability(answers, truths),
        }
        count = len(self.kind.labels)
        if count <= 40:
            matrix = np.zeros((count, count), dtype=int)
            np.add.at(matrix, (truths, answers.argmax(1)), 1)
            found["confusion"] = matrix.tolist()
        if not math.isnan(float(self.threshold)):
            given = answers[np.arange(len(truths)), truths]
            inside = (given >= float(self.threshold)) | (answers.argmax(1) == truths)
            size = np.maximum((answers >= float(self.threshold)).sum(1), 1)
            measured = {"measured": float(inside.mean()), "mean_size": float(size.mean())}
            found["coverage"] = {"asked": float(self.coverage), **measured}
        return found

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how often the answer is right."""
        found = (
            f"right {_percent(scores['accuracy'])} of the time on {n:,} examples it never saw; "
            f"always guessing the commonest would be right {_percent(baseline['accuracy'])}"
        )
        if self.balance:
            found += (
                f"; averaged over the categories, rare ones included, right {_percent(scores['balanced_accuracy'])}"
            )
        return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def reliability(answers: Array, truths: Array, bins: int = 15) -> list[list[float]]:
    """Return (mean confidence, accuracy, examples) of bins of equal size, for a reliability diagram."""
    confidence, right = answers.max(1), answers.argmax(1) == truths
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))
    return [[float(confidence[p].mean()), float(right[p].mean()), float(len(p))] for p in parts if len(p)]
