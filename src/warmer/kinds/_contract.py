"""Kind: what a file in this folder must provide; `_head.py` has its other half. Every shape and range is written out once.

The life of a value:

    raw cell ──read──▶ compact array ──batch──▶ tensor ──augment──▶ tensor ──encoder──▶ Features
                            │                                                              │
                            └──show──▶ what a person sees ◀──answers── outputs ◀──head─────┘
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from warmer.errors import BadCell, InputError
from warmer.kinds._head import Answer as Answer
from warmer.kinds._head import Array as Array
from warmer.kinds._head import Head as Head
from warmer.kinds._head import Looked as Looked
from warmer.kinds._options import Option
from warmer.kinds._options import option as option
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.weights import Weights
from warmer.plan import Plan, Proposal

Cells = Sequence[Any]


class Padded(NamedTuple):
    """A batch of values of unequal length: `values [batch, longest, …]`, `mask [batch, longest]`, True where real."""

    values: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Bid:
    """How sure a kind is that a column is its own, 0 to 1, and why in a few words."""

    sure: float
    why: str = ""


class Batches(Protocol):
    """What training needs of a kind that is an x: batches, changed at random, or seen from several sides."""

    def batch(self, arrays: Any, device: torch.device) -> Any:
        """Put compact arrays into one batch."""

    def augment(self, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Change a whole batch at random."""

    def move(self, batch: Any, generator: torch.Generator, epoch: int) -> tuple[Any, Tensor | None]:
        """Change a whole batch at random, and say how its plane was moved."""

    def view(self, batch: Any) -> list[Any]:
        """Return the views over which outputs are averaged."""


@dataclass(frozen=True)
class Adopted:
    """A network learned before, on other examples, to start from.

    Attributes:
        name: what a person calls it.
        kind: the fitted x kind whose `encoder(plan)` is that network's.
        weights: of the encoder, under its own names.
        plan: fields of the plan that the encoder's shape depends on, and others it does best with.
        answers: the fitted y kind of the answers it gives as it stands; None if it gives none.
        head: weights of that kind's head, under its own names.
        x_names: the columns it learned from; empty if any one will do.
    """

    name: str
    kind: Kind
    weights: Mapping[str, Tensor]
    plan: Proposal = dataclasses.field(default_factory=dict)
    answers: Kind | None = None
    head: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    x_names: tuple[str, ...] = ()


