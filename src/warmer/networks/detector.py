"""A network's end that says at every place what lies there and how far it reaches."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.networks.features import Features, FeatureSpec

_MOST_PLACES = 12_000
_BEGUN = 8
_RARE = 0.1


class Detector(nn.Module):
    """From features to a map of classes and reaches: no anchors, no proposals (Zhou et al. 2019, arXiv 1904.07850).

    Coarser maps are laid over finer ones from the top down (Lin et al. 2017, arXiv 1612.03144), up to the finest of at
    most 12,000 places. Features of no grid, or of a sequence, are pooled, and a small grid is begun from the vector.

    Args:
        spec: of the features.
        classes: how many.
        width: channels of the fused map.
    """

    def __init__(self, spec: FeatureSpec, classes: int, width: int) -> None:
        super().__init__()
        self.begin = nn.Linear(spec.channels[-1], width * _BEGUN**2) if spec.rank != 2 else None
        grids = spec.grids or ((1, 1),) * len(spec.channels)
        self.first = next((k for k, grid in enumerate(grids) if math.prod(grid) <= _MOST_PLACES), len(grids) - 1)
        sizes = spec.channels[self.first :] if spec.rank == 2 else (width,)
        self.sides = nn.ModuleList([nn.Conv2d(size, width, 1) for size in sizes])
        self.smooth = _block(width, width)
        last = nn.Conv2d(width, classes, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, -math.log((1 - _RARE) / _RARE))  # type: ignore[arg-type]  # at first nothing is likely
        self.what = nn.Sequential(_block(width, width), last)
        self.reach = nn.Sequential(_block(width, width), nn.Conv2d(width, 4, 1))

    def forward(self, features: Features) -> Tensor:
        """Return `[batch * members, classes + 4, height, width]`: logits, and raw reaches to left, top, right, bottom."""
        if self.begin is not None:
            x = self.begin(features.pooled()).unflatten(1, (-1, _BEGUN, _BEGUN))
            x = F.interpolate(self.sides[0](x), scale_factor=2, mode="nearest")
        else:
            maps = features.pyramid()[self.first :]
            x = self.sides[-1](maps[-1])
            for side, finer in zip(list(self.sides)[-2::-1], maps[-2::-1], strict=True):
                x = side(finer) + F.interpolate(x, finer.shape[2:], mode="bilinear", align_corners=False)
        x = self.smooth(x)
        return torch.cat([self.what(x), self.reach(x)], 1)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    groups = next(count for count in (8, 4, 2, 1) if outputs % count == 0)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(groups, outputs), nn.ReLU())


def places(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the middles of a grid's places, 0..1: x `[width]`, y `[height]`."""
    return (torch.arange(width, device=device) + 0.5) / width, (torch.arange(height, device=device) + 0.5) / height


def reaching(raw: Tensor) -> Tensor:
    """Turn raw reaches `[batch, 4, height, width]` into boxes of left, top, right, bottom, in shares of the picture."""
    x, y = places(raw.shape[2], raw.shape[3], raw.device)
    far = F.softplus(raw.float()) / _BEGUN
    x, y = x.view(1, 1, -1), y.view(1, -1, 1)
    return torch.stack([x - far[:, 0], y - far[:, 1], x + far[:, 2], y + far[:, 3]], 1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return overlap (IoU) and its general form, which also says how far apart boxes are (Rezatofighi et al. 2019).

    Args:
        a, b: boxes of left, top, right, bottom along the last axis; the others are broadcast.
    """
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    sizes = [(one[..., 2:] - one[..., :2]).clamp(min=0).prod(-1) for one in (a, b)]
    union = (sizes[0] + sizes[1] - inner).clamp(min=1e-9)
    return inner / union, inner / union - (outer - union) / outer.clamp(min=1e-9)


def suppressed(boxes: Tensor, sure: Tensor, labels: Tensor, spread: float = 0.5) -> Tensor:
    """Return how sure each box remains after surer ones of its class that it overlaps have taken their share.

    All at once instead of one by one: each box is judged by the surer one that lies most over it, and that one's own
    judge makes up for judges that are doubtful themselves (Matrix NMS, Wang et al. 2020, arXiv 2003.10152).

    Args:
        boxes, sure, labels: `[n, 4]`, `[n]`, `[n]`, the surest first.
        spread: how quickly overlap takes away.
    """
    if not len(boxes):
        return sure
    over = overlap(boxes.unsqueeze(1), boxes.unsqueeze(0))[0]
    over = (over * (labels.unsqueeze(1) == labels.unsqueeze(0))).triu(1)  # [surer, less sure]
    own = over.amax(0).unsqueeze(1)
    share = (-(over.square() - own.square()) / spread).exp().amin(0)
    return sure * share.clamp(max=1)
