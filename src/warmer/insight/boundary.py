"""Where one answer ends and another begins: over two columns, or over the plane through three pictures."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer.errors import InputError, UnknownName
from warmer.examples._contract import Ledger, Table, missing
from warmer.examples._store import fill
from warmer.insight import _draw, _watch
from warmer.insight._audited import numeric
from warmer.insight._contract import Finding, Needs, Subject
from warmer.insight._pick import logits
from warmer.words import figures

Array = NDArray[Any]

NEEDS = Needs(spread=True, labels=True, inputs=(0, 3), examples=True)
_SHUFFLED = 500
_DOTS = 600
_AT_ONCE = 1024
_BEYOND = 0.25


def run(subject: Subject, *, columns: str | None = None, side: int = 0, seed: int = 0) -> Finding:
    """Ask about every point of a plane.

    Rows: two columns vary over what the examples hold, all others stay as in the input, or as in the middle of the
    examples. Pictures: the plane through three inputs (or three examples of different labels); it is one slice of a space
    of as many dimensions as there are pixels.

    Args:
        subject: a model that answers with labels, labelled examples, and inputs if wanted.
        columns: two columns' names with a comma between; none: the two that matter most.
        side: points a side; 0: 200 for rows, 64 for pictures.
        seed: of the choice of examples.
    """
    if side < 0 or side == 1:
        raise InputError(f"`side` is at least 2 points, not {side}")
    with _watch.still(subject.model.network):
        if subject.model.x.compound:
            return _of_rows(subject, columns, side or 200, seed)
        return _of_pictures(subject, side or 64, seed)


# ---- rows ----


def _of_rows(subject: Subject, columns: str | None, side: int, seed: int) -> Finding:
    model, table = subject.model, subject.examples
    assert table is not None
    table = model.under_own_names(table)
    values = {n: v for n in model.x_names if n in table.columns and (v := numeric(table.columns[n])) is not None}
    one, other = _named(columns, values, table) if columns else _strongest(subject, table, values, seed)
    ranges = {name: _reach(values[name]) for name in (one, other)}
    a, b = (np.linspace(*reach, side) for reach in ranges.values())
    chosen = np.random.default_rng(seed).permutation(len(table))[:_DOTS]
    truths = _label_places(subject, table, chosen)
    dots = [(float(values[one][row]), float(values[other][row]), t) for row, t in zip(chosen, truths, strict=True)]
    pictures, shares = {}, []
    for title, base in _held(subject, table, values).items():
        grid = dataclasses.replace(
            table.take(np.zeros(side * side, dtype=int)),
            columns={n: _filled(cell, side * side) for n, cell in base.items()}
            | {one: np.tile(a, side), other: np.repeat(b, side)},
            ledger=Ledger(),
        )
        shares.append(_shares(subject, model.cells(grid)[0]))
        pictures[title] = _regions(subject, shares[-1].reshape(side, side, -1), a, b, dots, (one, other))
    others = len(model.x_names) - 2
    held = f"; the other {others} columns are held still" if others > 0 else ""
    where = f"over {one} and {other}"
    return _finding(subject, shares[0], where, held, pictures, {name: list(reach) for name, reach in ranges.items()})


def _named(columns: str, values: dict[str, Array], table: Table) -> tuple[str, str]:
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 2 or names[0] == names[1]:
        raise InputError(f"`columns` is two names with a comma between, not `{columns}`")
    for name in names:
        if name not in values:
            if name in table.columns:
                raise InputError(f"column `{name}` holds no numbers to draw along; give one of {', '.join(values)}")
            raise UnknownName("column", name, values)
    return names[0], names[1]


def _strongest(subject: Subject, table: Table, values: dict[str, Array], seed: int) -> tuple[str, str]:
    """Return the two columns of numbers whose shuffling changes the answers most."""
    names = [name for name, found in values.items() if len(np.unique(found[np.isfinite(found)])) > 2]
    if len(names) < 2:
        raise InputError("a map needs two columns of numbers, and these examples have fewer")
    if len(names) == 2:
        return names[0], names[1]
    generator = np.random.default_rng(seed)
    some = table.take(generator.permutation(len(table))[:_SHUFFLED])
    before = _shares(subject, subject.model.cells(some)[0])
    moved = {}
    for name in names:
        shuffled = {**some.columns, name: some.columns[name][generator.permutation(len(some))]}
        now = _shares(subject, subject.model.cells(dataclasses.replace(some, columns=shuffled))[0])
        moved[name] = float(np.abs(now - before).sum())
    first, second = sorted(names, key=lambda name: -moved[name])[:2]
    return first, second


def _held(subject: Subject, table: Table, values: dict[str, Array]) -> dict[str, dict[str, Any]]:
    """Return title → a cell for each column: each input's, or the median or commonest of the examples."""
    if subject.cells:
        names = subject.model.x_names
        return {
            f"Regions around {subject.name(place)}": {name: cell.get(name) for name in names}
            for place, cell in enumerate(subject.cells)
        }
    found: dict[str, Any] = {}
    for name in subject.model.x_names:
        if name in values:
            found[name] = float(np.nanmedian(values[name]))
        elif name in table.columns:
            there = table.columns[name][~missing(table.columns[name])]
            different, first, counts = np.unique([str(cell) for cell in there], return_index=True, return_counts=True)
            found[name] = there[int(first[counts.argmax()])] if len(different) else None
    return {"Regions": found}


