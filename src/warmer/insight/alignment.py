"""Which part of the input each part of a written answer was made from: words, moments of a sound, places in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer.examples._store import fill
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.kinds._contract import Looked

Array = NDArray[Any]

NEEDS = Needs(spelled=True, inputs=(1, 8))
_MOST_PARTS = 40
_MAPS_A_ROW = 6


def run(subject: Subject) -> Finding:
    """Show where an answer comes from, part by part.

    Texts that are read off in order have a moment for each letter, found by the likeliest alignment; so spoken words get
    their times. Texts that are written with attention look at several places while each token is written (Bahdanau, Cho
    and Bengio 2015, arXiv 1409.0473); what a network looks at is a hint, and no proof, of what it uses (Jain and Wallace
    2019, arXiv 1902.10186).

    Args:
        subject: a model that answers with texts, and inputs.
    """
    model = subject.model
    store, _ = fill(model.x, list(subject.cells), "memory")
    sheets, pictures, told, numbers = {}, {}, [], []
    for place in range(len(subject.cells)):
        name = subject.name(place)
        array = store.take(np.array([place]))[0]
        batch = model.x.batch(store.take(np.array([place])), torch.device("cpu"))
        with _watch.still(model.network), torch.no_grad():
            features = model.network.features(batch)
            outputs = model.head.average(model.head.outputs(features).unflatten(0, (-1, model.head.members)))
            looked = model.head.looked(outputs)[0]
            answer = str(model.head.decode(outputs)[0].value)
        grid = tuple(features.maps[-1].shape[2:])
        names = model.x.pieces(array)
        extent = model.x.extent(array)
        if extent is not None and looked.ordered:
            sheets[name] = _timed(looked, extent, answer)
        else:
            sheets[name] = _strongest(looked, names)
        pictures[f"{name}: where it comes from"] = _drawn(looked, names, extent, grid, model.x.picture(array), answer)
        told.append(f"{name}: “{answer}” from {_count(looked, names)}")
        numbers.append(_focus(looked))
    sentence = f"{'; '.join(told)}; half of what a part owes lies in {np.mean(numbers):.1f} places on average"
    return Finding("alignment", sentence, {"places_for_half": numbers}, sheets, pictures)


def _count(looked: Looked, names: list[str] | None) -> str:
    return f"{looked.shares.shape[1]:,} {'pieces' if names else 'places'}"


def _focus(looked: Looked) -> float:
    """Return the mean number of places that together hold half of a part's shares."""
    if not looked.shares.size:
        return 0.0
    ranked = -np.sort(-looked.shares, axis=1)
    return float(np.mean((ranked.cumsum(1) < 0.5).sum(1) + 1))


def _timed(looked: Looked, extent: tuple[float, str], answer: str) -> Sheet:
    """Return where each word begins and ends."""
    length, unit = extent
    places = looked.shares.shape[1]
    rows, word, start, end = [], "", 0.0, 0.0
    for part, shares in zip((*looked.parts, " "), [*looked.shares, None], strict=True):
        if part.isspace() or shares is None or part == "■":
            if word:
                rows.append((word, start, end))
            word = ""
            continue
        there = np.flatnonzero(shares)
        first, last = (there[0], there[-1] + 1) if len(there) else (0, 0)
        start = start if word else float(first * length / max(places, 1))
        end = float(last * length / max(places, 1))
        word += part
        if len(part) > 1:  # whole words have no spaces between
            rows.append((word, start, end))
            word = ""
    return Sheet(("word", f"from ({unit})", f"to ({unit})"), tuple(rows))


def _strongest(looked: Looked, names: list[str] | None) -> Sheet:
    """Return the place that each part owes most to."""
    rows = []
    for part, shares in zip(looked.parts, looked.shares, strict=True):
        best = int(shares.argmax())
        where = names[best] if names and best < len(names) else f"place {best + 1}"
        rows.append((part, where, float(shares[best])))
    return Sheet(("written", "looks most at", "share"), tuple(rows))


def _drawn(
    looked: Looked,
    names: list[str] | None,
    extent: tuple[float, str] | None,
    grid: tuple[int, ...],
    picture: Any,
    answer: str,
) -> bytes:
    if len(grid) == 2 and picture is not None and looked.parts:
        return _on_picture(looked, grid, picture)
    return _matrix(looked, names, extent, picture, answer)


def _matrix(
    looked: Looked, names: list[str] | None, extent: tuple[float, str] | None, picture: Any, answer: str
) -> bytes:
    """Draw parts downwards and places to the right, over the input where that is a picture of a line."""
    parts, shares = looked.parts[:_MOST_PARTS], looked.shares[:_MOST_PARTS]
    places = shares.shape[1]
    wide = float(np.clip(0.38 * places if names else 9, 4, 14))
    tall = max(1.6, 0.27 * len(parts) + 0.8)
    figure = _draw.figure(wide + 1.2, tall + (1.2 if picture is not None else 0))
    if picture is not None:
        top, axes = figure.subplots(2, 1, height_ratios=[1, max(1.2, tall)])
        _draw.plain(top, answer).imshow(np.asarray(picture), cmap="gray", aspect="auto")
    else:
        axes = figure.add_subplot()
        axes.set_title(answer if len(answer) < 100 else answer[:99] + "…", fontsize=9)
    right = extent[0] if extent else places
    if parts:
        box = (0, right, len(parts), 0)
        axes.imshow(shares, cmap="Blues", aspect="auto", vmin=0, extent=box, interpolation="nearest")
    axes.set_yticks(np.arange(len(parts)) + 0.5, [part if not part.isspace() else "␣" for part in parts], fontsize=8)
    if names:
        axes.set_xticks(np.arange(places) + 0.5, names[:places], fontsize=8, rotation=45, ha="right")
    elif extent:
        axes.set_xlabel(extent[1], fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _draw.png(figure)


def _on_picture(looked: Looked, grid: tuple[int, ...], picture: Any) -> bytes:
    """Draw the picture once for each part, bright where it looked."""
    from PIL import Image

    shown = np.asarray(picture.convert("RGB"), dtype=float) / 255
    titles, found = [], []
    for part, shares in list(zip(looked.parts, looked.shares, strict=True))[: 4 * _MAPS_A_ROW]:
        light = Image.fromarray((255 * shares / max(shares.max(), 1e-9)).astype(np.uint8).reshape(grid))
        bright = np.asarray(light.resize((shown.shape[1], shown.shape[0]), Image.Resampling.BICUBIC))[..., None] / 255
        found.append(shown * (0.25 + 0.75 * bright))
        titles.append(part)
    rows = [found[start : start + _MAPS_A_ROW] for start in range(0, len(found), _MAPS_A_ROW)]
    over = [titles[start : start + _MAPS_A_ROW] for start in range(0, len(found), _MAPS_A_ROW)]
    return _draw.grid(rows, over, side=1.7)
