"""For channels of each layer and for labels: the picture that excites it most, beside the examples that do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.errors import InputError
from warmer.examples._store import Store, fill
from warmer.insight import _draw, _watch
from warmer.insight._ascent import IMAGENET_COLOURS, Fourier, grow
from warmer.insight._contract import Finding, Needs, Sheet, Subject

NEEDS = Needs(plane=True)
_LARGEST = 128
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
    known = _examples(subject, seed)
    chosen = _layers(subject, layer)
    rows, pictures = [], {}
    with _watch.still(network):
        for name in chosen:
            best = None if known is None or name == "labels" else _Best(subject, known, name)
            places = _channels(subject, name, best, channels, channel)
            found, level = _grown(subject, name, places, steps, generator)
            rest = _level(subject, name, places, known)
            titles = [_title(subject, name, place) for place in places]
            shown: list[list[Any]] = [[_draw.image(one) for one in found]]
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
    return Store(store.take(good))


def _layers(subject: Subject, layer: str | None) -> list[str]:
    maps = [one for one in _watch.layers(subject.model.network, subject.blank()) if len(one.shape) == 3]
    if layer == "labels" and subject.model.y.discrete:
        return ["labels"]
    if layer is not None:
        return [_watch.find(subject.model.network, subject.blank(), layer, rank=2).name]
    stages = [one.name for one in maps if one.stage] or [one.name for one in maps[-1:]]
    return [*stages, *(["labels"] if subject.model.y.discrete else [])]


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


def _reading(subject: Subject, name: str) -> Callable[[Tensor], Tensor]:
    """Return inputs → what the layer answers, averaged over its map, `[n, channels]`; for labels the logits."""
    network = subject.model.network
    if name == "labels":
        return lambda x: network(x).float()

    def found(x: Tensor) -> Tensor:
        with _watch.watching(network, (name,)) as seen:
            network.features(x)
        return seen[name].float().mean((2, 3))

    return found


def _grown(
    subject: Subject, name: str, places: list[int], steps: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return a picture for each channel, and how strongly the channel answers to it."""
    channels, height, width = subject.blank().shape[1:]
    side = min(max(height, width), _LARGEST)
    read = _reading(subject, name)
    colours = torch.tensor(IMAGENET_COLOURS) if channels == 3 else torch.eye(channels)
    found = []
    for start in range(0, len(places), _AT_ONCE):
        some = torch.tensor(places[start : start + _AT_ONCE])
        spectrum = Fourier(len(some), channels, side, colours, generator)
        row = torch.arange(len(some))
        found.append(grow(lambda x, row=row, some=some: read(x)[row, some], spectrum, steps, generator))  # type: ignore[misc]
    pictures = torch.cat(found)
    with torch.no_grad():
        level = read(pictures)[torch.arange(len(places)), torch.tensor(places)]
    return pictures, level


def _level(subject: Subject, name: str, places: list[int], known: Store | None) -> Tensor:
    """Return the strongest answer of each channel to the examples, or to noise where there are none."""
    read = _reading(subject, name)
    most = torch.full((len(places),), -float("inf"))
    with torch.no_grad():
        for batch in _batches(subject, known):
            most = torch.maximum(most, read(batch)[:, places].amax(0))
    return most


def _batches(subject: Subject, known: Store | None) -> Any:
    if known is None:
        generator = torch.Generator().manual_seed(0)
        yield torch.rand((32, *subject.blank().shape[1:]), generator=generator)
        return
    for start in range(0, len(known), 128):
        rows = np.arange(start, min(len(known), start + 128))
        yield subject.model.x.batch(known.take(rows), torch.device("cpu"))


class _Best:
    """Which examples excite each channel of a layer most, and where in them."""

    def __init__(self, subject: Subject, known: Store, name: str) -> None:
        self.subject, self.known = subject, known
        peaks, where = [], []
        with torch.no_grad(), _watch.watching(subject.model.network, (name,)) as seen:
            for batch in _batches(subject, known):
                subject.model.network.features(batch)
                value, place = seen[name].float().flatten(2).max(2)
                peaks.append(value)
                where.append(place)
                self.plane = seen[name].shape[2:]
        self.peaks, self.where = torch.cat(peaks), torch.cat(where)
        self.share = self._share(name)

    def _share(self, name: str) -> float:
        """Return the side of the square that one answer looks at, as a share of the picture's."""
        from warmer.insight.summary import receptive_fields

        blank = self.subject.blank()
        field = receptive_fields(self.subject.model.network, blank).get(name, 10**9)
        return min(1.0, field / max(blank.shape[2:]))

    def liveliest(self, count: int) -> list[int]:
        """Return the channels whose peaks vary most over the examples, for their size."""
        spread = self.peaks.std(0) / self.peaks.abs().mean(0).clamp(min=1e-6)
        alive = torch.where(self.peaks.amax(0) > 0, spread, torch.tensor(-1.0))
        return sorted(alive.topk(min(count, len(alive))).indices.tolist())

    def mosaic(self, channel: int) -> NDArray[Any]:
        """Return the parts that the channel looks at in the nine examples that excite it most, three by three."""
        from PIL import Image

        order = self.peaks[:, channel].topk(min(_SHOWN, len(self.peaks))).indices
        batch = self.subject.model.x.batch(self.known.take(order.numpy()), torch.device("cpu"))
        height, width = batch.shape[2:]
        side = max(4, round(self.share * max(height, width)))
        tiles = np.ones((3 * 33 - 1, 3 * 33 - 1, 3))
        for slot, (one, example) in enumerate(zip(batch, order.tolist(), strict=True)):
            place = int(self.where[example, channel])
            y = (place // self.plane[1] + 0.5) / self.plane[0] * height
            x = (place % self.plane[1] + 0.5) / self.plane[1] * width
            top = int(np.clip(y - side / 2, 0, max(0, height - side)))
            left = int(np.clip(x - side / 2, 0, max(0, width - side)))
            part = _draw.image(one[:, top : top + side, left : left + side])
            scaled = Image.fromarray((part * 255).astype(np.uint8)).resize((32, 32), Image.Resampling.BILINEAR)
            row, column = slot // 3 * 33, slot % 3 * 33
            tiles[row : row + 32, column : column + 32] = np.asarray(scaled) / 255
        return tiles
