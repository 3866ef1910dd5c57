"""Words cut into other tokens than usual while a network learns, so that it meets the parts of words by themselves."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from warmer.kinds._contract import Array
from warmer.kinds._tokens import Tokens

_WAYS = 16
_SPACE = "▁"


class Respelling:
    """Byte-pair dropout (Provilkov, Emelianenko and Voita 2020, arXiv 1910.13267): some joins of letters are left out.

    Of each word, 16 ways to cut it are drawn, when it is met first, by a generator of its own; so they do not depend on
    which words were met before. Each time one of them is taken at random.

    Args:
        tokens: whose scheme is "parts".
        left_out: chance of a join to be left out, each time it could be made, 0 to 1.
    """

    def __init__(self, tokens: Tokens, left_out: float) -> None:
        self.left_out = left_out
        self.pieces, self.ranks = tokens.joins()
        self.numbers = {piece: number for number, piece in enumerate(self.pieces) if piece}
        self.begins = [not piece or piece.startswith(_SPACE) for piece in self.pieces]
        self._known: dict[tuple[int, ...], list[tuple[int, ...]]] = {}

    def texts(self, texts: Sequence[Sequence[int]], generator: torch.Generator) -> list[Array]:
        """Return the tokens of texts, each word of them cut in one of its ways."""
        words = [self._words(text) for text in texts]
        drawn = iter(torch.randint(_WAYS, (sum(len(one) for one in words),), generator=generator).tolist())
        found = [[token for word in text for token in self.ways(word)[next(drawn)]] for text in words]
        return [np.array(one, dtype=np.int32) for one in found]

    def ways(self, word: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the ways to cut a word, as tokens; the usual one alone for what has no letters in the vocabulary."""
        if word not in self._known:
            letters = "".join(self.pieces[token] for token in word)
            if letters and all(letter in self.numbers for letter in letters):
                generator = random.Random(zlib.crc32(letters.encode()))  # many times as quick as NumPy's, one by one
                self._known[word] = [self._cut(letters, generator) for _ in range(_WAYS)]
            else:
                self._known[word] = [word] * _WAYS
        return self._known[word]

    def _words(self, text: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the tokens of each word of a text; marks and bytes are words of their own."""
        edges = [
            place
            for place, token in enumerate(text)
            if place == 0 or self.begins[token] or not self.pieces[text[place - 1]]
        ]
        return [tuple(text[start:end]) for start, end in zip(edges, [*edges[1:], len(text)], strict=True)]

    def _cut(self, letters: str, generator: random.Random) -> tuple[int, ...]:
        """Join the likeliest neighbours, then the next, as long as there are any that are not left out."""
        parts = list(letters)
        while True:
            joins = [
                (self.ranks[number], place)
                for place, (a, b) in enumerate(itertools.pairwise(parts))
                if (number := self.numbers.get(a + b)) is not None and generator.random() >= self.left_out
            ]
            if not joins:
                return tuple(self.numbers[part] for part in parts)
            place = min(joins)[1]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]


@cache
def respelling(tokens: Tokens, left_out: float) -> Respelling:
    """Return the one `Respelling` of a vocabulary, which remembers the words it has met."""
    return Respelling(tokens, left_out)