class Kind(ABC):
    """A kind of value. Subclasses are final frozen dataclasses: their fields are their whole fitted state, and are JSON.

    Fields declared with `option(...)` can be set by the user under their own name.
    """

    name: ClassVar[str]
    """The file's name, and the word in a signature."""

    alone: ClassVar[bool] = True
    """Whether a single x column of this kind is an x by itself; otherwise it is a row of one column."""

    discrete: ClassVar[bool] = False
    """Whether equal values make groups: as y, each group is to be found on every side of a split."""

    sequential: ClassVar[bool] = False
    """Whether a value is a sequence of parts, so that as y it is answered part by part, and an x has to keep its order for it."""

    written: ClassVar[bool] = False
    """Whether a value is a text, so that what a text file says is one."""

    timed: ClassVar[bool] = False
    """Whether a value as x runs along in the order in which its answer is said: speech, for example."""

    placed: ClassVar[bool] = False
    """Whether as y it says what lies where in x, so that it has to `follow` when x is moved."""

    dense: ClassVar[bool] = False
    """Whether as y every place of it has to be answered, so that nothing of x may be too fine to be seen."""

    many: ClassVar[bool] = False
    """Whether as y there are many right answers to one x: then it is x and y together that make an example what it is."""

    bounded: ClassVar[bool] = False
    """Whether a batch is a tensor of numbers in 0..1 that may be changed a little each without changing what it means."""

    joins: ClassVar[bool] = True
    """Whether it can be one of several columns of a row; a value of any length cannot."""

    derived: ClassVar[bool] = False
    """Whether as x it is made out of y by `made_of`, so that it is never recognised, only asked for by a signature."""

    colourless: ClassVar[bool] = False
    """Whether as x it is a picture whose colours are to be found."""

    itself: ClassVar[Mapping[str, Any] | None] = None
    """Options with which it is both x and y, told through a few numbers; None: it cannot be."""

    compound: ClassVar[bool] = False
    """Whether this kind is made of several columns, each of its own kind: built from `(names, kinds)`, read from `Rows`."""

    learnable: ClassVar[bool] = True
    """Whether anything can be learned from it; columns of other kinds are left out."""

    # ---- cells ----

    @classmethod
    @abstractmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Say how sure this kind is that a column is its own.

        Args:
            cells: some raw cells of the column, missing ones left out; at least one.
            column: the column's name.
            role: "x" or "y".
        """

    @classmethod
    @abstractmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "x",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Describe the training cells: vocabulary, mean and scale, sizes.

        Args:
            cells: the training cells, missing ones included as None.
            role: "x" or "y".
            groups: where y is a category, its index for each cell, so that a kind can check that a change of x keeps y.
            partner: the kind on the other side; None inside a row.
            options: what the user asked for, checked against `options()`.
        """

    @classmethod
    def made_of(cls, cells: Cells, other: Cells | None) -> list[Any]:
        """Make cells of x out of those of y (only where it is `derived`).

        Args:
            cells: raw cells of y.
            other: of the column that would be the answer otherwise, if there is one.
        """
        raise NotImplementedError(f"{cls.name} is not made out of y")

    @classmethod
    def adopt(cls, weights: Weights, *, answering: bool = False) -> Adopted | None:
        """Recognise somebody else's pretrained network as an encoder of this kind; None if it is not.

        Args:
            weights: what the file holds.
            answering: whether it is wanted as it stands, with its own answers, and not for its features.
        """
        return None

    def refit(
        self, cells: Cells, *, groups: Array | None = None, partner: type[Kind] | None = None, **options: Any
    ) -> Self:
        """Return this kind for other training cells, keeping all that its encoder depends on; the default keeps all."""
        return self

    def pieces(self, array: Array) -> list[str] | None:
        """Return what a person calls each place of a sequence; None where places have no names."""
        return None

    def extent(self, array: Array) -> tuple[float, str] | None:
        """Return how long a sequence is whose places are parts of a whole, and in what unit; None of anything else."""
        return None

    @property
    def linear(self) -> bool:
        """Whether as x it can be handed on as plain numbers, with nothing learned before a linear readout."""
        return False

    @property
    def losses(self) -> tuple[str, ...]:
        """What `plan.loss` may be where it is y, besides `auto`."""
        return ()

    @property
    @abstractmethod
    def shape(self) -> tuple[int | None, ...]:
        """The shape of one compact array; None for a first axis that varies."""

    @property
    def plane(self) -> bool:
        """Whether its batch is a plane of fixed size, `[batch, channels, height, width]`."""
        return len(self.shape) == 3 and None not in self.shape

    @property
    @abstractmethod
    def dtype(self) -> str:
        """NumPy's name of the compact array's type."""

    @abstractmethod
    def read(self, cell: Any) -> Array:
        """Turn one raw cell into a compact array of `shape` and `dtype`.

        Raises:
            BadCell: the cell cannot be read; the sentence says what is wrong with it.
        """

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read many cells: arrays (an unreadable one is None or arbitrary), and index → sentence for the unreadable.

        Kinds with cheap cells override this with array code; the answers must be those of `read`.
        """
        arrays: list[Any] = []
        bad: dict[int, str] = {}
        for index, cell in enumerate(cells):
            try:
                arrays.append(self.read(cell))
            except BadCell as error:
                arrays.append(None)
                bad[index] = str(error)
        return arrays, bad

    @abstractmethod
    def show(self, array: Array) -> Any:
        """Return the value as a person writes it, as plain JSON."""

    def picture(self, array: Array) -> Any:
        """Return the value as a PIL image for reports, or None where words serve better."""
        return None

    def sound(self, array: Array) -> bytes | None:
        """Return the value as the bytes of a WAV file, for reports, or None where there is nothing to hear."""
        return None

    def beside_answers(self, arrays: Any, y: Kind, targets: Any, n: int) -> Proposal:
        """Propose plan fields by what some training examples of x look like beside their answers.

        Args:
            arrays: compact arrays of this kind as x.
            y: the kind of the answers.
            targets: compact arrays of them.
            n: training examples there are.
        """
        return {}

    def unchanged(self, other: Kind, arrays: Any) -> tuple[Array, str] | None:
        """Return x itself as the answer, where that makes sense, and what that is called: a baseline of this kind as y.

        Args:
            other: the kind of x.
            arrays: compact arrays of it.
        """
        return None

    def uncut(self, cell: Any, longest: int) -> Array:
        """Return a cell uncut and as large as it is, its longest side `longest` at the most, for networks that take any size.

        Raises:
            BadCell: the cell cannot be read.
        """
        return self.read(cell)

    def opening(self, y: Kind, last: bool) -> Mapping[str, Any]:
        """Return with which options of a source a table has to be read to hold cells of this kind.

        Args:
            y: the kind of the answer.
            last: only the last such cell is wanted, to answer what comes next.
        """
        return {}

    def original(self, cell: Any) -> Any:
        """Return a raw cell as a PIL image of its own size, where it is a picture that something can lie in; else None."""
        return None

    def beside(self, answer: Answer, x: Kind, cell: Any) -> Answer:
        """Put an answer of this kind into the frame of its own input, a raw cell of kind `x`."""
        return answer

    def drawn(self, value: Any, picture: Any) -> Any:
        """Draw a value over the picture it belongs to, a PIL image; None where there is nothing to draw."""
        return None

    def collected(self, answers: Sequence[Answer]) -> tuple[str, bytes] | None:
        """Return many answers as one file of the form that other tools read: its name and its bytes; None if there is none."""
        return None

    @classmethod
    def strung(cls, cells: Sequence[Any]) -> Any:
        """Return several raw cells one after another as one.

        Raises:
            InputError: that means nothing for values of this kind.
        """
        raise InputError(f"a {cls.name} cannot be joined with another; leave join out")

    def cut_up(self, cell: Any) -> list[Any]:
        """Return the pieces of a raw cell that is too long to be read at once, for answers that can be strung together; or none.

        Raises:
            BadCell: the cell cannot be read at all.
        """
        return []

    def leave_outs(self, cell: Any) -> list[tuple[str, Any]]:
        """Return the parts of a raw cell that can be left out: what a person calls each, and the cell without it; or none.

        Raises:
            BadCell: the cell cannot be read.
        """
        return []

    @classmethod
    def is_one(cls, x: Any) -> bool:
        """Tell whether a list or tuple is surely one cell of this kind, and not several."""
        return False

    def unlike(self, array: Array) -> str | None:
        """Say why this value is unlike the training values, or None."""
        return None

    def vector(self, arrays: Array) -> Array | None:
        """Return `[examples, numbers]` for the linear baseline and simple tests; None if there is no natural one."""
        return None

    def cell(self, text: str) -> Any:
        """Turn what a person typed into a raw cell; by default the text itself.

        Raises:
            InputError: the text names or holds no such value.
        """
        return text

    @classmethod
    @abstractmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few tiny raw cells, different from each other; the same for the same seed."""

    def blank(self) -> Any:
        """Return a raw cell that this fitted kind can read, to find shapes with."""
        return self.sample(0)[0]

    # ---- tensors ----

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Any:
        """Put compact arrays into one batch: a tensor `[batch, *shape]`, or `Padded` where lengths vary."""
        return torch.as_tensor(np.ascontiguousarray(arrays)).to(device)

    def augment(self, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Change a whole batch at random, keeping shapes, ranges and what the examples mean."""
        return batch

    def move(self, batch: Any, generator: torch.Generator, epoch: int) -> tuple[Any, Tensor | None]:
        """Change a whole batch at random where the answer says what lies where in it.

        Returns:
            The batch, and how each example was moved: `[batch, 2, 3]`, from places in the new plane to places in the old
            one, both −1..1, as `affine_grid` takes it; None if nothing was moved.
        """
        return self.augment(batch, generator, epoch), None

    def follow(self, targets: Tensor, movement: Tensor) -> Tensor:
        """Change targets of this kind as x was moved (only where it is `placed`)."""
        raise NotImplementedError(f"{self.name} has no places")

    def vary(self, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Write targets of this kind in other ways at random that mean the same."""
        return targets

    def view(self, batch: Any) -> list[Any]:
        """Return the views of a batch over which a finished model averages its outputs, the batch itself first."""
        return [batch]

    # ---- networks ----

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose plan fields, each with the reason.

        Args:
            n: training examples.
            role: "x" or "y".
            minutes: the budget; None: none.
            partner: the kind on the other side; ask for its properties, never for its name.
        """
        return {}

    def encoder(self, plan: Plan) -> nn.Module | None:
        """Return a module from `batch` to `Features`, or None where this kind cannot be an x."""
        return None

    @classmethod
    def join(cls, columns: Sequence[Kind], plan: Plan) -> nn.Module:
        """Return a module that encodes several columns of this kind inside a row, `[batch, sum of sizes] → [batch, k]`.

        The default runs each column's own encoder; kinds of small cells override it to do all columns at once.
        """
        return Joined(columns, plan)

    def head(self, plan: Plan, spec: FeatureSpec) -> Head | None:
        """Return the network's end for this kind as y, or None where it cannot be a y."""
        return None

    # ---- JSON ----

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the fields that a user may set, by name."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        return {f.name: f.metadata["option"] for f in fields if "option" in f.metadata}

    def to_json(self) -> dict[str, Any]:
        """Return the fitted kind as plain JSON values."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {"kind": self.name, **{f.name: _plain(getattr(self, f.name)) for f in fields}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Fields of later versions are ignored."""
        known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: _frozen(value) for name, value in data.items() if name in known})


