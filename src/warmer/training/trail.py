"""The way that training took through the space of weights, kept small: the plane in which most of it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Weights = Mapping[str, Tensor]

_MOST = 12
"""Snapshots kept; when there are more, every second one is dropped."""
_BYTES = 2**29
"""Networks whose snapshots would take more than this leave no trail."""


@dataclass(frozen=True)
class Plane:
    """The two directions in which the weights moved most, from where they ended, and where they were in that plane.

    Attributes:
        directions: two of length one, name → tensor shaped like the weight.
        places: of the snapshots along them, `[snapshots, 2]`; the end is the origin.
        steps: made at each snapshot.
        explained: share of all squared distances from the end that lies in the plane, 0 to 1.
    """

    directions: tuple[Weights, Weights]
    places: tuple[tuple[float, float], ...]
    steps: tuple[int, ...]
    explained: float

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and plain JSON to store; directions are rounded to 127 levels each way."""
        tensors, scales = {}, []
        for place, direction in enumerate(self.directions):
            scales.append({name: float(p.abs().max().clamp(min=1e-20)) / 127 for name, p in direction.items()})
            for name, p in direction.items():
                tensors[f"trail.{place}.{name}"] = (p / scales[place][name]).round().to(torch.int8)
        told = {"scales": scales, "places": self.places, "steps": self.steps, "explained": self.explained}
        return tensors, told

    @classmethod
    def unpack(cls, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> Plane:
        """Read what `pack` returned."""
        one, other = (
            {name: tensors[f"trail.{place}.{name}"].float() * scale for name, scale in scales.items()}
            for place, scales in enumerate(told["scales"])
        )
        places = tuple((float(a), float(b)) for a, b in told["places"])
        return cls((one, other), places, tuple(told["steps"]), float(told["explained"]))


class Trail:
    """Snapshots of a network's learned weights, in half precision, evenly spread over a run of unknown length.

    Args:
        network: that is going to be trained.
    """

    def __init__(self, network: nn.Module) -> None:
        learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.fits = sum(p.numel() for p in learned.values()) * 2 * _MOST <= _BYTES
        self.names = tuple(learned)
        self.kept: list[tuple[int, dict[str, Tensor]]] = []
        self.every, self.asked = 1, 0

    def add(self, network: nn.Module, step: int) -> None:
        """Take a snapshot, if it is time for one."""
        if not self.fits:
            return
        if self.asked % self.every == 0:
            weights = dict(network.named_parameters())
            self.kept.append((step, {n: weights[n].detach().to("cpu", torch.float16, copy=True) for n in self.names}))
        self.asked += 1
        if len(self.kept) > _MOST:
            self.kept = self.kept[::2]
            self.every *= 2

    def plane(self, network: nn.Module) -> Plane | None:
        """Return the plane of the way to a network's present weights, by principal components through them (Li et al.
        2018, arXiv 1712.09913); None where there are fewer than three snapshots or nothing moved.
        """
        if len(self.kept) < 3:
            return None
        end = {name: p.detach().float().cpu() for name, p in network.named_parameters() if name in self.names}
        ways = [torch.cat([(one[n].float() - end[n]).flatten() for n in self.names]) for _, one in self.kept]
        gram = torch.stack([torch.stack([a @ b for b in ways]) for a in ways]).double()
        values, vectors = torch.linalg.eigh(gram)
        if not torch.isfinite(values).all() or float(values[-2]) <= 1e-12 * float(values[-1]):
            return None
        directions, places = [], []
        for share, size in ((vectors[:, -1], values[-1]), (vectors[:, -2], values[-2])):
            share = share * torch.sign(share[0] if share[0] != 0 else torch.ones(()))
            whole = (
                sum((float(s) * way for s, way in zip(share, ways, strict=True)), torch.zeros(())) / float(size) ** 0.5
            )
            parts = whole.split([end[n].numel() for n in self.names])
            directions.append({n: part.view_as(end[n]) for n, part in zip(self.names, parts, strict=True)})
            places.append((share * size.sqrt()).tolist())
        explained = float(values[-2:].sum() / values.clamp(min=0).sum())
        where = tuple((float(a), float(b)) for a, b in zip(*places, strict=True))
        return Plane((directions[0], directions[1]), where, tuple(step for step, _ in self.kept), explained)

    # ---- what a checkpoint holds ----

    def pack(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return snapshots and plain JSON to store."""
        tensors = {f"trail.{step}.{name}": one[name] for step, one in self.kept for name in self.names}
        return tensors, {"steps": [step for step, _ in self.kept], "every": self.every, "asked": self.asked}

    def unpack(self, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
        """Take up what `pack` returned."""
        self.kept = [(step, {n: tensors[f"trail.{step}.{n}"] for n in self.names}) for step in told["steps"]]
        self.every, self.asked = told["every"], told["asked"]
