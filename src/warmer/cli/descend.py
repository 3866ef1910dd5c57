"""`warmer descend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from warmer.firststeps import Path as Way

_SHOWN = 12


def run(
    formula: Annotated[str, typer.Argument(help='such as "x**2 + 1" or "x**2 + 3*y**2"')],
    start: Annotated[
        str, typer.Option(metavar="NUMBERS", help="one for each variable, in the order of their names")
    ] = "",
    method: Annotated[
        str, typer.Option(help="hot-and-cold, slope, gradient, momentum, nesterov, rmsprop, adam or newton")
    ] = "gradient",
    step: Annotated[float | None, typer.Option(help="its size; default: what the method usually does with")] = None,
    steps: Annotated[int, typer.Option(help="the most that are made")] = 200,
    starts: Annotated[int, typer.Option(help="instead of --start: go down from so many places within --range")] = 0,
    range_: Annotated[str, typer.Option("--range", metavar="LOW,HIGH", help="between which many starts lie")] = "-3,3",
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "descent.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Go downhill on a formula, step by step, from one place or from many."""
    import sys
    from pathlib import Path

    from warmer.cli import _numbers, _printer
    from warmer.errors import InputError
    from warmer.files import write_whole
    from warmer.firststeps import descend, descend_from_many

    if bool(start) == bool(starts):
        raise InputError("give --start with a place to start from, or --starts with a number of places")
    if starts:
        ends = _numbers.of("--range", range_)
        if len(ends) != 2:
            raise InputError(f"`--range` is two numbers such as -3,3, not `{range_}`")
        many = descend_from_many(formula, *ends, starts=starts, method=method, step=step, steps=steps)
        told, sentence, data = many.to_json(), many.sentence, many.picture()
    else:
        found = descend(formula, _numbers.of("--start", start), method=method, step=step, steps=steps)
        told, sentence, data = found.to_json(), found.sentence, found.picture()
    if json:
        _printer.dump({**told, "picture": out})
    else:
        if not starts:
            _print_way(found)
        print(sentence)
    write_whole(Path(out), data)
    print(f"wrote {out}", file=sys.stderr)


def _print_way(found: Way) -> None:
    """Print the first steps and the last one."""
    count = len(found.points)
    for place, (point, value) in enumerate(zip(found.points, found.values, strict=True)):
        if place < _SHOWN or place == count - 1:
            told = "  ".join(f"{n} = {x:<12.6g}" for n, x in zip(found.formula.variables, point, strict=True))
            print(f"{place:5d}  {told}  value {value:.6g}")
        elif place == _SHOWN:
            print("    …")
