"""Blur, sharpen, find edges: one kernel over a picture, with its arithmetic at one pixel, as a ConvNet of one kernel."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from warmer.errors import BadCell, InputError, UnknownName
from warmer.insight import _draw
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.words import figures

NEEDS = Needs(plane=True, inputs=(1, 1))
Matrix = NDArray[np.float64]

KERNELS: dict[str, str] = {
    "identity": "0 0 0; 0 1 0; 0 0 0",
    "blur": "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9",
    "gaussian": "1/256 4/256 6/256 4/256 1/256; 4/256 16/256 24/256 16/256 4/256; 6/256 24/256 36/256 24/256 6/256; "
    "4/256 16/256 24/256 16/256 4/256; 1/256 4/256 6/256 4/256 1/256",
    "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
    "edges": "-1 -1 -1; -1 8 -1; -1 -1 -1",
    "laplacian": "0 1 0; 1 -4 1; 0 1 0",
    "vertical-edges": "-1 0 1; -2 0 2; -1 0 1",
    "horizontal-edges": "-1 -2 -1; 0 0 0; 1 2 1",
    "emboss": "-2 -1 0; -1 1 1; 0 1 2",
}
"""Name → kernel, rows separated by semicolons. The edges of either direction are Sobel's."""

_LARGEST = 31
_LONGEST = 1024
_PATCHES = 6000
_COLOURS = {1: ("gray",), 3: ("red", "green", "blue")}


def run(
    subject: Subject, *, kernel: str = "edges", at: str | None = None, learn: bool = False, seed: int = 0
) -> Finding:
    """Lay a kernel over every place of a picture, multiply, add up; as networks do, without mirroring the kernel first.

    Args:
        subject: one picture; of the model, only how it reads pictures counts.
        kernel: a name (blur, gaussian, sharpen, edges, laplacian, vertical-edges, horizontal-edges, emboss, identity), or a
            matrix as text, `0 -1 0; -1 5 -1; 0 -1 0`: odd numbers of rows and columns, fractions allowed.
        at: `row,column` of the pixel whose arithmetic is shown; none: where the result is strongest.
        learn: whether to learn the kernel from before/after pairs, too.
        seed: of the pairs.
    """
    weights = matrix(kernel)
    try:
        array = subject.model.x.uncut(subject.cells[0], _LONGEST)
    except BadCell as error:
        raise InputError(f"{subject.name(0)} {error}") from None
    x: Tensor = subject.model.x.batch(array[None], torch.device("cpu"))
    if min(x.shape[2:]) < max(weights.shape):
        raise InputError(f"{subject.name(0)} is smaller than the kernel; give a larger picture")
    network = convolution(weights)
    with torch.no_grad():
        found = torch.stack([network(one[None, None])[0, 0] for one in x[0]])
    apart = float(np.abs(by_hand(x[0, 0].double().numpy(), weights) - found[0].double().numpy()).max())
    row, column = _place(at, found)
    sheets = {f"The arithmetic at row {row}, column {column}": _arithmetic(x[0], weights, row, column)}
    total = float(found[0, row, column]) * 255
    sentence = (
        f"each pixel became a sum of its {weights.shape[0]} × {weights.shape[1]} neighbours, weighted: at row {row}, column "
        f"{column} that is {figures(total)}; a ConvNet of one kernel gives the same everywhere (up to {apart:.0e})"
    )
    shown = found / 2 + 0.5 if abs(weights.sum()) < 1e-9 else found
    pictures = {
        "Filtered": _draw.png_of(shown.clamp(0, 1)),
        "Before, kernel, after": _triple(x[0], weights, shown),
    }
    numbers = {"kernel": weights.tolist(), "at": [row, column], "sum": total, "apart": apart}
    words = ["negative sums are darker than the gray middle, positive ones lighter"] if shown is not found else []
    if learn:
        learned, told = learned_kernel(x[0].mean(0).numpy(), weights, seed)
        numbers |= {"learned": learned.tolist(), "off": float(np.abs(learned - weights).max())}
        pictures["Kernel, and what was learned"] = _kernels(weights, learned)
        words.append(
            f"learned from {_PATCHES:,} pairs of a place before and its pixel after, by the same descent as everything "
            f"else: no weight is off by more than {np.abs(learned - weights).max():.3f}; as a function it is {told}"
        )
    return Finding("filter", sentence, numbers, sheets, pictures, tuple(words))


def matrix(text: str) -> Matrix:
    """Read a kernel: its name, or rows of numbers with semicolons between them.

    Raises:
        UnknownName: there is no such name.
        InputError: the rows are no matrix of numbers with odd sides.
    """
    if re.fullmatch(r"\s*[A-Za-z][\w -]*", text):
        name = text.strip().casefold().replace("_", "-").replace(" ", "-")
        if name not in KERNELS:
            raise UnknownName("kernel", text.strip(), KERNELS)
        text = KERNELS[name]
    try:
        rows = [[_number(word) for word in re.split(r"[,\s]+", row.strip())] for row in text.split(";") if row.strip()]
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"the kernel `{text[:60]}` is no matrix of numbers; write it like `0 -1 0; -1 5 -1; 0 -1 0`"
        ) from None
    if not rows or len({len(row) for row in rows}) != 1:
        raise InputError("the rows of the kernel are of different length; each needs as many numbers as the others")
    found = np.array(rows)
    if not np.isfinite(found).all() or min(found.shape[0] % 2, found.shape[1] % 2) == 0 or max(found.shape) > _LARGEST:
        raise InputError(
            f"a kernel has odd numbers of rows and columns, {_LARGEST} at the most, so that it has a middle; this one has "
            f"{found.shape[0]} and {found.shape[1]}"
        )
    return found


