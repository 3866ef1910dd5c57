"""What every channel of a layer answers to one given input."""

from __future__ import annotations

import numpy as np
import torch

from warmer.errors import InputError
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject

NEEDS = Needs(plane=True, inputs=(1, 1))
_MOST = 48
_TOLD = 10


def run(subject: Subject, *, layer: str | None = None) -> Finding:
    """Show a layer's answers.

    Args:
        subject: the model and one input.
        layer: name of a layer whose answer is a map; none: every stage of the network.
    """
    network, batch = subject.model.network, subject.batch
    known = _watch.layers(network, subject.blank())
    maps = [one for one in known if len(one.shape) == 3]
    if layer is not None:
        maps = [_watch.find(network, subject.blank(), layer, rank=2)]
    elif any(one.stage for one in maps):
        maps = [one for one in maps if one.stage]
    if not maps:
        raise InputError("no layer of this network answers with a map")
    with _watch.still(network), _watch.watching(network, tuple(one.name for one in maps)) as seen, torch.no_grad():
        network(batch)
    pictures = {"The input, as the network gets it": _draw.grid([[_draw.image(batch[0])]], side=2.2)}
    rows = []
    for one in maps:
        answer = seen[one.name][0].float()
        strength = answer.flatten(1).mean(1)
        order = strength.abs().argsort(descending=True)
        silent = int((answer.flatten(1).abs().amax(1) == 0).sum())
        rows.append((one.name, len(answer), f"{answer.shape[1]} × {answer.shape[2]}", silent, order[:_TOLD].tolist()))
        pictures[f"{one.name}, its strongest channels"] = _channels(answer, order[:_MOST])
    sheet = Sheet(("layer", "channels", "size", "silent here", "strongest channels"), tuple(rows))
    silent = sum(row[3] for row in rows)
    sentence = (
        f"{len(maps)} layers and {sum(row[1] for row in rows)} channels look at {subject.name(0)}; "
        f"{silent} of these channels say nothing about it"
    )
    return Finding("activations", sentence, {"layers": [one.name for one in maps]}, {"Layers": sheet}, pictures)


def _channels(answer: torch.Tensor, order: torch.Tensor) -> bytes:
    """Draw channels' maps, each scaled to its own largest value; the number is the channel's."""
    found, titles = [], []
    for place in order.tolist():
        plane = answer[place].cpu().numpy()
        low, high = float(min(plane.min(), 0)), float(plane.max())
        found.append((plane - low) / ((high - low) or 1))
        titles.append(str(place))
    wide = min(12, max(4, int(np.ceil(np.sqrt(len(found) * 2)))))
    starts = range(0, len(found), wide)
    return _draw.grid(
        [found[s : s + wide] for s in starts], [titles[s : s + wide] for s in starts], side=0.75, cmap="magma"
    )
