"""Convolutional networks trained from nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from warmer.networks.blocks import Activation
from warmer.networks.features import Features

_WHITENING_EPS = 5e-4
_MOMENTUM = 0.4


class ConvNet(nn.Module):
    """A short, fast ConvNet: frozen patch whitening, then groups of two convolutions with a pooling between them.

    After Jordan's airbench (arXiv 2404.00498): a 2×2 convolution that makes neighbouring pixels uncorrelated replaces the
    slow first phase of training; batch normalisation has a shift and no scale; filters start as partial identity.

    Args:
        channels: of the picture, values 0 to 1.
        widths: output channels of each group; each halves the plane.
        mean, deviation: of each channel over the training pictures.
        covariance: of 2×2 patches of standardised pictures, `[channels * 4, channels * 4]`.
        stride: step of the whitening convolution.
        dropout: share of channels silenced after each group in training.
        activation: what bends each layer's answer.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        covariance: Tensor,
        stride: int = 1,
        dropout: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, deviation)
        filters = whitening(covariance, channels)
        self.whiten = nn.Conv2d(channels, len(filters), 2, stride=stride)
        self.whiten.weight.data.copy_(filters)
        self.whiten.weight.requires_grad_(False)
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]
        self.activation = Activation(activation)
        self.groups = nn.ModuleList()
        before = len(filters)
        for width in widths:
            self.groups.append(_Group(before, width, dropout, activation))
            before = width

    def forward(self, x: Tensor) -> Features:
        """Map pictures `[batch, channels, height, width]` in 0..1 to one map a group."""
        x = self.activation(self.whiten(self.normalise(x)))
        maps = []
        for group in self.groups:
            x = group(x)
            maps.append(x)
        return Features(tuple(maps))


class Normalise(nn.Module):
    """Subtract a mean and divide by a deviation, channel by channel; constants of the data, saved with the weights."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1))

    mean: Tensor
    deviation: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Standardise `[batch, channels, height, width]`."""
        return (x - self.mean) / self.deviation


class _Group(nn.Module):
    """Convolution, pooling, convolution."""

    def __init__(self, inputs: int, width: int, dropout: float, activation: str) -> None:
        super().__init__()
        self.first, self.second = _conv(inputs, width), _conv(width, width)
        self.norm1, self.norm2 = _norm(width), _norm(width)
        self.activation, self.dropout = Activation(activation), nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        if min(x.shape[2:]) > 1:
            x = nn.functional.max_pool2d(x, 2)
        x = self.activation(self.norm1(x))
        found: Tensor = self.dropout(self.activation(self.norm2(self.second(x))))
        return found


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3×3 convolution without bias whose first filters copy their input."""
    made = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    shared = min(inputs, outputs)
    nn.init.dirac_(made.weight.data[:shared])
    return made


def _norm(width: int) -> nn.BatchNorm2d:
    """Return batch normalisation whose scale stays one."""
    made = nn.BatchNorm2d(width, momentum=_MOMENTUM)
    made.weight.requires_grad_(False)
    return made


def whitening(covariance: Tensor, channels: int) -> Tensor:
    """Return the filters `[2 * channels * 4, channels, 2, 2]` that whiten 2×2 patches, and their negatives.

    Args:
        covariance: of flattened patches, `[channels * 4, channels * 4]`.
        channels: of the picture.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    scaled = (vectors / torch.sqrt(values.clamp(min=0) + _WHITENING_EPS)).t().flip(0)
    # An eigenvector's sign is arbitrary and differs between machines: fix it, so that the same data makes the same network.
    largest = scaled.gather(1, scaled.abs().argmax(1, keepdim=True))
    scaled = (scaled * largest.sign()).float().view(-1, channels, 2, 2)
    return torch.cat([scaled, -scaled])