def _number(word: str) -> float:
    above, mark, below = word.partition("/")
    return float(above) / float(below) if mark else float(above)


def convolution(weights: Matrix) -> nn.Conv2d:
    """Return a network of one kernel; at the borders, the outermost pixels go on."""
    height, width = weights.shape
    network = nn.utils.skip_init(
        nn.Conv2d, 1, 1, (height, width), padding=(height // 2, width // 2), padding_mode="replicate", bias=False
    )
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(weights)[None, None])
    return network


def by_hand(plane: Matrix, weights: Matrix) -> Matrix:
    """Return the same from moved copies of the picture, added up: no convolution anywhere."""
    height, width = weights.shape
    padded = np.pad(plane, ((height // 2,) * 2, (width // 2,) * 2), mode="edge")
    total = np.zeros_like(plane)
    for row in range(height):
        for column in range(width):
            total += weights[row, column] * padded[row : row + plane.shape[0], column : column + plane.shape[1]]
    return total


def _place(at: str | None, found: Tensor) -> tuple[int, int]:
    height, width = found.shape[1:]
    if at is None:
        middle = found[0].sub(found[0].mean()).abs()
        return int(middle.argmax()) // width, int(middle.argmax()) % width
    words = at.replace(" ", "").split(",")
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise InputError(f"`at` is a row and a column, such as 30,41, not `{at}`")
    row, column = int(words[0]), int(words[1])
    if row >= height or column >= width:
        raise InputError(f"there is no pixel {row},{column}: rows go to {height - 1} and columns to {width - 1}")
    return row, column


def _arithmetic(x: Tensor, weights: Matrix, row: int, column: int) -> Sheet:
    """Return every product of a sum, for the first channel, pixels from 0 to 255."""
    height, width = weights.shape
    high, wide = x.shape[1:]
    rows: list[tuple[object, ...]] = []
    total = 0.0
    for r in range(height):
        for c in range(width):
            at = (min(max(row + r - height // 2, 0), high - 1), min(max(column + c - width // 2, 0), wide - 1))
            value = round(float(x[0, at[0], at[1]]) * 255)
            total += value * weights[r, c]
            rows.append((f"{at[0]}, {at[1]}", value, float(weights[r, c]), float(value * weights[r, c])))
    rows.append(("sum", "", "", total))
    rows.append(("kept between 0 and 255", "", "", min(255.0, max(0.0, total))))
    name = _COLOURS.get(len(x), ("first channel",))[0]
    return Sheet(("row, column", name, "weight", "product"), tuple(rows))


def learned_kernel(plane: NDArray[np.float32], weights: Matrix, seed: int) -> tuple[Matrix, str]:
    """Learn a kernel from places of a picture and what became of them; return it, and how good it is in words.

    A flat view of the place and one linear neuron are the whole network; `warmer.learn` does the rest.
    """
    from warmer.story import learn

    height, width = weights.shape
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, plane.shape[0] - height + 1, _PATCHES)
    columns = generator.integers(0, plane.shape[1] - width + 1, _PATCHES)
    pixels = np.round(plane * 255).astype(np.uint8)
    before = np.stack([pixels[r : r + height, c : c + width] for r, c in zip(rows, columns, strict=True)])
    after = (before * weights).sum((1, 2))
    if len(np.unique(after)) < 2:
        raise InputError("every pixel of this picture became the same, so there is nothing to learn a kernel from")
    with torch.random.fork_rng(devices=[]):
        model = learn(
            (before, after), encoder=nn.Flatten(1), signature="image -> number", augment=False, advice=False,
            optimizer="adamw", weight_decay=0.0, learning_rate=0.3, clip=0.0, cooldown=0.9, epochs=60, batch=64,
            precision="fp32", seed=seed,
        )  # fmt: skip
    spread = model.y.deviation  # type: ignore[attr-defined]
    found = model.head.readout.weight.detach().double().numpy().reshape(height, width) * spread / 255  # type: ignore[operator, union-attr]
    return np.asarray(found), model.evidence["sentence"]


def _triple(x: Tensor, weights: Matrix, after: Tensor) -> bytes:
    drawn = _draw.figure(11, 3.9)
    places = drawn.subplots(1, 3, width_ratios=(2, 1, 2))
    for axes, picture, title in ((places[0], x, "before"), (places[2], after, "after")):
        _draw.plain(axes, title).imshow(_draw.image(picture))
    _draw_kernel(places[1], weights, "the kernel")
    return _draw.png(drawn)


def _kernels(weights: Matrix, learned: Matrix) -> bytes:
    drawn = _draw.figure(6, 3.1)
    for axes, one, title in zip(drawn.subplots(1, 2), (weights, learned), ("kernel", "learned"), strict=True):
        _draw_kernel(axes, one, title)
    return _draw.png(drawn)


def _draw_kernel(axes: object, weights: Matrix, title: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    most = float(np.abs(weights).max()) or 1.0
    _draw.plain(axes, title).imshow(weights, cmap="RdBu_r", vmin=-1.6 * most, vmax=1.6 * most)
    for (row, column), value in np.ndenumerate(weights):
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=10 if weights.size <= 9 else 7)
