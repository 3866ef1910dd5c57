"""`warmer descend`."""

from __future__ import annotations

from typing import Annotated

import typer

_SHOWN = 12


def run(
    formula: Annotated[str, typer.Argument(help='such as "x**2 + 1" or "x**2 + 3*y**2"')],
    start: Annotated[str, typer.Option(metavar="NUMBERS", help="one for each variable, in the order of their names")],
    method: Annotated[
        str, typer.Option(help="hot-and-cold, slope, gradient, momentum, nesterov, rmsprop, adam or newton")
    ] = "gradient",
    step: Annotated[float | None, typer.Option(help="its size; default: what the method usually does with")] = None,
    steps: Annotated[int, typer.Option(help="the most that are made")] = 200,
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "descent.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Go downhill on a formula, step by step."""
    import sys
    from pathlib import Path

    from warmer.cli import _numbers, _printer
    from warmer.files import write_whole
    from warmer.firststeps import descend

    found = descend(formula, _numbers.of("--start", start), method=method, step=step, steps=steps)
    if json:
        _printer.dump({**found.to_json(), "picture": out})
    else:
        count = len(found.points)
        for place, (point, value) in enumerate(zip(found.points, found.values, strict=True)):
            if place < _SHOWN or place == count - 1:
                told = "  ".join(f"{n} = {x:<12.6g}" for n, x in zip(found.formula.variables, point, strict=True))
                print(f"{place:5d}  {told}  value {value:.6g}")
            elif place == _SHOWN:
                print("    …")
        print(found.sentence)
    write_whole(Path(out), found.picture())
    print(f"wrote {out}", file=sys.stderr)
