"""Give a picture another one's colours: all at once, or place by place without moving a line."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_VARIANCE = 1e-4
LUMA = (0.299, 0.587, 0.114)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean `[3]` and covariance `[3, 3]` of the colours of a picture `[1, 3, height, width]`."""
    flat = x[0].flatten(1).double()
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    return mean, centred @ centred.t() / flat.shape[1] + _LEAST_VARIANCE * torch.eye(3, dtype=torch.double)


def transport(x: Tensor, palette: Tensor) -> Tensor:
    """Return the affine map `[3, 4]` of colours that moves one picture's to another's with the least change.

    The Monge–Kantorovich map between normal distributions (Pitié and Kokaram 2007): it matches mean and covariance.
    """
    (mean, spread), (wanted, target) = moments(x), moments(palette)
    root = _power(spread, 0.5)
    inverse = _power(spread, -0.5)
    matrix = inverse @ _power(root @ target @ root, 0.5) @ inverse
    return torch.cat([matrix, (wanted - matrix @ mean)[:, None]], 1).float()


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=1e-12) ** exponent) @ vectors.t()


def mapped(x: Tensor, affine: Tensor) -> Tensor:
    """Apply an affine map of colours `[3, 4]` to a picture `[n, 3, height, width]`."""
    return torch.einsum("dc,nchw->ndhw", affine[:, :3], x) + affine[:, 3].view(1, 3, 1, 1)


def recoloured(x: Tensor, palette: Tensor) -> Tensor:
    """Return a picture in the colours of another one."""
    return mapped(x, transport(x, palette)).clamp(0, 1)


def with_colours_of(x: Tensor, other: Tensor) -> Tensor:
    """Return a picture with its own light and dark and another picture's hues, both of one size."""
    weight = torch.tensor(LUMA).view(1, 3, 1, 1)
    return (other + ((x - other) * weight).sum(1, keepdim=True)).clamp(0, 1)


class Grid:
    """Affine maps of colours on a coarse grid of places and of brightness: neighbours in both are treated alike.

    A bilateral grid (Chen, Paris and Durand 2007; Gharbi et al. 2017, arXiv 1707.02880): it can turn a sky pink and leave a
    wall gray, and it cannot move, blur or invent anything, so straight lines stay straight.

    Args:
        affine: the map everywhere at first, `[3, 4]`.
        places, levels: cells along the picture's sides, and of brightness.
    """

    def __init__(self, affine: Tensor, places: int = 4, levels: int = 8) -> None:
        self.maps = affine.reshape(1, 12, 1, 1, 1).repeat(1, 1, levels, places, places)

    def apply(self, maps: Tensor, x: Tensor) -> Tensor:
        """Return a picture `[1, 3, height, width]` with the colours that the grid `maps` gives it."""
        _, _, height, width = x.shape
        luma = (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1)
        rows = torch.linspace(-1, 1, height).view(1, -1, 1).expand(1, height, width)
        columns = torch.linspace(-1, 1, width).view(1, 1, -1).expand(1, height, width)
        where = torch.stack([columns, rows, 2 * luma - 1], -1).unsqueeze(1)  # [1, 1, height, width, 3]
        found = F.grid_sample(maps, where, align_corners=True, padding_mode="border")[:, :, 0]
        matrices = found.unflatten(1, (3, 4))
        return (matrices[:, :, :3] * x.unsqueeze(1)).sum(2) + matrices[:, :, 3]

    @staticmethod
    def unevenness(maps: Tensor) -> Tensor:
        """Return the mean squared difference between neighbouring cells; between places it counts three times."""
        total = maps.diff(dim=2).pow(2).mean()
        for axis in (3, 4):
            total = total + 3 * maps.diff(dim=axis).pow(2).mean()
        return total
