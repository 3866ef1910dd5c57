"""`warmer look`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file, ours or a pretrained classifier")],
    instrument: Annotated[str | None, typer.Argument(help="none: list those that fit this model")] = None,
    inputs: Annotated[list[str] | None, typer.Argument(help="files, or a row as JSON in quotes")] = None,
    examples: Annotated[
        str | None, typer.Option("--examples", metavar="EXAMPLES", help="examples to look at or to compare with")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="an option of the instrument")
    ] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="where to write; default: MODEL-look")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Look inside a model with one of the instruments."""
    from warmer.cli import _finding
    from warmer.cli._pairs import pairs

    if instrument is None:
        _finding.listing(model, json)
    else:
        _finding.show(model, instrument, inputs or [], examples, pairs(set_ or [], "--set"), out, json)
