"""A model: call it, test it, save it, load it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from warmer import examples, kinds, scores
from warmer.errors import BadCell, InputError, NotAModel
from warmer.examples import _derived, _prepare, _split
from warmer.examples._contract import Ledger, Table, missing
from warmer.examples._store import Store, fill
from warmer.files import write_whole
from warmer.kinds._contract import Answer, Head, Kind
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.folds import Folds
from warmer.networks.linear import Doubled
from warmer.networks.network import Network
from warmer.novelty import Novelty
from warmer.plan import Plan
from warmer.signature import Signature
from warmer.training import checkpoint, precision
from warmer.training.judging import Judgement, Part
from warmer.training.trail import Plane

Array = NDArray[Any]

FORMAT = 1
_AT_ONCE = 64
_SEEN = 200_000


@dataclasses.dataclass(frozen=True)
class TestResult:
    """Scores on labelled examples, with what they have to be compared with.

    Attributes:
        n: examples scored.
        scores, intervals: name → value, and its 95 % interval.
        baseline: name → value of the simplest answer.
        ledger: what was left out, and why.
        seen: how many of the examples the model was trained on; None if it does not know.
        sentence: all that in plain words.
        evidence: confusion matrix and the like.
    """

    n: int
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    baseline: Mapping[str, float]
    ledger: Ledger
    seen: int | None
    sentence: str
    evidence: Mapping[str, Any]

    __test__ = False  # no test class, whatever its name makes pytest think


class Model:
    """A learned function.

    Attributes:
        network: an ordinary `torch.nn.Module`, in evaluation mode; logits for categories.
        x, y: fitted kinds.
        x_names, y_names: the columns they stand for.
        plan: all choices of its training.
        history: moments of its training, as plain JSON.
        evidence: how good it is and how that was found out, as plain JSON.
        trail: the way its training took, if that was kept.
    """

    def __init__(
        self,
        network: Network,
        x: Kind,
        y: Kind,
        x_names: Sequence[str],
        y_names: Sequence[str],
        plan: Plan,
        *,
        history: Sequence[Mapping[str, Any]] = (),
        evidence: Mapping[str, Any] | None = None,
        novelty: Novelty | None = None,
        seen: Tensor | None = None,
        trail: Plane | None = None,
    ) -> None:
        # One layout for a model just trained and one just loaded, so that their answers are the same to the last bit.
        self.network: Network = network.cpu().to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
        precision.arrange_network(self.network, plan.memory_format)
        self.x, self.y = x, y
        self.x_names, self.y_names = tuple(x_names), tuple(y_names)
        self.plan = plan
        self.history = list(history)
        self.evidence = dict(evidence or {})
        self.novelty = novelty
        self.seen = seen
        self.trail = trail

    @property
    def signature(self) -> Signature:
        """What goes in and what comes out."""
        return Signature(self.x.name, self.y.name)

    @property
    def head(self) -> Head:
        """The network's end."""
        assert isinstance(self.network.head, Head)
        return self.network.head

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(p.numel() for p in self.network.parameters())

    def __repr__(self) -> str:
        return f"Model({self.signature}, {self.parameters:,} parameters)"

    # ---- answering ----

    def __call__(self, x: Any) -> Any:
        """Answer one input with an `Answer`, or several (a list, a table, an array of more axes) with a list of them.

        Raises:
            BadCell: the one input cannot be read. Among several it gets an answer without value, and a note that says why.
        """
        many = self._many(x)
        if many is None:
            answer = next(self.predict([x]))
            if answer.value is None and answer.notes:
                raise BadCell(answer.notes[0])
            return answer
        return list(self.predict(many))

    def _many(self, x: Any) -> Iterable[Any] | None:
        """Return the inputs in `x` if it holds several."""
        if self.x.is_one(x):
            return None
        if isinstance(x, (list, tuple)):
            return x
        if examples.sources()["arrays"].claims(x) and not isinstance(x, tuple):
            return self.cells(examples.open(x, **self.x.opening(self.y, last=True)))[0]
        if isinstance(x, np.ndarray) and self.x.compound and x.ndim in (1, 2):
            rows = [dict(zip(self.x_names, row, strict=True)) for row in np.atleast_2d(x)]
            return rows if x.ndim == 2 else None
        if isinstance(x, np.ndarray) and x.ndim == len(self.x.shape) + 1:
            return list(x)
        return None

    def predict(self, cells: Iterable[Any], names: Iterable[str] = ()) -> Iterator[Answer]:
        """Yield an answer for each raw cell, reading and computing 64 at a time.

        Args:
            cells: raw cells of x, any number.
            names: what a person calls them.
        """
        labels = iter(names)
        waiting: list[Any] = []
        for cell in cells:
            waiting.append(cell)
            if len(waiting) == _AT_ONCE:
                yield from self._answers(waiting, labels)
                waiting = []
        if waiting:
            yield from self._answers(waiting, labels)

    def _answers(self, cells: list[Any], labels: Iterator[str]) -> list[Answer]:
        store, bad = fill(self.x, cells, "memory")
        good = [index for index in range(len(cells)) if index not in bad]
        decoded: dict[int, Answer] = {}
        if good:
            outputs, vectors = self._outputs(store, np.array(good))
            flags = self.novelty.unusual(vectors) if self.novelty is not None else [False] * len(good)
            for index, answer, flag in zip(good, self.head.decode(outputs), flags, strict=True):
                reason = self.x.unlike(store.take(np.array([index]))[0])
                if reason is None and flag:
                    reason = "its features lie further out than those of 199 in 200 ordinary examples"
                decoded[index] = dataclasses.replace(self.y.beside(answer, self.x, cells[index]), unusual=reason)
        found = []
        for index in range(len(cells)):
            name = next(labels, f"input {index + 1}")
            told = decoded.get(index) or self._in_pieces(cells[index])
            answer = told or Answer(None, None, notes=(f"{name}: {bad[index]}",))
            found.append(dataclasses.replace(answer, input=name))
        return found

    def _in_pieces(self, cell: Any) -> Answer | None:
        """Answer an input that is too long to be read at once piece by piece; None where answers cannot be joined."""
        try:
            pieces = self.x.cut_up(cell) if self.head.spelled else []
        except BadCell:
            return None
        if not pieces:
            return None
        told = [one for one in self._answers(pieces, iter(())) if one.value is not None]  # a silent piece has no answer
        value = self.y.strung([one.value for one in told if one.value])
        sure = [one.confidence for one in told]
        confidence = None if None in sure else math.prod(s for s in sure if s is not None)
        unusual = next((one.unusual for one in told if one.unusual), None)
        notes = (f"it is long: cut at its quietest places, and answered in {len(pieces)} pieces",)
        return Answer(value, confidence, ((value, confidence or 1.0),), unusual=unusual, notes=notes)

    @torch.no_grad()
    def _outputs(self, store: Store, rows: Array) -> tuple[Tensor, Tensor]:
        """Return the network's outputs, averaged over views, and feature vectors for novelty."""
        self.network.eval()
        batch = self.x.batch(store.take(rows), torch.device("cpu"))
        seen = self.x.view(batch) if self.plan.augment and self.head.blends else [batch]
        seen = [precision.arrange(one, self.plan.memory_format) for one in seen]
        features = self.network.features(seen[0])
        outputs = [self.head(features).float(), *(self.network(one).float() for one in seen[1:])]
        return torch.stack(outputs).mean(0), Novelty.vectors(features)

    def cells(self, table: Table) -> tuple[Any, list[str]]:
        """Return a table's cells of x, and sentences about columns that are missing there (they count as empty).

        Raises:
            InputError: none of the columns this model learned from is there.
        """
        table = self.under_own_names(table)
        there = [name for name in self.x_names if name in table.columns]
        absent = [name for name in self.x_names if name not in table.columns]
        if not there:
            raise InputError(
                f"`{table.origin}` has none of the columns this model learned from ({', '.join(self.x_names[:8])})"
            )
        warnings = [f"column `{name}` is not in `{table.origin}`: taken as missing" for name in absent]
        return _prepare.cells_of(table, self.x, self.x_names), warnings

    def under_own_names(self, table: Table) -> Table:
        """Return a table whose only column besides the answer, if it has a single one, is called as this model's only x."""
        others = [name for name in table.columns if name not in (*self.y_names, table.y, table.split)]
        if len(self.x_names) > 1 or self.x_names[0] in table.columns or len(others) != 1:
            return table
        columns = {self.x_names[0] if name == others[0] else name: cells for name, cells in table.columns.items()}
        return dataclasses.replace(table, columns=columns)

    # ---- testing ----

    def test(self, thing: Any, *, intervals: bool = True) -> TestResult:
        """Score this model on labelled examples (anything `examples.open` reads).

        Args:
            thing: the examples.
            intervals: whether 95 % intervals of the scores are wanted; where examples are few they take most of the time.
        """
        part, table, ledger = self.labelled(thing)
        return self._score(part, table, ledger, intervals)

    def labelled(self, thing: Any) -> tuple[Part, Table, Ledger]:
        """Read labelled examples (anything `examples.open` reads): those that can be used, their table, what was left out.

        Raises:
            InputError: none of them can be used.
        """
        table = examples.open(thing, **self.x.opening(self.y, last=False))
        table = _derived.again(table, self.signature, self.x_names, self.y_names)
        ledger = table.ledger
        answers = self._answer_columns(table)
        for name in answers:
            absent = missing(table.columns[name])
            for row in np.flatnonzero(absent):
                ledger.add(table.name(int(row)), f"has no answer in column `{name}`")
            table = table.take(np.flatnonzero(~absent))
        if not len(table):
            raise InputError(f"`{table.origin}` holds no example with an answer")
        cells, warnings = self.cells(table)
        for sentence in warnings:
            ledger.add(table.origin, sentence, "taken as missing")
        inputs, bad_x = fill(self.x, cells)
        targets, bad_y = fill(self.y, self._truths(table, answers), "memory")
        bad = {**bad_x, **bad_y}
        for place, reason in sorted(bad.items()):
            ledger.add(table.name(place), reason)
        rows = np.array([row for row in range(len(table)) if row not in bad], dtype=int)
        if not len(rows):
            place, reason = min(bad.items())
            raise InputError(
                f"none of the examples of `{table.origin}` can be read; the first, {table.name(place)}: {reason}"
            )
        return Part(inputs, targets, rows), table, ledger

    def _answer_columns(self, table: Table) -> list[str]:
        if all(name in table.columns for name in self.y_names):
            return list(self.y_names)
        if len(self.y_names) == 1 and table.y in table.columns:
            return [str(table.y)]
        absent = next(name for name in self.y_names if name not in table.columns)
        raise InputError(
            f"`{table.origin}` has no column `{absent}` to compare the answers with; it has {', '.join(list(table.columns)[:20])}"
        )

    def _truths(self, table: Table, answers: list[str]) -> Any:
        if self.y.compound:
            return _prepare.cells_of(table, self.y, answers)
        return table.columns[answers[0]]

    def _score(self, part: Part, table: Table, ledger: Ledger, with_intervals: bool) -> TestResult:
        part, device = part.at_most(self.head.judged), torch.device("cpu")
        judged = Judgement(self.network, self.x, self.y, part, device, self.plan)
        outputs, targets = judged.outputs(), judged.targets
        answers, truths = self.head.answers(outputs), self.head.truths(targets)
        chosen = [scores.get(name) for name in self.head.scores]
        found = scores.table(chosen, answers, truths)
        constant = self.head.constant(len(part.rows))
        baseline = scores.table(chosen, constant[0], truths) if constant else {}
        intervals = {s.name: scores.interval(s, answers, truths) for s in chosen} if with_intervals else {}
        sentence = self.head.sentence(found, baseline, len(part.rows), "")
        seen = self._seen(table, part.rows)
        if seen:
            sentence = (
                sentence.replace("it never saw", "given")
                + f" — but {seen:,} of them were learned from, so this flatters"
            )
        return TestResult(
            len(part.rows), found, intervals, baseline, ledger, seen, sentence, self.head.evidence(outputs, targets)
        )

    def learned_from(self, table: Table) -> Array | None:
        """Tell which examples of a table were trained on, `[examples]`; None where that cannot be known."""
        table = self.under_own_names(table)
        if self.seen is None or not all(name in table.columns for name in self.x_names):
            return None
        # Where x is made out of y, it is both that make an example what it is.
        names = (*self.x_names, *self.y_names) if self.x.derived else self.x_names
        keys, _ = _split.keys(table, names)
        return np.isin(short(keys), self.seen.numpy())

    def _seen(self, table: Table, rows: Array) -> int | None:
        """Return how many of these examples were trained on."""
        found = self.learned_from(table)
        return None if found is None else int(found[rows].sum())

    # ---- the file ----

    def to_bytes(self) -> bytes:
        """Return the model file's content."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if self.novelty is not None:
            tensors |= {f"novelty.{name}": tensor for name, tensor in self.novelty.state_dict().items()}
        if self.seen is not None:
            tensors["seen"] = self.seen
        data = {
            "format": FORMAT,
            "x": self.x.to_json(),
            "y": self.y.to_json(),
            "x_names": self.x_names,
            "y_names": self.y_names,
            "own_encoder": self.evidence.get("own_encoder", False),
            "plan": self.plan.to_json(),
            "history": self.history,
            "evidence": self.evidence,
        }
        if self.trail is not None:
            trail, data["trail"] = self.trail.pack()
            tensors |= trail
        data = json.loads(json.dumps(data, default=_as_json))
        data["digest"] = _digest(tensors, data)
        return checkpoint.pack(tensors, data)

    def save(self, path: str | Path) -> Path:
        """Write the model file; the old one stays until the new one is whole."""
        place = Path(path)
        write_whole(place, self.to_bytes())
        return place


def short(keys: Array) -> Array:
    """Return 64-bit hashes cut to 31 bits, sorted: enough to recognise examples by, small enough to keep."""
    return (keys >> np.uint64(33)).astype(np.int32)


def load(path: str | Path, encoder: nn.Module | None = None) -> Model:
    """Open a model file.

    Args:
        path: of the file.
        encoder: the encoder of your own that the model was trained with, if it was; its weights are in the file, its code is not.

    Raises:
        NotAModel: it is none, is damaged, or was written by a later version.
    """
    place = Path(path)
    tensors, data = checkpoint.unpack(place)
    if data.get("format") is None or "digest" not in data:
        raise NotAModel(f"`{place}` is a checkpoint of an unfinished run, not a model; finish it with --resume")
    if data["format"] != FORMAT:
        raise NotAModel(
            f"`{place}` has model format {data['format']} and this version reads {FORMAT}; install a newer warmer"
        )
    digest = data.pop("digest")
    if digest != _digest(tensors, data):
        raise NotAModel(f"`{place}` was changed after it was saved; get it again from where it came from")
    x, y = kinds.load(data["x"]), kinds.load(data["y"])
    plan = Plan.from_json(data["plan"])
    if data["own_encoder"] and encoder is None:
        raise NotAModel(
            f"`{place}` was trained with an encoder of somebody's own; give that module: warmer.load(path, encoder=…)"
        )
    network = build(x, y, plan, encoder=encoder if data["own_encoder"] else None)
    weights = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise NotAModel(
            f"`{place}` does not fit the network it describes ({str(error).splitlines()[-1].strip()[:120]})"
        ) from None
    novel = {name.removeprefix("novelty."): t for name, t in tensors.items() if name.startswith("novelty.")}
    novelty = None
    if novel:
        novelty = Novelty(len(novel["centre"]))
        novelty.load_state_dict(novel)
    trail = Plane.unpack(tensors, data["trail"]) if "trail" in data else None
    return Model(
        network, x, y, data["x_names"], data["y_names"], plan,
        history=data["history"], evidence=data["evidence"], novelty=novelty, seen=tensors.get("seen"), trail=trail,
    )  # fmt: skip


def build(x: Kind, y: Kind, plan: Plan, encoder: nn.Module | None = None) -> Network:
    """Return an untrained network from x to y.

    Raises:
        InputError: one of the kinds cannot stand on its side.
    """
    made = encoder if encoder is not None else _encoder(x, plan)
    if plan.network == "linear":
        made = Doubled(made)
    store, _ = fill(x, [x.blank()] * 2, "memory")
    batch = x.batch(store.take(np.arange(2)), torch.device("cpu"))
    head = y.head(plan, FeatureSpec.probe(made, batch))
    if head is None:
        raise InputError(f"`{y.name}` cannot be a y; choose another column with --y")
    network = Network(made, head)
    # What has an exact solution shall be found to more digits than single precision has.
    return network.double() if plan.network == "linear" else network


def _encoder(x: Kind, plan: Plan) -> nn.Module:
    made = [x.encoder(plan) for _ in range(plan.folds)]
    found = [one for one in made if one is not None]
    if len(found) < len(made):
        raise InputError(f"`{x.name}` cannot be an x; choose other columns with --x")
    return Folds(found) if len(found) > 1 else found[0]


def _digest(tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> str:
    """Return a hash of everything in the file."""
    found = hashlib.blake2b(json.dumps(data, sort_keys=True, ensure_ascii=False).encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return found.hexdigest()


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain JSON")


def features(model: Model, cells: Iterable[Any]) -> Tensor:
    """Return the feature vectors of some inputs, `[n, size]`."""
    store, bad = fill(model.x, list(cells), "memory")
    if bad:
        raise InputError(f"input {min(bad) + 1} {bad[min(bad)]}")
    with torch.no_grad():
        found: Features = model.network.features(model.x.batch(store.take(np.arange(len(store))), torch.device("cpu")))
        return Novelty.vectors(found)
