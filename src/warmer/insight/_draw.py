"""Pictures of findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from warmer.drawing import COLD as COLD
from warmer.drawing import INK as INK
from warmer.drawing import WARM as WARM
from warmer.drawing import figure as figure
from warmer.drawing import picture_png
from warmer.drawing import png as png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]


def image(x: Tensor) -> Array:
    """Return a picture `[channels, height, width]` in 0..1 as `[height, width, 3]`."""
    found = x.detach().float().cpu().clamp(0, 1).numpy()
    return np.repeat(found.transpose(1, 2, 0), 3, 2) if len(found) == 1 else found.transpose(1, 2, 0)


def stretched(x: Array) -> Array:
    """Scale numbers to 0..1, so that zero is the middle."""
    most = float(np.abs(x).max()) or 1.0
    return np.asarray(x / (2 * most) + 0.5)


def plain(axes: Axes, title: str = "") -> Axes:
    """Take the frame off a plot of a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, fontsize=8, color=INK)
    return axes


def grid(
    pictures: Sequence[Sequence[Array | None]],
    titles: Sequence[Sequence[str]] | None = None,
    rows: Sequence[str] | None = None,
    *,
    side: float = 1.3,
    cmap: str = "gray",
) -> bytes:
    """Return pictures in rows as PNG.

    Args:
        pictures: rows of `[height, width, 3]` or `[height, width]` in 0..1; None leaves a gap.
        titles: over each picture.
        rows: at the left of each row.
        side: of a picture, in inches.
        cmap: colours of pictures of one channel.
    """
    wide = max(len(row) for row in pictures)
    left = 1.1 if rows else 0.0
    drawn = figure(left + wide * side, len(pictures) * (side + (0.25 if titles else 0.05)))
    places = drawn.subplots(len(pictures), wide, squeeze=False)
    for r, row in enumerate(pictures):
        for c in range(wide):
            axes = plain(places[r][c], titles[r][c] if titles and c < len(titles[r]) else "")
            picture = row[c] if c < len(row) else None
            if picture is not None:
                axes.imshow(picture, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        if rows:
            places[r][0].set_ylabel(rows[r], fontsize=8, color=INK, rotation=0, ha="right", va="center")
    return png(drawn)


def png_of(x: Tensor) -> bytes:
    """Return one picture `[channels, height, width]` in 0..1 as PNG at its own size."""
    from PIL import Image

    return picture_png(Image.fromarray((image(x) * 255).round().astype(np.uint8)))
