"""`warmer neuron`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    inputs: Annotated[str, typer.Option(metavar="NUMBERS", help="what comes in, for example 3,2,4,2")],
    weights: Annotated[str, typer.Option(metavar="NUMBERS", help="one weight for each input")],
    bias: Annotated[float, typer.Option(help="is added to the weighted sum")] = 0.0,
    threshold: Annotated[
        float | None, typer.Option(help="what the sum has to exceed: the same as a bias of minus it")
    ] = None,
    activation: Annotated[
        str, typer.Option(help="identity, step, sigmoid, tanh, relu, leaky_relu, softplus or gelu")
    ] = "step",
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "neuron.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Show one neuron's arithmetic: inputs times weights, plus a bias, through an activation."""
    import sys
    from pathlib import Path

    from warmer.cli import _numbers, _printer
    from warmer.errors import InputError
    from warmer.files import write_whole
    from warmer.firststeps import Neuron

    if threshold is not None and bias:
        raise InputError("a threshold is a bias of minus it; give one of the two")
    given = _numbers.of("--inputs", inputs)
    neuron = Neuron(tuple(_numbers.of("--weights", weights)), -threshold if threshold is not None else bias, activation)
    lines = neuron.steps(given)
    if json:
        _printer.dump({"sum": neuron.total(given), "value": neuron(given), "steps": lines, "picture": out})
    else:
        print("\n".join(lines))
    write_whole(Path(out), neuron.picture(given))
    print(f"wrote {out}", file=sys.stderr)
