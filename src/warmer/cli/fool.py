"""`warmer fool`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file, ours or a pretrained classifier")],
    inputs: Annotated[list[str] | None, typer.Argument(help="pictures")] = None,
    target: Annotated[
        str | None, typer.Option(metavar="LABEL", help="the answer it shall give; none: any other")
    ] = None,
    epsilon: Annotated[
        str, typer.Option(help="how much a pixel may change, such as 8/255; pgd-l2: the length of the whole change")
    ] = "8/255",
    method: Annotated[str, typer.Option(help="fgsm, pgd, pgd-l2 or deepfool (the smallest change)")] = "pgd",
    steps: Annotated[int, typer.Option(help="steps of the attack")] = 40,
    from_noise: Annotated[bool, typer.Option("--from-noise", help="start from noise instead of a picture")] = False,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="where to write; default: MODEL-look")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Change pictures as little as possible so that the answer changes."""
    from warmer.cli import _finding

    options = {
        "target": target, "epsilon": epsilon, "method": method, "steps": steps, "from_noise": from_noise,
    }  # fmt: skip
    _finding.show(model, "fool", inputs or [], None, options, out, json)
