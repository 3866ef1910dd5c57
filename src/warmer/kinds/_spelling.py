"""Heads that answer with text: read off a sequence in its order (CTC), or written token by token with attention.

Both hand on, as *outputs*, a padded sequence `[batch, places, numbers + 1]` whose last number is 1 where there is
something and 0 in the padding, so that outputs of batches of unequal length can be put together.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.errors import InputError
from warmer.kinds._contract import Answer, Array, Head, Looked, objects
from warmer.kinds._grams import Grams
from warmer.kinds._tokens import BEGIN, EMPTY, END, PARTS, WORDS, Tokens
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.sequences import places
from warmer.networks.writing import Incremental, Writer
from warmer.words import figures

_AT_ONCE = 256
_SHUFFLED = 300
_TRUSTS, _TRIED, _BEAMS = (0.0, 0.25, 0.5, 0.75), 150, 10
_SHORT = 0.5  # how much the spelling from before the sequence was read counts
_REMEMBERED = 4
_LIKELY = 1e-3
_NEVER = -1e30
_BLOCK = 64

Candidates = list[tuple[list[int], float]]
"""Texts as tokens with the logarithm of their probability, likeliest first."""


def with_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return `x [batch, places, numbers]` with one number more that is 1 where the mask is True."""
    ones = x.new_ones(x.shape[:2]) if mask is None else mask.to(x.dtype)
    return torch.cat([x, ones.unsqueeze(2)], 2)


