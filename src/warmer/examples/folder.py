"""A folder or archive: one folder a category, of files or of texts, or files with a `metadata.csv` beside them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from warmer.errors import BadCell, InputError
from warmer.examples import _tree
from warmer.examples._contract import Array, Ledger, Table, objects
from warmer.examples._split import SIDES, side_of
from warmer.examples.annotations import claims as annotated
from warmer.files import File, decoded

OPTIONS: dict[str, Any] = {}
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.tsv")
_WRITTEN, _MOSTLY = (".txt", ""), 9
_LOOKED_AT = 20
_IGNORED = (".txt", ".md", ".html", ".pdf", ".json", ".xml", ".csv", ".tsv", ".py", ".db", ".ini", ".log")


def claims(thing: Any) -> bool:
    """Claim folders, zips and tars."""
    if not isinstance(thing, (str, Path)) or thing == "":
        return False
    path = Path(thing)
    return _tree.is_tree(path) and not annotated(path)


def sample(folder: Path) -> Any:
    """Write a folder of two class folders of tiny grey pictures in the oldest of formats."""
    for k in range(40):
        place = folder / "sample" / ("dark" if k < 20 else "bright") / f"{k}.pgm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"P5 4 4 255\n" + bytes([6 * k] * 16))
    return folder / "sample"


def read(thing: Any) -> Table:
    """Read either layout; folders named train, validation and test (at the top) are an official split."""
    path = Path(thing)
    ledger = Ledger()
    files = _tree.walk(path, ledger)
    if not files:
        first = f"; first left out: {ledger.entries[0].example} {ledger.entries[0].reason}" if ledger.entries else ""
        raise InputError(f"`{path}` is empty; put one folder of files a category into it{first}")
    metadata = [inside for inside, _ in files if inside.name.lower() in _METADATA]
    if metadata:
        return _described(path, files, metadata, ledger)
    return _classes(path, files, ledger)


def _classes(path: Path, files: list[tuple[PurePosixPath, File]], ledger: Ledger) -> Table:
    """Read one folder a category; where hardly anything but texts lies in them, what they say is the example."""
    written = _ending_of_texts(files)
    files = [pair for pair in files if _is_example(pair, written, ledger)]
    depth = _shared_depth([inside for inside, _ in files])
    official = any(side_of(inside.parts[depth]) is not None for inside, _ in files if len(inside.parts) > depth + 2)
    cells, names, labels, sides = [], [], [], []
    for inside, file in files:
        parts = inside.parts[depth:]
        side = side_of(parts[0]) if official else None
        parts = parts[1:] if side is not None else parts
        if len(parts) < 2:
            ledger.add(file.name, "lies in no category's folder")
            continue
        try:
            cells.append(file if written is None else _text(file, ledger))
        except BadCell as error:
            ledger.add(file.name, str(error))
            continue
        names.append(file.name)
        labels.append(parts[0])
        sides.append(None if side is None else SIDES[side])
    if not cells:
        raise InputError(
            f"`{path}` has no folders of examples; put the files of each category into a folder of its name"
        )
    columns: dict[str, Array] = {"file" if written is None else "text": objects(cells), "category": objects(labels)}
    split = "split" if any(sides) else None
    if split:
        columns[split] = objects(sides)
    return Table(columns, str(path), "category", split, {"category": "category"}, lambda i: names[i], ledger)


def _ending_of_texts(files: list[tuple[PurePosixPath, File]]) -> str | None:
    """Return how the names of texts end (".txt", or in nothing) where hardly anything else lies there; else None."""
    endings = Counter(inside.suffix.lower() for inside, _ in files)
    for ending in _WRITTEN:
        others = sum(count for other, count in endings.items() if other not in (ending, *_IGNORED))
        if endings[ending] > _MOSTLY * others:
            some = [file for inside, file in files if inside.suffix.lower() == ending]
            return ending if all(map(_reads, some[:: max(1, len(some) // _LOOKED_AT)])) else None
    return None


def _reads(file: File) -> bool:
    """Tell whether a file seems to be a text, or is damaged anyway."""
    try:
        begin = file.read()[:4096]
    except BadCell:
        return True
    return begin.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" not in begin


def _text(file: File, ledger: Ledger) -> str:
    text, odd = decoded(file.read())
    if odd is not None:
        ledger.add(file.name, "is not UTF-8; it was read as Windows-1252 (Western Europe)", "kept")
    return text


def _is_example(pair: tuple[PurePosixPath, File], written: str | None, ledger: Ledger) -> bool:
    """Pass over what lies beside the examples, and say so: notes; where the examples are texts, all that ends otherwise."""
    inside, file = pair
    suffix = inside.suffix.lower()
    if suffix not in _IGNORED if written is None else suffix == written:
        return True
    ledger.add(file.name, f"is a {inside.suffix} file, no example" if suffix else "has no ending, and is no example")
    return False


def _shared_depth(paths: list[PurePosixPath]) -> int:
    """Return how many leading folders all paths share, as archives often wrap everything in one folder."""
    depth = 0
    while all(len(path.parts) > depth + 2 for path in paths) and len({path.parts[depth] for path in paths}) == 1:
        if side_of(paths[0].parts[depth]) is not None:
            break
        depth += 1
    return depth


def _described(
    path: Path, files: list[tuple[PurePosixPath, File]], metadata: list[PurePosixPath], ledger: Ledger
) -> Table:
    """Read files listed in `metadata.csv` by their column `file_name`; one metadata file a side is allowed."""
    from warmer.examples import table as tables

    by_place = dict(files)
    cells: list[Any] = []
    columns: dict[str, list[Any]] = {}
    sides: list[str | None] = []
    for place in metadata:
        try:
            data = by_place[place].read()
        except BadCell as error:
            raise InputError(f"`{path / place}` {error}; list the files in it, or take it away") from None
        part, rows = tables.parse(data, place.suffix, str(path / place), ledger)
        if "file_name" not in part:
            raise InputError(f"`{path / place}` needs a column `file_name`; it has {', '.join(part)}")
        side = side_of(place.parent.name) if place.parent.parts else None
        kept = []
        for row, name in enumerate(part["file_name"]):
            file = by_place.get(place.parent / str(name).replace("\\", "/"))
            if file is None:
                ledger.add(f"{place} row {int(rows[row])}", f"names `{name}`, which is not there")
                continue
            kept.append(row)
            cells.append(file)
            sides.append(None if side is None else SIDES[side])
        for name, values in part.items():
            if name != "file_name":
                columns.setdefault(name, []).extend(values[row] for row in kept)
    listed = {file.name for file in cells}
    unlisted = Counter(inside.suffix for inside, file in files if file.name not in listed and inside not in metadata)
    found: dict[str, Array] = {
        "file_name": objects(cells),
        **{name: tables.tidy(objects(v)) for name, v in columns.items()},
    }
    split = "split" if "split" in found else None
    if split is None and any(sides):
        found["split"], split = objects(sides), "split"
    answers = [name for name in columns if name != "split"]
    y = answers[0] if len(answers) == 1 else None
    notes = [f"{sum(unlisted.values())} files are not listed in the metadata and are not used"] if unlisted else []
    return Table(found, str(path), y, split, {}, lambda i: cells[i].name, ledger, notes)
