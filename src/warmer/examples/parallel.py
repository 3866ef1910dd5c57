"""Two parallel things: two text files line by line, or two folders of files with the same names."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from warmer.errors import BadCell, InputError
from warmer.examples import _tree
from warmer.examples import table as tables
from warmer.examples._contract import Ledger, Table, objects
from warmer.files import File

OPTIONS: dict[str, Any] = {}
_UNEVEN, _FEW = 0.03, 0.2
_ORIENTATION, _ON_ITS_SIDE = 0x0112, 5  # EXIF


def claims(thing: Any) -> bool:
    """Claim pairs of paths."""
    pair = isinstance(thing, tuple) and len(thing) == 2
    return pair and all(isinstance(one, (str, Path)) and Path(one).exists() for one in thing)


def sample(folder: Path) -> Any:
    """Write two files of ten lines."""
    words = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    for name, lines in (("numbers.en", words), ("numbers.de", [word[::-1] for word in words])):
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return (str(folder / "numbers.en"), str(folder / "numbers.de"))


def read(thing: Any) -> Table:
    """Return two columns, called by the files' endings or by the folders; the second is the answer."""
    one, other = (Path(part) for part in thing)
    if one.is_dir() != other.is_dir():
        raise InputError(f"`{one}` and `{other}` are a folder and a file; give two text files, or two folders")
    return _folders(one, other) if one.is_dir() else _files(one, other)


def _names(one: Path, other: Path) -> tuple[str, str]:
    """Return what the columns are called."""
    first, second = (path.suffix.lstrip(".") or path.name for path in (one, other))
    if first != second:
        return first, second
    return (one.stem, other.stem) if one.stem != other.stem else ("x", "y")


def _files(one: Path, other: Path) -> Table:
    ledger = Ledger()
    lines = [_lines(path, ledger) for path in (one, other)]
    counts = [len(some) for some in lines]
    if counts[0] != counts[1]:
        raise InputError(_parting(one, other, *lines))
    kept = []
    for number, pair in enumerate(zip(*lines, strict=True)):
        lacking = [str(path) for path, line in zip((one, other), pair, strict=True) if not line.strip()]
        if lacking:
            ledger.add(f"line {number + 1}", f"is empty in {' and '.join(lacking)}")
        else:
            kept.append((number, pair))
    names = _names(one, other)
    columns = {name: objects(pair[side] for _, pair in kept) for side, name in enumerate(names)}
    places = [number for number, _ in kept]
    return Table(columns, f"{one} and {other}", names[1], None, {}, lambda i: f"line {places[i] + 1}", ledger)


def _lines(path: Path, ledger: Ledger) -> list[str]:
    try:
        data = File.at(path).read()
    except BadCell as error:
        raise InputError(f"`{path}` {error}") from None
    text = tables.decode(data, str(path), ledger).replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def _parting(one: Path, other: Path, first: list[str], second: list[str]) -> str:
    """Say where two files of different length seem to part: the first line whose lengths fit no longer."""
    few = min(len(first), len(second))
    ratio = sum(map(len, first)) / max(1, sum(map(len, second)))
    parted = next(
        (i for i in range(few) if bool(first[i].strip()) != bool(second[i].strip())
         or max(len(first[i]) / ratio, len(second[i]), 1) > 4 * max(min(len(first[i]) / ratio, len(second[i])), 5)),
        few,
    )  # fmt: skip
    return (
        f"`{one}` has {len(first):,} lines and `{other}` {len(second):,}, but each line needs its partner; "
        f"they seem to part at line {parted + 1:,}"
    )


def _lying_over(names: list[str], found: list[dict[str, File]], ledger: Ledger) -> list[str]:
    """Leave out pairs of pictures of unequal shape, where nearly all others lie over each other; the size may differ."""
    sizes = [[_size(files[name]) for files in found] for name in names]
    uneven = [
        None not in pair and abs(math.log(pair[0][0] * pair[1][1] / (pair[0][1] * pair[1][0]))) > _UNEVEN  # type: ignore[index]
        for pair in sizes
    ]
    if not 0 < sum(uneven) <= _FEW * len(names):
        return names
    for name, pair, wrong in zip(names, sizes, uneven, strict=True):
        if wrong:
            told = [f"{size[0]} × {size[1]}" for size in pair if size is not None]
            ledger.add(
                found[0][name].name, f"is {told[0]} pixels and its partner {told[1]}: they cannot lie over each other"
            )
    return [name for name, wrong in zip(names, uneven, strict=True) if not wrong]


def _size(file: File) -> tuple[int, int] | None:
    """Return width and height of a picture, or None; a damaged one will be listed when it is read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file.read())) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION, 1) >= _ON_ITS_SIDE
            return (height, width) if turned else (width, height)
    except (OSError, ValueError, SyntaxError, BadCell, Image.DecompressionBombError):
        return None


def _folders(one: Path, other: Path) -> Table:
    ledger = Ledger()
    found = []
    for path in (one, other):
        files = _tree.walk(path, ledger)
        found.append({str(inside.with_suffix("")): file for inside, file in files})
    shared = sorted(set(found[0]) & set(found[1]))
    if not shared:
        raise InputError(f"no file of `{one}` has a partner of the same name in `{other}`")
    for side, away in ((0, other), (1, one)):
        for name in sorted(set(found[side]) - set(shared)):
            ledger.add(found[side][name].name, f"has no partner in {away}")
    shared = _lying_over(shared, found, ledger)
    names = (one.name, other.name) if one.name != other.name else ("x", "y")
    columns = {name: objects(files[key] for key in shared) for name, files in zip(names, found, strict=True)}
    return Table(columns, f"{one} and {other}", names[1], None, {}, lambda i: found[0][shared[i]].name, ledger)
