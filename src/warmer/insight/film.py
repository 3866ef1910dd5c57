"""A film strip of the training: what it answered to a few examples it did not learn from, from the first step on."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer import drawing
from warmer.errors import InputError
from warmer.insight._contract import Finding, Needs, Sheet, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(noted=True)
_RIGHT = "#3a7d44"
_FRAMES = 30


def run(subject: Subject, *, moments: int = 7) -> Finding:
    """Show what was answered to a few validation examples as training went on.

    What is noted are the network's own answers, before calibration and without averaging over views: probabilities of
    labels, or pictures.

    Args:
        subject: the model.
        moments: columns of the film strip, first and last included.
    """
    if not 2 <= moments <= 12:
        raise InputError(f"`moments` is 2 to 12, not {moments}")
    noted: Mapping[str, Any] = subject.model.evidence["followed"]
    first, last = noted["moments"][0], noted["moments"][-1]
    pictures = {"Film strip": drawing.png(strip(noted, moments)), "Film": _animation(noted)}
    if "made" in last:
        count, times = len(last["made"]), len(noted["moments"])
        sentence = (
            f"what it made of the same {count} validation examples before the first step, and at {times - 1} moments after; "
            f"the last is step {last['step']:,}"
        )
        sheet = Sheet(("epoch", "step"), tuple((m["epoch"], m["step"]) for m in noted["moments"]))
        return Finding("film", sentence, {"steps": last["step"]}, {"When": sheet}, pictures)
    surest = int(np.argmax(last["truth"]))
    truth = noted["examples"][surest]["truth"]
    sentence = (
        f"of {len(noted['examples'])} examples it did not learn from, it gave the truth {_mean(first):.0%} before the first "
        f"step and {_mean(last):.0%} at the end; {truth}: from {first['truth'][surest]:.0%} to {last['truth'][surest]:.0%}"
    )
    rows = tuple((m["epoch"], m["step"], *m["truth"]) for m in noted["moments"])
    head = ("epoch", "step", *(f"{one['truth']} ({one['example']})" for one in noted["examples"]))
    numbers = {"first": first["truth"], "last": last["truth"]}
    return Finding("film", sentence, numbers, {"The share given to the truth": Sheet(head, rows)}, pictures)


def strip(noted: Mapping[str, Any], moments: int = 7) -> Figure:
    """Draw one row an example and one column a moment: the picture, what was answered, how sure it was."""
    chosen = _spread(noted["moments"], moments)
    if "made" in chosen[0]:
        return _strip_of_pictures(noted["examples"], chosen)
    shown = [_thumbnail(one) for one in noted["examples"]]
    count = len(shown)
    figure = drawing.figure(1.0 + 1.25 * len(chosen), 0.4 + 1.45 * count)
    places = figure.subplots(count, len(chosen), squeeze=False)
    for c, moment in enumerate(chosen):
        places[0][c].set_title(_when(moment), fontsize=9, color=drawing.INK, pad=8)
        for r, example in enumerate(noted["examples"]):
            _frame(places[r][c], shown[r], example, moment, r)
    for r, example in enumerate(noted["examples"]):
        places[r][0].set_ylabel(str(example["truth"]), fontsize=9, rotation=0, ha="right", va="center", labelpad=8)
    return figure


def _strip_of_pictures(examples: Sequence[Mapping[str, Any]], moments: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw one row an example: what was given, what was made of it at each moment, and the truth where there is one."""
    given = "picture" in examples[0]
    titles = [*(["given"] * given), *(_when(moment) for moment in moments), *(["truth"] * given)]
    figure = drawing.figure(0.4 + 1.25 * len(titles), 0.4 + 1.3 * len(examples))
    places = figure.subplots(len(examples), len(titles), squeeze=False)
    for title, axes in zip(titles, places[0], strict=True):
        axes.set_title(title, fontsize=9, color=drawing.INK, pad=6)
    for r, example in enumerate(examples):
        row = [_opened(moment["made"][r]) for moment in moments]
        row = [_opened(example["picture"]), *row, _opened(example["truth_picture"])] if given else row
        for picture, axes in zip(row, places[r], strict=True):
            axes.imshow(picture, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        if not given and example.get("shown"):
            places[r][0].set_ylabel(str(example["shown"])[:20], fontsize=9, rotation=0, ha="right", va="center")
    return figure


def _frame(axes: Any, picture: Any, example: Mapping[str, Any], moment: Mapping[str, Any], place: int) -> None:
    """Draw one example at one moment."""
    said, sure, truth = moment["said"][place], moment["sure"][place], moment["truth"][place]
    right = str(said) == str(example["truth"])
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(-0.36, 1))
    axes.spines[:].set_visible(False)
    if picture is None:
        axes.text(0.5, 0.5, f"{truth:.0%}", ha="center", va="center", fontsize=16, color=drawing.INK)
    else:
        axes.imshow(picture, extent=(0, 1, 0, 1), aspect="auto", cmap="gray", interpolation="nearest")
    axes.barh(-0.06, 1, height=0.08, color="#e6e6e6")
    axes.barh(-0.06, truth, left=0, height=0.08, color=_RIGHT if right else drawing.WARM)
    axes.text(
        0.5, -0.13, f"{said} {sure:.0%}", ha="center", va="top", fontsize=8, color=_RIGHT if right else drawing.WARM
    )
    axes.set_aspect(1)


def _when(moment: Mapping[str, Any]) -> str:
    if moment["step"] == 0:
        return "before"
    return (
        f"{moment['step']:,} step{'s' * (moment['step'] > 1)}"
        if moment["epoch"] < 1
        else f"epoch {moment['epoch']:.3g}"
    )


def _spread(moments: Sequence[Any], count: int) -> list[Any]:
    """Return the first, the last, and those between so that each has seen several times as much as the one before."""
    steps = np.array([moment["step"] for moment in moments])
    wanted = np.geomspace(1, steps[-1] + 1, count)
    places = sorted({int(np.abs(np.log((steps + 1) / w)).argmin()) for w in wanted})
    return [moments[place] for place in places]


def _thumbnail(example: Mapping[str, Any]) -> Any:
    return _opened(example["picture"]) if "picture" in example else None


def _opened(data: str) -> Any:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def _mean(moment: Mapping[str, Any]) -> float:
    return float(np.mean(moment["truth"]))


def _animation(noted: Mapping[str, Any]) -> bytes:
    """Return a GIF of the examples: what is made of each, or a bar under each that grows and shrinks, as training goes on."""
    from PIL import Image

    pictured = "made" in noted["moments"][0]
    shown = [_thumbnail(one) for one in noted["examples"]]
    frames = []
    for moment in _spread(noted["moments"], _FRAMES):
        figure = drawing.figure(0.4 + 1.5 * len(shown), 2.1)
        figure.suptitle(_when(moment), fontsize=10)
        for place, axes in enumerate(figure.subplots(1, len(shown), squeeze=False)[0]):
            if pictured:
                axes.imshow(_opened(moment["made"][place]), interpolation="nearest")
                axes.set_axis_off()
            else:
                _frame(axes, shown[place], noted["examples"][place], moment, place)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=90)
        frames.append(Image.open(data).convert("RGB"))
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=[*frames[1:], *[frames[-1]] * 4], duration=350, loop=0)
    return out.getvalue()