def _reach(values: Array) -> tuple[float, float]:
    """Return the range to draw: what 98 in 100 of the values lie in, and a little more."""
    low, high = np.nanquantile(values, [0.01, 0.99])
    margin = 0.1 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _filled(cell: Any, n: int) -> Array:
    found = np.empty(n, dtype=object)
    found[:] = cell
    return found


def _label_places(subject: Subject, table: Table, rows: Array) -> list[int]:
    """Return the place of each example's label, −1 where it is unknown."""
    names = [name for name in (*subject.model.y_names, table.y) if name in table.columns]
    if not names:
        return [-1] * len(rows)
    words = [str(label) for label in subject.labels]
    return [words.index(str(cell)) if str(cell) in words else -1 for cell in table.columns[str(names[0])][rows]]


def _shares(subject: Subject, cells: Any) -> Array:
    """Return probabilities `[n, labels]` for raw cells."""
    model = subject.model
    store, _ = fill(model.x, cells, "memory")
    found = []
    for start in range(0, len(store), _AT_ONCE):
        rows = np.arange(start, min(len(store), start + _AT_ONCE))
        with torch.no_grad():
            found.append(model.network(model.x.batch(store.take(rows), torch.device("cpu"))).float())
    return model.head.answers(torch.cat(found))


# ---- pictures ----


def _of_pictures(subject: Subject, side: int, seed: int) -> Finding:
    pictures, names = _corners(subject, seed)
    first, one, other = pictures
    right, up = one - first, other - first
    length, part = (
        right.flatten().norm(),
        (up.flatten() @ right.flatten()) / right.flatten().norm().pow(2).clamp(min=1e-9),
    )
    height = (up - part * right).flatten().norm()
    if float(length) < 1e-3 or float(height) < 1e-3:
        raise InputError("the three pictures lie on one line; give three different ones")
    a = np.linspace(-_BEYOND, 1 + _BEYOND, side)
    points = torch.tensor([(u - v * float(part), v) for v in a for u in a], dtype=torch.float32)
    answer, shares = logits(subject), []
    for some in points.split(128):
        batch = first + some[:, 0].view(-1, 1, 1, 1) * right + some[:, 1].view(-1, 1, 1, 1) * up
        with torch.no_grad():
            shares.append(subject.model.head.answers(answer(batch.clamp(0, 1))))
    found = np.concatenate(shares)
    corners = [(0.0, 0.0), (1.0, 0.0), (float(part), 1.0)]
    dots = [(x, y, -1) for x, y in corners]
    drawn = _regions(subject, found.reshape(side, side, -1), a, a, dots, None, [_draw.image(x) for x in pictures])
    told = f"over the plane through {', '.join(names[:-1])} and {names[-1]}"
    return _finding(subject, found, told, "; it is one slice of many", {"Regions": drawn}, {"pictures": names})


