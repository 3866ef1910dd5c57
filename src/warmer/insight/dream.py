"""Let a layer, a channel or a label paint what it sees into a photo, or into noise, at several scales."""

from __future__ import annotations

import io
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from warmer.errors import BadCell, InputError
from warmer.insight import _draw, _watch
from warmer.insight._ascent import IMAGENET_COLOURS
from warmer.insight._contract import Finding, Needs, Subject
from warmer.training.adversary import slope

NEEDS = Needs(plane=True, inputs=(0, 1))
_SCALE = 1.4
_LEAST = 32
_PULL = 0.02  # back to the photo at each step, so that no colour runs away
_STEEPEST = 2.5
_FEW_STAGES = 3
_FEW_FRAMES = 2


def run(
    subject: Subject,
    *,
    layer: str | None = None,
    channel: int | None = None,
    label: str | None = None,
    size: int = 384,
    octaves: int = 5,
    steps: int = 20,
    rate: float = 0.03,
    frames: int = 0,
    seed: int = 0,
) -> Finding:
    """Dream.

    After Mordvintsev, Olah and Tyka 2015 (Inceptionism): steps along the normalised gradient of what a layer answers, from
    coarse to fine scales, the picture's own detail put back at each.

    Args:
        subject: the model, and a photo; none: noise.
        layer: name of a layer that answers with a map; none: a late stage.
        channel: one channel of it alone, by number.
        label: instead of a layer, what a label is told by.
        size: longest side of the picture, pixels.
        octaves: scales, each 1.4 times as large as the one before.
        steps: on each scale.
        rate: of a step, as a share of the whole range.
        frames: pictures of an animation of the way there; 0: none.
        seed: of everything random.
    """
    if frames and frames < _FEW_FRAMES:
        raise InputError("`frames` is 0 (no animation) or at least 2")
    generator = torch.Generator().manual_seed(seed)
    start = _start(subject, size, generator)
    network = subject.model.network
    with _watch.still(network):
        objective, what = _objective(subject, layer, channel, label)
        kept: list[Tensor] = []
        before = float(objective(start).detach())
        found = _dreamed(objective, start, octaves, steps, rate, generator, kept)
        with torch.no_grad():
            after = float(objective(found))
    pictures = {"The dream": _draw.png_of(found[0])}
    if frames:
        pictures["The way there"] = _animation([start, *kept], found.shape[2:], frames)
    if subject.cells:
        pictures["Before and after"] = _draw.grid(
            [[_draw.image(start[0]), _draw.image(found[0])]], [["before", what]], side=4.5
        )
    where = subject.name(0) if subject.cells else "noise"
    sentence = f"{what}, dreamt into {where}: it now answers with {after:.3g} where it was {before:.3g}"
    return Finding("dream", sentence, {"before": before, "after": after, "of": what}, {}, pictures)


def _start(subject: Subject, size: int, generator: torch.Generator) -> Tensor:
    kind = subject.model.x
    if not subject.cells:
        channels = subject.blank().shape[1]
        coarse = torch.rand((1, channels, 6, 6), generator=generator)
        smooth = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
        return (0.5 + 0.3 * (smooth - 0.5) + 0.1 * (torch.rand(smooth.shape, generator=generator) - 0.5)).clamp(0, 1)
    try:
        array = kind.uncut(subject.cells[0], size)
    except BadCell as error:
        raise InputError(f"{subject.name(0)} {error}") from None
    batch: Tensor = kind.batch(array[None], torch.device("cpu"))
    scale = size / max(batch.shape[2:])
    if scale <= 1:
        return batch
    larger = [round(side * scale) for side in batch.shape[2:]]
    return F.interpolate(batch, larger, mode="bicubic", align_corners=False).clamp(0, 1)


