"""Which pixels decided: integrated gradients, Grad-CAM, occlusion. Each returns one map an input, `[n, height, width]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from warmer.insight import _watch
from warmer.networks.network import Network
from warmer.training.adversary import Objective, slope


def integrated_gradients(
    objective: Objective, x: Tensor, baseline: Tensor, steps: int = 50, at_once: int = 64
) -> tuple[Tensor, Tensor]:
    """Return each pixel's and channel's share in objective(x) − objective(baseline), and how far the shares' sum misses it.

    Sundararajan, Taly and Yan 2017 (arXiv 1703.01365), by Gauss–Legendre quadrature.

    Args:
        objective: inputs → one number each.
        x: inputs `[n, channels, height, width]`.
        baseline: inputs that say nothing, of the same shape.
        steps: points between the two.
        at_once: inputs computed together.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    found = torch.zeros_like(x)
    way = x - baseline
    for place in range(len(x)):
        shares = torch.tensor((points + 1) / 2, dtype=x.dtype).view(-1, *[1] * (x.dim() - 1))
        between = baseline[place : place + 1] + shares * way[place : place + 1]
        for start in range(0, steps, at_once):
            _, gradient = slope(objective, between[start : start + at_once])
            share = torch.tensor(weights[start : start + at_once] / 2, dtype=x.dtype).view(-1, *[1] * (x.dim() - 1))
            found[place] += (gradient * share).sum(0)
    shares = found * way
    with torch.no_grad():
        gap = shares.flatten(1).sum(1) - (objective(x) - objective(baseline))
    return shares, gap


def grad_cam(
    network: Network, choose: Callable[[Tensor], Tensor], x: Tensor, layer: str | None, finest: int = 4
) -> Tensor:
    """Return where the channels of a layer that speak for an output answer, `[n, height, width]` of the input, 0 to 1.

    Selvaraju et al. 2017 (arXiv 1610.02391).

    Args:
        network: whose answer.
        choose: outputs → one number an input.
        x: inputs.
        layer: name of a layer that answers with a map; None: the encoder's coarsest map of at least `finest` places a side.
        finest: see `layer`; where all maps are coarser, the first is taken.
    """
    with _watch.watching(network, () if layer is None else (layer,)) as seen, torch.enable_grad():
        features = network.features(x.detach().requires_grad_(True))
        fine = [one for one in features.maps if min(one.shape[2:]) >= finest]
        value = choose(network.head(features).float())
        answer = seen[layer] if layer is not None else fine[-1] if fine else features.maps[0]
        (gradient,) = torch.autograd.grad(value.sum(), answer)
    maps = torch.relu((answer * gradient.mean((2, 3), keepdim=True)).sum(1, keepdim=True)).detach()
    large = F.interpolate(maps, x.shape[2:], mode="bilinear", align_corners=False).squeeze(1)
    return large / large.flatten(1).amax(1).clamp(min=1e-12).view(-1, 1, 1)


@torch.no_grad()
def occlusion(objective: Objective, x: Tensor, patch: int, step: int, at_once: int = 64) -> Tensor:
    """Return how much the objective falls, on average, when a square that covers a pixel is painted in the input's mean colour.

    Zeiler and Fergus 2014 (arXiv 1311.2901).
    """
    n, _, height, width = x.shape
    tops = sorted({*range(0, height - patch + 1, step), height - patch})
    lefts = sorted({*range(0, width - patch + 1, step), width - patch})
    places = [(top, left) for top in tops for left in lefts]
    found, covered = torch.zeros(n, height, width), torch.zeros(height, width)
    for top, left in places:
        covered[top : top + patch, left : left + patch] += 1
    for one in range(n):
        before = objective(x[one : one + 1])
        mean = x[one].mean((1, 2)).view(-1, 1, 1)
        for start in range(0, len(places), at_once):
            some = places[start : start + at_once]
            hidden = x[one : one + 1].repeat(len(some), 1, 1, 1)
            for row, (top, left) in enumerate(some):
                hidden[row, :, top : top + patch, left : left + patch] = mean
            fall = before - objective(hidden)
            for row, (top, left) in enumerate(some):
                found[one, top : top + patch, left : left + patch] += fall[row]
    return found / covered


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Return Spearman's correlation of the sizes of two maps: 1 alike, 0 unrelated."""
    ranks = [torch.from_numpy(_ranks(one.abs().flatten().numpy())) for one in (a, b)]
    if min(float(one.std()) for one in ranks) == 0:
        return 0.0
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def _ranks(values: NDArray[Any]) -> NDArray[Any]:
    """Return ranks, equal values sharing their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[places], dtype=np.float64)
