"""Every score: a plain function (answers, truths) → number, with its unit and its best direction.

Answers of categories are probabilities `[examples, categories]`, their truths category indices `[examples]`; answers and
truths of numbers are `[examples]` in the user's own unit; those of texts are `[examples]` strings, those of pictures
`[examples, channels, height, width]` in 0..1, those of sounds `[examples]` logarithms of spectra `[bins, columns]`. A
baseline's score is the same function on a baseline's answers.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.errors import UnknownName

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


def exact(answers: Array, truths: Array) -> float:
    """Share of texts that are right to the letter."""
    return float(np.mean([answer == truth for answer, truth in zip(answers, truths, strict=True)]))


def _letter_edits(answers: Array, truths: Array) -> Array:
    """Return (letters to change, letters of the truth) of each example, by Levenshtein's distance (1966)."""
    from rapidfuzz.distance import Levenshtein

    return np.array([(Levenshtein.distance(a, t), len(t)) for a, t in zip(answers, truths, strict=True)], dtype=float)


def _word_edits(answers: Array, truths: Array) -> Array:
    """Return (words to change, words of the truth) of each example."""
    from rapidfuzz.distance import Levenshtein

    pairs = [(a.split(), t.split()) for a, t in zip(answers, truths, strict=True)]
    return np.array([(Levenshtein.distance(a, t), len(t)) for a, t in pairs], dtype=float)


def _rate(sums: Array) -> float:
    return float(sums[0] / max(1.0, sums[1]))


def cer(answers: Array, truths: Array) -> float:
    """Character error rate: letters to insert, delete or replace, over letters of the truths; may exceed 1."""
    return _rate(_letter_edits(answers, truths).sum(0))


def wer(answers: Array, truths: Array) -> float:
    """Word error rate: words to insert, delete or replace, over words of the truths; may exceed 1."""
    return _rate(_word_edits(answers, truths).sum(0))


@cache
def _bleu() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize="13a", effective_order=False)


def _bleu_counts(answers: Array, truths: Array) -> Array:
    """Return each example's matching and all n-grams of 1 to 4 words, and both lengths, by sacreBLEU's 13a tokens."""
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        one = _bleu().corpus_score([answer], [[truth]])
        found.append([*one.counts, *one.totals, one.sys_len, one.ref_len])
    return np.array(found, dtype=float)


def _bleu_of(sums: Array) -> float:
    numbers = [int(number) for number in sums]
    made = _bleu().compute_bleu(numbers[:4], numbers[4:8], numbers[8], numbers[9], smooth_method="exp")
    return float(made.score)


def bleu(answers: Array, truths: Array) -> float:
    """Return the corpus BLEU, 0 to 100 (Papineni et al. 2002), exactly as sacreBLEU computes it with its tokeniser 13a."""
    return _bleu_of(_bleu_counts(answers, truths).sum(0))


_CHRF_ORDER, _CHRF_BETA = 6, 2.0


def _chrf_counts(answers: Array, truths: Array) -> Array:
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


def _chrf_of(sums: Array) -> float:
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
    return _chrf_of(_chrf_counts(answers, truths).sum(0))


# ---- sounds ----


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
    return _mean_of(_spectral_parts(answers, truths).sum(0))


def length_error(answers: Array, truths: Array) -> float:
    """Mean difference of how long sounds last, as a share of the truth's length."""
    return float(np.mean([abs(a.shape[1] - t.shape[1]) / t.shape[1] for a, t in zip(answers, truths, strict=True)]))


# ---- pictures ----


def _squares(answers: Array, truths: Array) -> Array:
    """Return each picture's squared error and number of pixels."""
    pairs = zip(answers, truths, strict=True)
    return np.array([(float(np.square(a.astype(np.float64) - t).sum()), a.size) for a, t in pairs])


def _psnr_of(sums: Array) -> float:
    return float(-10 * np.log10(max(1e-10, sums[0] / sums[1])))


def psnr(answers: Array, truths: Array) -> float:
    """Peak signal-to-noise ratio over all pixels together, decibels; 100 is the most that is told."""
    return _psnr_of(_squares(answers, truths).sum(0))


