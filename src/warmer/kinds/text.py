"""Text: names, remarks, sentences, in any script."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from warmer.errors import BadCell, InputError
from warmer.kinds import _readers
from warmer.kinds._contract import Array, Bid, Cells, Kind, Padded, option, padded
from warmer.kinds._ordered import OrderedHead
from warmer.kinds._respelling import respelling
from warmer.kinds._spelling import SpellingHead
from warmer.kinds._tokens import EMPTY, END, LETTERS, PARTS, SCHEMES, Tokens
from warmer.kinds._writing import WritingHead
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.sequences import BODIES, body
from warmer.plan import Plan, Proposal
from warmer.words import TEXTS

_WORD = re.compile(r"\w+|[^\w\s]")
_SHORT, _MEDIUM = 40, 400
_LONGEST = 1000
_FEWEST_BUCKETS, _MOST_BUCKETS = 2**10, 2**18
_FOLDED = 2**15
_MOST_SLOTS = 2048
_MOST_LABELS = 50
_AT_ONCE = 20_000
_START = 0.1
_MANY = 10_000
_LEVELS = 16.0
"""Log ratios are kept as bytes, sixteenths of a nat, up to ±8."""


def pieces(text: str) -> list[str]:
    """Cut a text into its different pieces.

    Words and pairs of neighbouring words. For texts of some sentences, also groups of three to five letters of each word, and
    for names the whole and its groups of two to five, with `<` and `>` for ends (as in fastText, arXiv 1607.04606).
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    words = _WORD.findall(plain)
    found = [*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]
    if len(plain) <= _SHORT:
        edged = f"<{plain}>"
        found += [edged, *_groups(edged, (2, 3, 4, 5))]
    elif len(plain) <= _MEDIUM:
        found += [group for word in words for group in _groups(f"<{word}>", (3, 4, 5))]
    return list(dict.fromkeys(found))


def _groups(text: str, sizes: tuple[int, ...]) -> list[str]:
    return [text[i : i + size] for size in sizes for i in range(len(text) - size + 1)]


