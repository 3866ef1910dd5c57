"""Networks that make pictures out of noise, with a vector that says which."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.blocks import attend

LATENT = 64


class _Residual(nn.Module):
    """Two convolutions added to what came in, told by a vector what to do (scale and shift of the second's norm)."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, inputs), nn.GroupNorm(8, outputs)
        self.first, self.second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.told = nn.Linear(told, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        seen = self.first(F.silu(self.norm1(x)))
        scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
        found: Tensor = self.skip(x) + self.second(F.silu(self.norm2(seen) * (1 + scale) + shift))
        return found


class _Looks(nn.Module):
    """Every place looks at every other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.ask, self.out = (
            nn.GroupNorm(8, width),
            nn.Conv2d(width, 3 * width, 1),
            nn.Conv2d(width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.ask(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, -1)
        seen = attend(q, k, v).squeeze(1).transpose(1, 2).unflatten(2, x.shape[2:])
        found: Tensor = x + self.out(seen)
        return found


class FlowNet(nn.Module):
    """Where a noisy picture has to move: a small U-Net on 2 × 2 patches, told the time and which picture is wanted.

    Args:
        channels: of the picture.
        condition: numbers that say which.
        width: channels of the finest level.
        levels: each half the size of the one before.
    """

    def __init__(self, channels: int, condition: int, width: int, levels: int) -> None:
        super().__init__()
        told = 4 * width
        self.width, self.step = width, 2 * 2 ** (levels - 1)
        self.time = nn.Sequential(nn.Linear(width, told), nn.SiLU(), nn.Linear(told, told))
        self.which = nn.Linear(condition, told)
        sizes = [width * 2 ** min(level, 2) for level in range(levels)]
        self.entry = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.down = nn.ModuleList([_Residual(sizes[max(0, k - 1)], size, told) for k, size in enumerate(sizes)])
        self.middle = nn.ModuleList(
            [_Residual(sizes[-1], sizes[-1], told), _Looks(sizes[-1]), _Residual(sizes[-1], sizes[-1], told)]
        )
        self.up = nn.ModuleList([_Residual(2 * sizes[k], sizes[max(0, k - 1)], told) for k in reversed(range(levels))])
        self.norm, self.end = nn.GroupNorm(8, width), nn.Conv2d(width, 4 * channels, 3, padding=1)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(self.end.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Map pictures `[batch, channels, height, width]`, times `[batch]` in 0..1 and conditions to velocities."""
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % self.step, 0, -height % self.step), "replicate")
        rates = torch.exp(torch.arange(self.width // 2, device=x.device) * (-math.log(1000.0) / (self.width // 2)))
        angles = 1000 * time[:, None] * rates
        told = F.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.which(condition))
        x = self.entry(F.pixel_unshuffle(x, 2))
        kept = []
        for place, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if place else x, told)
            kept.append(x)
        first, looks, second = self.middle
        x = second(looks(first(x, told)), told)
        for place, block in enumerate(self.up):
            x = block(torch.cat([x, kept.pop()], 1), told)
            if place < len(self.up) - 1:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.pixel_shuffle(self.end(F.silu(self.norm(x))), 2)
        return x[:, :, :height, :width]


class Maker(nn.Module):
    """From a vector to a picture, doubling a small grid (as DCGAN, Radford et al. 2016, with resized convolutions)."""

    def __init__(self, inputs: int, channels: int, height: int, width: int, size: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        doublings = max(1, round(math.log2(max(height, width) / 7)))
        self.start = (-(-height // 2**doublings), -(-width // 2**doublings))
        sizes = [size * 2 ** min(2, doublings - k) for k in range(doublings + 1)]
        self.entry = nn.Linear(inputs, sizes[0] * self.start[0] * self.start[1])
        self.levels = nn.ModuleList([_Residual(a, b, inputs) for a, b in itertools.pairwise(sizes)])
        self.norm, self.end = nn.GroupNorm(8, sizes[-1]), nn.Conv2d(sizes[-1], channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, inputs]` to `[batch, channels, height, width]`, of any range."""
        seen = self.entry(x).unflatten(1, (-1, *self.start))
        for level in self.levels:
            seen = level(F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False), x)
        found: Tensor = self.end(F.silu(self.norm(seen)))
        return found[:, :, : self.height, : self.width]


class Looker(nn.Module):
    """From a picture to a vector; no norms, so that it can be told a critic's gradients."""

    def __init__(self, channels: int, height: int, width: int, size: int, outputs: int) -> None:
        super().__init__()
        halvings = max(1, round(math.log2(max(height, width) / 7)))
        sizes = [size * 2 ** min(2, k) for k in range(halvings + 1)]
        self.entry = nn.Conv2d(channels, sizes[0], 3, padding=1)
        self.levels = nn.ModuleList([nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(sizes)])
        with torch.no_grad():
            flat = self._seen(torch.zeros(1, channels, height, width)).shape[1]
        self.end = nn.Linear(flat, outputs)

    def _seen(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.entry(x), 0.2)
        for level in self.levels:
            x = F.leaky_relu(level(x), 0.2)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[batch, channels, height, width]` to `[batch, outputs]`."""
        found: Tensor = self.end(self._seen(x))
        return found


class PatchCritic(nn.Module):
    """How real each patch of a picture looks beside what it was made from (Isola et al. 2017, arXiv 1611.07004).

    Its weights are kept from growing by their spectral norm (Miyato et al. 2018, arXiv 1802.05957).
    """

    def __init__(self, channels: int, size: int = 32) -> None:
        super().__init__()
        steps = ((channels, size, 2), (size, 2 * size, 2), (2 * size, 4 * size, 1))
        made = [nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, 4, stride, 1)) for a, b, stride in steps]
        self.levels = nn.ModuleList(made)
        self.end = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4 * size, 1, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map `[batch, channels, height, width]` to each level's features, the last being the scores."""
        found = []
        for level in self.levels:
            x = F.leaky_relu(level(x), 0.2)
            found.append(x)
        return [*found, self.end(x)]
