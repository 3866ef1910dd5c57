"""Keep memory that a step gives back, for the next step asks for as much again."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MIB = 2**20
_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * _MIB}
# Where glibc's own adjustment ends up in a process of large arrays; once anything is set it adjusts no more.
_USUAL = {_MMAP_MAX: 65536, _TRIM_THRESHOLD: 64 * _MIB, _TOP_PAD: 128 * 1024, _MMAP_THRESHOLD: 32 * _MIB}


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Let the process keep freed memory while this lasts, and give it back at the end.

    By default glibc returns every large array to the system and asks for it anew, and the system must blank it each time:
    a fifth to a quarter of a training step on the CPU. Where there is no glibc, nothing happens.
    """
    library = _glibc()
    if library is None:
        yield
        return
    for option, value in _KEPT.items():
        library.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _USUAL.items():
            library.mallopt(option, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
