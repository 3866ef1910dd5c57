"""Use an instrument and show what it found; shared by all verbs that are instruments."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def listing(model: str, as_json: bool) -> None:
    """Print all instruments: those that fit, then why the others do not."""
    from warmer import insight
    from warmer.cli import _printer
    from warmer.opening import open_model

    found = insight.fits(open_model(model, to_look=True))
    if as_json:
        _printer.dump(
            {"model": model, "instruments": {name: why or insight.about(name) for name, why in found.items()}}
        )
        return
    good = [(name, insight.about(name)) for name, why in found.items() if why is None]
    _printer.table(("instrument", "what it shows"), good, sys.stdout)
    others = [(name, why) for name, why in found.items() if why is not None]
    if others:
        print()
        _printer.table(("not this one", "because"), others, sys.stdout)


def show(
    model: str,
    instrument: str,
    inputs: Sequence[str],
    examples: str | None,
    options: Mapping[str, Any],
    out: str | None,
    as_json: bool,
) -> None:
    """Use one instrument, print its tables, write its pictures."""
    from warmer import insight
    from warmer.cli import _printer
    from warmer.opening import open_model

    insight.get(instrument)
    subject = insight.subject(open_model(model, to_look=True), tuple(inputs), examples)
    found = insight.run(instrument, subject, **options)
    place = Path(out) if out else Path(f"{Path(model).stem}-look")
    written = found.save(place)
    if as_json:
        told = {key: value for key, value in found.to_json().items() if key != "pictures"}
        _printer.dump({"model": model, **told, "files": [str(one) for one in written]})
    else:
        for title, sheet in found.sheets.items():
            print(f"\n{title}")
            rows = [[_cell(value) for value in row] for row in sheet.rows]
            _printer.table(sheet.head, rows, sys.stdout)
        print(f"\n{found.sentence}")
        if found.words:
            print()
        for sentence in found.words:
            print(
                textwrap.fill(sentence, shutil.get_terminal_size().columns, initial_indent="- ", subsequent_indent="  ")
            )
    for one in written:
        print(f"wrote {one}", file=sys.stderr)


def picture(
    model: str, instrument: str, inputs: Sequence[str], options: Mapping[str, Any], out: str, as_json: bool
) -> None:
    """Use an instrument that makes one picture, write that as a file, and say how it went."""
    from warmer import insight
    from warmer.cli import _printer
    from warmer.errors import InputError
    from warmer.files import write_whole
    from warmer.opening import open_model

    if Path(out).suffix.lower() != ".png":
        raise InputError(f"`{out}` should end in .png, as PNG is what is written; give another --out")
    subject = insight.subject(open_model(model, to_look=True), tuple(inputs))
    print(f"painting; {out} shows how far it is", file=sys.stderr)
    found = insight.run(instrument, subject, **options)
    write_whole(Path(out), next(iter(found.pictures.values())))
    if as_json:
        told = {key: value for key, value in found.to_json().items() if key != "pictures"}
        _printer.dump({"model": model, **told, "files": [out]})
    else:
        print(found.sentence)
    print(f"wrote {out}", file=sys.stderr)


def painted_by(painter: str, photo: str, size: int, out: str, as_json: bool) -> None:
    """Let a painter that has learned a style paint a photo."""
    import time

    from warmer.cli import _printer
    from warmer.errors import InputError
    from warmer.files import write_whole
    from warmer.insight import _draw, _painter
    from warmer.model import load

    if Path(out).suffix.lower() != ".png":
        raise InputError(f"`{out}` should end in .png, as PNG is what is written; give another --out")
    model = load(painter)
    began = time.monotonic()
    found = _painter.paint(model, model.x.cell(photo), photo, size)
    seconds = time.monotonic() - began
    write_whole(Path(out), _draw.png_of(found))
    if as_json:
        _printer.dump({"model": painter, "size": list(found.shape[1:]), "seconds": seconds, "files": [out]})
    else:
        print(f"painted in {seconds:.1f} s by {model.evidence['origin']}")
    print(f"wrote {out}", file=sys.stderr)


def _cell(value: Any) -> str:
    from warmer.words import figures

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return figures(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
