"""`warmer flow`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    formula: Annotated[str, typer.Argument(help='such as "x**2 + 3*y**2"')],
    start: Annotated[str, typer.Option(metavar="NUMBERS", help="one for each variable, in the order of their names")],
    step: Annotated[float, typer.Option(help="of the coarsest gradient descent beside the flow")] = 0.1,
    halvings: Annotated[int, typer.Option(help="finer ones, each of half the step")] = 5,
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "flow.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Follow the gradient flow, and see gradient descent come near it as its steps shrink."""
    import sys
    from pathlib import Path

    from warmer.cli import _numbers, _printer
    from warmer.files import write_whole
    from warmer.firststeps import flow

    found = flow(formula, _numbers.of("--start", start), step=step, halvings=halvings)
    if json:
        _printer.dump({**found.to_json(), "picture": out})
    else:
        print(f"{'step':>12}  {'steps':>7}  largest distance from the flow line")
        for size, way, distance in zip(found.steps, found.ways, found.distances, strict=True):
            told = f"{distance:.4g}" if distance < float("inf") else "diverges"
            print(f"{size:>12.6g}  {len(way) - 1:>7,}  {told}")
        print(found.sentence)
    write_whole(Path(out), found.picture())
    print(f"wrote {out}", file=sys.stderr)
