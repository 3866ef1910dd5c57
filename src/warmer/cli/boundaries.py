"""`warmer boundaries`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    examples: Annotated[
        str, typer.Argument(help="two columns of numbers and a category: xor, moons, spirals, a table")
    ],
    hidden: Annotated[int, typer.Option(help="hidden layers; 0: none, a perceptron")] = 2,
    width: Annotated[int, typer.Option(help="neurons of each hidden layer")] = 32,
    activation: Annotated[str, typer.Option(help="relu, gelu, tanh or sigmoid")] = "relu",
    epochs: Annotated[int, typer.Option(help="passes over the training examples")] = 60,
    learning_rate: Annotated[float, typer.Option(help="peak step size")] = 0.01,
    seed: Annotated[int, typer.Option(help="every random choice follows from it")] = 0,
    out: Annotated[
        str, typer.Option(metavar="FILE.png", help="where to draw it; a film lies beside")
    ] = "boundaries.png",
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Watch a boundary bend, epoch by epoch."""
    import sys
    from pathlib import Path

    from warmer.cli import _printer
    from warmer.files import write_whole
    from warmer.firststeps import boundaries

    found = boundaries(
        examples,
        hidden=hidden,
        width=width,
        activation=activation,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
    )
    place = Path(out)
    film = place.with_suffix(".gif")
    if json:
        told = {"epochs": found.epochs, "accuracies": found.accuracies, "parameters": found.parameters}
        _printer.dump({**told, "sentence": found.sentence, "picture": out, "film": str(film)})
    else:
        print(found.sentence)
    write_whole(place, found.picture())
    write_whole(film, found.film())
    print(f"wrote {place}\nwrote {film}", file=sys.stderr)
