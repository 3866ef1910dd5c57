"""Novelty: is this input like those the model learned from?

The distance of an input's features from the training examples' mean, in units of their spread along each principal
direction (Mahalanobis; Lee et al. 2018, arXiv 1807.03888), together with what lies outside those directions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from warmer.networks.features import Features

_DIRECTIONS = 32
_RARE = 0.005


class Novelty(nn.Module):
    """Flags features further out than all but 1 in 200 of unseen ordinary examples.

    Args:
        size: length of a feature vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("directions", torch.zeros(size, min(_DIRECTIONS, size)))
        self.register_buffer("spread", torch.ones(min(_DIRECTIONS, size) + 1))
        self.register_buffer("limit", torch.tensor(math.inf))

    centre: Tensor
    directions: Tensor
    spread: Tensor
    limit: Tensor

    @staticmethod
    def vectors(features: Features) -> Tensor:
        """Return one vector an example: pooled, averaged over members."""
        return features.pooled().float().unflatten(0, (-1, features.members)).mean(1)

    @torch.no_grad()
    def fit(self, training: Tensor, unseen: Tensor) -> None:
        """Learn the spread of training vectors, and the limit from vectors of unseen examples of the same kind."""
        self.centre.copy_(training.mean(0))
        _, _, right = torch.linalg.svd(training - self.centre, full_matrices=False)
        count = min(self.directions.shape[1], len(right))
        self.directions.zero_()
        self.directions[:, :count] = right[:count].t()
        parts = self._parts(training)
        self.spread.copy_(parts.square().mean(0).sqrt().clamp(min=1e-6 * float(parts.abs().max() + 1e-12)))
        distances = self.distance(unseen).sort().values
        place = math.ceil((len(distances) + 1) * (1 - _RARE))
        margin = 1.0 if place <= len(distances) else 1.5  # too few to know the tail
        self.limit.fill_(float(distances[min(place, len(distances)) - 1]) * margin)

    def _parts(self, vectors: Tensor) -> Tensor:
        moved = vectors - self.centre
        inside = moved @ self.directions
        outside = (moved - inside @ self.directions.t()).norm(dim=1, keepdim=True)
        return torch.cat([inside, outside], 1)

    @torch.no_grad()
    def distance(self, vectors: Tensor) -> Tensor:
        """Return each vector's distance, about 1 for ordinary ones."""
        return (self._parts(vectors) / self.spread).square().mean(1).sqrt()

    def unusual(self, vectors: Tensor) -> list[bool]:
        """Tell which vectors are unlike the training examples'."""
        return (self.distance(vectors) > self.limit).tolist()
