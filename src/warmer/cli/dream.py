"""`warmer dream`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="a model file, ours or a pretrained classifier")],
    photo: Annotated[str | None, typer.Argument(help="a picture; none: noise")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="dream of this answer")] = None,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="dream of what this layer looks for")] = None,
    channel: Annotated[int | None, typer.Option(help="one channel of it alone")] = None,
    size: Annotated[int, typer.Option(help="longest side, pixels")] = 384,
    frames: Annotated[int, typer.Option(help="pictures of an animation of the way there; 0: none")] = 0,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="where to write; default: MODEL-look")] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Let a model paint what it sees into a photo, or into noise."""
    from warmer.cli import _finding

    options = {"label": label, "layer": layer, "channel": channel, "size": size, "frames": frames}
    _finding.show(model, "dream", [photo] if photo else [], None, options, out, json)
