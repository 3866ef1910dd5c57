"""From a file, bytes, an array or a PIL image to an upright picture of 8 bits a channel."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PIL
from PIL import ImageOps, UnidentifiedImageError

from warmer.errors import BadCell
from warmer.files import File
from warmer.kinds._contract import Array

_MOST_PIXELS = 100_000_000
_LEAST_SIDE = 2


def open_picture(cell: Any, least: int = 256) -> PIL.Image:
    """Decode a picture from a file, bytes, array or PIL image; turn it upright.

    Args:
        cell: the picture.
        least: a large JPEG may be decoded at a fraction of its size, with at least so many pixels a side.

    Raises:
        BadCell: what lies there is no picture, a damaged one, or one of an absurd size.
    """
    if isinstance(cell, PIL.Image):
        return _upright(cell)
    if isinstance(cell, np.ndarray):
        return _from_array(cell)
    if isinstance(cell, (str, Path)):
        cell = File.at(cell)
    data = cell.read() if isinstance(cell, File) else cell
    if not isinstance(data, (bytes, bytearray)):
        raise BadCell(f"a {type(cell).__name__} is not a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.DecompressionBombWarning)  # the limit below is stricter
            warnings.simplefilter("ignore", UserWarning)  # damaged EXIF blocks: the pixels are what counts
            picture = PIL.open(io.BytesIO(data))
            if picture.width * picture.height > _MOST_PIXELS:
                raise BadCell(
                    f"is {picture.width:,} × {picture.height:,} pixels; the limit is {_MOST_PIXELS // 10**6} million"
                )
            picture.draft("RGB", (least, least)) if picture.format == "JPEG" and min(picture.size) > 1024 else None
            picture.load()
            return _upright(picture)
    except UnidentifiedImageError:
        raise BadCell("is not a picture in a format that can be read") from None
    except PIL.DecompressionBombError:
        raise BadCell(f"has far too many pixels; the limit is {_MOST_PIXELS // 10**6} million") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise BadCell(f"is a damaged picture ({error})") from None


def _upright(picture: PIL.Image) -> PIL.Image:
    if min(picture.size) < _LEAST_SIDE:
        raise BadCell(f"is only {picture.width} × {picture.height} pixels")
    turned = ImageOps.exif_transpose(picture)
    return picture if turned is None else turned


def _from_array(cell: Array) -> PIL.Image:
    """Return an array `[height, width]` or `[height, width, channels]` (or channels first) as a picture."""
    if cell.ndim == 3 and cell.shape[0] in (1, 3) and cell.shape[2] not in (1, 3, 4):
        cell = cell.transpose(1, 2, 0)
    if cell.ndim not in (2, 3) or (cell.ndim == 3 and cell.shape[2] not in (1, 3, 4)):
        raise BadCell(f"an array of shape {cell.shape} is not a picture; expected height × width (× 1, 3 or 4)")
    if min(cell.shape[:2]) < _LEAST_SIDE:
        raise BadCell(f"is only {cell.shape[1]} × {cell.shape[0]} pixels")
    if cell.dtype.kind == "f":
        if not np.isfinite(cell).all():
            raise BadCell("holds values that are not finite")
        top = cell.max()
        limit = 1.0 if top <= 1 else 16.0 if top <= 16 else 255.0
        cell = np.clip(cell * (255 / limit), 0, 255).round()
    elif cell.dtype == np.uint16:
        cell = cell // 257
    elif cell.dtype == bool:
        cell = cell * 255
    return PIL.fromarray(np.ascontiguousarray(cell.astype(np.uint8).squeeze()))


def eight_bits(picture: PIL.Image) -> PIL.Image:
    """Return 16-bit and float pictures scaled to 8 bits, and lay transparent ones on white."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if picture.mode != "F" or values.max() > 255 else 255.0
        return PIL.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        return PIL.alpha_composite(PIL.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture


def try_open(cell: Any) -> PIL.Image | None:
    """Return the picture, or None where `open_picture` refuses it."""
    try:
        return open_picture(cell)
    except BadCell:
        return None


def is_grey(picture: PIL.Image) -> bool:
    if picture.mode in ("1", "L", "I", "I;16", "F", "LA"):
        return True
    small = np.asarray(picture.convert("RGB").resize((8, 8)), dtype=int)
    return int(np.abs(small - small.mean(2, keepdims=True)).max()) <= 3
