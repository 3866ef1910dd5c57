"""Every score: a plain function (answers, truths) → number, with its unit and its best direction.

Answers of categories are probabilities `[examples, categories]`, their truths category indices `[examples]`; answers and
truths of numbers are `[examples]` in the user's own unit; those of texts are `[examples]` strings, those of pictures
`[examples, channels, height, width]` in 0..1, those of sounds `[examples]` logarithms of spectra `[bins, columns]`. A
baseline's score is the same function on a baseline's answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.errors import UnknownName
from warmer.scores._boxes import (
    ap,
    ap50,
    ap50s,
    aps,
)
from warmer.scores._boxes import average_precisions as average_precisions
from warmer.scores._pictures import (
    colour_parts,
    colourfulness,
    colourfulness_of,
    frechet,
    frechets,
    mae_pixels,
    psnr,
    psnr_of,
    squares,
    ssim,
    ssim_parts,
)
from warmer.scores._pictures import colourful as colourful
from warmer.scores._series import (
    mae_redrawn,
    mae_scaled,
    mse,
    mse_redrawn,
)
from warmer.scores._sums import mean_of
from warmer.scores._texts import (
    bleu,
    bleu_counts,
    bleu_of,
    cer,
    chrf,
    chrf_counts,
    chrf_of,
    exact,
    letter_edits,
    rate,
    wer,
    word_edits,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Score:
    """A score with what a person needs to read it.

    Attributes:
        name: as printed and in JSON.
        function: (answers, truths) → number.
        unit: "share" (0 to 1), "nats", "y" (the unit of y) or "" (none).
        best: "high" or "low".
        parts: (answers, truths) → sums that each example adds to, `[examples, sums]`, where the score follows from them.
        whole: such sums → the score.
        redrawn: (answers, truths, several draws of examples) → the score of each, where that can share work.
    """

    name: str
    function: Callable[[Array, Array], float]
    unit: str
    best: str
    parts: Callable[[Array, Array], Array] | None = None
    whole: Callable[[Array], float] | None = None
    redrawn: Callable[[Array, Array, Sequence[Array]], list[float]] | None = None

    def __call__(self, answers: Array, truths: Array) -> float:
        """Return the score of these answers."""
        return float(self.function(answers, truths))

    def better(self, a: float, b: float) -> bool:
        """Tell whether score `a` is better than score `b`."""
        return a > b if self.best == "high" else a < b


def accuracy(answers: Array, truths: Array) -> float:
    """Share of examples whose likeliest category is the true one."""
    return float((answers.argmax(1) == truths).mean())


def balanced_accuracy(answers: Array, truths: Array) -> float:
    """Mean over the categories present of the share of their examples that were found."""
    right = answers.argmax(1) == truths
    return float(np.mean([right[truths == label].mean() for label in np.unique(truths)]))


def macro_f1(answers: Array, truths: Array) -> float:
    """Mean over all categories, true or answered, of the harmonic mean of precision and recall."""
    chosen = answers.argmax(1)
    values = []
    for label in np.union1d(chosen, truths):
        hits = float(((chosen == label) & (truths == label)).sum())
        values.append(2 * hits / float((chosen == label).sum() + (truths == label).sum()))
    return float(np.mean(values))


def roc_auc(answers: Array, truths: Array) -> float:
    """Chance that a random example of a category gets a higher probability for it than a random other example.

    Two categories: the area under the second one's curve. More: the mean over the categories present, one against the
    rest. Not a number where only one category is present.
    """
    present = np.unique(truths)
    if len(present) < 2:
        return float("nan")
    labels = [1] if answers.shape[1] == 2 else present
    return float(np.mean([_auc(answers[:, label], truths == label) for label in labels]))


def _auc(values: Array, positive: Array) -> float:
    """Mann-Whitney's statistic, equal values counting half."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    ranks = ((last - counts + 1 + last) / 2)[place]
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def log_loss(answers: Array, truths: Array) -> float:
    """Mean of −ln(probability given to the truth), in nats; probabilities below 1e-15 count as that."""
    given = answers[np.arange(len(truths)), truths]
    return float(-np.log(np.clip(given, 1e-15, 1)).mean())


def ece(answers: Array, truths: Array, bins: int = 15) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of equal size (15)."""
    confidence = answers.max(1)
    right = answers.argmax(1) == truths
    order = np.argsort(confidence, kind="stable")
    gaps = [
        len(part) * abs(confidence[part].mean() - right[part].mean())
        for part in np.array_split(order, min(bins, len(order)))
    ]
    return float(np.sum(gaps) / len(order))


def top5_accuracy(answers: Array, truths: Array) -> float:
    """Share of examples whose true category is among the five likeliest."""
    five = np.argsort(-answers, axis=1, kind="stable")[:, :5]
    return float((five == truths[:, None]).any(1).mean())


def rmse(answers: Array, truths: Array) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((answers - truths) ** 2)))


def mae(answers: Array, truths: Array) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(answers - truths)))


def r2(answers: Array, truths: Array) -> float:
    """Share of the variance explained: 1 is perfect, 0 is as good as the mean. Not a number if the truth is constant."""
    spread = float(np.sum((truths - truths.mean()) ** 2))
    return float("nan") if spread == 0 else 1 - float(np.sum((answers - truths) ** 2)) / spread


# ---- texts ----


def _spectral_parts(answers: Array, truths: Array) -> Array:
    """Return each sound's mean error in decibels, and 1."""
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        columns = np.linspace(0, answer.shape[1] - 1, truth.shape[1])
        low = np.floor(columns).astype(int)
        high, share = np.minimum(low + 1, answer.shape[1] - 1), columns - low
        stretched = answer[:, low] * (1 - share) + answer[:, high] * share
        found.append((float(np.abs(stretched - truth).mean()) * 20 / np.log(10), 1.0))
    return np.array(found)