def mae_pixels(answers: Array, truths: Array) -> float:
    """Mean absolute error of the pixels, 0 to 1."""
    return float(np.mean([np.abs(a - t).mean() for a, t in zip(answers, truths, strict=True)]))


def _ssim_parts(answers: Array, truths: Array) -> Array:
    return np.array([(_ssim_of(a, t), 1.0) for a, t in zip(answers, truths, strict=True)])


def _ssim_of(a: Array, b: Array) -> float:
    """Return the structural similarity of two pictures `[channels, height, width]` in 0..1, windows of 7 × 7."""
    from scipy.ndimage import uniform_filter

    size = min(7, *a.shape[1:])
    window = (1, size, size)
    a, b = a.astype(np.float64), b.astype(np.float64)
    count = size * size
    fair = count / max(1, count - 1)
    mean_a, mean_b = uniform_filter(a, window), uniform_filter(b, window)
    spread_a = fair * (uniform_filter(a * a, window) - mean_a * mean_a)
    spread_b = fair * (uniform_filter(b * b, window) - mean_b * mean_b)
    both = fair * (uniform_filter(a * b, window) - mean_a * mean_b)
    c1, c2 = 0.01**2, 0.03**2
    found = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))
    edge = (size - 1) // 2
    inner = found[:, edge : found.shape[1] - edge, edge : found.shape[2] - edge]
    return float(inner.mean())


def ssim(answers: Array, truths: Array) -> float:
    """Structural similarity, mean over pictures; 1 is the same (Wang et al. 2004; 7 × 7 windows, as scikit-image has it)."""
    return _mean_of(_ssim_parts(answers, truths).sum(0))


def mse(answers: Array, truths: Array) -> float:
    """Mean squared error of a series' standardised steps, over all of its channels, in squared deviations."""
    return float(np.square(answers - truths, dtype=np.float64).mean())


def mae_scaled(answers: Array, truths: Array) -> float:
    """Mean absolute error of a series' standardised steps, over all of its channels, in deviations."""
    return float(np.abs(answers - truths, dtype=np.float64).mean())


def frechet(answers: Array, truths: Array) -> float:
    """Distance of two sets of pictures as wholes: Fréchet's, of normal distributions of their features (Heusel et al. 2017).

    The features are those of the network that comes with this package, so the number is no FID and compares only with its like.
    """
    from warmer.networks.judge import vectors

    return _apart(vectors(answers), vectors(truths))


def _frechets(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    from warmer.networks.judge import vectors

    found, wanted = vectors(answers), vectors(truths)
    drawn = np.array([_apart(found[draw], wanted[draw]) for draw in draws[:50]])
    # Sets in which pictures come twice lie further apart than those they are drawn from; the middle draw shows by how much.
    return list(np.maximum(0, drawn - np.median(drawn) + _apart(found, wanted)))


def _apart(a: Array, b: Array) -> float:
    """Return the Fréchet distance of normal distributions fitted to two sets of vectors."""
    spreads = [
        np.atleast_2d(np.cov(one, rowvar=False)) if len(one) > 1 else np.zeros((one.shape[1],) * 2) for one in (a, b)
    ]
    values, ways = np.linalg.eigh(spreads[0])
    root = (ways * np.sqrt(np.maximum(values, 0))) @ ways.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ spreads[1] @ root), 0)).sum()
    means = np.square(a.mean(0) - b.mean(0)).sum()
    return float(max(0.0, means + np.trace(spreads[0]) + np.trace(spreads[1]) - 2 * shared))


def ap(answers: Array, truths: Array) -> float:
    """Average precision of boxes, mean over classes and overlaps (IoU) of 0.50 to 0.95 (COCO's, by pycocotools).

    Answers are boxes `[k, 6]` of class, score, left, top, right, bottom; truths `[m, 5]` of class, left, top, right, bottom.
    Every class that the truths hold counts; 0 where they hold no box.
    """
    return _means(average_precisions(answers, truths)[0])[0]


def ap50(answers: Array, truths: Array) -> float:
    """Average precision of boxes, mean over classes, where an overlap (IoU) of 0.50 is enough (COCO's, by pycocotools)."""
    return _means(average_precisions(answers, truths, [0.5])[0])[1]


