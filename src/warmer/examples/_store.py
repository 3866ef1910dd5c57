"""Store: the whole data set as compact arrays, in memory, or in a file mapped into it when it would not fit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.files import File
from warmer.kinds._contract import Cells, Kind

Array = NDArray[Any]

_CHUNK = 256
_BATCH_NUMBERS = 4_000_000
_SHARE_OF_MEMORY = 0.4


class Store:
    """Compact arrays of one kind, taken by index; of one shape, or ragged along their first axis."""

    def __init__(self, values: Array, offsets: Array | None = None) -> None:
        self.values = values
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def take(self, rows: Array) -> Any:
        """Return the arrays of these rows: one array `[rows, *shape]`, or a list of arrays where lengths vary."""
        if self.offsets is None:
            return np.asarray(self.values[rows])
        return [self.values[self.offsets[row] : self.offsets[row + 1]] for row in rows]

    def lengths(self, rows: Array) -> Array | None:
        """Return how long the arrays of these rows are; None where all have one shape."""
        return None if self.offsets is None else np.diff(self.offsets)[rows]

    def part(self, rows: Array) -> Store:
        """Return a store of these rows."""
        if self.offsets is None:
            return Store(np.asarray(self.values[rows]))
        return ragged(self.take(rows))

    def at_once(self, most: int) -> int:
        """Return how many examples to compute together, `most` at the most: large ones run faster when few fit the caches."""
        size = int(np.prod(self.values.shape)) // max(1, len(self))
        return int(np.clip(_BATCH_NUMBERS // max(1, size), min(16, most), most))

    @property
    def on_disk(self) -> bool:
        """Whether the values lie in a mapped file."""
        return isinstance(self.values, np.memmap)


def fill(kind: Kind, cells: Cells, where: str = "auto") -> tuple[Store, dict[int, str]]:
    """Read all cells; return the store and index → sentence for the unreadable ones, whose place in it is void.

    Args:
        kind: fitted.
        cells: raw.
        where: "memory", "disk", or "auto": on disk where it would take over two fifths of the free memory.
    """
    if any(size is None for size in kind.shape):
        arrays, unread = kind.read_all(cells)
        empty = next((np.zeros((0, *one.shape[1:]), one.dtype) for one in arrays if one is not None), np.zeros(0))
        return ragged([empty if one is None else one for one in arrays]), unread
    shape = tuple(int(size or 0) for size in kind.shape)
    values = _allocate((len(cells), *shape), kind.dtype, where)
    bad: dict[int, str] = {}

    def read(start: int) -> None:
        part = cells[start : start + step]
        arrays, wrong = kind.read_all(part)
        bad.update({start + index: sentence for index, sentence in wrong.items()})
        if isinstance(arrays, np.ndarray):
            values[start : start + len(part)] = arrays
        else:
            for index, array in enumerate(arrays):
                if array is not None:
                    values[start + index] = array

    slow = len(cells) > 0 and isinstance(cells[0], File)
    step = _CHUNK if slow else max(len(cells), 1)
    starts = range(0, len(cells), step)
    if slow and len(starts) > 1:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(read, starts))
    else:
        for start in starts:
            read(start)
    return Store(values), dict(sorted(bad.items()))


def ragged(arrays: Sequence[Array]) -> Store:
    """Return arrays of unequal length as one store."""
    offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
    return Store(np.concatenate(arrays) if arrays else np.zeros(0), offsets)


def _allocate(shape: tuple[int, ...], dtype: str, where: str) -> Array:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if where == "memory" or (where == "auto" and size <= _SHARE_OF_MEMORY * free_memory()):
        return np.zeros(shape, dtype=dtype)
    with tempfile.TemporaryFile(prefix="warmer-") as file:
        file.truncate(max(size, 1))
        return np.memmap(file, dtype=dtype, mode="r+", shape=shape)  # the file goes when the array does


def free_memory() -> float:
    """Return the bytes of memory that are free, or 4 GiB where the system does not say."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return 4.0 * 2**30
