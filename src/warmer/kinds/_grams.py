"""Which token follows which: a language model of the training texts, asked while a line or a speech is spelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from warmer.kinds._contract import Array
from warmer.kinds._tokens import BEGIN, END

_LONGEST = 6
_SEEN_ONCE = 3
_MOST_TOKENS, _MOST_RUNS = 500_000, 200_000
_REMEMBERED = 20_000


class Grams(nn.Module):
    """How often runs of up to six tokens occurred, and from that the chance of a token after others.

    The chance is a mean over what followed the last five tokens, the last four, and so on; a context counts for more the
    oftener it was seen, and for less the more different tokens followed it (Witten and Bell 1991).

    Args:
        tokens: how many different ones there are.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.register_buffer("runs", torch.zeros(0, _LONGEST, dtype=torch.int32))  # 0 before runs that are shorter
        self.register_buffer("times", torch.zeros(0, dtype=torch.int32))
        self._forget()

    runs: Tensor
    times: Tensor

    def _forget(self) -> None:
        self._after: dict[tuple[int, ...], tuple[Array, Array]] = {}
        self._known: dict[tuple[int, ...], Array] = {}

    def count(self, texts: Iterable[Sequence[int]]) -> None:
        """Count the runs of texts, up to half a million tokens; of long runs those seen more than once are kept."""
        counted: Counter[tuple[int, ...]] = Counter()
        read = 0
        for text in texts:
            line = (BEGIN, *text, END)
            read += len(line)
            if read > _MOST_TOKENS:
                break
            for end in range(2, len(line) + 1):
                counted.update(line[begin:end] for begin in range(max(0, end - _LONGEST), end))
        kept = [(run, n) for run, n in counted.most_common(_MOST_RUNS) if n > 1 or len(run) <= _SEEN_ONCE]
        rows = [(0,) * (_LONGEST - len(run)) + run for run, _ in kept]
        self.runs = torch.tensor(rows, dtype=torch.int32).reshape(-1, _LONGEST)
        self.times = torch.tensor([n for _, n in kept], dtype=torch.int32)
        self._forget()

    def chances(self, before: tuple[int, ...]) -> Array:
        """Return ln(probability) of each token after some others, `[tokens]`."""
        before = (BEGIN, *before)[-(_LONGEST - 1) :]
        found = self._known.get(before)
        if found is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            found = self._known[before] = np.log(self._mixed(before))
        return found

    def surprise(self, texts: Iterable[Sequence[int]]) -> float:
        """Return the mean of −ln(probability) over the tokens of texts, their ends included, in nats."""
        told = [
            -float(self.chances(tuple(text[:place]))[token])
            for text in texts
            for place, token in enumerate([*text, END])
        ]
        return float(np.mean(told)) if told else 0.0

    def _mixed(self, before: tuple[int, ...]) -> Array:
        shorter = self._mixed(before[1:]) if before else np.full(self.tokens, 1 / self.tokens)
        seen = self._table().get(before)
        if seen is None:
            return shorter
        tokens, times = seen
        found = len(tokens) * shorter
        found[tokens] += times
        return np.asarray(found / (len(tokens) + times.sum()))

    def _table(self) -> dict[tuple[int, ...], tuple[Array, Array]]:
        """Return context → (tokens that followed, how often each did)."""
        if not self._after and len(self.runs):
            gathered: dict[tuple[int, ...], list[tuple[int, int]]] = {}
            for run, n in zip(self.runs.tolist(), self.times.tolist(), strict=True):
                *context, last = run
                gathered.setdefault(tuple(token for token in context if token), []).append((last, n))
            for context, pairs in gathered.items():
                tokens, times = np.array(pairs).T
                self._after[context] = (tokens, times)
        return self._after

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take over counts of any number: how many there are follows from the texts."""
        for name in ("runs", "times"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.times.device))
        self._forget()
        super()._load_from_state_dict(state_dict, prefix, *rest)
