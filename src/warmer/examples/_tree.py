"""One view of a folder, a zip and a tar: a sorted list of relative paths, each with a way to its bytes."""

from __future__ import annotations

import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from warmer.errors import BadCell, InputError
from warmer.examples._contract import Ledger
from warmer.files import LARGEST, File

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_MOST_TIMES = 200
_HARMLESS = 2**20


def is_archive(path: Path) -> bool:
    """Tell whether a path ends like an archive."""
    return path.name.lower().endswith(ARCHIVES)


def is_tree(path: Path) -> bool:
    """Tell whether a path is a folder or an archive that is there; any text may be asked about, however long."""
    return os.path.isdir(path) or (os.path.isfile(path) and is_archive(path))


def walk(path: Path, ledger: Ledger) -> list[tuple[PurePosixPath, File]]:
    """Return (path inside, file) of every file below, hidden ones left out, sorted by name.

    Args:
        path: of a folder or an archive; archives are read in place, nothing is unpacked.
        ledger: gets what is left out: paths that climb out, links that lead nowhere, members that unpack to absurd sizes.

    Raises:
        InputError: the archive is damaged, or may not be read.
    """
    try:
        if path.is_dir():
            found = list(_folder(path, ledger))
        elif path.name.lower().endswith(".zip"):
            found = list(_zip(path, ledger))
        else:
            found = list(_tar(path, ledger))
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"`{path}` cannot be read ({error}); make the archive anew") from None
    return sorted(found, key=lambda pair: str(pair[0]))


def endings(path: Path) -> set[str]:
    """Return the endings of all files below, such as `.jpg`, without reading any; none where the archive is damaged."""
    try:
        if path.is_dir():
            names = [name for _, _, names in os.walk(path, followlinks=False) for name in names]
        elif path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        else:
            with tarfile.open(path) as tar:
                names = tar.getnames()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError):
        return set()
    return {os.path.splitext(name)[1].lower() for name in names}


def _hidden(inside: PurePosixPath) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in inside.parts)
    return hidden or inside.name in (
        "Thumbs.db",
        "desktop.ini",
    )


def _folder(path: Path, ledger: Ledger) -> Iterator[tuple[PurePosixPath, File]]:
    seen: set[str] = set()
    for folder, below, names in os.walk(path, followlinks=True, onerror=lambda error: _unreadable(error, ledger)):
        real = os.path.realpath(folder)
        if real in seen:
            ledger.add(folder, "is a link back to a folder already read")
            below.clear()
            continue
        seen.add(real)
        for name in names:
            place = Path(folder) / name
            inside = PurePosixPath(place.relative_to(path).as_posix())
            if _hidden(inside):
                continue
            if not place.exists():
                ledger.add(str(place), "is a link that leads nowhere")
            elif place.is_file():
                yield inside, File.at(place)


def _unreadable(error: OSError, ledger: Ledger) -> None:
    ledger.add(str(error.filename), "may not be read (permission denied)")


def _zip(path: Path, ledger: Ledger) -> Iterator[tuple[PurePosixPath, File]]:
    archive = zipfile.ZipFile(path)
    lock = threading.Lock()  # one open file, several reading threads

    def opener(member: zipfile.ZipInfo) -> bytes:
        try:
            with lock:
                return archive.read(member)
        except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError) as error:
            raise BadCell(f"is damaged or locked inside the archive ({error})") from None

    for member in archive.infolist():
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if (
            member.is_dir()
            or _hidden(inside)
            or not _allowed(path, inside, member.file_size, member.compress_size, ledger)
        ):
            continue
        yield inside, File(f"{path.name}/{inside}", partial(opener, member))


def _tar(path: Path, ledger: Ledger) -> Iterator[tuple[PurePosixPath, File]]:
    """A tar has no index: its members are read into memory once, in their order."""
    with tarfile.open(path) as archive:
        total = 0
        for member in archive:
            inside = PurePosixPath(member.name.removeprefix("./"))
            if not member.isfile() or _hidden(inside) or not _allowed(path, inside, member.size, member.size, ledger):
                continue
            total += member.size
            if total > 8 * LARGEST:
                raise InputError(
                    f"`{path}` unpacks to more than {8 * LARGEST // 2**30} GiB; unpack it into a folder first"
                )
            source = archive.extractfile(member)
            data = source.read() if source else b""
            yield inside, File(f"{path.name}/{inside}", partial(bytes, data))


def _allowed(path: Path, inside: PurePosixPath, size: int, packed: int, ledger: Ledger) -> bool:
    """List members with dangerous names or sizes, and tell whether this one is harmless."""
    name = f"{path.name}/{inside}"
    if inside.is_absolute() or ".." in inside.parts:
        ledger.add(name, "has a path that climbs out of the archive")
    elif size > LARGEST or (size > _HARMLESS and size > _MOST_TIMES * max(packed, 1)):
        ledger.add(name, f"unpacks to {size / 2**20:,.0f} MiB from {packed / 1024:,.0f} KiB; that is no example")
    else:
        return True
    return False
