"""`warmer report`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file")],
    out: Annotated[str | None, typer.Option(metavar="FILE", help="where to write; default: beside the model")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Write one self-contained HTML page: data, plan, curves, evidence, mistakes."""
    import sys
    from pathlib import Path

    from warmer.cli import _printer
    from warmer.opening import open_model
    from warmer.report import write

    found = open_model(model)
    place = write(found, Path(out) if out else Path(model).with_suffix(".html"))
    print(f"wrote {place}", file=sys.stderr)
    if json:
        _printer.dump({"model": model, "report": str(place), "signature": str(found.signature)})
