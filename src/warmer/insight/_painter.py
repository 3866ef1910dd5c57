"""Painters: networks that have learned one style, and paint any photo in it at once.

Johnson, Alahi and Fei-Fei 2016 (arXiv 1603.08155): where `paint` changes a picture until it has the style, here a network is
changed until what it makes of any photo has. It is trained as every network here is, with a loss of its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.course import Listener, interruptible
from warmer.errors import BadCell, InputError
from warmer.examples._store import fill
from warmer.insight import _style, _watch
from warmer.insight._contract import Subject
from warmer.model import Model, build
from warmer.plan import Plan
from warmer.training import device as devices
from warmer.training import memory
from warmer.training.judging import Part
from warmer.training.loop import Descent
from warmer.words import figures

Array = NDArray[Any]

_SIDE = 128
_CUTS, _ASIDE = 600, 24
_NEAREST = 320
_GRAINS, _GRAIN = (1, 2, 4), 0.06


@dataclass(frozen=True)
class Wish:
    """What a painter shall be like.

    Attributes:
        strength: of the style; 1 is usual.
        minutes: of training.
        steps: of training at the most; 0: as many as there is time for.
        width: channels of the finest level.
        seed: every random choice follows from it.
    """

    strength: float = 1.0
    minutes: float = 10.0
    steps: int = 0
    width: int = 16
    seed: int = 0


def learn(subject: Subject, photos: Sequence[Any], wish: Wish, listener: Listener) -> Model:
    """Train a painter for the style of the subject's one picture.

    Args:
        subject: the network that looks, and the picture in the wanted style.
        photos: raw cells: what painting is practised on.
        wish: what it shall be like.
        listener: is told what happens.

    Raises:
        InputError: none of the photos can be read.
    """
    began = time.monotonic()
    cuts = _cuts(subject.model.x, photos, wish.seed)
    grainy = [
        (255 * _grainy(torch.from_numpy(cut).permute(2, 0, 1) / 255, seed)).round().byte().permute(1, 2, 0).numpy()
        for seed, cut in enumerate(cuts)
    ]
    kind = type(subject.model.x)
    # A painter must not know where the edge is: it would set a frame there, and none at any other size.
    x = kind.fit(grainy, role="x", partner=kind, size=_SIDE, beyond="reflect")
    y = kind.fit(cuts, role="y", partner=kind, size=_SIDE, beyond="reflect")
    plan = Plan.derive([x.proposals(len(cuts), "x", None, y)], {}).but(
        "for painters", width=wish.width, batch=6, validations=1, seed=wish.seed, minutes=wish.minutes, weight_decay=0.0,
        learning_rate=2e-3, precision="fp32", memory_format="contiguous", epochs=1000.0, advice=False,
    )  # fmt: skip
    devices.prepare(plan)
    torch.manual_seed(plan.seed)
    network = build(x, y, plan)
    inputs, _ = fill(x, grainy, "memory")
    targets, _ = fill(y, cuts, "memory")
    rows = np.arange(len(cuts))
    learning, aside = (Part(inputs, targets, some) for some in (rows[_ASIDE:], rows[:_ASIDE]))
    with _watch.still(subject.model.network), memory.kept():
        loss = _Loss(subject, wish.strength, x.batch(inputs.take(rows[:1]), torch.device("cpu")))
        left = 60 * wish.minutes - (time.monotonic() - began)
        descent = Descent(network, x, y, learning, aside, plan, torch.device("cpu"), seconds=max(1.0, left), loss=loss)
        with interruptible(descent.stop):
            for moment in descent:
                listener.moment(moment)
                if moment.step == wish.steps:
                    descent.stop()
        photos_aside = x.batch(inputs.take(rows[:_ASIDE]), torch.device("cpu"))
        with torch.no_grad():
            before = loss.distance(photos_aside)
            after = loss.distance(network.eval()(photos_aside).clamp(0, 1))
    model = Model(network, x, y, ("photo",), ("painting",), descent.plan, history=descent.state.history)
    gone = 1 - after / before if before else 0.0
    model.evidence = {
        "origin": f"a painter in the style of {subject.name(0)}",
        "painter": {"style_before": before, "style_after": after, "gone": gone, "photos": len(photos), "n": _ASIDE},
        "notes": [
            f"{gone:.1%} of the difference in style is gone in {_ASIDE} cuts of photos it did not practise on "
            f"(relative distance of Gram matrices, {figures(before, 3)} before and {figures(after, 3)} after)"
        ],
        "seconds": time.monotonic() - began,
    }
    return model


def _cuts(kind: Any, photos: Sequence[Any], seed: int) -> list[Array]:
    """Return squares of photos, near and far, of random places, as arrays `[side, side, channels]`."""
    whole = []
    for cell in photos:
        try:
            whole.append(np.asarray(kind.uncut(cell, 2 * _NEAREST)))
        except BadCell:
            continue
    whole = [one for one in whole if min(one.shape[1:]) >= _SIDE]
    if not whole:
        raise InputError(f"none of the photos can be read and is at least {_SIDE} pixels wide and high; give others")
    generator = np.random.default_rng(seed)
    found = []
    for place in range(_CUTS + _ASIDE):
        one = torch.from_numpy(whole[place % len(whole)]).float()
        shorter = min(one.shape[1:])
        side = int(np.exp(generator.uniform(np.log(_SIDE), np.log(shorter + 1))))
        side = min(side, shorter)
        top, left = (int(generator.integers(0, size - side + 1)) for size in one.shape[1:])
        part = one[:, top : top + side, left : left + side]
        part = torch.nn.functional.interpolate(
            part.unsqueeze(0), (_SIDE, _SIDE), mode="bilinear", antialias=True, align_corners=False
        )[0]
        part = part.flip(2) if generator.random() < 0.5 else part
        found.append(part.round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
    order = generator.permutation(len(found))
    return [found[i] for i in order]


def _grainy(photo: Tensor, seed: int) -> Tensor:
    """Return a photo with grain of several sizes, from which strokes can grow where it is even.

    A network makes the same of every place that looks the same (Ulyanov et al. 2016, arXiv 1603.03417).

    Args:
        photo: `[channels, height, width]` in 0..1.
        seed: of the grain.
    """
    generator = torch.Generator().manual_seed(seed)
    size = photo.shape[1:]
    total = torch.zeros(1, 1, *size)
    for coarse in _GRAINS:
        small = torch.randn(1, 1, *(max(2, -(-side // coarse)) for side in size), generator=generator)
        total += torch.nn.functional.interpolate(small, size, mode="bicubic", align_corners=False)
    return (photo + _GRAIN * total[0]).clamp(0, 1)


class _Loss:
    """How far paintings are from the style, and from what lies where in their photos."""

    def __init__(self, subject: Subject, strength: float, x: Tensor) -> None:
        self.strength, self.eye = strength, _style.eye(subject, x)
        array = subject.model.x.uncut(subject.cells[0], _NEAREST)
        style: Tensor = subject.model.x.batch(array[None], torch.device("cpu"))
        self.style = _style.Style(self.eye, [style])

    def distance(self, x: Tensor) -> float:
        """Return how far pictures are from the style, taken together."""
        return float(self.style.distance(self.eye.maps(x), x, together=True))

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each painting, `[n]`, given the photos `[n, channels, height, width]` in 0..255."""
        maps = self.eye.maps(outputs)
        with torch.no_grad():
            lines = self.eye.maps(targets.float() / 255)[self.eye.content]
        beyond = (outputs - outputs.clamp(0, 1)).pow(2).mean((1, 2, 3))
        # Together: if each cut had to have all the style's colours, there would be a moon in every piece of sky.
        told = self.style.distance(maps, outputs, together=True) * _style.STYLE * self.strength
        told = told + _style.content_distance(maps[self.eye.content], lines)
        return told + _style.ROUGH * _style.roughness(outputs) + _style.BEYOND * beyond


@contextlib.contextmanager
def of_any_size(model: Model) -> Iterator[None]:
    """Let a painter make pictures as large as those it is given."""
    maker = model.head.maker
    maker.any_size = True  # type: ignore[union-attr]
    try:
        yield
    finally:
        maker.any_size = False  # type: ignore[union-attr]


def paint(model: Model, cell: Any, name: str, size: int) -> Tensor:
    """Return a photo as a painter paints it, `[channels, height, width]` in 0..1, its longer side `size` at the most.

    Raises:
        InputError: the model is no painter, or the photo cannot be read.
    """
    if "painter" not in model.evidence:
        raise InputError("this model is no painter; `warmer learn-style PICTURE` makes one")
    try:
        array = model.x.uncut(cell, size)
    except BadCell as error:
        raise InputError(f"{name} {error}") from None
    with torch.no_grad(), of_any_size(model):
        x: Tensor = model.x.batch(array[None], torch.device("cpu"))
        found: Tensor = model.network.eval()(_grainy(x[0], 0)[None])
    return found[0].clamp(0, 1)
