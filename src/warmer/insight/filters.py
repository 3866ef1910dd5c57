"""The first layer's kernels as pictures, and how strong each layer's kernels are."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from warmer.errors import InputError
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject

NEEDS = Needs(kernels=True)
_MOST = 64
_NUMBERS = 12


def run(subject: Subject, *, layer: str | None = None) -> Finding:
    """Show kernels.

    Args:
        subject: the model.
        layer: name of a convolution; none: the first.
    """
    network = subject.model.network
    modules = dict(network.named_modules())
    convolutions = {
        one.name: one
        for one in _watch.layers(network, subject.blank())
        if isinstance(getattr(modules[one.name], "weight", None), Tensor) and modules[one.name].weight.dim() == 4
    }
    if not convolutions:
        raise InputError("this network has no convolutions")
    chosen = layer or next(iter(convolutions))
    if chosen not in convolutions:
        from warmer.errors import UnknownName

        raise UnknownName("convolution", chosen, convolutions)
    weight = modules[chosen].weight.detach()
    assert isinstance(weight, Tensor)
    rows = []
    for name in convolutions:
        kernels = modules[name].weight.detach()
        assert isinstance(kernels, Tensor)
        lengths = kernels.flatten(1).norm(dim=1)
        shape = " × ".join(str(size) for size in kernels.shape)
        silent = int((lengths < 0.05 * lengths.max()).sum())
        rows.append((name, shape, float(lengths.min()), float(lengths.median()), float(lengths.max()), silent))
    pictures = {f"Kernels of {chosen}": _kernels(weight), "Strength of each layer's kernels": _strengths(rows)}
    colour = " in colour" if weight.shape[1] == 3 else "" if weight.shape[1] == 1 else ", averaged over its inputs"
    sentence = (
        f"{chosen} has {len(weight)} kernels of {weight.shape[2]} × {weight.shape[3]}{colour}; "
        f"{len(convolutions)} convolutions in all, {sum(row[-1] for row in rows)} kernels of them nearly silent"
    )
    sheet = Sheet(("convolution", "shape", "weakest", "median", "strongest", "nearly silent"), tuple(rows))
    return Finding("filters", sentence, {"layer": chosen}, {"Strength of each layer's kernels": sheet}, pictures)


def _kernels(weight: Tensor) -> bytes:
    """Draw up to 64 kernels, the strongest first; grey is zero."""
    order = weight.flatten(1).norm(dim=1).argsort(descending=True)[:_MOST]
    found = []
    for place in order.tolist():
        kernel = weight[place].cpu().numpy()
        shown = kernel.transpose(1, 2, 0) if len(kernel) == 3 else kernel.mean(0)
        found.append(_draw.stretched(shown))
    wide = min(16, max(4, int(np.ceil(np.sqrt(len(found) * 2)))))
    rows = [found[start : start + wide] for start in range(0, len(found), wide)]
    return _draw.grid(rows, side=0.55)


def _strengths(rows: list[tuple[str, str, float, float, float, int]]) -> bytes:
    drawn = _draw.figure(7, 0.9 + 0.24 * len(rows))
    axes = drawn.add_subplot()
    places = np.arange(len(rows))[::-1]
    axes.hlines(places, [row[2] for row in rows], [row[4] for row in rows], color=_draw.COLD, linewidth=3, alpha=0.5)
    axes.plot([row[3] for row in rows], places, "o", color=_draw.WARM, markersize=5)
    axes.set_yticks(places, [row[0] for row in rows], fontsize=7)
    axes.set_xlabel("length of a kernel: weakest, median, strongest", fontsize=8)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
