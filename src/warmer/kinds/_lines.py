"""Pictures of one line of writing: all of one height, of many widths, longer than high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from warmer.kinds._contract import Array, Padded, padded
from warmer.plan import Proposal

_TALLEST = 64
_LONG, _VARIED, _EVEN = 1.8, 1.3, 1.15


def are_lines(sizes: Array) -> bool:
    """Tell whether pictures of these sizes `[n, 2]` (width, height) look like lines of writing."""
    widths, heights = sizes[:, 0] / sizes[:, 1], sizes[:, 1]
    low, middle, high = np.quantile(widths, [0.1, 0.5, 0.9])
    even = np.quantile(heights, 0.9) <= _EVEN * np.quantile(heights, 0.1)
    return bool(even and middle >= _LONG and high >= _VARIED * low)


def height_of(sizes: Array) -> int:
    """Return the height to keep, 64 pixels at the most."""
    return int(min(_TALLEST, np.median(sizes[:, 1])))


def batch(arrays: Sequence[Array], background: float, device: torch.device) -> Padded:
    """Return values `[batch, columns, channels, height]`, how much lighter than the background, and their mask."""
    found = padded(arrays, device)
    values = (found.values.float() / 255 - background) * found.mask[:, :, None, None]
    return Padded(values, found.mask)


def augment(lines: Any, generator: torch.Generator) -> Padded:
    """Slant, turn, stretch and shift each line a little, and write it bolder or paler."""
    values, mask = lines
    x: Tensor = values.permute(0, 2, 3, 1)
    n, channels, height, width = x.shape

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high, generator=generator).to(x.device)

    slant, turn = drawn(-0.35, 0.35), drawn(-0.02, 0.02)
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0], theta[:, 0, 1] = drawn(0.97, 1.03), slant * height / width
    theta[:, 1, 0], theta[:, 1, 1], theta[:, 1, 2] = turn * width / height, drawn(0.9, 1.15), drawn(-0.08, 0.08)
    stretch = float(torch.empty(1).uniform_(0.85, 1.15, generator=generator))
    longer = max(8, round(width * stretch))
    grid = nn.functional.affine_grid(theta, [n, channels, height, longer], align_corners=False)
    found = nn.functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
    lengths = (mask.sum(1).float() * longer / width).round().clamp(min=1)
    kept = torch.arange(longer, device=x.device).unsqueeze(0) < lengths.unsqueeze(1)
    found = found * drawn(0.7, 1.3, 1, 1, 1) + 0.03 * torch.randn(found.shape, generator=generator).to(x.device)
    return Padded(found.permute(0, 3, 1, 2) * kept[:, :, None, None], kept)


def proposals(height: int, n: int) -> Proposal:
    """Propose how lines are learned."""
    seen = 90_000 if height > 48 else 60_000
    return {
        "ordered": (True, "pictures of one height and many widths: lines, written in the order in which they are read"),
        "optimizer": ("adamw", "for sequences"),
        "epochs": (float(np.clip(seen / n, 8, 60)), f"about {seen:,} lines seen with {n:,} to learn from"),
        "batch": (16 if n < 3000 else 32, "lines a step"),
        "width": (256, "numbers a place"),
        "depth": (2, "layers of what reads them"),
        "dropout": (0.2, "silenced activations"),
        "cooldown": (0.5, "share of the steps in which the learning rate falls"),
        "validations": (15, "times some lines are read, at the most"),
    }
