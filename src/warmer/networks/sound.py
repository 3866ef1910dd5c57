"""Networks that listen: sound as a spectrogram, and what reads it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.blocks import ColumnLayer, Dropout
from warmer.networks.features import Features, Plane
from warmer.networks.sequences import body

WINDOW, HOP = 0.025, 0.010
"""Seconds of sound in one column of a spectrogram, and between two."""
_QUIET = 1e-6
_MASKS, _BAND, _STRETCH = 2, 0.2, 0.15


def mel_filters(rate: int, size: int, count: int) -> Tensor:
    """Return triangles `[count, size // 2 + 1]` that are evenly wide in mel (O'Shaughnessy 1987), each of area one.

    Args:
        rate: samples a second.
        size: of the Fourier transform.
        count: how many.
    """

    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    edges = 700 * (10 ** (torch.linspace(mel(20.0), mel(rate / 2), count + 2, dtype=torch.float64) / 2595) - 1)
    bins = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    found = torch.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clamp(min=0)
    return (found / found.sum(1, keepdim=True).clamp(min=1e-9)).float()


class LogMel(nn.Module):
    """Sound `[batch, samples]` in −1..1 as the logarithm of its power, `[batch, mels, columns]`, a column each 10 ms.

    Args:
        rate: samples a second.
        mels: bands.
    """

    def __init__(self, rate: int, mels: int) -> None:
        super().__init__()
        self.hop, self.width = round(rate * HOP), round(rate * WINDOW)
        self.size = 2 ** math.ceil(math.log2(self.width))
        self.register_buffer("window", torch.hann_window(self.width), persistent=False)
        self.register_buffer("filters", mel_filters(rate, self.size, mels), persistent=False)

    window: Tensor
    filters: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Transform; what lies beyond the ends counts as silence, so that padding changes nothing."""
        padded = F.pad(x.float(), (self.size // 2, self.size // 2 + self.hop))
        columns = self.columns(x.shape[1])
        pieces = padded.unfold(1, self.size, self.hop)[:, :columns]
        window = F.pad(
            self.window, ((self.size - self.width) // 2, self.size - self.width - (self.size - self.width) // 2)
        )
        power = torch.fft.rfft(pieces * window, dim=-1).abs().square()
        return torch.log(_QUIET + power @ self.filters.t()).transpose(1, 2)

    def columns(self, samples: Any) -> Any:
        """Return how many columns so many samples make."""
        return 1 + samples // self.hop


class SoundNet(nn.Module):
    """A spectrogram through convolutions; then, where the answer is a sequence, through what reads sequences.

    Args:
        rate, mels: of the spectrogram.
        width: channels of the first convolution, or numbers a place of what reads sequences.
        depth: layers of that.
        dropout: share silenced in training.
        reader: one of `warmer.networks.sequences.BODIES`, or "" where order does not matter.
        own: share of each sound's own mean and variance in what normalises it.
    """

    def __init__(
        self, rate: int, mels: int, width: int, depth: int, dropout: float, reader: str, own: float = 0.0
    ) -> None:
        super().__init__()
        self.mel = LogMel(rate, mels)
        in_order = bool(reader)
        first = 32 if in_order else width
        channels = (first, 2 * first) if in_order else (first, 2 * first, 3 * first, 4 * first)
        pools = ((2, 2), (2, 1)) if in_order else ((2, 2), (2, 2), (2, 2), (2, 1))
        self.layers = nn.ModuleList()
        before, bands = 1, mels
        for count, pool in zip(channels, pools, strict=True):
            self.layers.append(ColumnLayer(before, count, pool=pool, own=own))
            before, bands = count, math.ceil(bands / pool[0])
        self.drop = Dropout(dropout)
        self.entry = nn.Linear(before * bands, width if in_order else 4 * first)
        self.body = body(reader, width, depth, dropout) if in_order else None

    def forward(self, x: Any) -> Features:
        """Map padded sound, values and mask `[batch, samples]`, to features `[batch, numbers, places]`."""
        return self.read(self.lay(x))

    def lay(self, x: Any) -> Plane:
        """Return the spectrogram of padded sound, `[batch, 1, mels, columns]`."""
        columns = self.mel.columns(x.mask.sum(1))
        found = self.mel(x.values * x.mask)
        mask = (torch.arange(found.shape[2], device=found.device) < columns.unsqueeze(1)).float()
        return Plane(standardised(found, mask).unsqueeze(1), mask)

    def read(self, plane: Plane) -> Features:
        """Return what a spectrogram holds."""
        found, mask = plane
        if self.training:
            found = _masked(found.squeeze(1), mask).unsqueeze(1)
        for layer in self.layers:
            found, mask = layer(found, mask)
        found = self.drop(torch.relu(self.entry(found.flatten(1, 2).transpose(1, 2))))
        if self.body is not None:
            found = self.body(found, mask > 0)
        return Features((found.transpose(1, 2),), mask > 0)


def standardised(x: Tensor, mask: Tensor) -> Tensor:
    """Return a spectrogram `[batch, mels, columns]` with mean 0 and spread 1 over its real columns: loudness does not matter."""
    keep = mask.unsqueeze(1)
    count = (keep.sum((1, 2), keepdim=True) * x.shape[1]).clamp(min=1)
    mean = (x * keep).sum((1, 2), keepdim=True) / count
    spread = (((x - mean) * keep).square().sum((1, 2), keepdim=True) / count).sqrt().clamp(min=1e-3)
    return (x - mean) / spread * keep


def _masked(x: Tensor, mask: Tensor) -> Tensor:
    """Silence some bands and some columns of each spectrogram (SpecAugment, Park et al. 2019, arXiv 1904.08779)."""
    n, mels, columns = x.shape
    lengths = mask.sum(1)
    for _ in range(_MASKS):
        width = torch.rand(n, 1, device=x.device) * _BAND * mels
        start = torch.rand(n, 1, device=x.device) * (mels - width)
        band = torch.arange(mels, device=x.device).unsqueeze(0)
        x = x.masked_fill(((band >= start) & (band < start + width)).unsqueeze(2), 0.0)
        width = torch.rand(n, 1, device=x.device) * _STRETCH * lengths.unsqueeze(1)
        start = torch.rand(n, 1, device=x.device) * (lengths.unsqueeze(1) - width)
        column = torch.arange(columns, device=x.device).unsqueeze(0)
        x = x.masked_fill(((column >= start) & (column < start + width)).unsqueeze(1), 0.0)
    return x