class SpellingHead(Head):
    """What both have in common: decoding, scores, baselines, confidence.

    Args:
        tokens: how texts are cut up.
        commonest: the text that occurred most often among the training examples.
        beams: candidates kept while an answer is looked for.
    """

    spelled = True

    def __init__(self, tokens: Tokens, commonest: str, beams: int) -> None:
        super().__init__(1)
        self.tokens, self.commonest, self.beams = tokens, commonest, beams
        self.memory: dict[Any, list[Candidates]] = {}
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))
        self.register_buffer("calibrated", torch.tensor(0.0))

    slope: Tensor
    offset: Tensor
    calibrated: Tensor

    def candidates(self, outputs: Tensor, beams: int) -> list[Candidates]:
        """Return the likeliest texts for each example."""
        raise NotImplementedError

    def _found(self, outputs: Tensor, beams: int) -> list[Candidates]:
        """Return candidates, looking for those of examples of about equal length together."""
        known = (beams, tuple(outputs.shape), hashlib.blake2b(outputs.float().cpu().numpy().tobytes()).digest())
        if not self.quick and known in self.memory:
            return self.memory[known]
        order = torch.argsort(outputs[..., -1].sum(1), stable=True)
        found: list[Candidates] = [[] for _ in range(len(outputs))]
        for rows in order.split(_AT_ONCE):
            some = outputs[rows].float()
            longest = int(some[..., -1].sum(1).max())
            for row, one in zip(rows.tolist(), self.candidates(some[:, : max(1, longest)], beams), strict=True):
                found[row] = one
        if not self.quick:  # a finished network is asked about the same examples several times
            self.memory = dict([*self.memory.items(), (known, found)][-_REMEMBERED:])
        return found

    @torch.no_grad()
    def answers(self, outputs: Tensor) -> Array:
        """Return the likeliest text of each example; while training, the one found without looking ahead."""
        found = self._found(outputs, 1 if self.quick else self.beams)
        return objects([self.tokens.decode(one[0][0]) for one in found])

    def truths(self, targets: Tensor) -> Array:
        """Return the texts."""
        return objects([self.tokens.decode(row) for row in targets.tolist()])

    @torch.no_grad()
    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return the text that is scored, too, with the chance that it is right to the letter, and the runners-up."""
        found = []
        for one in self._found(outputs, max(2, self.beams)):
            said: dict[str, float] = {}
            for tokens, chance in one:
                text = self.tokens.decode(tokens)
                said[text] = max(said.get(text, -math.inf), chance)
            # Candidates come best first, which need not be the likeliest: long texts are not held against their length.
            best = next(iter(said.values()))
            sure = self._sure(best)
            shares = [(text, sure * math.exp(min(0.0, chance - best))) for text, chance in said.items()]
            known = sure if float(self.calibrated) else None
            found.append(Answer(shares[0][0], known, tuple(shares)))
        return found

    def _sure(self, chance: float) -> float:
        return 1 / (1 + math.exp(-float(np.clip(float(self.slope) * chance + float(self.offset), -30, 30))))

    @torch.no_grad()
    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Fit how often an answer of some log probability is right to the letter (Platt 1999), on unseen examples."""
        from sklearn.linear_model import LogisticRegression

        best = [one[0] for one in self._found(outputs, self.beams)]
        truths = self.truths(targets)
        right = np.array([self.tokens.decode(one) == truth for (one, _), truth in zip(best, truths, strict=True)])
        chances = np.array([[chance] for _, chance in best])
        if right.all() or not right.any():
            share = (right.sum() + 0.5) / (len(right) + 1)
            self.slope.fill_(0.0)
            self.offset.fill_(math.log(share / (1 - share)))
        else:
            model = LogisticRegression(C=10.0).fit(chances, right)
            self.slope.fill_(float(model.coef_[0, 0]))
            self.offset.fill_(float(model.intercept_[0]))
        self.calibrated.fill_(1.0)

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the commonest training text, always."""
        return objects([self.commonest] * n), f"always saying `{self.commonest[:40]}`"

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return some answers beside the truth, and how good answers are when every input is swapped for another one's.

        If they are as good then, they follow from what people usually say, and not from the input.
        """
        from warmer import scores

        few = min(_SHUFFLED, len(outputs))
        truths = self.truths(targets[:few])
        answers = self.answers(outputs[:few])
        swapped = answers[np.random.default_rng(0).permutation(few)]
        lead = scores.get(self.scores[0])
        shown = [{"truth": t, "answer": a} for t, a in zip(truths[:20], answers[:20], strict=True)]
        told = {"score": lead.name, "value": lead(answers, truths), "swapped": lead(swapped, truths), "n": few}
        return {"texts": shown, "swapped_inputs": told if few > 1 else None}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how good the texts are."""
        told = [f"{100 * scores['exact']:.1f} % right to the letter on {n:,} examples it never saw"]
        words = {"cer": "% of letters to change", "wer": "% of words to change", "bleu": "BLEU", "chrf": "chrF"}
        for name, what in words.items():
            if name in scores:
                times = 100 if name in ("cer", "wer") else 1
                value, base = times * scores[name], times * baseline.get(name, math.nan)
                told.append(f"{figures(value, 3)} {what} (always the same text: {figures(base, 3)})")
        return "; ".join(told)


# ---- read off in order ----


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
        self.readout = nn.Linear(spec.channels[-1], self.count)
        self.shortcut = nn.Linear(spec.channels[0], self.count) if len(spec.channels) > 1 else None
        self.grams = Grams(self.count)
        self.tried = len(_TRUSTS) * _TRIED if beams > 1 else 0
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
            return [prefix_search(one[:length], beams, habit) for one, length in zip(arrays, lengths, strict=True)]
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
    best = np.full(len(states), _NEVER)
    best[:2] = emitted[0, :2]
    came = np.zeros(emitted.shape, dtype=int)
    skip = np.array([k >= 2 and states[k] != EMPTY and states[k] != states[k - 2] for k in range(len(states))])
    for place in range(1, len(logs)):
        before = np.stack(
            [
                best,
                np.concatenate([[_NEVER], best[:-1]]),
                np.where(skip, np.concatenate([[_NEVER] * 2, best[:-2]])[: len(best)], _NEVER),
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


def prefix_search(logs: Array, beams: int, habit: Habit | None = None) -> Candidates:
    """Return the likeliest texts, over all ways to say each, of log probabilities `[places, tokens]`."""
    # prefix → log chance of ending in (nothing, a token)
    ends: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, _NEVER)}
    told: dict[tuple[int, ...], float] = {(): 0.0}
    for row in logs:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], nothing: float, token: float, grown: dict[Any, Any] = grown) -> None:
            before = grown.get(prefix, (_NEVER, _NEVER))
            grown[prefix] = (float(np.logaddexp(before[0], nothing)), float(np.logaddexp(before[1], token)))

        likely = [int(t) for t in np.flatnonzero(row > math.log(_LIKELY)) if t != EMPTY]
        for prefix, (nothing, token) in ends.items():
            add(prefix, float(np.logaddexp(nothing, token)) + row[EMPTY], _NEVER)
            if prefix:
                add(prefix, _NEVER, token + row[prefix[-1]])
            for t in likely:
                start = nothing if prefix and prefix[-1] == t else float(np.logaddexp(nothing, token))
                add((*prefix, t), _NEVER, start + row[t])
                if habit is not None and (*prefix, t) not in told:
                    told[*prefix, t] = told[prefix] + habit.told(prefix, t)
        ranked = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]) - told.get(item[0], 0.0))
        ends = dict(ranked[:beams])
    found = [(list(prefix), float(np.logaddexp(*chances))) for prefix, chances in ends.items()]
    if habit is None:
        return found
    habitual = [(one, chance + told[tuple(one)] + habit.told(tuple(one), END)) for one, chance in found]
    return sorted(habitual, key=lambda one: -one[1])


# ---- written with attention ----


class WritingHead(SpellingHead):
    """Text in an order of its own: a translation, a caption. A transformer that writes (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        longest: tokens written at the most.
        width, depth, dropout: of the writer.
        smoothing: probability given to wrong tokens on purpose.
    """

    def __init__(
        self,
        tokens: Tokens,
        spec: FeatureSpec,
        commonest: str,
        beams: int,
        *,
        longest: int,
        width: int,
        depth: int,
        dropout: float,
        smoothing: float,
    ) -> None:
        super().__init__(tokens, commonest, beams)
        self.longest, self.smoothing, self.flat = longest, smoothing, spec.rank >= 2
        self.entry = nn.Linear(spec.channels[-1], width)
        self.writer = Writer(tokens.size, width, depth, dropout)
        self.scores = ("bleu", "chrf", "exact") if tokens.scheme == PARTS else ("cer", "wer", "exact")
        if tokens.scheme == WORDS:
            self.scores = ("bleu", "wer", "exact")

    def outputs(self, features: Features) -> Tensor:
        """Return what was read, `[batch, places, width + 1]`."""
        found = self.entry(features.tokens()).float()
        if self.flat:  # a plane's places have no order of their own yet
            found = found + places(found.shape[1], found.shape[2], found.device)
        return with_mask(found, None if features.mask is None else features.mask.flatten(1))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the tokens in nats, `[batch]`, each given the true ones before it."""
        longest = max(1, int((targets != EMPTY).sum(1).max()))
        wanted = targets[:, :longest].long()
        given = torch.cat([torch.full_like(wanted[:, :1], BEGIN), wanted[:, :-1]], 1)
        memory, mask = outputs[..., :-1], outputs[..., -1] > 0.5
        there = wanted != EMPTY
        logits = self.writer(given, self.writer.offered(memory), mask, there).float()
        smoothing = self.smoothing if self.training else 0.0
        each = F.cross_entropy(logits, wanted[there], reduction="none", label_smoothing=smoothing)
        return torch.zeros_like(there, dtype=each.dtype).masked_scatter(there, each).sum(1) / there.sum(1).clamp(min=1)

    def candidates(self, outputs: Tensor, beams: int) -> list[Candidates]:
        """Return texts by beam search; they are ranked by log probability a token."""
        outputs = self.near(outputs)
        memory, mask = outputs[..., :-1], outputs[..., -1] > 0.5
        search = _Search(self.writer, memory, mask, beams, self.longest)
        for _ in range(self.longest):
            if not search.step():
                break
        return self._ranked(*search.result())

    @contextlib.contextmanager
    def brief(self, targets: Tensor) -> Iterator[None]:
        """Write no more tokens than these texts have on average."""
        longest = self.longest
        self.longest = max(1, round(float((targets != EMPTY).sum(1).float().mean())))
        try:
            yield
        finally:
            self.longest = longest

    def looked(self, outputs: Tensor) -> list[Looked]:
        """Return what each token looked at while it was written."""
        found, outputs = [], self.near(outputs)
        for place, ranked in enumerate(self._found(outputs, self.beams)):
            tokens = ranked[0][0]
            memory, mask = outputs[place : place + 1, :, :-1], outputs[place : place + 1, :, -1] > 0.5
            given = torch.tensor([[BEGIN, *tokens]], device=outputs.device)[:, : len(tokens)]
            shares = np.zeros((0, int(mask.sum())))
            if tokens:
                shares = self.writer.looks(given, memory, mask)[0][:, mask[0]].float().cpu().numpy()
            found.append(Looked(tuple(self.tokens.pieces(tokens)), shares))
        return found

    def _ranked(self, written: list[list[list[int]]], chance: list[list[float]]) -> list[Candidates]:
        found: list[Candidates] = []
        for texts, chances in zip(written, chance, strict=True):
            pairs = [
                ([token for token in text if token > END], value, sum(token != EMPTY for token in text) - 1)
                for text, value in zip(texts, chances, strict=True)
                if value > _NEVER / 2
            ]
            ranked = sorted(pairs, key=lambda pair: -pair[1] / max(1, pair[2]))
            found.append([(text, value) for text, value, _ in ranked])
        return found


class _Search:
    """A beam search for several texts at once; those that have ended are put aside, so that the others go on faster."""

    def __init__(self, writer: Writer, memory: Tensor, mask: Tensor, beams: int, longest: int) -> None:
        n, device = len(memory), memory.device
        self.beams, self.writing = beams, Incremental(writer, memory, mask, beams, longest)
        self.logs = torch.empty_like(self.writing.logits)
        self.written = torch.full((n, beams, 1), BEGIN, device=device)
        self.chance = torch.full((n, beams), _NEVER, device=device)
        self.chance[:, 0] = 0.0
        self.ended = torch.zeros(n, beams, dtype=torch.bool, device=device)
        self.open = torch.arange(n, device=device)
        self.texts: list[list[list[int]]] = [[] for _ in range(n)]
        self.chances: list[list[float]] = [[] for _ in range(n)]

    def step(self) -> bool:
        """Write one more token; return whether any text is still open."""
        going = ~self.ended
        logits = self.writing.step(self.written[:, :, -1], going)
        logs = torch.log_softmax(logits, -1, out=self.logs[: len(logits)])
        logs[:, : BEGIN + 1] = _NEVER
        # The best of all candidates' tokens are among the best of each; one that has ended goes on with nothing.
        found, chosen = best(logs, min(self.beams, logs.shape[1]))
        values = torch.full((*going.shape, found.shape[1]), _NEVER, device=found.device)
        tokens = torch.full(values.shape, EMPTY, device=found.device)
        values[..., 0] = 0.0
        values[going], tokens[going] = found, chosen
        self.chance, place = (self.chance.unsqueeze(2) + values).flatten(1).topk(self.beams, 1)
        parents, token = place // values.shape[2], tokens.flatten(1).gather(1, place)
        before = self.written.gather(1, parents.unsqueeze(2).expand(-1, -1, self.written.shape[2]))
        self.written = torch.cat([before, token.unsqueeze(2)], 2)
        self.ended = self.ended.gather(1, parents) | (token == END)
        self.writing.follow(parents)
        self._leave(~self.ended.all(1))
        return len(self.open) > 0

    def _leave(self, going: Tensor) -> None:
        """Put finished texts aside once they are a quarter of all."""
        if int((~going).sum()) * 4 < len(going):
            return
        for place in torch.nonzero(~going).flatten().tolist():
            self._put_aside(place)
        self.written, self.ended, self.chance = self.written[going], self.ended[going], self.chance[going]
        self.open = self.open[going]
        self.writing.keep(going)

    def _put_aside(self, place: int) -> None:
        row = int(self.open[place])
        self.texts[row] = self.written[place].tolist()
        self.chances[row] = self.chance[place].tolist()

    def result(self) -> tuple[list[list[list[int]]], list[list[float]]]:
        """Return each text's candidates as tokens, and their log probabilities."""
        for place in range(len(self.open)):
            self._put_aside(place)
        return self.texts, self.chances


def best(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest of each row of `[rows, n]` and their places, largest first.

    They lie in the k blocks with the largest maxima, and those are found at a quarter of what a search of whole rows costs.
    """
    rows, n = values.shape
    whole = n // _BLOCK * _BLOCK
    if whole // _BLOCK <= 2 * k:
        found = values.topk(k, 1)
        return found.values, found.indices
    blocks = values[:, :whole].unflatten(1, (-1, _BLOCK))
    chosen = blocks.amax(2).topk(k, 1).indices
    inside = torch.arange(_BLOCK, device=values.device)
    places = (chosen.unsqueeze(2) * _BLOCK + inside).flatten(1)
    places = torch.cat([places, torch.arange(whole, n, device=values.device).expand(rows, -1)], 1)
    found = values.gather(1, places).topk(k, 1)
    return found.values, places.gather(1, found.indices)
