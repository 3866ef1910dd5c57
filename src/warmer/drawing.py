"""What every picture here has in common: three colours, and how it becomes bytes."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WARM, COLD, INK = "#d1495b", "#2e6f95", "#333333"


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def open_sides(axes: Axes) -> Axes:
    """Take the frame off above and at the right."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def png(drawn: Figure) -> bytes:
    """Return a figure as PNG."""
    data = io.BytesIO()
    drawn.savefig(data, format="png", dpi=110, bbox_inches="tight", pad_inches=0.08)
    return data.getvalue()


def picture_png(picture: Any, side: int | None = None) -> bytes:
    """Return a PIL picture as PNG, scaled so that its longer side is `side` pixels; None: as it is."""
    data = io.BytesIO()
    (picture if side is None else _scaled(picture, side)).save(data, "PNG")
    return data.getvalue()


def picture_jpeg(picture: Any, most: int) -> bytes:
    """Return a PIL picture as JPEG, made smaller where its longer side has more than `most` pixels."""
    data = io.BytesIO()
    (_scaled(picture, most) if max(picture.size) > most else picture).save(data, "JPEG", quality=88)
    return data.getvalue()


def _scaled(picture: Any, side: int) -> Any:
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, 0 if scale > 1 else 3)


def embedded(data: bytes) -> str:
    """Return bytes as the text that a page or JSON holds."""
    return base64.b64encode(data).decode()