def spectral_error(answers: Array, truths: Array) -> float:
    """Mean difference of the logarithms of spectra, decibels, each answer stretched to the length of its truth."""
    return mean_of(_spectral_parts(answers, truths).sum(0))


def length_error(answers: Array, truths: Array) -> float:
    """Mean difference of how long sounds last, as a share of the truth's length."""
    return float(np.mean([abs(a.shape[1] - t.shape[1]) / t.shape[1] for a, t in zip(answers, truths, strict=True)]))


# ---- pictures ----


_ALL = {
    score.name: score
    for score in (
        Score("accuracy", accuracy, "share", "high"),
        Score("balanced_accuracy", balanced_accuracy, "share", "high"),
        Score("macro_f1", macro_f1, "share", "high"),
        Score("roc_auc", roc_auc, "share", "high"),
        Score("log_loss", log_loss, "nats", "low"),
        Score("ece", ece, "share", "low"),
        Score("top5_accuracy", top5_accuracy, "share", "high"),
        Score("rmse", rmse, "y", "low"),
        Score("mae", mae, "y", "low"),
        Score("r2", r2, "share", "high"),
        Score("spectral_error", spectral_error, "dB", "low", _spectral_parts, mean_of),
        Score("length_error", length_error, "share", "low"),
        Score("psnr", psnr, "dB", "high", squares, psnr_of),
        Score("ssim", ssim, "", "high", ssim_parts, mean_of),
        Score("mae_pixels", mae_pixels, "share", "low"),
        Score("colourfulness", colourfulness, "share", "high", colour_parts, colourfulness_of),
        Score("mse", mse, "", "low", redrawn=mse_redrawn),
        Score("mae_scaled", mae_scaled, "", "low", redrawn=mae_redrawn),
        Score("frechet", frechet, "", "low", redrawn=frechets),
        Score("ap", ap, "share", "high", redrawn=aps),
        Score("ap50", ap50, "share", "high", redrawn=ap50s),
        Score("exact", exact, "share", "high"),
        Score("cer", cer, "share", "low", letter_edits, rate),
        Score("wer", wer, "share", "low", word_edits, rate),
        Score("bleu", bleu, "", "high", bleu_counts, bleu_of),
        Score("chrf", chrf, "", "high", chrf_counts, chrf_of),
    )
}


def names() -> tuple[str, ...]:
    """Return the names of all scores."""
    return tuple(_ALL)


def get(name: str | Score) -> Score:
    """Return a score by name; a `Score` of somebody's own passes through."""
    if isinstance(name, Score):
        return name
    if name not in _ALL:
        raise UnknownName("score", name, _ALL)
    return _ALL[name]


def interval(score: Score, answers: Array, truths: Array, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a score by the bootstrap over examples (Efron 1979).

    Shares of right answers near 0 or 1 get Wilson's interval (1927) instead, which does not shrink to nothing there.
    """
    n = len(truths)
    if score.name in ("accuracy", "top5_accuracy", "exact"):
        return wilson(score(answers, truths), n)
    generator = np.random.default_rng(seed)
    if score.parts is not None and score.whole is not None:
        sums = score.parts(answers, truths)
        drawn = [score.whole(sums[generator.integers(0, n, n)].sum(0)) for _ in range(1000)]
        low, high = np.quantile(drawn, [0.025, 0.975])
        return float(low), float(high)
    if score.redrawn is not None:
        draws = [generator.integers(0, n, n) for _ in range(200)]
        low, high = np.quantile(score.redrawn(answers, truths, draws), [0.025, 0.975])
        return float(low), float(high)
    values = []
    for _ in range(resamples(answers, n)):
        chosen = generator.integers(0, n, n)
        values.append(score(answers[chosen], truths[chosen]))
    known = np.array(values)[~np.isnan(values)]
    if len(known) == 0:
        return (float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def resamples(answers: Array, n: int) -> int:
    """Return how often the bootstrap draws: 1,000 times, or 200 where each draw is large."""
    return 1000 if n * answers[0:1].size < 2e5 else 200


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share seen in `n` trials."""
    z = 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def table(scores: Sequence[Score], answers: Array, truths: Array) -> Mapping[str, float]:
    """Return name → value for several scores of the same answers."""
    return {score.name: score(answers, truths) for score in scores}