def _aps(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    return [_means(found)[0] for found in _redrawn(answers, truths, draws, None)]


def _ap50s(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    return [_means(found)[1] for found in _redrawn(answers, truths, draws, [0.5])]


def _means(found: Array) -> tuple[float, float]:
    """Return AP over all overlaps and at the first, of precisions `[overlaps, recalls, classes]`."""
    known, first = found[found > -1], found[0][found[0] > -1]
    return float(known.mean()) if len(known) else 0.0, float(first.mean()) if len(first) else 0.0


def average_precisions(answers: Array, truths: Array, overlaps: list[float] | None = None) -> tuple[Array, Array]:
    """Return precision `[overlaps, recalls, classes]` at 101 recalls, −1 where a class has no true box, and the classes."""
    judged = _matched(answers, truths, overlaps)
    return _accumulated(judged), np.array(judged.params.catIds, dtype=int)


def _redrawn(answers: Array, truths: Array, draws: Sequence[Array], overlaps: list[float] | None) -> Iterator[Array]:
    """Yield the precisions of several draws of examples, whose boxes are matched once."""
    judged = _matched(answers, truths, overlaps)
    matched = np.array(judged.evalImgs, dtype=object).reshape(-1, len(truths))
    for draw in draws:
        judged.evalImgs = list(matched[:, draw].reshape(-1))
        yield _accumulated(judged)


def _matched(answers: Array, truths: Array, overlaps: list[float] | None) -> Any:
    """Return pycocotools' evaluation of boxes, every answer matched with a truth."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    scale = 1000.0  # overlaps do not depend on it, and the tool takes pixels
    marked: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        for label, *corners in np.asarray(truth, dtype=float).tolist():
            marked.append({"image_id": image, "category_id": int(label), "bbox": corners})
        for label, sure, *corners in np.asarray(answer, dtype=float).tolist():
            found.append({"image_id": image, "category_id": int(label), "bbox": corners, "score": sure})
    for place, one in [*enumerate(marked), *enumerate(found)]:
        left, top, right, bottom = (scale * corner for corner in one["bbox"])
        one |= {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
        one |= {"id": place + 1, "iscrowd": 0}
    classes = sorted({one["category_id"] for one in marked})
    holders = (COCO(), COCO())
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its timings
        for holder, boxes in zip(holders, (marked, found), strict=True):
            images, names = [{"id": image} for image in range(len(truths))], [{"id": label} for label in classes]
            holder.dataset = {"images": images, "annotations": boxes, "categories": names}
            holder.createIndex()
        judged = COCOeval(*holders, "bbox")
        judged.params.areaRng, judged.params.areaRngLbl, judged.params.maxDets = [[0, 1e10]], ["all"], [100]
        if overlaps is not None:
            judged.params.iouThrs = np.array(overlaps)
        if classes:
            judged.evaluate()
    return judged


def _accumulated(judged: Any) -> Array:
    if not judged.params.catIds:
        return np.full((1, 101, 1), -1.0)
    with contextlib.redirect_stdout(io.StringIO()):
        judged.accumulate()
    return np.asarray(judged.eval["precision"][:, :, :, 0, 0])


def _mean_of(sums: Array) -> float:
    return float(sums[0] / sums[1])


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
        Score("spectral_error", spectral_error, "dB", "low", _spectral_parts, _mean_of),
        Score("length_error", length_error, "share", "low"),
        Score("psnr", psnr, "dB", "high", _squares, _psnr_of),
        Score("ssim", ssim, "", "high", _ssim_parts, _mean_of),
        Score("mae_pixels", mae_pixels, "share", "low"),
        Score("mse", mse, "", "low"),
        Score("mae_scaled", mae_scaled, "", "low"),
        Score("frechet", frechet, "", "low", redrawn=_frechets),
        Score("ap", ap, "share", "high", redrawn=_aps),
        Score("ap50", ap50, "share", "high", redrawn=_ap50s),
        Score("exact", exact, "share", "high"),
        Score("cer", cer, "share", "low", _letter_edits, _rate),
        Score("wer", wer, "share", "low", _word_edits, _rate),
        Score("bleu", bleu, "", "high", _bleu_counts, _bleu_of),
        Score("chrf", chrf, "", "high", _chrf_counts, _chrf_of),
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
