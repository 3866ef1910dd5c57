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
_MOST_TOKENS = 200_000
_REMEMBERED = 20_000
_LEAST_OFF, _MOST_OFF = 0.05, (0.95, 1.95, 2.95)  # of runs counted once, twice and oftener; never all of a count

Followed = tuple[Array, Array, float]
"""The tokens that followed a context, the chance of each less what is taken off, and how much was taken off in all."""


class Grams(nn.Module):
    """How often runs of up to six tokens occurred, and from that the chance of a token after others.

    Kneser and Ney's estimate (1995, doi 10.1109/ICASSP.1995.479394) as modified by Chen and Goodman (1999,
    doi 10.1006/csla.1999.0128): a little is taken off the count of what followed the last five tokens, and given to what
    followed the last four, and so on; there a run counts as often as there are different tokens before it.

    Args:
        tokens: how many different ones there are.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        # Runs of six tokens, and shorter ones that begin a text, with 0 before them: all others are parts of these.
        self.register_buffer("runs", torch.zeros(0, _LONGEST, dtype=torch.int32))
        self.register_buffer("times", torch.zeros(0, dtype=torch.int32))
        self._forget()

    runs: Tensor
    times: Tensor

    def _forget(self) -> None:
        self._after: dict[tuple[int, ...], Followed] = {}
        self._known: dict[tuple[int, ...], Array] = {}

    def count(self, texts: Iterable[Sequence[int]]) -> None:
        """Count the runs of texts, up to 200,000 tokens."""
        counted: Counter[tuple[int, ...]] = Counter()
        read = 0
        for text in texts:
            line = (BEGIN, *text, END)
            read += len(line)
            if read > _MOST_TOKENS:
                break
            counted.update(line[max(0, end - _LONGEST) : end] for end in range(2, len(line) + 1))
        rows = [(0,) * (_LONGEST - len(run)) + run for run in counted]
        small = torch.int16 if self.tokens <= torch.iinfo(torch.int16).max else torch.int32
        self.runs = torch.tensor(rows, dtype=small).reshape(-1, _LONGEST)
        self.times = torch.tensor(list(counted.values()), dtype=torch.int32)
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
        followed = self._table().get(before)
        if followed is None:
            return shorter
        tokens, shares, off = followed
        found: Array = off * shorter
        found[tokens] += shares
        return found

    def _table(self) -> dict[tuple[int, ...], Followed]:
        """Return context → what followed it."""
        if not self._after and len(self.runs):
            runs, times = self.runs.numpy().astype(np.int64), self.times.numpy().astype(np.int64)
            longer = np.zeros((0, _LONGEST + 1), dtype=np.int64)
            for length in range(_LONGEST, 0, -1):
                # Of just this length; in older model files there are short ones, too, that begin no text.
                own = (runs[:, -length] != 0) if length == _LONGEST else (runs[:, -length] == BEGIN)
                parts, before = np.unique(longer[:, 1:], axis=0, return_counts=True)
                longer = np.concatenate([runs[own, -length:], parts])
                if len(longer):
                    self._after |= _followed(longer, np.concatenate([times[own], before]))
        return self._after

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take over counts of any number: how many there are follows from the texts."""
        for name in ("runs", "times"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.times.device))
        self._forget()
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _followed(runs: Array, times: Array) -> dict[tuple[int, ...], Followed]:
    """Return context → what followed it, of different runs of one length `[n, length]` and how often each was counted."""
    once, twice, thrice, more = (max(1, int((times == n).sum())) for n in (1, 2, 3, 4))
    share = once / (once + 2 * twice)
    off = 1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * more / thrice
    taken = np.clip(off, _LEAST_OFF, _MOST_OFF)[np.minimum(times, 3) - 1]
    order = np.lexsort(runs.T[::-1])
    runs, times, taken = runs[order], times[order], taken[order]
    another = (runs[1:, :-1] != runs[:-1, :-1]).any(1)
    starts = np.flatnonzero(np.concatenate([[True], another]))
    totals = np.add.reduceat(times, starts)
    shares = (times - taken) / np.repeat(totals, np.diff([*starts, len(runs)]))
    offs = np.add.reduceat(taken, starts) / totals
    contexts = map(tuple, runs[starts, :-1].tolist())
    return {
        context: (runs[start:end, -1], shares[start:end], off)
        for context, start, end, off in zip(contexts, starts, [*starts[1:], len(runs)], offs.tolist(), strict=True)
    }
