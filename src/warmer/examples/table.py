"""A table in a file: CSV, TSV, JSON Lines (also .gz), Parquet or Excel."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from warmer.errors import BadCell, InputError, Missing
from warmer.examples._cells import plain
from warmer.examples._contract import Array, Ledger, Table, objects
from warmer.files import File, decoded
from warmer.words import TEXTS

OPTIONS: dict[str, Any] = {}
_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".xlsx", ".xls")
MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "NaT", ".", "-", "--")
_WITH_COMMA = re.compile(r"[+-]?(?:\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?\Z")
_BOOLEANS = {"true": True, "false": False}
_MOST_UNPACKED = 4 * 2**30


def claims(thing: Any) -> bool:
    """Claim files whose names end like a table's."""
    return isinstance(thing, (str, Path)) and os.path.isfile(thing) and _suffix(Path(thing)) in _SUFFIXES


def sample(folder: Path) -> Any:
    """Write a CSV file."""
    place = folder / "sample.csv"
    rows = [f"{k % 7},{k / 40},{'small' if k < 20 else 'big'}" for k in range(40)]
    place.write_text("\n".join(["a,b,y", *rows]), encoding="utf-8")
    return place


def read(thing: Any) -> Table:
    """Read one table."""
    path = Path(thing)
    ledger = Ledger()
    try:
        data = File.at(path).read()
    except BadCell as error:
        raise InputError(f"`{path}` {error}") from None
    if path.suffix.lower() == ".gz":
        data = _unpack(data, path)
    columns, rows = parse(data, _suffix(path), str(path), ledger)
    split = next((name for name in columns if name.lower() in ("split", "fold", "subset")), None)
    return Table(columns, str(path), None, split, {}, lambda i: f"row {int(rows[i])}", ledger)


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _unpack(data: bytes, path: Path) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(_MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"`{path}` is a damaged gzip file ({error}); pack it anew") from None
    if len(found) > _MOST_UNPACKED:
        raise InputError(f"`{path}` unpacks to more than {_MOST_UNPACKED // 2**30} GiB; unpack and cut it first")
    return found


def parse(data: bytes, suffix: str, origin: str, ledger: Ledger) -> tuple[dict[str, Array], Array]:
    """Return name → cells, and the number under which a person finds each row. Rows that do not fit are listed.

    Raises:
        InputError: nothing can be made of the file.
    """
    if suffix in (".parquet", ".pq", ".xlsx", ".xls"):
        return _counted(from_frame(_binary(data, suffix, origin)), 1 if suffix in (".parquet", ".pq") else 2)
    text = decode(data, origin, ledger)
    if not text.strip():
        raise InputError(f"`{origin}` is empty; it needs a header and rows")
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json(text, origin, ledger)
    usual = csv.field_size_limit(len(text) + 1)  # a cell may be as long as a book
    try:
        return _separated(text, origin, ledger)
    finally:
        csv.field_size_limit(usual)


def _counted(columns: dict[str, Array], first: int) -> tuple[dict[str, Array], Array]:
    """Return columns, and their rows counted from `first`."""
    return columns, first + np.arange(len(next(iter(columns.values()), ())))


def decode(data: bytes, origin: str, ledger: Ledger) -> str:
    """Turn bytes into text: by their byte order mark, as UTF-8, else as Windows-1252 with a note."""
    text, odd = decoded(data)
    if odd is not None:
        if b"\0" in data[:4096]:
            raise InputError(f"`{origin}` holds binary data, not text; is its ending right?")
        line = data[:odd].count(b"\n") + 1
        ledger.add(f"line {line}", "is not UTF-8; the file was read as Windows-1252 (Western Europe)", "kept")
    return text


def _binary(data: bytes, suffix: str, origin: str) -> pd.DataFrame:
    try:
        if suffix in (".parquet", ".pq"):
            return pd.read_parquet(io.BytesIO(data))
        return pd.read_excel(io.BytesIO(data))
    except ImportError:
        raise Missing(f"reading `{origin}` needs another package: pip install 'warmer[tables]'") from None
    except (ValueError, OSError, KeyError) as error:
        raise InputError(f"`{origin}` is damaged or no {suffix[1:]} file ({error}); save it anew") from None


