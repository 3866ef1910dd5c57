"""For channels of each layer and for labels: the picture that excites it most, beside the examples that do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.errors import InputError
from warmer.examples._store import Store, fill
from warmer.insight import _canvas, _draw, _watch
from warmer.insight._ascent import grow
from warmer.insight._canvas import Canvas
from warmer.insight._contract import Finding, Needs, Sheet, Subject

NEEDS = Needs(laid=True)
_STEPS = 256
_SHOWN = 9
_LOOKED_AT = 2000
_AT_ONCE = 12


def run(
    subject: Subject,
    *,
    layer: str | None = None,
    channels: int = 6,
    channel: int | None = None,
    steps: int = _STEPS,
    seed: int = 0,
) -> Finding:
    """Draw what layers look for.

    Args:
        subject: the model, and examples to look for the nine best in (their answers are not looked at).
        layer: name of a layer that answers with a map; "labels" for the answers; none: every stage, and the labels.
        channels: how many channels of each layer; those that vary most over the examples, or else the first.
        channel: one channel alone, by number.
        steps: of growing each picture.
        seed: of everything random.
    """
    network = subject.model.network
    generator = torch.Generator().manual_seed(seed)
    canvas, known = _canvas.canvas(subject), _examples(subject, seed)
    chosen = _layers(subject, canvas, layer)
    rows, pictures = [], {}
    with _watch.still(network):
        for name in chosen:
            best = None if known is None or name == "labels" else _Best(canvas, known, name)
            places = _channels(subject, name, best, channels, channel)
            found, level = _grown(canvas, name, places, steps, generator)
            rest = _level(canvas, name, places, known)
            titles = [_title(subject, name, place) for place in places]
            shown: list[list[Any]] = [[canvas.drawn(one, grown=True) for one in found]]
            named = [titles]
            if best is not None:
                shown += [[best.mosaic(place) for place in places]]
                named += [["nine examples"] * len(places)]
            pictures[f"{name}: what excites it most"] = _draw.grid(shown, named, side=1.6)
            rows += [(name, t, float(a), float(b)) for t, a, b in zip(titles, level, rest, strict=True)]
    sheet = Sheet(
        ("layer", "channel", "answers to its picture", "answers to the best of noise or examples"), tuple(rows)
    )
    more = sum(row[2] > row[3] for row in rows)
    sentence = (
        f"{len(rows)} pictures grown; {more} excite their channel more than "
        f"{'any of ' + format(len(known), ',') + ' examples' if known is not None else 'noise'} does"
    )
    return Finding("features", sentence, {"stronger": more / len(rows)}, {"How strongly": sheet}, pictures)


def _examples(subject: Subject, seed: int) -> Store | None:
    """Return up to 2,000 inputs of the examples, or None where there are none."""
    if subject.examples is None:
        return None
    cells, _ = subject.model.cells(subject.examples)
    rows = np.sort(np.random.default_rng(seed).permutation(len(subject.examples))[:_LOOKED_AT])
    store, bad = fill(subject.model.x, [cells[int(row)] for row in rows], "memory")
    good = np.array([place for place in range(len(rows)) if place not in bad], dtype=int)
    if not len(good):
        raise InputError(f"none of the examples can be read; the first: {bad[0]}")
    return store.part(good)


def _layers(subject: Subject, canvas: Canvas, layer: str | None) -> list[str]:
    if layer == "labels" and subject.model.y.discrete:
        return ["labels"]
    if layer is not None:
        return [_watch.find(subject.model.network, subject.blank(), layer, rank=2).name]
    return [*canvas.layers(), *(["labels"] if subject.model.y.discrete else [])]


def _channels(subject: Subject, name: str, best: _Best | None, count: int, channel: int | None) -> list[int]:
    if name == "labels":
        total = len(subject.labels)
    else:
        total = _watch.find(subject.model.network, subject.blank(), name, rank=2).shape[0]
    if channel is not None:
        if not 0 <= channel < total:
            raise InputError(f"{name} has channels 0 to {total - 1}, not {channel}")
        return [channel]
    if name == "labels":
        return list(range(min(10, total)))
    return best.liveliest(count) if best is not None else list(range(min(count, total)))


def _title(subject: Subject, name: str, place: int) -> str:
    return str(subject.labels[place]) if name == "labels" else f"channel {place}"


def _grown(
    canvas: Canvas, name: str, places: list[int], steps: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return a picture for each channel, and how strongly the channel answers to it."""
    read = canvas.reading(name)
    found = []
    for start in range(0, len(places), _AT_ONCE):
        some = torch.tensor(places[start : start + _AT_ONCE])
        row = torch.arange(len(some))

        def answer(x: Tensor, row: Tensor = row, some: Tensor = some) -> Tensor:
            return read(canvas.seen(x))[row, some]

        begun = canvas.start(len(some), generator)
        found.append(grow(answer, begun, steps, lambda x: canvas.disturbed(x, generator)))
    pictures = torch.cat(found)
    with torch.no_grad():
        level = read(canvas.seen(pictures))[torch.arange(len(places)), torch.tensor(places)]
    return pictures, level


def _level(canvas: Canvas, name: str, places: list[int], known: Store | None) -> Tensor:
    """Return the strongest answer of each channel to the examples, or to noise where there are none."""
    read = canvas.reading(name)
    most = torch.full((len(places),), -float("inf"))
    with torch.no_grad():
        for seen in canvas.batches(known):
            most = torch.maximum(most, read(seen)[:, places].amax(0))
    return most


class _Best:
    """Which examples excite each channel of a layer most, and where in them."""

    def __init__(self, canvas: Canvas, known: Store, name: str) -> None:
        self.canvas, self.known, self.share = canvas, known, canvas.share(name)
        peaks, where = [], []
        with torch.no_grad():
            for seen in canvas.batches(known):
                maps, there = canvas.maps(seen, name)
                value, place = maps.masked_fill(~there[:, None, None], -float("inf")).flatten(2).max(2)
                width = maps.shape[3]
                within = torch.stack([place // width / maps.shape[2], place % width / there.sum(1, keepdim=True)], 2)
                peaks.append(value)
                where.append(within + 0.5 / torch.tensor(maps.shape[2:]))
        self.peaks, self.where = torch.cat(peaks), torch.cat(where)

    def liveliest(self, count: int) -> list[int]:
        """Return the channels whose peaks vary most over the examples, for their size."""
        spread = self.peaks.std(0) / self.peaks.abs().mean(0).clamp(min=1e-6)
        alive = torch.where(self.peaks.amax(0) > 0, spread, torch.tensor(-1.0))
        return sorted(alive.topk(min(count, len(alive))).indices.tolist())

    def mosaic(self, channel: int) -> NDArray[Any]:
        """Return the parts that the channel looks at in the nine examples that excite it most, three by three."""
        from PIL import Image

        order = self.peaks[:, channel].topk(min(_SHOWN, len(self.peaks))).indices
        seen = self.canvas.of(self.known, order.numpy())
        tiles = np.ones((3 * 33 - 1, 3 * 33 - 1, 3))
        for slot, example in enumerate(order.tolist()):
            part = self.canvas.part(seen, slot, tuple(self.where[example, channel].tolist()), self.share)
            scaled = Image.fromarray((part * 255).astype(np.uint8)).resize((32, 32), Image.Resampling.BILINEAR)
            row, column = slot // 3 * 33, slot % 3 * 33
            tiles[row : row + 32, column : column + 32] = np.asarray(scaled) / 255
        return tiles
