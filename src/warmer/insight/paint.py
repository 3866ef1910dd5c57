"""Paint a photo in the style of another picture, with brush strokes or, as another photo, without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from warmer.errors import BadCell, InputError
from warmer.files import write_whole
from warmer.insight import _draw, _recolour, _style, _watch
from warmer.insight._contract import Finding, Needs, Subject
from warmer.words import figures

NEEDS = Needs(plane=True, inputs=(2, 2))
_LEAST = 96
_FINER = 0.6
_SHOW_EVERY = 10
_EVEN = 600.0
_PHOTO_SIDE = 256


def run(
    subject: Subject,
    *,
    size: int = 512,
    strength: float = 1.0,
    keep_colours: bool = False,
    photo: bool = False,
    steps: int = 100,
    preview: str | None = None,
) -> Finding:
    """Paint (Gatys, Ecker and Bethge 2015, arXiv 1508.06576), from coarse to fine, by L-BFGS.

    Args:
        subject: a network that looks at pictures; a photo, and a picture in the wanted style.
        size: longest side of the result, pixels; with `photo` the result is as large as the photo.
        strength: of the style; 1 is usual, 3 is wild, 0.2 is a hint.
        keep_colours: keep the photo's colours and take over strokes and textures alone.
        photo: stay a photo: only colours change, place by place, and no line moves.
        steps: at the coarsest size; finer ones take 0.6 of them.
        preview: PNG file that always shows how far it is.
    """
    if size < _style.COARSEST * 4:
        raise InputError(f"`size` is at least {_style.COARSEST * 4} pixels, not {size}")
    if strength < 0:
        raise InputError(f"`strength` is at least 0, not {strength:g}")
    show = _Preview(None if preview is None else Path(preview))
    longest = 2**14 if photo else size
    content, style = _read(subject, 0, longest), _read(subject, 1, 2**12)
    with _watch.still(subject.model.network):
        if photo:
            found, before, after = _photo(subject, content, style, strength, steps, show)
        else:
            found, before, after = _painted(
                subject, _style.fitted(content, size), style, strength, keep_colours, steps, show
            )
    show(found, True)
    gone = 1 - after / before if before else 0.0
    sentence = (
        f"{subject.name(0)} in the style of {subject.name(1)}: {gone:.1%} of the difference in style is gone "
        f"(relative distance of Gram matrices, {figures(before, 3)} before and {figures(after, 3)} after)"
    )
    numbers = {"style_before": before, "style_after": after, "gone": gone, "size": list(found.shape[2:])}
    pictures = {
        "Painted": _draw.png_of(found[0]),
        "Photo, style, painted": _draw.grid(
            [[_draw.image(one[0]) for one in (content, style, found)]], [["photo", "style", "painted"]], side=4.0
        ),
    }
    return Finding("paint", sentence, numbers, {}, pictures)


class _Preview:
    """Show a picture that is being made: write it to a file every ten steps."""

    def __init__(self, place: Path | None) -> None:
        self.place, self.calls = place, 0

    def __call__(self, x: Tensor, now: bool = False) -> None:
        self.calls += 1
        if self.place is not None and (now or self.calls % _SHOW_EVERY == 0):
            write_whole(self.place, _draw.png_of(x[0].detach().clamp(0, 1)))


def _read(subject: Subject, place: int, longest: int) -> Tensor:
    """Return an input as a whole picture `[1, channels, height, width]` in 0..1, its longest side at most `longest`."""
    kind = subject.model.x
    try:
        array = kind.uncut(subject.cells[place], longest)
    except BadCell as error:
        raise InputError(f"{subject.name(place)} {error}") from None
    found: Tensor = kind.batch(array[None], torch.device("cpu"))
    return found


# ---- with brush strokes ----


def _painted(
    subject: Subject, content: Tensor, style: Tensor, strength: float, keep: bool, steps: int, show: _Preview
) -> tuple[Tensor, float, float]:
    """Return the painting, and the distance to the style of the photo and of the painting."""
    colour = content.shape[1] == 3
    if keep and colour:
        style = _recolour.recoloured(style, content)
    start = _recolour.recoloured(content, style) if colour and not keep else content
    side = max(content.shape[2:])
    sizes = [side]
    while sizes[0] // 2 >= _LEAST:
        sizes.insert(0, sizes[0] // 2)
    found, taken = _style.fitted(start, sizes[0]), steps
    before = 0.0
    for size in sizes:
        photo, model = _style.fitted(content, size), _style.fitted(style, max(size, _LEAST))
        eye = _style.eye(subject, photo)
        wanted = _style.Style(eye, [model])
        with torch.no_grad():
            lines = eye.maps(photo)[eye.content]
            before = float(wanted.distance(eye.maps(photo), photo))
        found = torch.nn.functional.interpolate(found, photo.shape[2:], mode="bilinear", align_corners=False)

        def loss(x: Tensor, eye: _style.Eye = eye, wanted: _style.Style = wanted, lines: Tensor = lines) -> Tensor:
            maps = eye.maps(x)
            beyond = (x - x.clamp(0, 1)).pow(2).mean()
            told = wanted.distance(maps, x) * _style.STYLE * strength + _style.content_distance(
                maps[eye.content], lines
            )
            return (told + _style.ROUGH * _style.roughness(x) + _style.BEYOND * beyond).sum()

        found = minimised(loss, found, taken, lambda x, now=False: show(_kept(x, content, keep), now)).clamp(0, 1)
        taken = max(1, round(_FINER * steps))
    with torch.no_grad():
        shown = _kept(found, content, keep)
        return shown, before, float(wanted.distance(eye.maps(shown), shown))


def _kept(x: Tensor, content: Tensor, keep: bool) -> Tensor:
    """Return a painting, in the photo's own hues if they are to be kept."""
    x = x.detach().clamp(0, 1)
    if not keep or x.shape[1] != 3:
        return x
    size = x.shape[2:]
    other = content if content.shape[2:] == size else torch.nn.functional.interpolate(
        content, size, mode="bilinear", align_corners=False
    )  # fmt: skip
    return _recolour.with_colours_of(x, other)


