"""Text written token by token by attention, and the search for the likeliest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from warmer import scores
from warmer.kinds._contract import Array, Looked, objects
from warmer.kinds._spelling import NEVER, Candidates, SpellingHead, with_mask
from warmer.kinds._tokens import BEGIN, EMPTY, END, PARTS, WORDS, Tokens
from warmer.networks.crossentropy import linear_cross_entropy
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.sequences import places
from warmer.networks.writing import Incremental, Writer, threads_for

_BLOCK = 64
_SPARE, _MORE = 10, 1.2
_REWARDS = tuple(tenths / 10 for tenths in range(1, 16))
"""What a token may be worth, in nats; of a translator into German, anything over 1 makes texts too long."""


class WritingHead(SpellingHead):
    """Text in an order of its own: a translation, a caption. A transformer that writes (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        longest: tokens written at the most.
        width, depth, dropout: of the writer.
        smoothing: probability given to wrong tokens on purpose.
    """

    blends = False

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
        self.register_buffer("stretch", torch.tensor(0.0))
        self.register_buffer("reward", torch.tensor(0.0))
        self.scores = ("bleu", "chrf", "exact") if tokens.scheme == PARTS else ("cer", "wer", "exact")
        if tokens.scheme == WORDS:
            self.scores = ("bleu", "wer", "exact")

    stretch: Tensor
    """Tokens written for each place read, of the training text with most, after the first ten; 0: not known yet."""

    reward: Tensor
    """What each token adds to the log probability of a candidate, for its rank; 0: the mean a token is its rank."""

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
        if self.training:
            most = ((there.sum(1) - _SPARE) / mask.sum(1).clamp(min=1)).amax()
            self.stretch.copy_(torch.maximum(self.stretch, most))
        states = self.writer.states(given, self.writer.offered(memory), mask)[there]
        smoothing = self.smoothing if self.training else 0.0
        each = linear_cross_entropy(states, self.writer.table.weight, self.writer.bias, wanted[there], smoothing)
        return torch.zeros_like(there, dtype=each.dtype).masked_scatter(there, each).sum(1) / there.sum(1).clamp(min=1)

    def candidates(self, outputs: Tensor, beams: int) -> list[Candidates]:
        """Return texts by beam search, best first."""
        outputs = self.near(outputs)
        memory, mask = outputs[..., :-1], outputs[..., -1] > 0.5
        with threads_for(len(memory)):
            search = _Search(self.writer, memory, mask, beams, self._room(mask.sum(1)))
            while search.step():
                pass
        return self._ranked(*search.result())

    @torch.no_grad()
    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Also choose what a token is worth, as the likeliest texts are too short (Murray and Chiang 2018, arXiv 1808.10006).

        What makes the best candidates by the score that leads is chosen.
        """
        if self.beams > 1:
            lead = scores.get(self.scores[0])
            found, truths = self._found(outputs, self.beams), self.truths(targets)
            best, reward = self._reached(0.0, found, truths), 0.0
            for tried in _REWARDS:
                value = self._reached(tried, found, truths)
                if lead.better(value, best):
                    best, reward = value, tried
            self.reward.fill_(reward)
            self.memory = {known: [self._by_rank(one) for one in some] for known, some in self.memory.items()}
        super().calibrate(outputs, targets)

    def _reached(self, reward: float, found: list[Candidates], truths: Array) -> float:
        """Return the score of the texts that are the best of their candidates where a token is worth so much."""
        self.reward.fill_(reward)
        answers = [self.tokens.decode(self._by_rank(one)[0][0]) for one in found]
        return float(scores.get(self.scores[0])(objects(answers), truths))

    def _by_rank(self, candidates: Candidates) -> Candidates:
        """Return candidates, best first; the token that ends a text counts, too."""
        reward = float(self.reward)
        if reward:
            return sorted(candidates, key=lambda one: -one[1] - reward * (len(one[0]) + 1))
        return sorted(candidates, key=lambda one: -one[1] / (len(one[0]) + 1))

    def _room(self, places: Tensor) -> Tensor:
        """Return how many tokens may be written for inputs of so many places; a network that finds no end has to be stopped."""
        limits = torch.full_like(places, self.longest)
        if float(self.stretch) > 0:
            limits = torch.minimum(limits, (_MORE * (self.stretch * places + _SPARE)).long())
        return limits.clamp(min=1)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Open files from before the stretch was noted and tokens had a worth, too."""
        state_dict.setdefault(prefix + "stretch", torch.zeros_like(self.stretch))
        state_dict.setdefault(prefix + "reward", torch.zeros_like(self.reward))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @contextlib.contextmanager
    def rehearsal(self, targets: Tensor, learned: bool) -> Iterator[None]:
        """Write no more tokens than these texts have on average, unless the network has learned when to end."""
        longest = self.longest
        if not learned:
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
            said = [
                ([token for token in text if token > END], value)
                for text, value in zip(texts, chances, strict=True)
                if value > NEVER / 2
            ]
            found.append(self._by_rank(said))
        return found


class _Search:
    """A beam search for several texts at once; those that have ended are put aside, so that the others go on faster.

    Args:
        writer, memory, mask: what writes, what was read, and where.
        beams: candidates of each text.
        room: tokens that each text may have at the most, `[texts]`.
    """

    def __init__(self, writer: Writer, memory: Tensor, mask: Tensor, beams: int, room: Tensor) -> None:
        n, device = len(memory), memory.device
        self.beams, self.writing, self.room = beams, Incremental(writer, memory, mask, beams, int(room.max())), room
        self.logs = torch.empty_like(self.writing.logits)
        self.written = torch.full((n, beams, 1), BEGIN, device=device)
        self.chance = torch.full((n, beams), NEVER, device=device)
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
        logs[:, : BEGIN + 1] = NEVER
        # The best of all candidates' tokens are among the best of each; one that has ended goes on with nothing.
        found, chosen = best(logs, min(self.beams, logs.shape[1]))
        values = torch.full((*going.shape, found.shape[1]), NEVER, device=found.device)
        tokens = torch.full(values.shape, EMPTY, device=found.device)
        values[..., 0] = 0.0
        values[going], tokens[going] = found, chosen
        self.chance, place = (self.chance.unsqueeze(2) + values).flatten(1).topk(self.beams, 1)
        parents, token = place // values.shape[2], tokens.flatten(1).gather(1, place)
        before = self.written.gather(1, parents.unsqueeze(2).expand(-1, -1, self.written.shape[2]))
        self.written = torch.cat([before, token.unsqueeze(2)], 2)
        full = self.room < self.written.shape[2]
        self.ended = self.ended.gather(1, parents) | (token == END) | full.unsqueeze(1)
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
        self.open, self.room = self.open[going], self.room[going]
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
