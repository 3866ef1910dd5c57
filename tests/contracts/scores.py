"""What every score must do. Run over whatever the list of scores holds."""

from __future__ import annotations

import numpy as np
import pytest

from warmer import scores

TEXTS = ("exact", "cer", "wer", "bleu", "chrf")
SOUNDS = ("spectral_error", "length_error")
PICTURES = ("psnr", "ssim", "mae_pixels", "colourfulness", "frechet")
SERIES = ("mse", "mae_scaled")
BOXES = ("ap", "ap50")
PERFECT = {"bleu": 100.0, "chrf": 100.0, "psnr": 100.0}
UNITS = {"share", "nats", "y", "dB", ""}


def answers_like(score):
    """Return truths, perfect answers and poor ones of whichever sort this score takes."""
    generator = np.random.default_rng(0)
    if score.name in TEXTS:
        words = generator.choice(["a", "red", "bird", "sings", "on", "the", "stone"], (120, 6))
        truths = np.array([" ".join(row) for row in words], dtype=object)
        return truths, truths.copy(), np.array([" ".join(row[::-1][:5]) for row in words], dtype=object)
    if score.name in SOUNDS:
        truths = np.empty(40, dtype=object)
        poor = truths.copy()
        for k in range(40):
            truths[k] = generator.normal(size=(9, 20 + k % 5))
            poor[k] = truths[k][:, : 12 + k % 3]
        return truths, truths.copy(), poor
    if score.name in PICTURES:
        pictures = generator.random((40, 3, 9, 11)).astype(np.float32)
        return pictures, pictures.copy(), np.clip(pictures + 0.2 * generator.normal(size=pictures.shape), 0, 1)
    if score.name in SERIES:
        steps = generator.normal(size=(60, 4, 2))
        return steps, steps.copy(), steps + generator.normal(size=steps.shape)
    if score.name in BOXES:
        truths, perfect, poor = (np.empty(30, dtype=object) for _ in range(3))
        for k in range(30):
            corners = np.sort(generator.random((3, 2, 2)), 1).reshape(3, 4)
            corners[:, 2:] += 0.1
            labels, sure = np.arange(3)[:, None] % 2, generator.random((3, 1))
            truths[k] = np.hstack([labels, corners])
            perfect[k] = np.hstack([labels, sure, corners])
            poor[k] = np.hstack([labels, sure, corners + generator.normal(size=(3, 1)) * 0.1])
        return truths, perfect, poor
    truths = np.arange(120) % 8
    perfect = np.eye(8)[truths] * (1 - 1e-9) + 1e-10
    poor = generator.dirichlet(np.ones(8) * 0.3, 120)
    try:
        score(perfect, truths)
    except (IndexError, ValueError):
        numbers = generator.normal(size=120)
        return numbers, numbers.copy(), numbers + generator.normal(size=120)
    return truths, perfect, poor


def check_all(name):
    """Run every check on one score."""
    score = scores.get(name)
    assert score.name == name
    assert score.unit in UNITS
    assert score.best in ("high", "low")
    assert (score.function.__doc__ or "").strip(), "says what it measures"
    truths, perfect, poor = answers_like(score)
    best, worse = score(perfect, truths), score(poor, truths)
    assert isinstance(best, float)
    assert score.better(best, worse)
    assert best == pytest.approx(PERFECT.get(name, 1.0 if score.best == "high" else 0.0), abs=1e-4)
    order = np.random.default_rng(1).permutation(len(truths))
    if name != "ece":  # its bins cut through equal confidences
        assert score(poor[order], truths[order]) == pytest.approx(worse)
    low, high = scores.interval(score, poor, truths)
    assert low <= worse <= high
