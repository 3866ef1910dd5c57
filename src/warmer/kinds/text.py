"""Text: names, remarks, sentences; read as the words and letter groups it is made of."""

from __future__ import annotations

import itertools
import re
import unicodedata
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from torch import Tensor, nn

from warmer.errors import BadCell
from warmer.kinds._contract import Array, Bid, Cells, Kind, option
from warmer.networks.features import Features
from warmer.plan import Plan

_WORD = re.compile(r"\w+|[^\w\s]")
_SHORT = 40
_FEWEST_BUCKETS, _MOST_BUCKETS = 2**10, 2**17


def pieces(text: str) -> list[str]:
    """Cut a text into the pieces that are counted.

    Words and pairs of neighbouring words; for short texts, such as names, also the whole and all groups of two to five
    letters with `<` and `>` for its ends (as in fastText, Bojanowski et al. 2017, arXiv 1607.04606).
    """
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    words = _WORD.findall(plain)
    found = [*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]
    if len(plain) <= _SHORT:
        edged = f"<{plain}>"
        found += [edged, *(edged[i : i + size] for size in (2, 3, 4, 5) for i in range(len(edged) - size + 1))]
    return found


@dataclass(frozen=True)
class Text(Kind):
    """Text as a bag of hashed pieces.

    Attributes:
        slots: pieces kept of one text; fitted so that nearly every training text fits whole.
        buckets: size of the table the pieces are hashed into.
        vector_size: numbers learned for each piece.
    """

    name: ClassVar[str] = "text"

    slots: int = 8
    buckets: int = _FEWEST_BUCKETS
    vector_size: int = option(16, "numbers learned for each piece of a text")

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for words that seldom come again; more surely for sentences."""
        if not all(isinstance(cell, str) for cell in cells):
            return Bid(0.0)
        lengths = [len(cell.split()) for cell in cells]
        different = len(set(cells)) / len(cells)
        if float(np.mean(lengths)) >= 4 and different > 0.3:
            return Bid(0.72, f"texts of {np.mean(lengths):.0f} words on average")
        return Bid(0.5, "words that seldom come again" if different > 0.2 else "words")

    @classmethod
    def fit(cls, cells: Cells, *, role: str = "x", groups: Array | None = None, **options: Any) -> Self:
        """Choose the number of slots and buckets from up to 20,000 training texts."""
        texts = pd.unique(pd.Series([cell for cell in cells if isinstance(cell, str)], dtype=object))[:20_000]
        counts = [len(pieces(text)) for text in texts] or [1]
        different = {piece for text in texts[:5000] for piece in pieces(text)}
        buckets = int(min(_MOST_BUCKETS, max(_FEWEST_BUCKETS, 2 ** np.ceil(np.log2(len(different) * 2 + 1)))))
        if len(texts) >= 5000:
            buckets = _MOST_BUCKETS
        return cls(int(np.clip(np.quantile(counts, 0.99), 4, 1024)), buckets, **options)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[slots]`."""
        return (self.slots,)

    @property
    def dtype(self) -> str:
        """int32: 1 + the piece's bucket; 0 in empty slots."""
        return "int32"

    def read(self, cell: Any) -> Array:
        """Hash the pieces of one text; a text with more pieces than slots keeps pieces spread evenly over it."""
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

    def read_all(self, cells: Cells) -> tuple[list[Array] | Array, dict[int, str]]:
        """Read each different text once."""
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
        """Return how much is kept of the text; its words cannot be had back from hashes."""
        return f"text of {int((np.asarray(array) > 0).sum())} pieces"

    def vector(self, arrays: Array) -> Array:
        """Return counts of the pieces, folded into 64 buckets."""
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

    def encoder(self, plan: Plan) -> nn.Module:
        """Return the mean of learned vectors, one for each piece."""
        return _Bag(self.buckets, self.vector_size)


class _Bag(nn.Module):
    """The sum of the pieces' vectors over the square root of their number, so that long texts are neither loud nor mute."""

    def __init__(self, buckets: int, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(buckets + 1, size)
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, x: Tensor) -> Features:
        """Map codes `[batch, slots]` to `[batch, size]`."""
        codes = x.long()
        there = (codes > 0).to(self.table.weight.dtype)
        found = (self.table(codes) * there.unsqueeze(-1)).sum(1)
        return Features((found / there.sum(1, keepdim=True).clamp(min=1).sqrt(),))
