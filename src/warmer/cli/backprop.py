"""`warmer backprop`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    inputs: Annotated[str, typer.Option(metavar="NUMBERS", help="what comes in, for example 1,2")],
    target: Annotated[str, typer.Option(metavar="NUMBERS", help="what should come out, one for each answer")],
    hidden: Annotated[str, typer.Option(metavar="NUMBERS", help="neurons of each hidden layer; 0: none")] = "2",
    weights: Annotated[
        str, typer.Option(help="layers between |, neurons between ;: for example 1,2;3,4|5,6; default: drawn at random")
    ] = "",
    biases: Annotated[str, typer.Option(help="layers between |, for example 0,0|1; default: with weights, 0")] = "",
    activation: Annotated[str, typer.Option(help="of hidden layers: tanh, sigmoid, relu, …")] = "tanh",
    loss: Annotated[str, typer.Option(help="squared, absolute, log_loss or cross_entropy")] = "squared",
    rate: Annotated[float, typer.Option(help="step of gradient descent that is tried at the end")] = 0.1,
    seed: Annotated[int, typer.Option(help="the random weights follow from it")] = 0,
    out: Annotated[str, typer.Option(metavar="FILE.png", help="where to draw it")] = "backprop.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Show backpropagation through a small net: every number forwards, and every slope backwards."""
    import sys
    from pathlib import Path

    from warmer.cli import _numbers, _printer
    from warmer.files import write_whole
    from warmer.firststeps import Net

    x, truth = _numbers.of("--inputs", inputs), _numbers.of("--target", target)
    if weights:
        layers = [[_numbers.of("--weights", row) for row in layer.split(";")] for layer in weights.split("|")]
        net = Net.written(
            layers, [_numbers.of("--biases", b) for b in biases.split("|")] if biases else None, activation
        )
    else:
        between = [int(n) for n in _numbers.of("--hidden", hidden) if n]
        net = Net.drawn((len(x), *between, len(truth)), seed=seed, activation=activation)
    passes, table = net.passes(x, truth, loss), net.table(x, truth, loss)
    after = net.stepped(passes, rate).passes(x, truth, loss).loss
    if json:
        told = {"loss": passes.loss, "answer": passes.layers[-1].tolist(), "slopes": table, "loss_after_step": after}
        _printer.dump({**told, "steps": net.steps(x, truth, loss), "picture": out})
    else:
        print("\n".join(net.steps(x, truth, loss)))
        print(f"{'parameter':>10}  {'value':>10}  {'slope':>12}  by a small step")
        for row in table:
            print(f"{row['parameter']:>10}  {row['value']:>10.6g}  {row['slope']:>12.6g}  {row['felt']:.6g}")
        print(f"one step of {rate:g} against the slopes changes the loss from {passes.loss:.6g} to {after:.6g}")
    write_whole(Path(out), net.picture(x, truth, loss))
    print(f"wrote {out}", file=sys.stderr)
