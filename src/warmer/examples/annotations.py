"""A folder or archive of pictures with boxes: Pascal VOC's XML, COCO's JSON, or YOLO's text files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from warmer.errors import BadCell, InputError
from warmer.examples import _tree
from warmer.examples._contract import Ledger, Table, objects
from warmer.examples._split import SIDES, side_of
from warmer.files import File

OPTIONS: dict[str, Any] = {}

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_NAMES = ("classes.txt", "obj.names", "_darknet.labels")
_YAML = ("data.yaml", "dataset.yaml", "data.yml")
_LISTS = ("classes", "obj.names", "readme")
_EDGE = 2.0
"""Pixels that a box may reach over the edge by a slip of counting."""

Files = Sequence[tuple[PurePosixPath, File]]
Boxes = list[tuple[Any, ...]]


def claims(thing: Any) -> bool:
    """Claim folders and archives whose pictures lie beside annotations of one of the three forms."""
    if not isinstance(thing, (str, Path)) or thing == "":
        return False
    path = Path(thing)
    if not _tree.is_tree(path):
        return False
    if not _tree.endings(path) & {".xml", ".json", ".txt"}:
        return False
    try:
        return _form(_tree.walk(path, Ledger())) is not None
    except InputError:
        return False  # whoever reads it next says what is wrong with it


def sample(folder: Path) -> Any:
    """Write twelve tiny pictures of the oldest of formats' successor, with a box each, as YOLO has it."""
    from PIL import Image

    for k in range(12):
        picture = Image.new("L", (16, 16), 0)
        left = 2 if k % 2 else 8
        picture.paste(255, (left, 4 + k % 3, left + 6, 10 + k % 3))
        for place in ("images", "labels"):
            (folder / "sample" / place).mkdir(parents=True, exist_ok=True)
        picture.save(folder / "sample" / "images" / f"{k}.png")
        text = f"{k % 2} {(left + 3) / 16} {(7 + k % 3) / 16} {6 / 16} {6 / 16}\n"
        (folder / "sample" / "labels" / f"{k}.txt").write_text(text, encoding="utf-8")
    (folder / "sample" / "classes.txt").write_text("right\nleft\n", encoding="utf-8")
    return folder / "sample"


def read(thing: Any) -> Table:
    """Return pictures and their boxes; folders named train, validation and test are an official split."""
    path, ledger = Path(thing), Ledger()
    files = _tree.walk(path, ledger)
    form = _form(files)
    assert form is not None
    pictures = {inside: file for inside, file in files if inside.suffix.lower() in _PICTURES}
    found = dict(form(files, pictures, ledger))
    for inside, file in pictures.items():
        if inside not in found:
            ledger.add(file.name, "has no annotation; give it an empty one if it shows nothing")
    kept = sorted(found, key=str)
    cells, boxes = [pictures[inside] for inside in kept], [found[inside] for inside in kept]
    sides = [next((side for part in inside.parts[:-1] if (side := side_of(part)) is not None), None) for inside in kept]
    columns = {"picture": objects(cells), "boxes": objects(boxes)}
    split = "split" if len(set(sides)) > 1 else None
    if split:
        columns[split] = objects(None if side is None else SIDES[side] for side in sides)
    return Table(columns, str(path), "boxes", split, {"boxes": "boxes"}, lambda i: cells[i].name, ledger)


Reader = Callable[[Files, Mapping[PurePosixPath, File], Ledger], Iterator[tuple[PurePosixPath, Any]]]


def _form(files: Files) -> Reader | None:
    """Return what reads these annotations; None if there are none."""
    pictures = {inside.stem for inside, _ in files if inside.suffix.lower() in _PICTURES}
    if not pictures:
        return None
    if any(_is_voc(file) for _, file in _first(files, ".xml", pictures)):
        return _voc
    if any(_is_coco(file) for inside, file in files if inside.suffix.lower() == ".json"):
        return _coco
    texts = [file for _, file in _first(files, ".txt", pictures)]
    # An empty one is a picture that shows nothing; where all are, they are something else.
    return _yolo if any(map(_text, texts)) and all(_is_yolo(file) for file in texts) else None


def _first(files: Files, suffix: str, pictures: Iterable[str], most: int = 5) -> list[tuple[PurePosixPath, File]]:
    """Return some files of an ending that are called as pictures are."""
    known = set(pictures)
    return [pair for pair in files if pair[0].suffix.lower() == suffix and pair[0].stem in known][:most]


def _text(file: File) -> str:
    """Return what a file says; nothing where it cannot be read."""
    try:
        return file.read().decode("utf-8", "replace")
    except BadCell:
        return ""


