"""`warmer test`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file")],
    examples: Annotated[
        list[str], typer.Argument(help="labelled examples, of any form that `learn` takes; or two parallel ones")
    ],
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Score a model on labelled examples."""
    import sys
    import time

    from warmer.cli import _printer, _sources
    from warmer.opening import open_model

    began = time.monotonic()
    found = open_model(model)
    result = found.test(_sources.source(examples))
    _printer.Printer(sys.stderr if json else sys.stdout).tested(result)
    if json:
        _printer.dump(
            {
                "model": model,
                "signature": str(found.signature),
                "n": result.n,
                "left_out": result.ledger.left_out,
                "scores": result.scores,
                "intervals": result.intervals,
                "baseline": result.baseline,
                "seconds": time.monotonic() - began,
                "trained_on": result.seen,
                "sentence": result.sentence,
                "ledger": result.ledger.to_json(),
            }
        )