@dataclass(frozen=True)
class Text(Kind):
    """Text: a bag of hashed pieces where it is asked what it is about; tokens in order where the answer is a sequence, too.

    Attributes:
        reading: "bag" or "tokens".
        scheme, known, parts: how tokens are cut; see `Tokens`.
        longest: tokens of a text at the most.
        commonest: the training text that occurred most often.
        answered: whether it is a y.
        slots: pieces kept of one text; fitted so that nearly every training text fits whole.
        buckets: size of the table the pieces are hashed into.
        labels: how many categories the answer has, where it is one and the text is all there is to go by; else 0.
        ratios: for each piece and category, how much likelier the piece is there than elsewhere.
        vector_size: numbers learned for each piece.
    """

    name: ClassVar[str] = "text"
    sequential: ClassVar[bool] = True
    written: ClassVar[bool] = True

    reading: str = "bag"
    scheme: str = LETTERS
    known: tuple[str, ...] = ()
    parts: str = ""
    longest: int = 64
    commonest: str = ""
    answered: bool = False
    slots: int = 8
    buckets: int = _FEWEST_BUCKETS
    labels: int = 0
    ratios: str = ""
    vector_size: int = option(16, "numbers learned for each piece of a text", least=1)
    reader: str = option("auto", f"what reads a text: bag, {', '.join(BODIES)}")
    cut: str = option("auto", "how texts are cut into tokens: words, letters or parts (of words)")
    vocabulary: int = option(8000, "parts of words at the most", least=1)
    joins_left_out: float = option(
        0.0, "chance of leaving a join of letters out, while learning; for few texts and much time", least=0, most=1
    )
    beams: int = option(5, "candidates kept while an answer is looked for", least=1)
    writer_width: int = option(128, "numbers a token of what writes an answer", least=2)
    writer_depth: int = option(0, "layers of what writes an answer; 0: by the texts", least=0)

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for words that seldom come again; more surely for sentences, and for answers that are called a text."""
        if not all(isinstance(cell, str) for cell in cells):
            return Bid(0.0)
        if role == "y" and column.casefold() in TEXTS and len(set(cells)) > max(50, 0.05 * len(cells)):
            return Bid(0.97, f"{len(set(cells)):,} different texts")
        lengths = [len(cell.split()) for cell in cells]
        different = len(set(cells)) / len(cells)
        if float(np.mean(lengths)) >= 4 and different > 0.3:
            return Bid(0.72, f"texts of {np.mean(lengths):.0f} words on average")
        return Bid(0.5, "words that seldom come again" if different > 0.2 else "words")

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
        """Choose how to read: as a bag, or cut into tokens where the other side is a sequence; then sizes and vocabulary."""
        reader = _readers.chosen(options)
        if reader in BODIES and partner is None and role == "x":
            raise InputError(
                f"`reader` is what reads a text alone, and not among several columns; leave `{reader}` out"
            )
        in_order = partner is not None and partner.sequential
        if role == "y" or (reader == "auto" and in_order) or reader in BODIES:
            freely = partner is not None and partner.sequential and not partner.timed
            scheme = "auto" if role == "x" or freely else "short"
            return cls._cut(cells, scheme, role == "y", options)
        texts = pd.unique(pd.Series([cell for cell in cells if isinstance(cell, str)], dtype=object))[:20_000]
        counts = [len(pieces(text)) for text in texts] or [1]
        different = {piece for text in texts[:5000] for piece in pieces(text)}
        buckets = int(min(_MOST_BUCKETS, max(_FEWEST_BUCKETS, 2 ** np.ceil(np.log2(len(different) * 2 + 1)))))
        if len(texts) >= 5000:
            buckets = _MOST_BUCKETS
        slots = int(np.clip(np.quantile(counts, 0.99), 4, _MOST_SLOTS))
        blank = cls(slots=slots, buckets=buckets, **options)
        if partner is not None and role == "x" and groups is not None and 2 <= int(np.max(groups)) + 1 <= _MOST_LABELS:
            return blank._with_ratios(cells, np.asarray(groups))
        return blank

    @classmethod
    def _cut(cls, cells: Cells, scheme: str, answered: bool, options: dict[str, Any]) -> Self:
        """Return the kind of texts cut into tokens."""
        texts = [str(cell) for cell in cells if cell is not None and cell == cell] or [""]
        asked = options.get("cut", "auto")
        if asked not in ("auto", *SCHEMES):
            raise InputError(f"`cut` is one of auto, {', '.join(SCHEMES)}, not `{asked}`")
        tokens = Tokens.fit(texts, scheme if asked == "auto" else asked, int(options.get("vocabulary", 8000)))
        lengths = [len(tokens.encode(text)) for text in texts[:: max(1, len(texts) // 5000)]]
        longest = int(np.clip(1.3 * max(lengths) + 5, 8, _LONGEST))
        commonest = max(Counter(texts).items(), key=lambda item: (item[1], item[0]))[0]
        return cls("tokens", tokens.scheme, tokens.known, tokens.parts, longest, commonest, answered, **options)

    @property
    def tokens(self) -> Tokens:
        """How texts are cut up."""
        return _tokens(self.scheme, self.known, self.parts)

    def _with_ratios(self, cells: Cells, groups: Array) -> Self:
        """Return this kind with how much likelier each piece is in each category than in the others (one more seen of each).

        Naive Bayes' log ratios (Wang and Manning 2012, Baselines and bigrams).
        """
        labels = int(groups.max()) + 1
        known = groups >= 0
        codes, different = pd.factorize(np.asarray(cells, dtype=object)[known], use_na_sentinel=True)
        counts = np.zeros((len(different) + 1, labels))  # the last for what is missing
        np.add.at(counts, (codes, groups[known]), 1)
        seen = np.ones((self.buckets + 1, labels))
        for start in range(0, len(different), _AT_ONCE):
            some: Cells = list(different[start : start + _AT_ONCE])
            arrays, bad = self.read_all(some)
            pieces_of = np.asarray(arrays)
            pieces_of[list(bad)] = 0
            rows, places = np.nonzero(pieces_of)
            np.add.at(seen, pieces_of[rows, places], counts[start + rows])
        seen = seen[1:]
        inside, outside = seen / seen.sum(0), (seen.sum(1, keepdims=True) - seen)
        found = np.log(inside / (outside / outside.sum(0)))
        found[seen.sum(1) == labels] = 0  # never met
        levels = np.clip(np.round(found * _LEVELS), -127, 127).astype(np.int8)
        packed = base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()
        return dataclasses.replace(self, labels=labels, ratios=packed)

    def ratio_table(self) -> Tensor | None:
        """Return the log ratios `[1 + buckets, labels]`, the first of the empty slot; None where the answer is no category."""
        if not self.ratios:
            return None
        levels = np.frombuffer(zlib.decompress(base64.b64decode(self.ratios)), dtype=np.int8)
        found = torch.from_numpy(levels.reshape(self.buckets, self.labels).astype(np.float32) / _LEVELS)
        return torch.cat([torch.zeros(1, self.labels), found])

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[slots]`; or `[tokens]`, as many as there are."""
        return (self.slots,) if self.reading == "bag" else (None,)

    @property
    def dtype(self) -> str:
        """int32: 1 + the piece's bucket, 0 in empty slots; or tokens with an end."""
        return "int32"

    def read(self, cell: Any) -> Array:
        """Hash the pieces of one text (of too many, those spread evenly over it); or cut it into tokens."""
        if self.reading == "tokens":
            return self._read_tokens(cell)
        found = np.zeros(self.slots, dtype=np.int32)
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            return found
        if not isinstance(cell, str):
            if not isinstance(cell, (int, float, np.generic)):
                raise BadCell(f"a {type(cell).__name__} is not a text")
            cell = str(cell)
        codes = [1 + zlib.crc32(piece.encode("utf-8", "surrogatepass")) % self.buckets for piece in pieces(cell)]
        if len(codes) > self.slots:
            codes = [codes[i] for i in np.linspace(0, len(codes) - 1, self.slots).astype(int)]
        found[: len(codes)] = codes
        return found

    def _read_tokens(self, cell: Any) -> Array:
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            return np.array([END], dtype=np.int32)
        if not isinstance(cell, (str, int, float, np.generic)):
            raise BadCell(f"a {type(cell).__name__} is not a text")
        found = self.tokens.encode(str(cell))
        if len(found) > max(2 * self.longest, _LONGEST):
            raise BadCell(
                f"is a text of {len(found):,} tokens, and {max(2 * self.longest, _LONGEST):,} are the most; cut it"
            )
        return np.append(found, np.int32(END))

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read each different text once."""
        if self.reading == "tokens":
            return super().read_all(cells)
        codes, different = pd.factorize(np.asarray(cells, dtype=object), use_na_sentinel=True)
        table = np.zeros((len(different) + 1, self.slots), dtype=np.int32)
        wrong: dict[int, str] = {}
        for place, cell in enumerate(different):
            try:
                table[place] = self.read(cell)
            except BadCell as error:
                wrong[place] = str(error)
        return table[codes], {int(row): wrong[codes[row]] for row in np.flatnonzero(np.isin(codes, list(wrong)))}

    def show(self, array: Array) -> Any:
        """Return the text of tokens; of a bag how much is kept, as its words cannot be had back from hashes."""
        if self.reading == "tokens":
            return self.tokens.decode(np.asarray(array).tolist())
        return f"text of {int((np.asarray(array) > 0).sum())} pieces"

    def pieces(self, array: Array) -> list[str] | None:
        """Return the tokens; nothing of a bag."""
        return self.tokens.pieces(np.asarray(array).tolist()) if self.reading == "tokens" else None

    @classmethod
    def strung(cls, cells: Sequence[Any]) -> Any:
        """Return texts with a space between."""
        return " ".join(str(cell) for cell in cells)

    def leave_outs(self, cell: Any) -> list[tuple[str, Any]]:
        """Return each word, and the text without it."""
        words = str(cell).split()
        return [(word, " ".join([*words[:place], *words[place + 1 :]])) for place, word in enumerate(words)]

    def vector(self, arrays: Array) -> Array | None:
        """Return counts of the pieces, folded into 64 buckets; none of tokens."""
        if self.reading == "tokens":
            return None
        found = np.zeros((len(arrays), 65), dtype=np.float32)
        folded = np.where(arrays > 0, (arrays.astype(np.int64) * 2654435761 % 2**32) % 64 + 1, 0)
        np.add.at(found, (np.arange(len(arrays))[:, None], folded), 1)
        return np.asarray(found[:, 1:] / np.maximum(found[:, 1:].sum(1, keepdims=True), 1))

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few sentences."""
        words = ["the", "a", "small", "red", "large", "cold", "bird", "stone", "river", "sings", "falls", "sleeps"]
        generator = np.random.default_rng(seed)
        return [" ".join(generator.choice(words, 6)) for _ in range(24)]

    # ---- tensors ----

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Any:
        """Return codes `[batch, slots]`; of tokens `Padded` as an x, and `[batch, longest]`, 0 in the padding, as a y."""
        if self.reading == "bag":
            return super().batch(arrays, device)
        found = padded(list(arrays), device)
        return found.values.long() if self.answered else found

    def augment(self, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Cut words into other parts than usual."""
        if self.scheme != PARTS or not self.joins_left_out or not isinstance(batch, Padded):
            return batch
        lengths = batch.mask.sum(1).tolist()
        texts = [row[:length] for row, length in zip(batch.values.tolist(), lengths, strict=True)]
        return padded(respelling(self.tokens, self.joins_left_out).texts(texts, generator), batch.values.device)

    def vary(self, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Cut words into other parts than usual."""
        if self.scheme != PARTS or not self.joins_left_out:
            return targets
        texts = [row[:length] for row, length in zip(targets.tolist(), (targets != EMPTY).sum(1).tolist(), strict=True)]
        found = respelling(self.tokens, self.joins_left_out).texts(texts, generator)
        return padded(found, targets.device).values.to(targets.dtype)

    # ---- networks ----

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose what texts are learned well with."""
        if role == "y":
            alike = partner.sequential and not partner.timed
            # After 36 epochs of 21,600 sentences into German, steps of 0.003 with a pull of 0.01 had made 34.9 BLEU of those
            # to choose by, and these 35.9; steps of 0.01, or a pull of 0.3, were behind all along.
            many = alike and n >= _MANY
            return {
                "learning_rate": (
                    6e-3 if many else 3e-3 if alike else 2e-3,
                    "for networks that read or write sequences",
                ),
                "weight_decay": (0.1 if many else 0.01, "pull towards zero"),
                "clip": (1.0, "a rare long step would undo much"),
                "warmup": (0.05, "attention starts slowly"),
                "cooldown": (0.4, "share of the steps in which the learning rate falls"),
                "validations": (12, "times some answers are looked for, at the most"),
                "members": (1, "one network that writes"),
                "folds": (1, "one network that writes"),
                "label_smoothing": (0.1, "keeps a network from being too sure"),
            }
        if self.reading == "tokens":
            written, many = partner.sequential, n >= _MANY
            seen, most = (2_500_000, 100) if written and minutes else (1_500_000, 60)  # a budget ends by itself
            return {
                "optimizer": ("muonw", "orthogonalised steps: fewer epochs, where a step is long beside them")
                if written and many
                else ("adamw", "for networks that read sequences"),
                "width": (128, "numbers a token"),
                "depth": (4 if written else 2, "layers"),
                "dropout": (0.3, "silenced activations"),
                "batch": (128 if many else 32, "texts a step"),
                "epochs": (
                    float(np.clip(seen / n, 10, most)),
                    f"about {seen:,} texts seen, each {most} times at the most",
                ),
                "learning_rate": (1e-3, "for networks that read sequences"),
                "warmup": (0.05, "attention starts slowly"),
                "patience": (0 if written else 6, "validations without gain before the cool-down"),
            }
        if not self.ratios:
            return {}
        return {
            "optimizer": ("sgd", "plain steps: what is rare moves little"),
            "learning_rate": (0.05, "for pieces weighted by how telling they are"),
            "weight_decay": (0.001, "pull towards zero"),
            "epochs": (30.0, "passes at the most; stops earlier when it no longer pays"),
            "patience": (6, "validations without gain before the cool-down"),
            "batch": (32, "texts a step"),
        }

    def encoder(self, plan: Plan) -> nn.Module:
        """Return what reads tokens in order, or the sum of learned vectors of a bag's pieces and how telling they are."""
        if self.reading == "tokens":
            chosen = "transformer" if self.reader in ("auto", "bag") else self.reader
            return _Reading(self.tokens.size, chosen, plan.width or 128, plan.depth or 2, plan.dropout)
        # With folds, ratios would tell a network about the answers it is to be judged by.
        return _Bag(self.buckets, self.vector_size, self.ratio_table() if plan.folds == 1 else None)

    def head(self, plan: Plan, spec: FeatureSpec) -> SpellingHead:
        """Return what reads the text off in order, or writes it token by token, as the plan says."""
        if plan.ordered:
            return OrderedHead(self.tokens, spec, self.commonest, self.beams)
        return WritingHead(
            self.tokens, spec, self.commonest, self.beams,
            longest=self.longest,
            width=self.writer_width,
            depth=self.writer_depth or (4 if self.scheme == PARTS else 2),
            dropout=plan.dropout,
            smoothing=plan.label_smoothing,
        )  # fmt: skip


@cache
def _tokens(scheme: str, known: tuple[str, ...], parts: str) -> Tokens:
    return Tokens(scheme, known, parts)


class _Reading(nn.Module):
    """Tokens as vectors, read in order."""

    def __init__(self, tokens: int, reader: str, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.body = body(reader, width, depth, dropout)

    def forward(self, x: Padded) -> Features:
        """Map tokens `[batch, length]` to `[batch, width, length]`."""
        found = self.body(self.table(x.values.long()) * self.table.embedding_dim**0.5, x.mask)
        return Features((found.transpose(1, 2),), x.mask)


class _Bag(nn.Module):
    """The sum of the pieces' vectors over the square root of their number, so that long texts are neither loud nor mute.

    Args:
        buckets: pieces are numbered 1 to `buckets`; 0 is an empty slot.
        size: of the vectors; of many buckets, some share theirs.
        ratios: log ratios `[1 + buckets, labels]`, each of which is given a weight (Wang and Manning's NB-SVM); or None.
    """

    def __init__(self, buckets: int, size: int, ratios: Tensor | None) -> None:
        super().__init__()
        self.fold = min(buckets, _FOLDED)
        self.table = nn.Embedding(self.fold + 1, size)
        nn.init.normal_(self.table.weight, std=0.1)
        self.weights = None if ratios is None else nn.Parameter(torch.full_like(ratios, _START))
        self.register_buffer("ratios", ratios, persistent=False)

    ratios: Tensor | None

    def forward(self, x: Tensor) -> Features:
        """Map codes `[batch, slots]` to `[batch, size]`, or `[batch, size + labels]`."""
        codes = x.long()
        there = codes > 0
        scale = there.sum(1, keepdim=True).clamp(min=1).sqrt()
        shared = torch.where(there, (codes - 1) % self.fold + 1, 0)
        found = nn.functional.embedding_bag(shared, self.table.weight, mode="sum", padding_idx=0) / scale
        if self.weights is None or self.ratios is None:
            return Features((found,))
        telling = nn.functional.embedding_bag(codes, self.weights * self.ratios, mode="sum", padding_idx=0) / scale
        return Features((torch.cat([found, telling], 1),))
