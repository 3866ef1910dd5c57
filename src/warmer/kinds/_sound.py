"""Sound from files and arrays: any rate, channels and sample format, as one channel of numbers in −1..1."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from warmer.errors import BadCell
from warmer.files import File
from warmer.kinds._contract import Array

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
_SILENT = 1e-4
_PAUSE = (0.03, 0.2)
_FRAME, _SMOOTHED = 0.01, 9


def read(cell: Any) -> tuple[Array, int]:
    """Return samples `[n]`, float32, and how many there are a second.

    Args:
        cell: a file, a path, or (samples, rate) with samples `[n]` or `[n, channels]`, whole or in −1..1.

    Raises:
        BadCell: it cannot be read, holds nothing, or is silent.
    """
    if isinstance(cell, (str, Path)):
        cell = File.at(cell)
    if isinstance(cell, File):
        samples, rate = _decoded(cell.read())
    elif isinstance(cell, (tuple, list)) and len(cell) == 2 and isinstance(cell[0], np.ndarray):
        samples, rate = _floats(cell[0]), int(cell[1])
    else:
        raise BadCell(f"a {type(cell).__name__} is no sound; give a file, or (samples, rate)")
    if samples.ndim == 2:
        samples = samples.mean(1)
    if samples.ndim != 1 or not len(samples):
        raise BadCell("holds no sound")
    if rate < 1000 or not np.isfinite(samples).all():
        raise BadCell(
            "holds numbers that are no sound" if rate >= 1000 else f"has {rate} samples a second, too few to hear"
        )
    if float(np.abs(samples).max()) < _SILENT:
        raise BadCell("is silent")
    return samples.astype(np.float32), rate


def _decoded(data: bytes) -> tuple[Array, int]:
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        told = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise BadCell(f"is damaged or no sound ({told[:80]})") from None
    return samples, int(rate)


def _floats(samples: Array) -> Array:
    """Return whole numbers as shares of their type's largest."""
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = 0 if samples.dtype.kind == "i" else (info.max + 1) / 2
        return np.asarray((samples.astype(np.float32) - middle) / (info.max + 1 - middle))
    return samples


def resampled(samples: Array, rate: int, wanted: int) -> Array:
    """Return the same sound with another number of samples a second."""
    if rate == wanted:
        return samples
    import soxr

    found: Array = soxr.resample(samples, rate, wanted, quality="HQ")
    return found


def strung(cells: Sequence[Any], seed: int) -> tuple[Array, int]:
    """Return sounds one after another, 0.03 to 0.2 s of silence between them, at the first one's rate.

    Raises:
        BadCell: one of them cannot be read.
    """
    draw = np.random.default_rng(seed)
    first, rate = read(cells[0])
    found = [first]
    for cell in cells[1:]:
        samples, own = read(cell)
        found += [np.zeros(round(rate * draw.uniform(*_PAUSE)), dtype=np.float32), resampled(samples, own, rate)]
    return np.concatenate(found), rate


def pieces(samples: Array, rate: int, longest: float) -> list[Array]:
    """Return a sound in pieces of at most `longest` seconds, each cut in its later half, where it is quietest."""
    frame, most = max(1, round(_FRAME * rate)), max(2, round(longest / _FRAME))
    count = len(samples) // frame
    if count <= most:
        return [samples]
    loud = np.square(samples[: count * frame].reshape(count, frame)).mean(1)
    padded = np.pad(loud, _SMOOTHED // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(_SMOOTHED), mode="valid")
    starts, start = [0], 0
    while count - start > most:
        start += most // 2 + int(smooth[start + most // 2 : start + most].argmin())
        starts.append(start)
    return [part for part in np.split(samples, [frame * one for one in starts[1:]]) if len(part)]


def wav(samples: Array, rate: int) -> bytes:
    """Return sound in −1..1 as the bytes of a WAV file of 16 bits."""
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return data.getvalue()
