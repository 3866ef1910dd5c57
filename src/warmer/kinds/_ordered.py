"""Text in the order of the input, read off a sequence place by place (CTC)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.errors import InputError
from warmer.kinds._contract import Array, Looked
from warmer.kinds._grams import Grams
from warmer.kinds._spelling import NEVER, Candidates, SpellingHead, with_mask
from warmer.kinds._tokens import EMPTY, END, PARTS, Tokens
from warmer.networks.blocks import Readout
from warmer.networks.features import Features, FeatureSpec

_TRUSTS, _TRIED, _BEAMS = (0.0, 0.25, 0.5, 0.75), 150, 10
_SHORT = 0.5  # how much the spelling from before the sequence was read counts
_LIKELY = 1e-3
_MOST, _FEW = 8, 2  # tokens looked at a place: at the most; by a network that has learned, where one is said


class OrderedHead(SpellingHead):
    """Text in the order of the input: a speech, a line. Connectionist temporal classification (Graves et al. 2006).

    At every place of the sequence one token or nothing; equal neighbours are one. Where the features have a map from before
    the sequence was read, training spells from that as well: what finds letters learns sooner when it is asked directly
    (Retsinas et al. 2022, arXiv 2404.11339).
    """

    def __init__(self, tokens: Tokens, spec: FeatureSpec, commonest: str, beams: int) -> None:
        super().__init__(tokens, commonest, beams)
        if tokens.scheme == PARTS:
            raise InputError("texts read in order are cut into letters or words; leave tokens=parts out")
        self.count = tokens.first_byte  # bytes are never read off
        self.readout = Readout(spec.channels[-1], self.count)
        self.shortcut = Readout(spec.channels[0], self.count) if len(spec.channels) > 1 else None
        self.grams = Grams(self.count)
        self.tried = len(_TRUSTS) * _TRIED if beams > 1 else 0
        self.most = _MOST
        self.register_buffer("trust", torch.tensor(0.0))
        self.register_buffer("usual", torch.tensor(0.0))
        self.scores = ("cer", "wer", "exact")

    trust: Tensor
    usual: Tensor

    def prepare(self, targets: Tensor) -> None:
        """Count which token follows which."""
        self.grams.count([[t for t in row if END < t < self.count] for row in targets.tolist()])

    @torch.no_grad()
    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Find out on unseen examples how far to trust what usually follows what; then how sure to be."""
        from warmer import scores

        some = np.random.default_rng(0).permutation(len(outputs))[:_TRIED]
        texts = [[t for t in row if END < t < self.count] for row in targets[some].tolist()]
        self.usual.fill_(self.grams.surprise(texts))
        truths, cer = self.truths(targets[some]), scores.get("cer")
        wrong = {}
        for trust in _TRUSTS if self.beams > 1 else _TRUSTS[:1]:
            self.trust.fill_(trust)
            self.memory.clear()
            wrong[trust] = cer(self.answers(outputs[some]), truths)
        self.trust.fill_(min(wrong, key=lambda trust: wrong[trust]))
        self.memory.clear()
        super().calibrate(outputs, targets)

    def outputs(self, features: Features) -> Tensor:
        """Return logits `[batch, places, tokens + 1]`, nothing being token 0; in training those of the shortcut before them."""
        mask = features.mask.flatten(1) if features.mask is not None else None
        logits = self.readout(features.tokens()).float()
        if self.training and self.shortcut is not None:
            logits = torch.cat([self.shortcut(features.pyramid()[0].transpose(1, 2)).float(), logits], 2)
        return with_mask(logits, mask)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return −ln(probability) of the text a token, `[batch]`; 0 where it is longer than the input has places."""
        *short, logits = outputs[..., :-1].float().split(self.count, 2)
        wanted = torch.where((targets >= END + 1) & (targets < self.count), targets, EMPTY).long()
        order = torch.argsort((wanted == EMPTY).long(), dim=1, stable=True)
        wanted = wanted.gather(1, order)
        lengths = (wanted != EMPTY).sum(1)
        given = outputs[..., -1].sum(1).long()

        def lost(some: Tensor) -> Tensor:
            logs = some.log_softmax(-1).transpose(0, 1)
            found = F.ctc_loss(logs, wanted, given, lengths, blank=EMPTY, reduction="none", zero_infinity=True)
            return found / lengths.clamp(min=1)

        return lost(logits) + sum(_SHORT * lost(some) for some in short)

    @contextlib.contextmanager
    def rehearsal(self, targets: Tensor, learned: bool) -> Iterator[None]:
        """Look at what usually follows what, too, and at no more tokens a place than a network that has learned finds likely."""
        trust = float(self.trust)
        self.most = _MOST if learned else _FEW
        self.trust.fill_(_TRUSTS[-1] if self.beams > 1 else trust)
        try:
            yield
        finally:
            self.most = _MOST
            self.trust.fill_(trust)
            self.memory.clear()

    def looked(self, outputs: Tensor) -> list[Looked]:
        """Return where on the likeliest way each token is said."""
        found = []
        logs = outputs[..., :-1].double().log_softmax(-1).cpu().numpy()
        lengths = outputs[..., -1].sum(1).long().tolist()
        for one, length, ranked in zip(logs, lengths, self._found(outputs, self.beams), strict=True):
            tokens = ranked[0][0]
            shares = aligned(one[:length], tokens) if tokens and length else np.zeros((0, length))
            shares = shares / np.maximum(shares.sum(1, keepdims=True), 1)
            found.append(Looked(tuple(self.tokens.pieces(tokens)), shares, ordered=True))
        return found

    def candidates(self, outputs: Tensor, beams: int) -> list[Candidates]:
        """Return texts by prefix search (Hannun 2014, arXiv 1408.2873), or the likeliest way alone with one beam."""
        logs = outputs[..., :-1].log_softmax(-1)
        lengths = outputs[..., -1].sum(1).long().tolist()
        if beams > 1:
            arrays = logs.double().numpy()
            habit = Habit(self.grams, float(self.trust), float(self.usual)) if float(self.trust) else None
            beams = beams if habit is None else max(beams, _BEAMS)
            pairs = zip(arrays, lengths, strict=True)
            return [prefix_search(one[:length], beams, habit, self.most) for one, length in pairs]
        values, best = logs.max(-1)
        found: list[Candidates] = []
        for way, chances, length in zip(best, values, lengths, strict=True):
            kept = torch.unique_consecutive(way[:length])
            found.append([(kept[kept != EMPTY].tolist(), float(chances[:length].sum()))])
        return found


def aligned(logs: Array, tokens: list[int]) -> Array:
    """Return the place of each token on the likeliest way to say them all, `[tokens, places]`, 1 where it is said.

    Viterbi's algorithm over the text with nothing before, between and after its tokens.

    Args:
        logs: log probabilities `[places, tokens]`, nothing being token 0.
        tokens: what is said.
    """
    states = [EMPTY]
    for token in tokens:
        states += [token, EMPTY]
    emitted = logs[:, states]
    best = np.full(len(states), NEVER)
    best[:2] = emitted[0, :2]
    came = np.zeros(emitted.shape, dtype=int)
    skip = np.array([k >= 2 and states[k] != EMPTY and states[k] != states[k - 2] for k in range(len(states))])
    for place in range(1, len(logs)):
        before = np.stack(
            [
                best,
                np.concatenate([[NEVER], best[:-1]]),
                np.where(skip, np.concatenate([[NEVER] * 2, best[:-2]])[: len(best)], NEVER),
            ]
        )
        came[place] = before.argmax(0)
        best = before.max(0) + emitted[place]
    state = len(states) - 1 if best[-1] >= best[-2 if len(states) > 1 else -1] else len(states) - 2
    found = np.zeros((len(tokens), len(logs)))
    for place in range(len(logs) - 1, -1, -1):
        if states[state] != EMPTY:
            found[state // 2, place] = 1
        state -= came[place, state]
    return found


@dataclass(frozen=True)
class Habit:
    """What usually follows what, and how far that is trusted beside what is seen or heard.

    Attributes:
        grams: tell the chance of a token after others.
        trust: 0: not at all; 1: as much as the evidence.
        usual: mean of −ln(chance) over the tokens of texts; what is as usual as that costs nothing, so that short texts are
            not preferred.
    """

    grams: Grams
    trust: float
    usual: float

    def told(self, before: tuple[int, ...], token: int) -> float:
        """Return how much to add to the log probability of a text for a token in it."""
        return self.trust * (float(self.grams.chances(before)[token]) + self.usual)


def prefix_search(logs: Array, beams: int, habit: Habit | None = None, most: int = _MOST) -> Candidates:
    """Return the likeliest texts, over all ways to say each, of log probabilities `[places, tokens]`.

    Args:
        logs: nothing being token 0.
        beams: texts kept from place to place.
        habit: what usually follows what.
        most: tokens looked at a place at the most.
    """
    # prefix → log chance of ending in (nothing, a token)
    ends: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    told: dict[tuple[int, ...], float] = {(): 0.0}
    for row in logs:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], nothing: float, token: float, grown: dict[Any, Any] = grown) -> None:
            before = grown.get(prefix, (NEVER, NEVER))
            grown[prefix] = (float(np.logaddexp(before[0], nothing)), float(np.logaddexp(before[1], token)))

        likely = [int(t) for t in np.flatnonzero(row > math.log(_LIKELY)) if t != EMPTY]
        if len(likely) > most:
            likely = sorted(likely, key=lambda t: -row[t])[:most]
        for prefix, (nothing, token) in ends.items():
            add(prefix, float(np.logaddexp(nothing, token)) + row[EMPTY], NEVER)
            if prefix:
                add(prefix, NEVER, token + row[prefix[-1]])
            for t in likely:
                start = nothing if prefix and prefix[-1] == t else float(np.logaddexp(nothing, token))
                add((*prefix, t), NEVER, start + row[t])
                if habit is not None and (*prefix, t) not in told:
                    told[*prefix, t] = told[prefix] + habit.told(prefix, t)
        ranked = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]) - told.get(item[0], 0.0))
        ends = dict(ranked[:beams])
    found = [(list(prefix), float(np.logaddexp(*chances))) for prefix, chances in ends.items()]
    if habit is None:
        return found
    habitual = [(one, chance + told[tuple(one)] + habit.told(tuple(one), END)) for one, chance in found]
    return sorted(habitual, key=lambda one: -one[1])
