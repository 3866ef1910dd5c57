"""What pictures are answered with, and what follows from it: how they are read, changed at random, looked at, and learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as PIL
from torch import Tensor, nn

from warmer.kinds import _image_plans as _plans
from warmer.kinds import _moving
from warmer.kinds._contract import Array, Kind
from warmer.kinds._picturing import ALIKE, FOLLOWS, alike, follows
from warmer.networks.convnet import ConvNet, Normalise
from warmer.networks.unet import Told, UNetEncoder
from warmer.plan import Plan, Proposal

if TYPE_CHECKING:
    from warmer.kinds.image import Image

SMALL = 48
"""Pixels a side up to which every pixel counts."""

_NEAR = (0.7, 1.3)


class Task(ABC):
    """What all pictures have in common that are looked at as a whole. Stateless: what was fitted is the kind's, `image`."""

    pixels = False
    """Whether the pixels may be handed on as plain numbers, with nothing learned before a linear readout."""

    def shape(self, image: Image) -> tuple[int | None, ...]:
        """Return the shape of one compact array."""
        return (image.channels, image.height, image.width)

    def read(self, image: Image, picture: PIL.Image) -> Array:
        """Return the compact array of a picture.

        Raises:
            BadCell: it cannot be one.
        """
        return image.middle(picture)

    def upright(self, array: Array) -> Array:
        """Return a compact array as `[channels, height, width]`."""
        return np.asarray(array)

    def extent(self, array: Array) -> tuple[float, str] | None:
        """Return how long a sequence is, and in what unit; None of pictures of one size."""
        return None

    def batch(self, image: Image, arrays: Array | Sequence[Array], device: torch.device) -> Any:
        """Return `[batch, channels, height, width]` in 0..1."""
        return torch.as_tensor(np.ascontiguousarray(arrays)).to(device).float() / 255

    def vector(self, image: Image, arrays: Array) -> Array | None:
        """Return the pixels, averaged down to about 14 × 14 (grey) or 12 × 12 (colour)."""
        side = 14 if image.channels == 1 else 12
        small = (min(side, image.height), min(side, image.width))
        parts = [
            nn.functional.adaptive_avg_pool2d(torch.from_numpy(np.asarray(part)).float() / 255, small)
            for part in np.array_split(arrays, max(1, len(arrays) // 1000))
        ]
        return torch.cat(parts).flatten(1).numpy()

    def augment(self, image: Image, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Move each picture by a few pixels; mirror it where that keeps the meaning."""
        if image.flips:
            batch = _moving.in_turn(batch, epoch)
        return _moving.moved(batch, image.shift, generator) if image.shift else batch

    def move(self, image: Image, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Change pictures at random, and say how each plane was moved."""
        size = (image.height, image.width)
        movement = _moving.shifts(len(batch), image.shift or 0, size, bool(image.flips), generator)
        return _moving.as_moved(batch, movement.to(batch.device)), movement

    def views(self, image: Image, batch: Any) -> list[Any]:
        """Return the views over which an answer is averaged."""
        return [batch]

    @abstractmethod
    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose a network and a length of training by the size of the pictures and their number."""

    def beside_answers(self, image: Image, arrays: Any, y: Kind, targets: Any, n: int) -> Proposal:
        """Propose plan fields by what some pictures look like beside their answers."""
        return {}

    def encoder(self, image: Image, plan: Plan) -> nn.Module:
        """Return a ConvNet; nothing but the pixels where the network shall be linear."""
        if plan.network == "linear":
            return nn.Sequential(Normalise(image.mean, image.deviation), nn.Flatten())
        patch = 4 * image.channels
        covariance = torch.tensor(image.covariance).view(patch, -1) if image.covariance else torch.eye(patch)
        widths = self._widths(image, plan.width or 32, plan.depth or 3)
        return ConvNet(
            image.channels, widths, image.mean, image.deviation, covariance, plan.stride, plan.dropout, plan.activation
        )

    def _widths(self, image: Image, width: int, depth: int) -> tuple[int, ...]:
        """Return the channels of each group: of large pictures ever more, of small ones more from the second on."""
        if min(image.height, image.width) > SMALL:
            return doubling(width, depth)
        more = width * (4 if image.channels == 3 else 2)
        return tuple(more if level else width for level in range(depth))


def doubling(width: int, depth: int) -> tuple[int, ...]:
    """Return the channels of each group where each has twice those of the one before."""
    return tuple(width * 2**level for level in range(depth))


class Named(Task):
    """Answered with a category or with numbers: a part of a picture is enough, and several views are better than one."""

    pixels = True

    def augment(self, image: Image, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Move small pictures, or cut, scale and recolour large ones; mirror them where that keeps the meaning."""
        if min(image.height, image.width) <= SMALL:
            return super().augment(image, batch, generator, epoch)
        return _moving.cut(_moving.in_turn(batch, epoch) if image.flips else batch, generator)

    def views(self, image: Image, batch: Any) -> list[Any]:
        """Return the pictures, of small ones moved by a pixel, too; and all of them mirrored where that keeps the meaning."""
        found = [batch, batch.flip(3)] if image.flips else [batch]
        if image.backbone or min(image.height, image.width) > SMALL or not image.shift:
            return found
        padded = nn.functional.pad(batch, (1, 1, 1, 1), "replicate")
        moved = [padded[:, :, 0:-2, 0:-2], padded[:, :, 2:, 2:]]
        return found + moved + ([one.flip(3) for one in moved] if image.flips else [])

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose a ConvNet by the size of the pictures."""
        side = min(image.height, image.width)
        return _plans.large(n) if side > SMALL else _plans.small(side, image.channels == 3, n, minutes)


class Described(Task):
    """Answered in words that may tell what lies where, so that all of a picture and its order matter."""

    pixels = True

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose a ConvNet that keeps what lies where."""
        return _plans.whole(min(image.height, image.width), n)


class Located(Task):
    """Answered with what lies where, so that all of a picture is kept, squeezed into one shape."""

    def read(self, image: Image, picture: PIL.Image) -> Array:
        """Squeeze a picture into the size kept."""
        size = (image.width, image.height)
        return image.middle(image.shades(picture).resize(size, PIL.Resampling[image.resample.upper()]))

    def move(self, image: Image, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cut, scale, mirror and recolour each picture."""
        movement = _moving.parts(len(batch), _NEAR, bool(image.flips), generator)
        # Beyond the border nothing new may appear: it would lie in no box.
        found = _moving.as_moved(batch, movement.to(batch.device), "border")
        return _moving.recoloured(found, generator), movement

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose a ConvNet whose maps become ever coarser."""
        return _plans.located(n)

    def _widths(self, image: Image, width: int, depth: int) -> tuple[int, ...]:
        return doubling(width, depth)


class Repainted(Task):
    """Answered with another picture, so that all of a picture is kept, in its own shape."""

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose a U-Net."""
        return _plans.paired(min(image.height, image.width), n)

    def beside_answers(self, image: Image, arrays: Any, y: Kind, targets: Any, n: int) -> Proposal:
        """Propose a critic where answers do not follow from x pixel by pixel, and to learn what to add where x tells most."""
        if not y.plane:
            return {}
        if (told := follows(arrays, targets)) < FOLLOWS:
            return _plans.criticised(told, n)
        same = alike(arrays, targets)
        return {"residual": (True, f"x itself tells {same:.0%} of the answer's pixels")} if same >= ALIKE else {}

    def encoder(self, image: Image, plan: Plan) -> nn.Module:
        """Return the way down and up of a U-Net."""
        width, depth = plan.width or 24, plan.depth or 3
        return UNetEncoder(image.channels, width, depth, image.mean, image.deviation, plan.dropout, image.beyond)


class Retold(Task):
    """Answered with itself, told through a few numbers."""

    def vector(self, image: Image, arrays: Array) -> Array | None:
        """Return all pixels."""
        return np.asarray(arrays, dtype=np.float32).reshape(len(arrays), -1) / 255

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose an autoencoder."""
        return _plans.told(n)

    def encoder(self, image: Image, plan: Plan) -> nn.Module:
        """Return the way in of an autoencoder."""
        width = plan.width or 32
        return Told(image.channels, image.height, image.width, width, image.latent, image.mean, image.deviation)