# ---- Pascal VOC ----


def _is_voc(file: File) -> bool:
    return "<annotation" in _text(file)[:2000]


def _voc(files: Files, pictures: Mapping[PurePosixPath, File], ledger: Ledger) -> Iterator[tuple[PurePosixPath, Any]]:
    """Yield (picture, cell) of one XML file a picture."""
    by_stem = _by_stem(pictures)
    for inside, file in files:
        if inside.suffix.lower() != ".xml":
            continue
        try:
            root = ElementTree.fromstring(file.read())
            boxes = [_voc_box(one) for one in root.iter("object")]
            size = [float(root.findtext(f"size/{side}") or 0) for side in ("width", "height")]
        except (ElementTree.ParseError, ValueError, BadCell) as error:
            ledger.add(file.name, f"cannot be read as Pascal VOC ({error})")
            continue
        place = _nearest(inside, by_stem.get(inside.stem, []))
        if place is None:
            ledger.add(file.name, "belongs to no picture that is there")
            continue
        cell = _cell(size if min(size) > 0 else _size(pictures[place], ledger), boxes, pictures[place].name, ledger)
        if cell is not None:
            yield place, cell


def _voc_box(one: ElementTree.Element) -> tuple[Any, ...]:
    """Return label and corners; VOC counts pixels from 1, and the last one belongs to the box."""
    left, top, right, bottom = (
        float(one.findtext(f"bndbox/{corner}") or "") for corner in ("xmin", "ymin", "xmax", "ymax")
    )
    return (one.findtext("name") or "").strip(), left - 1, top - 1, right, bottom


def _by_stem(pictures: Mapping[PurePosixPath, File]) -> dict[str, list[PurePosixPath]]:
    found: dict[str, list[PurePosixPath]] = {}
    for place in pictures:
        found.setdefault(place.stem, []).append(place)
    return found


def _nearest(inside: PurePosixPath, places: list[PurePosixPath]) -> PurePosixPath | None:
    """Return the place that shares most folders with another."""
    if not places:
        return None
    return max(places, key=lambda place: sum(a == b for a, b in zip(place.parts, inside.parts, strict=False)))


# ---- COCO ----


def _is_coco(file: File) -> bool:
    """Tell by the three words of such a file, without taking it apart: it may be very large."""
    try:
        data = file.read()
    except BadCell:
        return False
    return all(word in data for word in (b'"images"', b'"annotations"', b'"categories"'))


def _coco(files: Files, pictures: Mapping[PurePosixPath, File], ledger: Ledger) -> Iterator[tuple[PurePosixPath, Any]]:
    """Yield (picture, cell) of one JSON file for many pictures."""
    by_stem = _by_stem(pictures)
    for inside, file in files:
        if inside.suffix.lower() != ".json" or not _is_coco(file):
            continue
        try:
            data = json.loads(file.read())
            names = {one["id"]: str(one["name"]) for one in data["categories"]}
            images = {one["id"]: str(one["file_name"]).replace("\\", "/") for one in data["images"]}
        except (ValueError, KeyError, TypeError) as error:
            ledger.add(file.name, f"cannot be read as COCO's JSON ({type(error).__name__}: {error})")
            continue
        boxes: dict[Any, Boxes] = {one: [] for one in images}
        for one in data["annotations"]:
            if one.get("image_id") not in boxes or one.get("category_id") not in names or len(one.get("bbox", ())) != 4:
                ledger.add(
                    f"{file.name}, annotation {one.get('id')}",
                    "names no picture, no category, or no box of four numbers",
                )
                continue
            left, top, wide, high = (float(number) for number in one["bbox"])
            boxes[one["image_id"]].append((names[one["category_id"]], left, top, left + wide, top + high))
        for one in data["images"]:
            name = PurePosixPath(images[one["id"]])
            same = [place for place in by_stem.get(name.stem, []) if place.name == name.name]
            place = _nearest(inside.parent / name, same)
            if place is None:
                ledger.add(f"{file.name}, `{name}`", "is a picture that is not there")
                continue
            size = [float(one.get(side) or 0) for side in ("width", "height")]
            cell = _cell(size if min(size) > 0 else _size(pictures[place], ledger), boxes[one["id"]], str(name), ledger)
            if cell is not None:
                yield place, cell


# ---- YOLO ----


def _is_yolo(file: File) -> bool:
    lines = [line.split() for line in _text(file).split("\n")]
    return all(_are_yolo(words) for words in lines if words)


