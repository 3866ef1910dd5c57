"""`warmer audit`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file")],
    examples: Annotated[str, typer.Argument(help="labelled examples, of any form that `learn` takes")],
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="compare the groups of this column; may be given several times"),
    ] = None,
    label_errors: Annotated[
        bool | None,
        typer.Option(help="train fresh networks to find probable label errors; default: if it is quick"),
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="where to write; default: MODEL-look")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Ask where a model and its data may be wrong or unfair."""
    from warmer.cli import _finding

    wanted = None if label_errors is None else "yes" if label_errors else "no"
    options = {"by": ",".join(by) if by else None, "mislabelled": wanted}
    _finding.show(model, "audit", [], examples, options, out, json)
