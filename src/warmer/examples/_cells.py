"""What tables in memory and in Parquet files hold beside text and numbers, as cells that a kind may know."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from warmer.examples._contract import Array, objects
from warmer.files import File

_BEGIN = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
    b"ID3": ".mp3",
    b"\xff\xfb": ".mp3",
}
"""What files of pictures and sounds begin with."""


def plain(series: Any) -> Array:
    """Return a pandas column that holds no numbers as text, truth values, moments, or files; None where a cell is missing.

    Decimals and durations (in seconds) are numbers; bytes, alone or as `{"bytes": …, "path": …}` (as the data sets of Hugging
    Face have them), are files in memory.
    """
    if isinstance(series.dtype, pd.StringDtype):
        found = np.array(series.to_numpy(dtype=object))
        found[series.isna().to_numpy()] = None
        return found
    return objects(_cell(value, series.name, row) for row, value in enumerate(series.astype(object)))


def _cell(value: Any, column: Any, row: int) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return _file(value["bytes"], str(value.get("path") or ""), column, row)
    if isinstance(value, bytes):
        return _file(value, "", column, row) if _ending(value) else value.decode("utf-8", "replace")
    if isinstance(value, (str, np.ndarray, list, tuple, Mapping)):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, pd.Period):
        return value.to_timestamp()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, (datetime.time, pd.Interval)) else value


def _ending(data: bytes) -> str:
    """Return the ending of a file that begins like this; nothing where it is of no known sort."""
    if data[:4] == b"RIFF":
        return ".webp" if data[8:12] == b"WEBP" else ".wav"
    return next((ending for begin, ending in _BEGIN.items() if data.startswith(begin)), "")


def _file(data: bytes, path: str, column: Any, row: int) -> File:
    name = path or f"{column} {row + 1}"
    known = _ending(data)
    return File(name if not known or name.lower().endswith(known) else name + known, partial(bytes, data))
