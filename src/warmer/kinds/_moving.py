"""Pictures of a batch, each moved, cut, mirrored or recoloured at random."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def moved(batch: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    """Move each picture by up to `shift` pixels each way; the border repeats."""
    n, _, height, width = batch.shape
    offsets = torch.randint(0, 2 * shift + 1, (2, n), generator=generator)
    padded = nn.functional.pad(batch, (shift,) * 4, "replicate")
    rows = (offsets[0].view(-1, 1) + torch.arange(height)).to(batch.device)
    columns = (offsets[1].view(-1, 1) + torch.arange(width)).to(batch.device)
    channels = torch.arange(batch.shape[1], device=batch.device).view(1, -1, 1, 1)
    examples = torch.arange(n, device=batch.device).view(-1, 1, 1, 1)
    return padded[examples, channels, rows.view(n, 1, -1, 1), columns.view(n, 1, 1, -1)]


def cut(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Cut a random part (35 to 100 % of the area) of each picture, scale it to 6/7, vary brightness, contrast, colour."""
    n, channels, height, width = batch.shape
    area = torch.empty(n).uniform_(0.35, 1.0, generator=generator)
    ratio = torch.empty(n).uniform_(-0.25, 0.25, generator=generator).exp()
    scale_x, scale_y = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    place = torch.rand(2, n, generator=generator) * 2 - 1
    turn = torch.empty(n).uniform_(-0.12, 0.12, generator=generator)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1], theta[:, 0, 2] = scale_x, -turn * scale_x, place[0] * (1 - scale_x)
    theta[:, 1, 1], theta[:, 1, 0], theta[:, 1, 2] = scale_y, turn * scale_y, place[1] * (1 - scale_y)
    size = [n, channels, max(32, height * 6 // 7), max(32, width * 6 // 7)]
    grid = nn.functional.affine_grid(theta, size, align_corners=False).to(batch.device)
    found = nn.functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return recoloured(found, generator)


def recoloured(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Vary colour, contrast and brightness of each picture by up to three tenths."""
    gains = torch.empty(3, len(batch), 1, 1, 1).uniform_(0.7, 1.3, generator=generator).to(batch.device)
    grey = batch.mean(1, keepdim=True)
    found = grey + (batch - grey) * gains[0]
    middle = found.mean((1, 2, 3), keepdim=True)
    return ((found - middle) * gains[1] + middle * gains[2]).clamp(0, 1)


def in_turn(batch: Tensor, epoch: int) -> Tensor:
    """Mirror each picture of 0 to 1 in every second epoch; which half of them begins follows from their pixels.

    So two epochs show all pictures both ways, which chance does not (Jordan 2024, arXiv 2404.00498, alternating flip).
    """
    parity = (batch * 255).round().flatten(1).sum(1).remainder(2)
    turn = (parity == epoch % 2).view(-1, 1, 1, 1)
    return torch.where(turn, batch.flip(3), batch)


def parts(n: int, near: tuple[float, float], flips: bool, generator: torch.Generator) -> Tensor:
    """Return a random part of the plane for each picture, `[n, 2, 3]`: its size within `near`, mirrored half the time."""
    size = torch.empty(n).uniform_(*near, generator=generator)
    place = (torch.rand(2, n, generator=generator) * 2 - 1) * (1 - size).abs()
    return _movement(size, place.t(), flips, generator)


def shifts(n: int, most: int, plane: tuple[int, int], flips: bool, generator: torch.Generator) -> Tensor:
    """Return a random shift of the plane (height, width) by whole pixels for each picture, `[n, 2, 3]`, half mirrored.

    Nothing has to be computed between pixels, so that noise and edges stay what they are.
    """
    steps = torch.randint(-most, most + 1, (n, 2), generator=generator)
    return _movement(torch.ones(n), 2 * steps / torch.tensor(plane[::-1]), flips, generator)


def _movement(size: Tensor, place: Tensor, flips: bool, generator: torch.Generator) -> Tensor:
    mirrored = torch.where(torch.rand(len(size), generator=generator) < (0.5 if flips else 0.0), -1.0, 1.0)
    found = torch.zeros(len(size), 2, 3)
    found[:, 0, 0], found[:, 1, 1] = size * mirrored, size
    found[:, :, 2] = place
    return found


def as_moved(batch: Tensor, movement: Tensor, outside: str = "reflection") -> Tensor:
    """Return the part of each picture that a movement names; what lies outside is made as `grid_sample` makes it."""
    grid = nn.functional.affine_grid(movement, list(batch.shape), align_corners=False)
    return nn.functional.grid_sample(batch, grid, mode="bilinear", padding_mode=outside, align_corners=False)