def padded(arrays: Sequence[Array], device: torch.device) -> Padded:
    """Put arrays of unequal length into one batch."""
    longest = max(1, max(len(one) for one in arrays))
    first = np.asarray(arrays[0])
    values = np.zeros((len(arrays), longest, *first.shape[1:]), dtype=first.dtype)
    mask = np.zeros((len(arrays), longest), dtype=bool)
    for place, one in enumerate(arrays):
        values[place, : len(one)] = one
        mask[place, : len(one)] = True
    mask[:, 0] = True  # an empty value is one place of nothing
    return Padded(torch.from_numpy(values).to(device), torch.from_numpy(mask).to(device))


def objects(values: Sequence[Any]) -> Array:
    """Return values of any type and shape as a one-dimensional array of objects."""
    found = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        found[place] = value
    return found


def _plain(value: Any) -> Any:
    """Return tuples as lists and kinds as JSON."""
    if isinstance(value, Kind):
        return value.to_json()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _frozen(value: Any) -> Any:
    """Return lists as tuples, so that a fitted kind cannot change."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


class Joined(nn.Module):
    """Several columns inside a row, each through its own encoder, pooled, side by side."""

    def __init__(self, columns: Sequence[Kind], plan: Plan) -> None:
        super().__init__()
        self.shapes = [tuple(int(size or 1) for size in column.shape) for column in columns]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        made = [column.encoder(dataclasses.replace(plan, members=1)) for column in columns]
        self.encoders = nn.ModuleList([one for one in made if one is not None])

    def forward(self, x: Tensor) -> Tensor:
        """Encode each column's slice."""
        found = []
        for part, shape, encoder in zip(x.split(self.sizes, 1), self.shapes, self.encoders, strict=True):
            found.append(Features.of(encoder(part.unflatten(1, shape) if shape else part.squeeze(1))).pooled())
        return torch.cat(found, 1)
