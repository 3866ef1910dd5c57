"""`warmer predict`."""

from __future__ import annotations

from typing import Annotated

import typer

_SHOWN = 0.001  # a smaller share reads 0.0 %


def run(
    model: Annotated[str, typer.Argument(help="a model file")],
    inputs: Annotated[
        list[str], typer.Argument(help="files, folders, tables without the answer, or a row as JSON in quotes")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="also write DIR/predictions.csv, with the columns that were not read; "
            "where pictures or sounds are made: default MODEL-made",
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="how many alternatives to give")] = 5,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object a line on standard output")] = False,
) -> None:
    """Answer for new inputs."""
    import dataclasses
    import sys
    from pathlib import Path

    from warmer.cli import _inputs, _printer
    from warmer.errors import InputError
    from warmer.files import write_whole
    from warmer.opening import open_model

    found = open_model(model)
    failed, done = 0, 0
    kept, placed = [], []
    folder = Path(out) if out else Path(f"{Path(model).stem}-made")
    for named in _inputs.of(found, inputs):
        for sentence in named.warnings:
            print(f"warmer: {sentence}", file=sys.stderr)
        for index, answer in enumerate(found.predict(named.cells, named.names)):
            done += 1
            failed += answer.value is None
            if found.y.placed:
                placed.append(dataclasses.replace(answer, made=b""))
            if answer.made:
                place = _keep(answer, folder, done)
                if not isinstance(answer.value, (list, dict)):  # boxes and forecasts are values besides
                    answer = dataclasses.replace(answer, value=place)
            line = {**as_json(answer, top), **({"made": place} if answer.made else {})}
            if json:
                _printer.dump(line)
            elif answer.value is None:
                print(f"{answer.input}  not answered: {answer.notes[0].removeprefix(answer.input + ': ')}")
            else:
                print(f"{answer.input}  {place}" if answer.made else as_text(answer, top))
            if out:
                kept.append((named.told(index), line))
    if out:
        print(f"wrote {_write(kept, out)}", file=sys.stderr)
    if (collected := found.y.collected(placed)) is not None:
        write_whole(folder / collected[0], collected[1])
        print(f"wrote {folder / collected[0]}", file=sys.stderr)
    if failed == done:
        raise InputError(f"none of the {done} inputs could be read" if done > 1 else "no input could be read")


def as_json(answer: object, top: int) -> dict[str, object]:
    """Return an answer as `--json` prints it."""
    from warmer.kinds._contract import Answer

    assert isinstance(answer, Answer)
    found: dict[str, object] = {
        "input": answer.input,
        "value": answer.value,
        "confidence": _told(answer.confidence),
        "alternatives": [{"value": value, "confidence": _told(share)} for value, share in answer.top(top)],
        "within": list(answer.within),
        "coverage": _told(answer.coverage),
        "unusual": answer.unusual,
    }
    if answer.anomaly is not None:
        found["anomaly"] = answer.anomaly
    if answer.value is None and answer.notes:
        found["error"] = answer.notes[0]
    return found


def _told(share: float | None) -> float | None:
    """Return a share with the digits that single precision has."""
    return None if share is None else float(f"{share:.6g}")


def as_text(answer: object, top: int) -> str:
    """Return an answer as one line for a person."""
    from warmer.kinds._contract import Answer

    assert isinstance(answer, Answer)
    within, coverage = answer.within, answer.coverage
    if len(answer.alternatives) > 1:
        first, *others = answer.top(max(1, top))
        shown = [first, *((value, share) for value, share in others if share >= _SHOWN)]
        told = "  ".join(f"{value} {share:.1%}" for value, share in shown)
        text = f"{answer.input}  {told}"
    else:
        text = f"{answer.input}  {answer.value}"
        if within and coverage:
            text += f"  ({coverage:.0%} of such answers lie between {within[0]} and {within[-1]})"
    return text + (f"  — unlike the training examples: {answer.unusual}" if answer.unusual else "")


def _keep(answer: object, folder: object, number: int) -> str:
    """Write what was made as a file, and return its path."""
    from pathlib import Path

    from warmer.files import write_whole
    from warmer.kinds._contract import Answer

    assert isinstance(answer, Answer)
    assert isinstance(folder, Path)
    stem = Path(answer.input).stem if len(answer.input) < 100 else ""
    place = folder / f"{number:04d}-{''.join(c if c.isalnum() else '-' for c in stem) or 'answer'}{answer.suffix}"
    write_whole(place, answer.made)
    return str(place)


def _write(lines: list[tuple[dict[str, object], dict[str, object]]], out: str) -> str:
    """Write a table of answers, each behind what stood beside its input, and return its path."""
    import csv
    import io
    from pathlib import Path

    from warmer.files import write_whole

    own = ["input", "value", "confidence", "unusual", "anomaly", "error"]
    names = {name: f"{name} (given)" if name in own else name for beside, _ in lines for name in beside}
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names.values(), *own], extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**{names[name]: cell for name, cell in beside.items()}, **line} for beside, line in lines)
    place = Path(out) / "predictions.csv"
    write_whole(place, text.getvalue().encode())
    return str(place)
