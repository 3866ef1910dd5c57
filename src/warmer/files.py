"""A file that may lie on disk, inside an archive or in memory: a name, and its bytes when asked."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from warmer.errors import BadCell, RunFailed

LARGEST = 512 * 2**20
"""Bytes of one example's file at the most; more is a mistake or an attack."""


@dataclass(frozen=True)
class File:
    """One example's file.

    Attributes:
        name: what a person calls it: its path, or `archive.zip/path inside`.
        opener: returns the bytes; raises `OSError` or `BadCell`.
    """

    name: str
    opener: Callable[[], bytes] = field(repr=False, compare=False)

    @classmethod
    def at(cls, path: str | Path) -> File:
        """Return the file at a path, opened when read."""
        place = Path(path)
        return cls(str(path), lambda: _bytes(place))

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            BadCell: the file is not there, may not be read, or is empty or far too large.
        """
        try:
            data = self.opener()
        except PermissionError:
            raise BadCell("may not be read (permission denied)") from None
        except FileNotFoundError:
            raise BadCell("is not there") from None
        except OSError as error:
            raise BadCell(f"cannot be read ({error.strerror or error})") from None
        if not data:
            raise BadCell("is empty (zero bytes)")
        return data

    def __str__(self) -> str:
        return self.name


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise BadCell(f"holds {path.stat().st_size / 2**20:,.0f} MiB; the limit for one example is {LARGEST // 2**20}")
    return path.read_bytes()


def decoded(data: bytes) -> tuple[str, int | None]:
    """Return bytes as text, and where they stop being UTF-8 (or what their mark says) and were taken for Windows-1252, if so."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), None
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        return data.decode("cp1252", "replace"), error.start


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that at every moment either the old or the new one is there, whole.

    Raises:
        RunFailed: it cannot be written (a full disk, a read-only folder); the old file is untouched.
    """
    place: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, place = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(place, 0o666 & ~_umask())
        os.replace(place, path)
    except OSError as error:
        if place is not None:
            with contextlib.suppress(OSError):
                os.unlink(place)
        raise RunFailed(
            f"`{path}` cannot be written ({error.strerror}); free some space or choose another place with --out"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
