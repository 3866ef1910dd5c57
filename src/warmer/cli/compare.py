"""`warmer compare`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    examples: Annotated[list[str], typer.Argument(help="as of `learn`")],
    vary: Annotated[
        list[str], typer.Option(metavar="NAME=A,B,C", help="a choice and the values to try; once or twice")
    ],
    y: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="the column to answer")] = None,
    signature: Annotated[str | None, typer.Option("--as", help='such as "row -> category"')] = None,
    seed: Annotated[int, typer.Option(help="every random choice follows from it")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="for all runs, a field of the plan")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "comparison.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Learn the same examples several times, and see what one choice does."""
    import sys
    from pathlib import Path

    from warmer.cli import _printer
    from warmer.cli._pairs import pairs, settings
    from warmer.cli._sources import source
    from warmer.comparison import Run, compare
    from warmer.files import write_whole
    from warmer.story import learn

    def told(run: Run) -> None:
        result = run.failed or run.model.evidence["sentence"]  # type: ignore[union-attr]
        print(f"{run.named}: {result}", file=sys.stderr)

    chosen = {name: value.split(",") for name, value in pairs(vary, "--vary").items()}
    wishes = settings(set_ or [], learn, compare, seed=seed)
    found = compare(source(examples), tuple(y or ()), vary=chosen, told=told, signature=signature, **wishes)
    if json:
        _printer.dump({**found.to_json(), "picture": out})
    else:
        rows = found.rows()
        names = list(dict.fromkeys(name for row in rows for name in row))
        _printer.table(names, [[_shown(row.get(name)) for name in names] for row in rows], sys.stdout)
        print(found.sentence)
    write_whole(Path(out), found.picture())
    print(f"wrote {out}", file=sys.stderr)


def _shown(value: object) -> str:
    from warmer.words import figures

    return "" if value is None else figures(value) if isinstance(value, float) else str(value)