def _are_yolo(words: Sequence[str]) -> bool:
    """Tell whether these are a class and a box, or a class and the corners of an outline."""
    return (len(words) == 5 or (len(words) >= 7 and len(words) % 2 == 1)) and _are_numbers(words)


def _corners(shares: Sequence[float]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box (middle and size) or of an outline (x and y of each corner)."""
    if len(shares) > 4:
        return min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])
    x, y, wide, high = shares
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _are_numbers(words: Sequence[str]) -> bool:
    try:
        return all(abs(float(word)) < 1e6 for word in words)
    except ValueError:
        return False


def _yolo(files: Files, pictures: Mapping[PurePosixPath, File], ledger: Ledger) -> Iterator[tuple[PurePosixPath, Any]]:
    """Yield (picture, cell) of one text file a picture: class, and middle and size or an outline in shares, a line a box."""
    names = _class_names(files)
    by_stem = _by_stem(pictures)
    for inside, file in files:
        if inside.suffix.lower() != ".txt" or inside.stem.lower() in _LISTS:
            continue
        place = _nearest(inside, by_stem.get(inside.stem, []))
        if place is None:
            ledger.add(file.name, "belongs to no picture that is there")
            continue
        size = _size(pictures[place], ledger)
        if size is None:
            continue
        boxes: Boxes = []
        for number, line in enumerate(_text(file).split("\n")):
            words = line.split()
            if not words:
                continue
            if not _are_yolo(words):
                ledger.add(f"{file.name} line {number + 1}", "is not a class and four numbers", "left out")
                continue
            label, *shares = (float(word) for word in words)
            corners = (share * side for share, side in zip(_corners(shares), (*size, *size), strict=True))
            boxes.append((names.get(int(label), str(int(label))), *corners))
        cell = _cell(size, boxes, pictures[place].name, ledger)
        if cell is not None:
            yield place, cell


def _class_names(files: Files) -> dict[int, str]:
    """Return the names of classes, where a file beside the annotations lists them."""
    for inside, file in files:
        if inside.name.lower() in _NAMES:
            lines = _text(file).split("\n")
            return dict(enumerate(line.strip() for line in lines if line.strip()))
    for inside, file in files:
        if inside.name.lower() in _YAML:
            return _names_in_yaml(_text(file))
    return {}


def _names_in_yaml(text: str) -> dict[int, str]:
    """Return what stands under `names:`, as a list in brackets, as dashes, or as numbers with names."""
    lines = text.split("\n")
    start = next((k for k, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return {}
    inline = lines[start].removeprefix("names:").strip()
    if inline.startswith("["):
        words = " ".join([inline, *lines[start + 1 :]]).partition("]")[0].lstrip("[").split(",")
        return dict(enumerate(word.strip().strip("'\"") for word in words))
    found: dict[int, str] = {}
    for line in lines[start + 1 :]:
        word = line.strip()
        if not word or not (line.startswith((" ", "-"))):
            break
        number, mark, name = word.partition(":")
        if word.startswith("-"):
            found[len(found)] = word.lstrip("- ").strip("'\"")
        elif mark and number.strip().isdigit():
            found[int(number)] = name.strip().strip("'\"")
    return found


# ---- all forms ----


def _size(file: File, ledger: Ledger) -> list[float] | None:
    """Return a picture's width and height; None, listed, where it cannot be opened."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(file.read())) as picture:
            return [float(picture.width), float(picture.height)]
    except (BadCell, UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        ledger.add(file.name, f"cannot be opened ({error})")
        return None


def _cell(size: list[float] | None, boxes: Boxes, name: str, ledger: Ledger) -> dict[str, Any] | None:
    """Return a picture's boxes, put right where that is plain, each doubtful one listed."""
    if size is None:
        return None
    width, height = size
    kept = []
    for label, *corners in boxes:
        left, right = sorted((corners[0], corners[2]))
        top, bottom = sorted((corners[1], corners[3]))
        told = f"{name}, box `{label}` at {left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}"
        if (left, top) != (corners[0], corners[1]):
            ledger.add(told, "has swapped corners, put right", "kept")
        if min(left, top) < -_EDGE or right > width + _EDGE or bottom > height + _EDGE:
            ledger.add(told, f"reaches outside the picture of {width:.0f} × {height:.0f}, cut there", "kept")
        left, right = max(0.0, left), min(width, right)
        top, bottom = max(0.0, top), min(height, bottom)
        if right - left <= 0 or bottom - top <= 0:
            ledger.add(told, "encloses nothing of the picture; the picture stays without it", "kept")
            continue
        kept.append([label, left, top, right, bottom])
    return {"size": [width, height], "boxes": kept}