def _json(text: str, origin: str, ledger: Ledger) -> tuple[dict[str, Array], Array]:
    """Read one object a line, or one list of objects."""
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"`{origin}` is not JSON (line {error.lineno}: {error.msg}); write one object a line"
            ) from None
    else:
        listed = text.split("\n")  # not splitlines: a text may hold other marks that end lines
    for number, item in enumerate(listed, start=1):
        if isinstance(item, str):
            if not item.strip():
                continue
            try:
                item = json.loads(item)
            except json.JSONDecodeError as error:
                ledger.add(f"line {number}", f"is not JSON ({error.msg})")
                continue
        if not isinstance(item, dict):
            ledger.add(f"line {number}", "is no JSON object")
            continue
        rows.append(item)
        places.append(number)
    if not rows:
        raise InputError(f'`{origin}` holds no JSON object; write one object a line, like {{"size": 3, "price": 5}}')
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {str(name).strip(): tidy(objects(_json_cell(row.get(name)) for row in rows)) for name in names}
    return columns, np.array(places)


def _json_cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, (dict, list)) else value


def _separated(text: str, origin: str, ledger: Ledger) -> tuple[dict[str, Array], Array]:
    """Read comma-, semicolon-, tab- or bar-separated text, whatever its lines end with."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    mark = _delimiter(text)
    header = next(csv.reader(io.StringIO(text), delimiter=mark))
    names = [name.strip() for name in header]
    _check_header(names, origin)
    bad: list[list[str]] = []

    def too_long(row: list[str]) -> None:
        bad.append(row)

    common: dict[str, Any] = {
        "sep": mark,
        "names": list(range(len(names))),
        "header": None,
        "skiprows": 0,
        "index_col": False,
    }
    quick: dict[str, Any] = {
        "keep_default_na": False,
        "na_values": list(MISSING),
        "skipinitialspace": True,
        "low_memory": False,
        "dtype": {place: str for place, name in enumerate(names) if name.casefold() in TEXTS},
    }
    body = text[_header_end(text, mark) :]
    if not body.strip():
        raise InputError(f"`{origin}` has a header and no rows; add examples")
    try:
        frame = pd.read_csv(io.StringIO(body), **common, **quick)
        if _ragged(body, mark, len(names)):
            raise pd.errors.ParserError("ragged")
    except pd.errors.ParserError:
        found, rows = _row_by_row(body, mark, names, origin, ledger)
    else:
        frame.columns = pd.Index(names)
        found, rows = _counted(from_frame(frame), 2)
    return {name: _with_points(cells) for name, cells in found.items()} if mark == ";" else found, rows


def _with_points(cells: Array) -> Array:
    """Return numbers of a column that all have a decimal comma; any other column as it is.

    Who parts cells by semicolons does so as commas part the digits, so that 1,234 is no thousand there.
    """
    there = [cell for cell in cells if cell is not None]
    if cells.dtype != object or not all(isinstance(cell, str) and _WITH_COMMA.match(cell) for cell in there):
        return cells
    commas = sum("," in cell for cell in there)
    return np.array([np.nan if c is None else float(c.replace(",", ".")) for c in cells]) if commas else cells


def _header_end(text: str, mark: str) -> int:
    """Return where the header's record ends, quoted line breaks included."""
    quoted = False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == "\n" and not quoted:
            return place + 1
    return len(text)


def _ragged(body: str, mark: str, count: int) -> bool:
    """Tell quickly whether a row may have too few cells, which pandas fills without a word."""
    lines = body.split("\n")
    if '"' in body:
        return any(len(row) not in (0, count) for row in csv.reader(lines, delimiter=mark))
    return any(line.count(mark) != count - 1 and bool(line.strip()) for line in lines)


def _row_by_row(body: str, mark: str, names: list[str], origin: str, ledger: Ledger) -> tuple[dict[str, Array], Array]:
    """Read a ragged table slowly, listing the rows whose number of cells is wrong."""
    kept: list[list[str]] = []
    places: list[int] = []
    for number, row in enumerate(_records(io.StringIO(body).readlines(), mark, len(names)), start=2):
        if row is None:
            ledger.add(f"row {number}", "opens a quotation mark that is never closed")
        elif len(row) == len(names):
            kept.append(row)
            places.append(number)
        elif row:
            ledger.add(f"row {number}", f"has {len(row)} cells where the header has {len(names)}")
    if not kept:
        raise InputError(
            f"`{origin}` has no row with as many cells as its header ({len(names)}); is `{mark}` its separator?"
        )
    frame = pd.read_csv(
        io.StringIO(_rejoined(kept)),
        header=None,
        names=names,
        keep_default_na=False,
        na_values=list(MISSING),
        low_memory=False,
        dtype={name: str for name in names if name.casefold() in TEXTS},
    )
    return from_frame(frame), np.array(places)


