"""What pictures are grown on, and cut from: x where it is a picture, else the plane that a network makes of it first.

The spectrogram of a sound is such a plane, and so are the columns of a line of writing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
class Canvas(ABC):
    """Where a model's maps come from.

    What is *seen* is a batch of pictures `[n, channels, height, width]`, or a `Plane`.
    """

    subject: Subject

    @property
    @abstractmethod
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of pictures to grow."""

    @abstractmethod
    def start(self, n: int, generator: torch.Generator) -> Fourier:
        """Return `n` pictures to grow."""

    @abstractmethod
    def disturbed(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Return pictures as they might as well be."""

    @abstractmethod
    def seen(self, pictures: Tensor) -> Any:
        """Return grown pictures in 0..1 as the network sees them."""

    @abstractmethod
    def laid(self, x: Any) -> Any:
        """Return a batch of examples as the network sees them."""

    @abstractmethod
    def features(self, seen: Any) -> Features:
        """Return what the encoder finds."""

    @abstractmethod
    def layers(self) -> list[str]:
        """Return the layers to draw if nobody says which."""

    @abstractmethod
    def share(self, name: str) -> float:
        """Return the side of the square that one answer looks at, as a share of the longer side."""

    @abstractmethod
    def whole(self, seen: Any, row: int) -> Tensor:
        """Return one of the examples seen, `[channels, height, width]`, without padding."""

    @abstractmethod
    def side(self, size: tuple[int, int], share: float) -> int:
        """Return the side of the square to cut out of an example of a height and width."""

    @abstractmethod
    def drawn(self, picture: Tensor, *, grown: bool) -> Array:
        """Return a picture, grown or part of an example, as `[height, width, 3]` in 0..1."""

    @abstractmethod
    def there(self, seen: Any, places: int) -> Tensor:
        """Return which of a map's columns are no padding, `[n, places]`."""

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
        return self.laid(self.subject.model.x.batch(known.take(rows), torch.device("cpu")))

    def maps(self, seen: Any, name: str) -> tuple[Tensor, Tensor]:
        """Return what a layer answers, `[n, channels, height, width]`, and where that is no padding, `[n, width]`."""
        with _watch.watching(self.subject.model.network, (name,)) as found:
            self.features(seen)
        maps = found[name].float()
        return maps, self.there(seen, maps.shape[3])

    def reading(self, name: str) -> Callable[[Any], Tensor]:
        """Return seen → what the layer answers, averaged over its map, `[n, channels]`; for labels the logits."""
        if name == "labels":
            return lambda seen: self.subject.model.network.head(self.features(seen)).float()

        def found(seen: Any) -> Tensor:
            maps, there = self.maps(seen, name)
            return (maps * there[:, None, None]).sum((2, 3)) / (there.sum(1, keepdim=True) * maps.shape[2])

        return found

    def part(self, seen: Any, row: int, where: tuple[float, float], share: float) -> Array:
        """Return the part of a seen example around a place, each coordinate 0 to 1, as `[height, width, 3]` in 0..1."""
        whole = self.whole(seen, row)
        height, width = whole.shape[1:]
        side = self.side((height, width), share)
        top = int(np.clip(where[0] * height - side / 2, 0, max(0, height - side)))
        left = int(np.clip(where[1] * width - side / 2, 0, max(0, width - side)))
        return self.drawn(whole[:, top : top + side, left : left + side], grown=False)

    def _maps(self) -> list[_watch.Layer]:
        """Return the layers that answer with maps."""
        return [one for one in _watch.layers(self.subject.model.network, self.subject.blank()) if len(one.shape) == 3]


class Pictures(Canvas):
    """Pictures, which a network sees as they are."""

    @cached_property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of a square that shows enough."""
        channels, height, width = self.subject.blank().shape[1:]
        side = min(max(height, width), _LARGEST)
        return channels, side, side

    def start(self, n: int, generator: torch.Generator) -> Fourier:
        """Return `n` pictures with the colours of photos."""
        channels, height, width = self.size
        colours = torch.tensor(IMAGENET_COLOURS) if channels == 3 else torch.eye(channels)
        return Fourier(n, channels, (height, width), colours, generator)

    def disturbed(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Return pictures a little moved, turned and scaled."""
        return jittered(pictures, generator)

    def seen(self, pictures: Tensor) -> Tensor:
        """Return pictures as they are."""
        return pictures

    def laid(self, x: Any) -> Any:
        """Return examples as they are."""
        return x

    def features(self, seen: Any) -> Features:
        """Return what the network's encoder finds."""
        return self.subject.model.network.features(seen)

    def there(self, seen: Any, places: int) -> Tensor:
        """Return that nothing is padding."""
        return torch.ones(len(seen), places, dtype=torch.bool)

    def layers(self) -> list[str]:
        """Return every stage; without stages, the last layer."""
        maps = self._maps()
        return [one.name for one in maps if one.stage] or [one.name for one in maps[-1:]]

    def share(self, name: str) -> float:
        """Return the receptive field as a share of the longer side."""
        blank = self.subject.blank()
        return min(1.0, receptive_fields(self.subject.model.network, blank).get(name, 10**9) / max(blank.shape[2:]))

    def whole(self, seen: Any, row: int) -> Tensor:
        """Return one picture."""
        found: Tensor = seen[row]
        return found

    def side(self, size: tuple[int, int], share: float) -> int:
        """Return that share of the longer side."""
        return max(4, round(share * max(size)))

    def drawn(self, picture: Tensor, *, grown: bool) -> Array:
        """Return the picture."""
        return _draw.image(picture)


class Planes(Canvas):
    """Planes that an encoder lays out before it reads them: spectrograms of sounds, columns of lines."""

    @property
    def encoder(self) -> Any:
        """What lays out x."""
        return self.subject.model.network.encoder

    @cached_property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of a stretch that shows enough."""
        channels, height = self.encoder.lay(self.subject.blank()).values.shape[1:3]
        return channels, height, max(height, _ENOUGH)

    def start(self, n: int, generator: torch.Generator) -> Fourier:
        """Return `n` smooth planes."""
        channels, height, width = self.size
        return Fourier(n, channels, (height, width), torch.eye(channels), generator, _SMOOTH)

    def disturbed(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Return planes a little earlier or later, higher or lower."""
        height, width = pictures.shape[2:]
        down, along = max(1, height // 32), width // 12
        padded = F.pad(pictures, (along, along, down, down), value=0.5)
        top, left = (int(torch.randint(2 * most + 1, (1,), generator=generator)) for most in (down, along))
        return padded[:, :, top : top + height, left : left + width]

    def seen(self, pictures: Tensor) -> Plane:
        """Return pictures in the units of a plane."""
        return Plane((2 * pictures - 1) * _SPAN, pictures.new_ones(len(pictures), pictures.shape[3]))

    def laid(self, x: Any) -> Plane:
        """Return the planes of examples."""
        found: Plane = self.encoder.lay(x)
        return found

    def features(self, seen: Any) -> Features:
        """Return what the encoder reads."""
        return Features.of(self.encoder.read(seen))

    def there(self, seen: Any, places: int) -> Tensor:
        """Return which columns of a map come from columns of the plane."""
        last = (seen.mask.sum(1, keepdim=True) * places / seen.mask.shape[1]).ceil()
        return torch.arange(places) < last

    def layers(self) -> list[str]:
        """Return of each number of channels the last layer."""
        return list({one.shape[0]: one.name for one in self._maps() if one.leaf}.values())

    def share(self, name: str) -> float:
        """Return all: what is cut out is as wide as the plane is high."""
        return 1.0

    def whole(self, seen: Any, row: int) -> Tensor:
        """Return one plane up to its end."""
        found: Tensor = seen.values[row, :, :, : max(1, int(seen.mask[row].sum()))]
        return found

    def side(self, size: tuple[int, int], share: float) -> int:
        """Return the height."""
        return size[0]

    def drawn(self, picture: Tensor, *, grown: bool) -> Array:
        """Return the plane; of sounds low ones lie below."""
        picture = picture if grown else (picture / _SPAN + 1) / 2
        if not self.subject.model.x.timed:
            return _draw.image(picture)
        found = _draw.image(picture.flip(1))
        return found.repeat(max(1, round(found.shape[1] / found.shape[0])), 0)  # bands are few: draw them taller


def canvas(subject: Subject) -> Canvas:
    """Return what a model's pictures are grown on."""
    return Pictures(subject) if subject.model.x.plane else Planes(subject)