def _corners(subject: Subject, seed: int) -> tuple[torch.Tensor, list[str]]:
    """Return three pictures `[3, channels, height, width]`: the inputs, then examples of different labels."""
    given = [one for one in subject.batch] if subject.cells else []  # noqa: C416 — rows of a tensor
    names = [subject.name(place) for place in range(len(given))]
    lacking = 3 - len(given)
    if not lacking:
        return torch.stack(given), names
    part, table, _ = subject.model.labelled(subject.examples)
    if len(part.rows) < lacking:
        raise InputError("a plane goes through three pictures, and there are fewer examples; give three inputs")
    order = np.random.default_rng(seed).permutation(len(part.rows))
    targets = subject.model.y.batch(part.targets.take(part.rows[order]), torch.device("cpu"))
    _, first = np.unique(subject.model.head.truths(targets), return_index=True)
    chosen = np.sort(first)[:lacking] if len(first) >= lacking else np.arange(lacking)
    rows = part.rows[order[chosen]]
    batch: torch.Tensor = subject.model.x.batch(part.inputs.take(rows), torch.device("cpu"))
    return torch.stack([*given, *batch]), [*names, *(table.name(int(row)) for row in rows)]


# ---- drawing ----


def _palette(count: int) -> Array:
    """Return a colour `[3]` for each label, told apart as well as so many can be."""
    import matplotlib

    names = "tab10" if count <= 10 else "tab20" if count <= 20 else "hsv"
    colours = matplotlib.colormaps[names](np.linspace(0, 1, count, endpoint=False) if count > 20 else np.arange(count))
    return np.asarray(colours)[:, :3]


def _regions(
    subject: Subject,
    shares: Array,
    a: Array,
    b: Array,
    dots: list[tuple[float, float, int]],
    names: tuple[str, str] | None,
    images: list[Array] | None = None,
) -> bytes:
    """Draw each point in its label's colour, paler where the answer is less sure."""
    colours = _palette(shares.shape[2])
    best, sure = shares.argmax(2), shares.max(2)
    least = 1 / shares.shape[2]
    weight = 0.15 + 0.6 * (sure - least) / (1 - least)
    picture = 1 - weight[..., None] * (1 - colours[best])
    drawn = _draw.figure(6.6, 5.0)
    axes = drawn.add_subplot()
    axes.imshow(picture, origin="lower", extent=(a[0], a[-1], b[0], b[-1]), aspect="auto", interpolation="nearest")
    if len(np.unique(best)) > 1:
        for label in np.unique(best):
            axes.contour(a, b, (best == label).astype(float), levels=[0.5], colors=_draw.INK, linewidths=0.6)
    for x, y, label in dots if images is None else []:
        colour = colours[label] if label >= 0 else (1, 1, 1)
        axes.scatter([x], [y], s=14, color=[colour], edgecolors="white", linewidths=0.5)
    for (x, y, _), image in zip(dots, images or [], strict=False):
        inset = axes.inset_axes((x - 0.12, y - 0.12, 0.24, 0.24), transform=axes.transData)
        _draw.plain(inset).imshow(image)
    axes.set_xlim(a[0], a[-1])
    axes.set_ylim(b[0], b[-1])
    present = [
        label
        for label in np.argsort(-np.bincount(best.flatten(), minlength=len(colours)))[:12]
        if (best == label).any()
    ]
    for label in present:
        axes.scatter([], [], marker="s", s=40, color=[colours[label]], label=str(subject.labels[label])[:24])
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    if names:
        axes.set_xlabel(names[0], fontsize=8)
        axes.set_ylabel(names[1], fontsize=8)
        axes.tick_params(labelsize=7)
    else:
        _draw.plain(axes)
    return _draw.png(drawn)


def _finding(
    subject: Subject, shares: Array, where: str, held: str, pictures: dict[str, bytes], numbers: dict[str, Any]
) -> Finding:
    best = shares.argmax(1)
    counts = np.bincount(best, minlength=shares.shape[1]) / len(best)
    order = [place for place in np.argsort(-counts, kind="stable") if counts[place] > 0][:5]
    told = ", ".join(f"{subject.labels[place]} on {counts[place]:.0%}" for place in order)
    unsure = float((shares.max(1) < 0.6).mean())
    sentence = (
        f"{where} the answer is {told} of the map{held}; on {figures(100 * unsure, 2)} % of it no answer reaches 60 %"
    )
    areas = {str(label): float(share) for label, share in zip(subject.labels, counts, strict=True)}
    return Finding("boundary", sentence, {**numbers, "areas": areas, "unsure": unsure}, {}, pictures)
