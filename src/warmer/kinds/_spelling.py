"""What heads that answer with text have in common, whether they read it off a sequence or write it token by token.

They hand on, as *outputs*, a padded sequence `[batch, places, numbers + 1]` whose last number is 1 where there is
something and 0 in the padding, so that outputs of batches of unequal length can be put together.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from warmer.kinds._contract import Answer, Array, Head, objects
from warmer.kinds._tokens import Tokens
from warmer.words import figures

_AT_ONCE = 256
_SHUFFLED = 300
_REMEMBERED = 4
NEVER = -1e30
"""The logarithm of no chance at all."""

Candidates = list[tuple[list[int], float]]
"""Texts as tokens with the logarithm of their probability, best first."""


def with_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return `x [batch, places, numbers]` with one number more that is 1 where the mask is True."""
    ones = x.new_ones(x.shape[:2]) if mask is None else mask.to(x.dtype)
    return torch.cat([x, ones.unsqueeze(2)], 2)


class SpellingHead(Head):
    """A head that answers with text: decoding, scores, baselines, confidence.

    Args:
        tokens: how texts are cut up.
        commonest: the text that occurred most often among the training examples.
        beams: candidates kept while an answer is looked for.
    """

    spelled = unsteady = True

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
        """Return the best texts for each example, best first."""
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
        answers = self.answers(outputs)[:few]  # those of all have been looked for before
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
