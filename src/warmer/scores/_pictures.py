"""Scores of pictures, one by one and as a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.networks.judge import vectors
from warmer.scores._sums import mean_of

Array = NDArray[Any]


def squares(answers: Array, truths: Array) -> Array:
    """Return each picture's squared error and number of pixels."""
    pairs = zip(answers, truths, strict=True)
    return np.array([(float(np.square(a.astype(np.float64) - t).sum()), a.size) for a, t in pairs])


def psnr_of(sums: Array) -> float:
    return float(-10 * np.log10(max(1e-10, sums[0] / sums[1])))


def psnr(answers: Array, truths: Array) -> float:
    """Peak signal-to-noise ratio over all pixels together, decibels; 100 is the most that is told."""
    return psnr_of(squares(answers, truths).sum(0))


def mae_pixels(answers: Array, truths: Array) -> float:
    """Mean absolute error of the pixels, 0 to 1."""
    return float(np.mean([np.abs(a - t).mean() for a, t in zip(answers, truths, strict=True)]))


def colourful(pictures: Array) -> Array:
    """Return how colourful each of `[n, 3, height, width]` in 0..1 looks (Hasler and Süsstrunk 2003), about 0 to 110."""
    red, green, blue = (255.0 * pictures[:, k].reshape(len(pictures), -1) for k in range(3))
    across, along = red - green, 0.5 * (red + green) - blue
    spread = np.sqrt(across.std(1) ** 2 + along.std(1) ** 2)
    return np.asarray(spread + 0.3 * np.sqrt(across.mean(1) ** 2 + along.mean(1) ** 2))


def colour_parts(answers: Array, truths: Array) -> Array:
    return np.stack([colourful(answers), colourful(truths)], 1)


def colourfulness_of(sums: Array) -> float:
    return float(min(sums) / max(1e-9, *sums))


def colourfulness(answers: Array, truths: Array) -> float:
    """How colourful pictures are beside the true ones: what the duller has of the more vivid; 1 is as colourful."""
    return colourfulness_of(colour_parts(answers, truths).sum(0))


def ssim_parts(answers: Array, truths: Array) -> Array:
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
    return mean_of(ssim_parts(answers, truths).sum(0))


def frechet(answers: Array, truths: Array) -> float:
    """Distance of two sets of pictures as wholes: Fréchet's, of normal distributions of their features (Heusel et al. 2017).

    The features are those of the network that comes with this package, so the number is no FID and compares only with its like.
    """
    return _apart(vectors(answers), vectors(truths))


def frechets(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:

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
