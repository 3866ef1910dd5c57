"""What pictures are grown on, and cut from: x where it is a picture, else the plane that a network makes of it first.

The spectrogram of a sound is such a plane, and so are the columns of a line of writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.examples._store import Store
from warmer.insight import _draw, _watch
from warmer.insight._ascent import IMAGENET_COLOURS, Fourier, jittered
from warmer.insight._contract import Array, Subject
from warmer.insight.summary import receptive_fields
from warmer.networks.features import Features, Plane

_LARGEST = 128
_SPAN = 3.0
"""Black and white of a grown picture, in the units of a plane, whose numbers have a spread of about one."""
_SMOOTH = 2.0
_AT_ONCE = 128
_ENOUGH = 96


@dataclass(frozen=True)
class Canvas:
    """Where a model's maps come from.

    What is *seen* is a batch of pictures `[n, channels, height, width]`, or a `Plane`.
    """

    subject: Subject

    @cached_property
    def encoder(self) -> Any:
        """What lays out x, or None where x is a picture itself."""
        return None if self.subject.model.x.plane else self.subject.model.network.encoder

    @cached_property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of pictures to grow."""
        x = self.subject.blank()
        if self.encoder is None:
            channels, height, width = x.shape[1:]
            side = min(max(height, width), _LARGEST)
            return channels, side, side
        channels, height = self.encoder.lay(x).values.shape[1:3]
        return channels, height, max(height, _ENOUGH)

    def start(self, n: int, generator: torch.Generator) -> Fourier:
        """Return `n` pictures to grow."""
        channels, height, width = self.size
        colours = torch.tensor(IMAGENET_COLOURS) if channels == 3 else torch.eye(channels)
        return Fourier(n, channels, (height, width), colours, generator, 1.0 if self.encoder is None else _SMOOTH)

    def disturbed(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Return pictures as they might as well be; of planes, a little earlier or later, higher or lower."""
        if self.encoder is None:
            return jittered(pictures, generator)
        height, width = pictures.shape[2:]
        down, along = max(1, height // 32), width // 12
        padded = F.pad(pictures, (along, along, down, down), value=0.5)
        top, left = (int(torch.randint(2 * most + 1, (1,), generator=generator)) for most in (down, along))
        return padded[:, :, top : top + height, left : left + width]

    def seen(self, pictures: Tensor) -> Any:
        """Return grown pictures in 0..1 as the network sees them."""
        if self.encoder is None:
            return pictures
        return Plane((2 * pictures - 1) * _SPAN, pictures.new_ones(len(pictures), pictures.shape[3]))

    def batches(self, known: Store | None) -> Iterator[Any]:
        """Yield the examples as the network sees them, or noise where there are none."""
        if known is None:
            generator = torch.Generator().manual_seed(0)
            yield self.seen(torch.rand((32, *self.size), generator=generator))
            return
        for start in range(0, len(known), _AT_ONCE):
            yield self.of(known, np.arange(start, min(len(known), start + _AT_ONCE)))

    def of(self, known: Store, rows: Array) -> Any:
        """Return some examples as the network sees them."""
        x = self.subject.model.x.batch(known.take(rows), torch.device("cpu"))
        return x if self.encoder is None else self.encoder.lay(x)

    def features(self, seen: Any) -> Features:
        """Return what the encoder finds."""
        network = self.subject.model.network
        return network.features(seen) if self.encoder is None else Features.of(self.encoder.read(seen))

    def maps(self, seen: Any, name: str) -> tuple[Tensor, Tensor]:
        """Return what a layer answers, `[n, channels, height, width]`, and where that is no padding, `[n, width]`."""
        with _watch.watching(self.subject.model.network, (name,)) as found:
            self.features(seen)
        maps = found[name].float()
        if self.encoder is None:
            return maps, torch.ones(len(maps), maps.shape[3], dtype=torch.bool)
        places = (seen.mask.sum(1, keepdim=True) * maps.shape[3] / seen.mask.shape[1]).ceil()
        return maps, torch.arange(maps.shape[3]) < places

    def reading(self, name: str) -> Callable[[Any], Tensor]:
        """Return seen → what the layer answers, averaged over its map, `[n, channels]`; for labels the logits."""
        if name == "labels":
            return lambda seen: self.subject.model.network.head(self.features(seen)).float()

        def found(seen: Any) -> Tensor:
            maps, there = self.maps(seen, name)
            return (maps * there[:, None, None]).sum((2, 3)) / (there.sum(1, keepdim=True) * maps.shape[2])

        return found

    def layers(self) -> list[str]:
        """Return the layers to draw if nobody says which: every stage, or of each number of channels the last."""
        network = self.subject.model.network
        maps = [one for one in _watch.layers(network, self.subject.blank()) if len(one.shape) == 3]
        if self.encoder is None:
            return [one.name for one in maps if one.stage] or [one.name for one in maps[-1:]]
        return list({one.shape[0]: one.name for one in maps if one.leaf}.values())

    def share(self, name: str) -> float:
        """Return the side of the square that one answer looks at, as a share of the longer side; of planes all the height."""
        if self.encoder is not None:
            return 1.0
        blank = self.subject.blank()
        return min(1.0, receptive_fields(self.subject.model.network, blank).get(name, 10**9) / max(blank.shape[2:]))

    def part(self, seen: Any, row: int, where: tuple[float, float], share: float) -> Array:
        """Return the part of a seen example around a place, each coordinate 0 to 1, as `[height, width, 3]` in 0..1."""
        whole = seen[row] if self.encoder is None else seen.values[row, :, :, : max(1, int(seen.mask[row].sum()))]
        height, width = whole.shape[1:]
        side = height if self.encoder is not None else max(4, round(share * max(height, width)))
        top = int(np.clip(where[0] * height - side / 2, 0, max(0, height - side)))
        left = int(np.clip(where[1] * width - side / 2, 0, max(0, width - side)))
        return self.drawn(whole[:, top : top + side, left : left + side], grown=False)

    def drawn(self, picture: Tensor, *, grown: bool) -> Array:
        """Return a picture, grown or part of an example, as `[height, width, 3]` in 0..1; of sounds low ones lie below."""
        if self.encoder is None:
            return _draw.image(picture)
        picture = picture if grown else (picture / _SPAN + 1) / 2
        if not self.subject.model.x.timed:
            return _draw.image(picture)
        found = _draw.image(picture.flip(1))
        return found.repeat(max(1, round(found.shape[1] / found.shape[0])), 0)  # bands are few: draw them taller
