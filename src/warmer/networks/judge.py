"""The fixed network by whose features pictures are compared: the one that comes with this package."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from warmer.networks.convnet import ConvNet
from warmer.networks.features import Features

FILE = Path(__file__).parent.parent / "shipped" / "network.safetensors"
_SIDE, _SMALL, _AT_ONCE = 64, 48, 256


@cache
def _network() -> ConvNet:
    """Return the shipped ConvNet, built after the shapes of its weights."""
    with safe_open(FILE, "pt") as file:
        plan = json.loads(file.metadata()["warmer"])["plan"]
        names = [name for name in file.keys() if name.startswith("network.encoder.")]  # noqa: SIM118
        weights = {name.removeprefix("network.encoder."): file.get_tensor(name) for name in names}
    count = sum(name.endswith("first.weight") for name in weights)
    widths = tuple(len(weights[f"groups.{level}.first.weight"]) for level in range(count))
    network = ConvNet(3, widths, (0.0,) * 3, (1.0,) * 3, torch.eye(12), plan["stride"], 0.0, plan["activation"])
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def vectors(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean over places of the last two groups' features.

    Args:
        pictures: `[n, channels, height, width]`, 0..1, grey or coloured; scaled to 64 pixels a side, small ones to 32.
    """
    found = []
    side = _SIDE if max(pictures.shape[2:]) > _SMALL else _SIDE // 2
    for start in range(0, len(pictures), _AT_ONCE):
        some = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _AT_ONCE])).float()
        some = some.expand(-1, 3, -1, -1) if some.shape[1] == 1 else some
        some = F.interpolate(some, (side, side), mode="bilinear", antialias=True, align_corners=False)
        maps: tuple[Tensor, ...] = Features.of(_network()(some)).maps
        found.append(torch.cat([one.mean((2, 3)) for one in maps[-2:]], 1))
    return torch.cat(found).double().numpy()