def _records(lines: list[str], mark: str, count: int) -> Iterator[list[str] | None]:
    """Yield the cells of each record; None for one line whose quotation mark would swallow those after it."""
    start = 0
    while start < len(lines):
        reader = csv.reader((lines[k] for k in range(start, len(lines))), delimiter=mark, skipinitialspace=True)
        begin = start
        for row in reader:
            end = start + reader.line_num
            if (end - begin > 1 and len(row) != count) or (end == len(lines) and _open(lines[begin:end], mark)):
                yield None
                break
            yield row
            begin = end
        start = begin + 1


def _open(lines: list[str], mark: str) -> bool:
    """Tell whether a record ends within quotation marks."""
    try:
        list(csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _rejoined(rows: list[list[str]]) -> str:
    found = io.StringIO()
    csv.writer(found).writerows(rows)
    return found.getvalue()


def _delimiter(text: str) -> str:
    """Return the separator that cuts the first lines into the same number of cells, at least two; comma where none does."""
    lines = [line for line in text[:100_000].split("\n")[:20] if line.strip()]
    best, most = ",", 0.0
    for mark in (",", "\t", ";", "|"):
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        width, agreeing = Counter(counts).most_common(1)[0]
        if width > 1 and agreeing / len(counts) * width > most:
            best, most = mark, agreeing / len(counts) * width
    return best


def _check_header(names: list[str], origin: str) -> None:
    double = [name for name, count in Counter(names).items() if count > 1 and name]
    if double:
        raise InputError(f"`{origin}` has two columns named `{double[0]}`; rename one of them")
    for place, name in enumerate(names):
        if not name:
            names[place] = f"unnamed: {place}"


def from_frame(frame: pd.DataFrame) -> dict[str, Array]:
    """Return a pandas table's columns as arrays: numbers as float64 or int64, everything else as Python objects."""
    names = [str(name).strip() for name in frame.columns]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise InputError(f"the table has two columns named `{double[0]}`; rename one of them")
    return {name: _column(frame.iloc[:, place]) for place, name in enumerate(names)}


def declared(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns of numbers that the table itself calls categories, each with the name of that kind."""
    categorical = {
        str(name).strip(): frame[name] for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)
    }
    return {
        name: "category"
        for name, series in categorical.items()
        if pd.api.types.is_numeric_dtype(series.cat.categories.dtype) and 2 <= series.nunique() <= len(series) / 2
    }


def _column(series: Any) -> Array:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return np.asarray(series.to_numpy())
    if pd.api.types.is_bool_dtype(dtype):
        return objects(None if empty else bool(value) for value, empty in zip(series, series.isna(), strict=True))
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    return tidy(plain(series))


def cells(values: list[Any]) -> Array:
    """Return a list as a column; paths as files."""
    if all(isinstance(value, Path) for value in values):
        return objects(File.at(value) for value in values)
    return tidy(objects(values))


def tidy(values: Array) -> Array:
    """Strip text, turn words that stand for nothing into None, and all-number or true/false columns into what they say."""
    plain_types = (str, int, float, bool, type(None), np.generic)
    if values.dtype != object or not all(isinstance(value, plain_types) for value in values):
        return values
    codes, different = pd.factorize(values, use_na_sentinel=True)
    found = [_tidy_cell(value) for value in different]
    there = [value for value in found if value is not None]
    if there and all(isinstance(value, str) and value.lower() in _BOOLEANS for value in there):
        found = [None if value is None else _BOOLEANS[value.lower()] for value in found]
    elif there and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there):
        numbers = np.array([np.nan if value is None else float(value) for value in found] + [np.nan])[codes]
        whole = all(isinstance(value, int) for value in there) and not np.isnan(numbers).any()
        return numbers.astype(np.int64) if whole and np.abs(numbers).max() < 2**53 else numbers
    return objects([*found, None])[codes]


def _tidy_cell(value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
        return None if value in MISSING else value
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
