"""`warmer filter`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    image: Annotated[str, typer.Argument(help="a picture")],
    kernel: Annotated[
        str,
        typer.Option(metavar="NAME", help="blur, gaussian, sharpen, edges, emboss, …, or '0 -1 0; -1 5 -1; 0 -1 0'"),
    ] = "edges",
    at: Annotated[str | None, typer.Option(metavar="ROW,COLUMN", help="show the arithmetic at this pixel")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="learn the kernel from before/after pairs, too")] = False,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="where to write; default: IMAGE-look")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Lay one kernel over a picture, as every ConvNet does with hundreds."""
    from pathlib import Path

    from warmer.cli import _finding
    from warmer.opening import SHIPPED

    place = out or f"{Path(image).stem}-look"
    _finding.show(str(SHIPPED), "filter", [image], None, {"kernel": kernel, "at": at, "learn": learn}, place, json)
