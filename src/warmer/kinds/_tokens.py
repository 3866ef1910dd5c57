"""Text as tokens: whole words where there are few, letters where texts are short or few, else parts of words.

Nothing is ever unknown: what is not in the vocabulary is spelled in the bytes of UTF-8.
"""

from __future__ import annotations

import base64
import io
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from warmer.kinds._contract import Array

EMPTY, BEGIN, END = 0, 1, 2
_SPECIAL = 3
_MOST_WORDS = 300
_OFTEN = 10
_MANY = 500
_LONG = 4
_PARTS, _FEWEST_PARTS = 8000, 600
_WORDS_A_PART = 20

WORDS, LETTERS, PARTS = SCHEMES = ("words", "letters", "parts")


@dataclass(frozen=True)
class Tokens:
    """How texts are cut up.

    Attributes:
        scheme: "words", "letters" or "parts" (of words, by byte-pair encoding: Sennrich et al. 2016, arXiv 1508.07909).
        known: the words or letters.
        parts: the byte-pair model as sentencepiece writes it, in base64.
    """

    scheme: str = LETTERS
    known: tuple[str, ...] = ()
    parts: str = ""

    @classmethod
    def fit(cls, texts: Sequence[str], scheme: str, size: int = _PARTS) -> Tokens:
        """Collect a vocabulary from the training texts; `scheme` may be "auto", or "short": anything but parts."""
        plain = [normal(text) for text in texts]
        if scheme in ("auto", "short"):
            found = choose(plain)
            scheme = LETTERS if scheme == "short" and found == PARTS else found
        if scheme == PARTS:
            words = sum(len(text.split()) for text in plain)
            size = min(size, max(_FEWEST_PARTS, words // _WORDS_A_PART))
            return cls(PARTS, (), base64.b64encode(_byte_pairs(plain, size)).decode())
        counted = Counter(part for text in plain for part in (text.split() if scheme == WORDS else text))
        return cls(scheme, tuple(sorted(counted)))

    @property
    def size(self) -> int:
        """How many different tokens there are, bytes included."""
        return len(self._model) if self.scheme == PARTS else self.first_byte + 256

    @property
    def first_byte(self) -> int:
        """The tokens below are words or letters; the 256 from it on are bytes."""
        return _SPECIAL + len(self.known)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.known, _SPECIAL)}

    @cached_property
    def _model(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=base64.b64decode(self.parts))

    def encode(self, text: str) -> Array:
        """Return the tokens of a text, without begin and end, int32."""
        plain = normal(text)
        if self.scheme == PARTS:
            return np.array(self._model.encode(plain), dtype=np.int32)
        found: list[int] = []
        for part in plain.split() if self.scheme == WORDS else plain:
            place = self._places.get(part)
            spelled = part + " " * (self.scheme == WORDS)
            found += [place] if place is not None else [self.first_byte + b for b in spelled.encode("utf-8", "replace")]
        return np.array(found, dtype=np.int32)

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Return each token as a person reads it; the end as ■, a byte of a longer letter as □."""
        found = []
        for token in (int(one) for one in tokens):
            if token < _SPECIAL:
                found.append("■")
            elif self.scheme == PARTS:
                found.append(self._model.id_to_piece(token).replace("▁", " ").strip() or "␣")
            else:
                found.append(self.known[token - _SPECIAL] if token < self.first_byte else "□")
        return found

    def joins(self) -> tuple[list[str], list[float]]:
        """Return how each part of words is written, "" for marks and bytes, and its place in the order of joining."""
        model = self._model
        plain = [not (model.is_control(n) or model.is_byte(n) or model.is_unknown(n)) for n in range(self.size)]
        written = [model.id_to_piece(n) if there else "" for n, there in enumerate(plain)]
        return written, [-model.get_score(n) for n in range(self.size)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, up to the end if it is among them."""
        listed = [int(token) for token in tokens]
        listed = listed[: listed.index(END)] if END in listed else listed
        listed = [token for token in listed if token >= _SPECIAL]
        if self.scheme == PARTS:
            text: str = self._model.decode(listed)
            return text
        said, spelled = io.StringIO(), bytearray()
        for token in [*listed, -1]:
            if token >= self.first_byte:
                spelled.append(token - self.first_byte)
                continue
            said.write(spelled.decode("utf-8", "replace"))
            spelled.clear()
            if token >= 0:
                said.write(self.known[token - _SPECIAL] + " " * (self.scheme == WORDS))
        return said.getvalue().strip() if self.scheme == WORDS else said.getvalue()


def normal(text: str) -> str:
    """Return a text in Unicode's composed form, without control characters, every stretch of white space one space."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(" " if c.isspace() else c for c in composed if c.isspace() or unicodedata.category(c) != "Cc")
    return " ".join(kept.split())


def choose(texts: Sequence[str]) -> str:
    """Return the scheme that suits texts."""
    words = Counter(word for text in texts for word in text.split())
    total = sum(words.values())
    if len(words) <= _MOST_WORDS and total >= _OFTEN * len(words) and not _are_codes(words):
        return WORDS
    if len(texts) >= _MANY and total / len(texts) >= _LONG:
        return PARTS
    return LETTERS


def _are_codes(words: Counter[str]) -> bool:
    """Tell whether most words are made of digits, whose order is worth reading."""
    return sum(count for word, count in words.items() if word.isdigit()) > 0.5 * sum(words.values())


def _byte_pairs(texts: Sequence[str], size: int) -> bytes:
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=written, vocab_size=size, model_type="bpe", byte_fallback=True,
        hard_vocab_limit=False, character_coverage=0.9999, normalization_rule_name="identity",
        pad_id=EMPTY, bos_id=BEGIN, eos_id=END, unk_id=_SPECIAL, num_threads=1, minloglevel=2, max_sentence_length=100_000,
    )  # fmt: skip
    return written.getvalue()
