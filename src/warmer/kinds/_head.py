"""Head and Answer: the network's end for one kind of y, and what it says about one input."""

from __future__ import annotations

import contextlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from warmer.networks.features import Features
from warmer.words import figures

Array = NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """What a model says about one input.

    Attributes:
        value: the answer in the user's own words or unit.
        confidence: 0 to 1. Categories: the calibrated probability. Numbers: the coverage of `interval`.
        alternatives: (value, confidence), likeliest first, the answer itself included.
        within: the prediction set (categories) or the interval (low, high) that holds the truth with `coverage`.
        coverage: how often `within` holds the truth, measured on examples used for nothing else; None if not measured.
        unusual: why this input is unlike those the model learned from; None if it is not.
        notes: what was odd about the input, a sentence each.
        input: the input's name.
        anomaly: how far what was put together again is from what came in, 0 (the same) to 1 (the opposite); None if the
            model does not answer with its own input.
        made: what was made (a picture, a sound), as a file's bytes; empty where the value says it all.
        suffix: of such a file.
    """

    value: Any
    confidence: float | None
    alternatives: tuple[tuple[Any, float], ...] = ()
    within: tuple[Any, ...] = ()
    coverage: float | None = None
    unusual: str | None = None
    notes: tuple[str, ...] = ()
    input: str = ""
    anomaly: float | None = None
    made: bytes = b""
    suffix: str = ""

    @property
    def picture(self) -> Any:
        """The picture that was made, as a PIL image; None if none was."""
        from PIL import Image

        return Image.open(io.BytesIO(self.made)) if self.suffix == ".png" else None

    def top(self, n: int) -> tuple[tuple[Any, float], ...]:
        """Return the `n` likeliest (value, confidence)."""
        return self.alternatives[:n]


@dataclass(frozen=True)
class Looked:
    """The parts of an answer, and where in the input they come from.

    Attributes:
        parts: words, letters or parts of words, in their order.
        shares: how much each part owes to each place of the features, `[parts, places]`; a row sums to 1.
        ordered: whether each part owes to one stretch of places, one after another.
    """

    parts: tuple[str, ...]
    shares: Array
    ordered: bool = False


class Head(nn.Module, ABC):
    """The network's end for one kind of y: outputs, loss, decoding and scores together, because they must agree.

    `outputs` and targets are tensors; *answers* are NumPy arrays in the sense of `warmer.scores`. What turns outputs into
    answers may be given them on the CPU while the network lies elsewhere: where that takes the network, `near` brings them.

    Args:
        members: how many networks answer at once.
    """

    scores: tuple[Any, ...] = ()
    """Scores shown by default, the first being the one that chooses between checkpoints."""

    judged: int | None = None
    """How many test examples its answers are judged by at the most, where they are slow to make; None: all."""

    tried: int = 0
    """How many answers `calibrate` makes at the most, besides those that are scored, to find out how to look for them."""

    quick: bool = False
    """Set while training: answers that only choose between checkpoints may be found with less care."""

    spelled: bool = False
    """Whether an answer is a text made part by part, of which `looked` tells what each part was made from."""

    unsteady: bool = False
    """Whether finding an answer takes another time before the network has learned."""

    blends: bool = True
    """Whether outputs of several views of one input may be averaged, as answers are found from them."""

    pools: bool = False
    """Whether `outputs` reads nothing of the features but `pooled(plan.pooling)`; then it can be fitted on cached vectors."""

    def __init__(self, members: int = 1) -> None:
        super().__init__()
        self.members = members

    def near(self, outputs: Tensor) -> Tensor:
        """Return outputs on the device where the head's own weights lie."""
        return outputs.to(next(self.parameters()).device)

    def forward(self, features: Features) -> Tensor:
        """Return `[batch * members, …]` in training mode and the calibrated average, `[batch, …]`, in evaluation mode."""
        raw = self.outputs(features)
        return raw if self.training else self.average(raw.unflatten(0, (-1, self.members)))

    @abstractmethod
    def outputs(self, features: Features) -> Tensor:
        """Map features to raw outputs `[batch * members, …]`."""

    def average(self, outputs: Tensor) -> Tensor:
        """Combine the members' outputs, `[batch, members, …]` → `[batch, …]`."""
        return outputs.mean(1)

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example, `[batch]`, finite for every legal target."""

    @abstractmethod
    def answers(self, outputs: Tensor) -> Array:
        """Turn outputs of evaluation mode into what scores take."""

    @abstractmethod
    def truths(self, targets: Tensor) -> Array:
        """Turn targets into what scores take."""

    @abstractmethod
    def decode(self, outputs: Tensor) -> list[Answer]:
        """Turn outputs of evaluation mode into answers for a person."""

    def prepare(self, targets: Tensor) -> None:
        """See the training targets once, before training; for example to note how often each category occurs."""

    @contextlib.contextmanager
    def rehearsal(self, targets: Tensor, learned: bool) -> Iterator[None]:
        """Let finding answers take as long as a finished network will need for these true ones.

        One that has not `learned` would find no end, or never be sure; and what calibration decides may take its time.
        """
        yield

    def looked(self, outputs: Tensor) -> list[Looked]:
        """Tell for each answer what each of its parts was made from, where answers are `spelled`."""
        raise NotImplementedError

    def constant(self, n: int) -> tuple[Array, str] | None:
        """Return the answers, for `n` examples, of always saying what the training examples say most, and that in words."""
        return None

    def linear(self, x: Array, targets: Tensor, x_new: Array) -> tuple[Array, str] | None:
        """Return the answers of a linear model fitted to vectors `x`, for `x_new`, and its name."""
        return None

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Make confidences honest, from evaluation outputs on examples that were not trained on."""

    def conform(self, outputs: Tensor, targets: Tensor, coverage: float) -> None:
        """Fix the size of prediction sets or intervals, on examples used for nothing else (arXiv 2107.07511)."""

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return what else a report should show for this kind of answer, as plain JSON."""
        return {}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say in plain words how good the model is."""
        name = next(iter(scores))
        simplest = baseline.get(name, float("nan"))
        return f"{name} {figures(scores[name])} on {n:,} examples it never saw; the simplest guess: {figures(simplest)}"
