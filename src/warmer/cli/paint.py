"""`warmer paint`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    photo: Annotated[str, typer.Argument(help="a picture")],
    style: Annotated[
        str, typer.Option(metavar="PICTURE", help="a picture in the wanted style, or a painter that `learn-style` made")
    ],
    strength: Annotated[float, typer.Option(help="of the style: 1 is usual, 3 is wild, 0.2 is a hint")] = 1.0,
    keep_colours: Annotated[
        bool, typer.Option("--keep-colours", help="take over strokes and textures, not colours")
    ] = False,
    realistic: Annotated[
        bool, typer.Option("--photo", help="stay a photo: colours change place by place, and no line moves")
    ] = False,
    size: Annotated[int, typer.Option(help="longest side, pixels; with --photo as the photo is")] = 512,
    steps: Annotated[int, typer.Option(help="steps at the coarsest size")] = 100,
    backbone: Annotated[
        str | None, typer.Option(metavar="MODEL", help="the network that looks; default: the one that comes along")
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="the PNG to write, and to watch; default: PHOTO-painted.png")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Paint a photo in the style of another picture."""
    from pathlib import Path

    from warmer.cli import _finding
    from warmer.errors import InputError
    from warmer.opening import SHIPPED

    place = out or f"{Path(photo).stem}-painted.png"
    if style.endswith(".safetensors"):
        if realistic or keep_colours or backbone or strength != 1.0:
            raise InputError(
                "a painter paints as it has learned to; leave strength, photo, keep-colours and backbone out"
            )
        _finding.painted_by(style, photo, size, place, json)
        return
    options = {
        "strength": strength, "keep_colours": keep_colours, "photo": realistic, "size": size, "steps": steps,
        "preview": place,
    }  # fmt: skip
    _finding.picture(backbone or str(SHIPPED), "paint", [photo, style], options, place, json)
