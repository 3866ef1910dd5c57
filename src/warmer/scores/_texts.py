"""Scores of texts."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def exact(answers: Array, truths: Array) -> float:
    """Share of texts that are right to the letter."""
    return float(np.mean([answer == truth for answer, truth in zip(answers, truths, strict=True)]))


def letter_edits(answers: Array, truths: Array) -> Array:
    """Return (letters to change, letters of the truth) of each example, by Levenshtein's distance (1966)."""
    from rapidfuzz.distance import Levenshtein

    return np.array([(Levenshtein.distance(a, t), len(t)) for a, t in zip(answers, truths, strict=True)], dtype=float)


def word_edits(answers: Array, truths: Array) -> Array:
    """Return (words to change, words of the truth) of each example."""
    from rapidfuzz.distance import Levenshtein

    pairs = [(a.split(), t.split()) for a, t in zip(answers, truths, strict=True)]
    return np.array([(Levenshtein.distance(a, t), len(t)) for a, t in pairs], dtype=float)


def rate(sums: Array) -> float:
    return float(sums[0] / max(1.0, sums[1]))


def cer(answers: Array, truths: Array) -> float:
    """Character error rate: letters to insert, delete or replace, over letters of the truths; may exceed 1."""
    return rate(letter_edits(answers, truths).sum(0))


def wer(answers: Array, truths: Array) -> float:
    """Word error rate: words to insert, delete or replace, over words of the truths; may exceed 1."""
    return rate(word_edits(answers, truths).sum(0))


@cache
def _metric() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize="13a", effective_order=False)


def bleu_counts(answers: Array, truths: Array) -> Array:
    """Return each example's matching and all n-grams of 1 to 4 words, and both lengths, by sacreBLEU's 13a tokens."""
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        one = _metric().corpus_score([answer], [[truth]])
        found.append([*one.counts, *one.totals, one.sys_len, one.ref_len])
    return np.array(found, dtype=float)


def bleu_of(sums: Array) -> float:
    numbers = [int(number) for number in sums]
    made = _metric().compute_bleu(numbers[:4], numbers[4:8], numbers[8], numbers[9], smooth_method="exp")
    return float(made.score)


def bleu(answers: Array, truths: Array) -> float:
    """Return the corpus BLEU, 0 to 100 (Papineni et al. 2002), exactly as sacreBLEU computes it with its tokeniser 13a."""
    return bleu_of(bleu_counts(answers, truths).sum(0))


_CHRF_ORDER, _CHRF_BETA = 6, 2.0


def chrf_counts(answers: Array, truths: Array) -> Array:
    """Return for n-grams of 1 to 6 letters, spaces left out: those answered, true, and both, `[examples, 18]`."""
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        row: list[int] = []
        a, t = "".join(answer.split()), "".join(truth.split())
        for size in range(1, _CHRF_ORDER + 1):
            mine, theirs = (Counter(text[i : i + size] for i in range(len(text) - size + 1)) for text in (a, t))
            row += [sum(mine.values()), sum(theirs.values()), sum((mine & theirs).values())]
        found.append(row)
    return np.array(found, dtype=float)


def chrf_of(sums: Array) -> float:
    mine, theirs, both = sums.reshape(-1, 3).T
    kept = (mine > 0) & (theirs > 0)
    if not kept.any():
        return 0.0
    precision, recall = (both[kept] / mine[kept]).mean(), (both[kept] / theirs[kept]).mean()
    weight = _CHRF_BETA**2
    below = weight * precision + recall
    return float(100 * (1 + weight) * precision * recall / below) if below > 0 else 0.0


def chrf(answers: Array, truths: Array) -> float:
    """Return the character n-gram F-score, 0 to 100 (Popović 2015), as sacreBLEU's chrF2."""
    return chrf_of(chrf_counts(answers, truths).sum(0))


# ---- sounds ----