def _objective(
    subject: Subject, layer: str | None, channel: int | None, label: str | None
) -> tuple[Callable[[Tensor], Tensor], str]:
    """Return picture → how strongly it is answered to, and what that is called."""
    network = subject.model.network
    if label is not None:
        if not subject.model.y.discrete:
            raise InputError("this model has no labels to dream of; give a layer")
        which = subject.label(label)
        side = subject.blank().shape[2:]
        return lambda x: network(_tiles(x, side)).float()[:, which].mean().unsqueeze(0), f"“{label}”"
    stages = [one for one in _watch.layers(network, subject.blank()) if one.stage]
    if layer is None and stages:
        chosen = stages[-2] if len(stages) > _FEW_STAGES else stages[-1]
    else:
        chosen = _watch.find(network, subject.blank(), layer, rank=2)
    if channel is not None and not 0 <= channel < chosen.shape[0]:
        raise InputError(f"{chosen.name} has channels 0 to {chosen.shape[0] - 1}, not {channel}")

    def found(x: Tensor) -> Tensor:
        with _watch.watching(network, (chosen.name,)) as seen:
            network.features(x)
        answer = seen[chosen.name].float()
        return answer[:, channel].mean((1, 2)) if channel is not None else answer.pow(2).mean((1, 2, 3)).sqrt()

    return found, chosen.name if channel is None else f"channel {channel} of {chosen.name}"


def _tiles(x: Tensor, side: torch.Size) -> Tensor:
    """Cut a picture at least twice as large as the network's own into tiles of that size: each shall be told by the label."""
    rows, columns = x.shape[2] // side[0], x.shape[3] // side[1]
    if (rows < 2 and columns < 2) or rows * columns == 0:
        return x
    cut = x[:, :, : rows * side[0], : columns * side[1]]
    return cut.unfold(2, side[0], side[0]).unfold(3, side[1], side[1]).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def _dreamed(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    octaves: int,
    steps: int,
    rate: float,
    generator: torch.Generator,
    kept: list[Tensor],
) -> Tensor:
    """Climb from the coarsest scale to the finest; each picture on the way is appended to `kept`."""
    full = start.shape[2:]
    sizes = [[round(side / _SCALE**level) for side in full] for level in reversed(range(max(1, octaves)))]
    sizes = [size for size in sizes if min(size) >= _LEAST] or [list(full)]
    dreamt = torch.zeros_like(F.interpolate(start, sizes[0], mode="area"))
    picture = start
    for size in sizes:
        base = F.interpolate(start, size, mode="area") if size != list(full) else start
        dreamt = F.interpolate(dreamt, size, mode="bicubic", align_corners=False)
        picture = (base + dreamt).clamp(0, 1)
        for _ in range(steps):
            picture = torch.lerp(_step(objective, picture, rate, generator), base, _PULL)
            kept.append(picture)
        dreamt = picture - base
    return picture


def _step(objective: Callable[[Tensor], Tensor], x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Make one step on the picture moved at random, so that the borders of strides leave no pattern."""
    reach = min(32, min(x.shape[2:]) // 4)
    move = [int(torch.randint(-reach, reach + 1, (1,), generator=generator)) for _ in range(2)]
    _, gradient = slope(objective, torch.roll(x, move, (2, 3)))
    gradient = torch.roll(gradient, [-one for one in move], (2, 3))
    # Coarser waves are as welcome as the finest; gradients alone favour those.
    for _ in range(2):
        gradient = gradient + F.avg_pool2d(gradient, 3, 1, 1, count_include_pad=False)
    if gradient.shape[1] == 3:
        # Steps in decorrelated colours: photos seldom vary from magenta to green, and networks are all too keen on it.
        colours = torch.tensor(IMAGENET_COLOURS)
        gradient = torch.einsum("nchw,dc->ndhw", gradient, colours @ colours.t())
    size = gradient / gradient.std().clamp(min=1e-12)
    return (x + rate * size.clamp(-_STEEPEST, _STEEPEST)).clamp(0, 1)


def _animation(pictures: list[Tensor], size: torch.Size, frames: int) -> bytes:
    """Return pictures, evenly chosen and all of one size, as an animated GIF."""
    from PIL import Image

    places = torch.linspace(0, len(pictures) - 1, frames).round().long().tolist()
    shown = []
    for place in places:
        one = F.interpolate(pictures[place], list(size), mode="bilinear", align_corners=False)
        shown.append(Image.fromarray((_draw.image(one[0]) * 255).round().astype("uint8")))
    data = io.BytesIO()
    shown[0].save(data, "GIF", save_all=True, append_images=shown[1:], duration=80, loop=0)
    return data.getvalue()
