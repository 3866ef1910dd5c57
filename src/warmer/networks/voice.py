"""Networks that make sound: spectra from features, and sound from spectra."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.sequences import Attention, heads_of, places

_QUIET = 1e-3
_BLOCKS = 5
LATENT = 16
"""Numbers that say how something is said."""
_ROUNDS, _MOMENTUM = 60, 0.99


class Spectrum(nn.Module):
    """The logarithm of a sound's spectrum, column by column, and the way back.

    Args:
        rate: samples a second; a column lasts 32 ms, and there is one every 8 ms.
    """

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.hop = max(1, round(rate * 0.008))
        self.size = 4 * self.hop
        self.bins = self.size // 2 + 1
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    window: Tensor

    def columns(self, samples: Tensor) -> Tensor:
        """Return how many columns so many samples make."""
        return 1 + torch.div(samples, self.hop, rounding_mode="floor")

    def forward(self, x: Tensor) -> Tensor:
        """Map sound `[batch, samples]` in −1..1 to `[batch, bins, columns]`; what lies beyond the ends is silence."""
        return torch.log(_QUIET + self._transform(x).abs())

    def _transform(self, x: Tensor) -> Tensor:
        padded = F.pad(x.float(), (self.size // 2, self.size // 2))
        return torch.stft(padded, self.size, self.hop, window=self.window, center=False, return_complex=True)

    def _back(self, spectrum: Tensor, samples: int) -> Tensor:
        return torch.istft(spectrum, self.size, self.hop, window=self.window, center=True, length=samples)

    def sound(self, logs: Tensor) -> Tensor:
        """Return a sound `[samples]` with this spectrum `[bins, columns]`, its phases found by the fast Griffin–Lim
        algorithm (Perraudin, Balazs and Søndergaard 2013).
        """
        size = (logs.exp() - _QUIET).clamp(min=0)
        samples = (size.shape[1] - 1) * self.hop
        if samples <= 0:
            return torch.zeros(1)
        generator = torch.Generator().manual_seed(0)
        angles = torch.exp(2j * math.pi * torch.rand(size.shape, generator=generator).to(size.device))
        before = torch.zeros_like(angles)
        for _ in range(_ROUNDS):
            rebuilt = self._transform(self._back(size * angles, samples).unsqueeze(0))[0][:, : size.shape[1]]
            moved = rebuilt + _MOMENTUM * (rebuilt - before)
            angles = moved / moved.abs().clamp(min=1e-8)
            before = rebuilt
        return self._back(size * angles, samples)


class _Block(nn.Module):
    """Looks at what is to be said, then at neighbouring columns; each added to what came in."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look = Attention(width, heads_of(width))
        self.wide = nn.Conv1d(width, 2 * width, 5, padding=2 * dilation, dilation=dilation)
        self.narrow = nn.Conv1d(2 * width, width, 1)

    def forward(self, x: Tensor, memory: Tensor, looks: Tensor, keep: Tensor) -> Tensor:
        x = x + self.look(self.norm1(x), self.look.offered(memory), looks)
        seen = (self.norm2(x) * keep).transpose(1, 2)
        found: Tensor = x + self.narrow(F.gelu(self.wide(seen))).transpose(1, 2)
        return found


class Voice(nn.Module):
    """Makes a spectrum of what is to be said, all columns at once.

    How a thing is said differs each time, which a mean would blur: a few latent numbers say how (a conditional variational
    autoencoder, Kingma and Welling 2013, arXiv 1312.6114). In training they are read off the true sound; afterwards they are 0,
    the ordinary way.

    Args:
        inputs: numbers a place of what is to be said.
        bins: of the spectrum.
        width: numbers a column.
    """

    def __init__(self, inputs: int, bins: int, width: int) -> None:
        super().__init__()
        self.entry = nn.Linear(inputs, width)
        self.listen = nn.Sequential(
            nn.Conv1d(bins, width, 5, stride=2, padding=2), nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2), nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2), nn.GELU(),
        )  # fmt: skip
        self.latent = nn.Linear(2 * width, 2 * LATENT)
        self.how = nn.Linear(LATENT, width)
        self.lasts = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.blocks = nn.ModuleList([_Block(width, 2 ** (level % 4)) for level in range(_BLOCKS)])
        self.norm, self.end = nn.LayerNorm(width), nn.Linear(width, bins)

    def read(self, memory: Tensor, mask: Tensor, spectrum: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance, `[batch, latent]`, of how a true spectrum says what is to be said.

        Args:
            memory, mask: what is to be said, `[batch, places, width]` and `[batch, places]`.
            spectrum: `[batch, bins, columns]`.
            keep: `[batch, columns]`, 1 where real.
        """
        heard = self.listen(spectrum * keep.unsqueeze(1))
        fewer = F.adaptive_max_pool1d(keep.unsqueeze(1), heard.shape[2])
        mean = (heard * fewer).sum(2) / fewer.sum(2).clamp(min=1)
        said = pooled(memory, mask)
        middle, spread = self.latent(torch.cat([mean, said], 1)).chunk(2, 1)
        return middle, spread.clamp(-8, 4)

    def length(self, memory: Tensor, mask: Tensor, how: Tensor) -> Tensor:
        """Return the logarithm of how many columns it takes, `[batch]`."""
        found: Tensor = self.lasts(pooled(memory, mask) + self.how(how)).squeeze(1)
        return found

    def forward(self, memory: Tensor, mask: Tensor, how: Tensor, columns: Tensor) -> Tensor:
        """Return spectra `[batch, bins, longest]`.

        Args:
            memory, mask: what is to be said, `[batch, places, width]` and `[batch, places]`.
            how: latent numbers `[batch, latent]`.
            columns: how many to make of each, `[batch]`.
        """
        longest, width = int(columns.max()), memory.shape[2]
        place = torch.arange(longest, device=memory.device)
        keep = (place < columns.unsqueeze(1)).to(memory.dtype).unsqueeze(2)
        share = (place / columns.unsqueeze(1).clamp(min=1)).clamp(max=1)  # from start to end, whatever it lasts
        rates = math.pi * torch.arange(1, width // 4 + 1, device=memory.device)
        waves = share.unsqueeze(2) * rates
        x = torch.cat([waves.sin(), waves.cos()], 2)
        x = F.pad(x, (0, width - x.shape[2])) + places(longest, width, x.device)
        x = x + (self.how(how) + pooled(memory, mask)).unsqueeze(1)
        for block in self.blocks:
            x = block(x, memory, mask[:, None, None, :], keep)
        found: Tensor = self.end(self.norm(x)).transpose(1, 2)
        return found


def pooled(memory: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over real places, `[batch, width]`."""
    keep = mask.to(memory.dtype).unsqueeze(2)
    return (memory * keep).sum(1) / keep.sum(1).clamp(min=1)
