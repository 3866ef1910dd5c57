"""Every score agrees with scikit-learn's, and its interval holds it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from warmer import scores

sys.path.insert(0, str(Path(__file__).parent))
from contracts import scores as contract

CATEGORIES = {
    "accuracy": lambda p, y: metrics.accuracy_score(y, p.argmax(1)),
    "balanced_accuracy": lambda p, y: metrics.balanced_accuracy_score(y, p.argmax(1)),
    "macro_f1": lambda p, y: metrics.f1_score(y, p.argmax(1), average="macro", zero_division=0),
    "roc_auc": lambda p, y: metrics.roc_auc_score(y, p if p.shape[1] > 2 else p[:, 1], multi_class="ovr"),
    "log_loss": lambda p, y: metrics.log_loss(y, p, labels=range(p.shape[1])),
    "top5_accuracy": lambda p, y: metrics.top_k_accuracy_score(y, p, k=5, labels=range(p.shape[1])),
}
NUMBERS = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": metrics.r2_score,
}


@pytest.mark.parametrize("name", scores.names())
def test_contract(name):
    contract.check_all(name)


def guesses(count, seed, n=200):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, count))
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), np.arange(n) % count


@pytest.mark.parametrize("name", CATEGORIES)
@pytest.mark.parametrize("count", [2, 3, 9])
def test_scores_of_categories(name, count):
    if name == "top5_accuracy" and count < 6:
        return
    p, y = guesses(count, count)
    assert scores.get(name)(p, y) == pytest.approx(CATEGORIES[name](p, y), abs=1e-9)


SENTENCES = st.lists(st.text("abc äß漢", min_size=1, max_size=30), min_size=1, max_size=5)


def texts(listed):
    found = np.empty(len(listed), dtype=object)
    for place, one in enumerate(listed):
        found[place] = one
    return found


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.integers(0, 1000))
def test_scores_of_texts_are_sacrebleu_s(truths, seed):
    import random

    import sacrebleu

    drawn = random.Random(seed)
    answers = ["".join(c for c in text if drawn.random() > 0.2) for text in truths]
    mine, theirs = texts(answers), texts(truths)
    assert scores.get("bleu")(mine, theirs) == pytest.approx(sacrebleu.corpus_bleu(answers, [truths]).score, abs=1e-6)
    assert scores.get("chrf")(mine, theirs) == pytest.approx(sacrebleu.corpus_chrf(answers, [truths]).score, abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_of_pictures_are_scikit_image_s(channels):
    measured = pytest.importorskip("skimage.metrics")
    generator = np.random.default_rng(channels)
    truths = generator.random((5, channels, 20, 31)).astype(np.float32)
    answers = np.clip(truths + 0.1 * generator.normal(size=truths.shape), 0, 1)
    expected = [
        measured.structural_similarity(t, a, channel_axis=0, data_range=1.0)
        for a, t in zip(answers, truths, strict=True)
    ]
    assert scores.get("ssim")(answers, truths) == pytest.approx(np.mean(expected), abs=1e-6)
    assert scores.get("psnr")(answers, truths) == pytest.approx(
        measured.peak_signal_noise_ratio(truths, answers, data_range=1.0), abs=1e-4
    )


def test_error_rates_by_hand():
    answers, truths = texts(["the cat", "a bat sat"]), texts(["the hat", "a cat sat down"])
    assert scores.get("cer")(answers, truths) == pytest.approx((1 + 6) / (7 + 14))
    assert scores.get("wer")(answers, truths) == pytest.approx((1 + 2) / (2 + 4))
    assert scores.get("exact")(answers, texts(["the cat", "?"])) == 0.5


@pytest.mark.parametrize("name", NUMBERS)
def test_scores_of_numbers(name):
    generator = np.random.default_rng(0)
    answers, truths = generator.normal(size=(2, 100))
    assert scores.get(name)(answers, truths) == pytest.approx(NUMBERS[name](truths, answers))


def test_every_score_is_checked_here():
    others = {*contract.TEXTS, *contract.PICTURES, *contract.SOUNDS, *contract.BOXES, *contract.SERIES, "ece"}
    assert {*CATEGORIES, *NUMBERS, *others} == set(scores.names())


def test_calibration_error_of_honest_and_of_boastful_answers():
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, 20_000)
    p = np.stack([sure, 1 - sure], 1)
    honest = (generator.uniform(size=len(sure)) > sure).astype(int)
    assert scores.ece(p, honest) < 0.02
    assert scores.ece(p, np.ones(len(sure), dtype=int)) == pytest.approx(sure.mean(), abs=1e-9)


@given(st.integers(2, 7), st.integers(0, 1000), st.sampled_from(sorted({*CATEGORIES, "ece"} - {"top5_accuracy"})))
@settings(max_examples=30, deadline=None)
def test_intervals_hold_the_score(count, seed, name):
    p, y = guesses(count, seed, n=60)
    score = scores.get(name)
    low, high = scores.interval(score, p, y)
    assert low <= high
    if name != "ece":
        assert low - 0.05 <= score(p, y) <= high + 0.05


@given(st.integers(0, 1000).map(lambda k: k / 1000), st.integers(1, 10_000))
def test_wilsons_interval(share, n):
    low, high = scores.wilson(share, n)
    assert 0 <= low <= high <= 1
    assert low - 1e-9 <= share <= high + 1e-9


def test_the_interval_of_overlapping_stretches_is_wider_than_if_they_were_apart():
    """Neighbours share all but one of their steps, so they tell little more than one of them."""
    wrong = np.random.default_rng(0).normal(size=400).cumsum() / 8
    stretches = np.lib.stride_tricks.sliding_window_view(wrong, 24)[:, :, None]
    low, high = scores.interval(scores.get("mse"), stretches, np.zeros_like(stretches))
    generator = np.random.default_rng(0)
    each = np.square(stretches).mean((1, 2))
    apart = np.quantile([each[generator.integers(0, len(each), len(each))].mean() for _ in range(200)], [0.025, 0.975])
    assert high - low > 2 * (apart[1] - apart[0])