def minimised(
    loss: Callable[[Tensor], Tensor], start: Tensor, steps: int, show: Callable[..., None] | None = None
) -> Tensor:
    """Return what L-BFGS makes of a start after some evaluations of a loss."""
    x = start.detach().clone().requires_grad_(True)
    search = torch.optim.LBFGS(
        [x], max_iter=steps, max_eval=steps, history_size=10, tolerance_grad=0.0, tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip
    best: list[Any] = [float("inf"), start]

    def closure() -> Tensor:
        with torch.enable_grad():
            value = loss(x)
            (x.grad,) = torch.autograd.grad(value, x)
        told = float(value.detach())
        if told < best[0]:
            best[0], best[1] = told, x.detach().clone()
        if show is not None:
            show(x)
        return value.detach()

    search.step(closure)
    found: Tensor = best[1]
    return found


# ---- as a photo ----


def _photo(
    subject: Subject, content: Tensor, style: Tensor, strength: float, steps: int, show: _Preview
) -> tuple[Tensor, float, float]:
    """Return the photo in other colours, and the distance to the style before and after.

    The style is looked at in a small copy; what is found there, a grid of colour maps, is then laid over the whole photo.
    """
    if content.shape[1] != 3:
        raise InputError("only colours change with `photo`, and this network sees none; leave it out")
    small, model = _style.fitted(content, _PHOTO_SIDE), _style.fitted(style, _PHOTO_SIDE)
    eye = _style.eye(subject, small)
    wanted = _style.Style(eye, [model])
    grid = _recolour.Grid(_recolour.transport(small, model))
    with torch.no_grad():
        before = float(wanted.distance(eye.maps(small), small))

    def loss(maps: Tensor) -> Tensor:
        x = grid.apply(maps, small)
        beyond = (x - x.clamp(0, 1)).pow(2).mean()
        told = wanted.distance(eye.maps(x), x) * _style.STYLE * strength
        return told.sum() + _EVEN * grid.unevenness(maps) + _style.BEYOND * beyond

    maps = minimised(loss, grid.maps, steps, lambda maps: show(grid.apply(maps.detach(), small)))
    with torch.no_grad():
        seen = grid.apply(maps, small).clamp(0, 1)
        after = float(wanted.distance(eye.maps(seen), seen))
        return grid.apply(maps, content).clamp(0, 1), before, after
