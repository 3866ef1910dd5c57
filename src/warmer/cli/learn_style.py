"""`warmer learn-style`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    picture: Annotated[str, typer.Argument(help="a picture in the wanted style")],
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="the painter to write; default: named after PICTURE")
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="photos to practise on; default: two that come with scikit-learn"),
    ] = None,
    minutes: Annotated[float, typer.Option(help="of training")] = 10.0,
    strength: Annotated[float, typer.Option(help="of the style: 1 is usual, 3 is wild, 0.2 is a hint")] = 1.0,
    backbone: Annotated[
        str | None, typer.Option(metavar="MODEL", help="the network that looks; default: the one that comes along")
    ] = None,
    seed: Annotated[int, typer.Option(help="every random choice follows from it")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Train a painter: a network that paints any photo in one picture's style in about a second."""
    from pathlib import Path

    from warmer import insight
    from warmer.cli import _printer
    from warmer.errors import InputError
    from warmer.insight import _painter
    from warmer.opening import SHIPPED, open_model

    if minutes <= 0 or strength < 0:
        raise InputError("`minutes` is more than 0, and `strength` at least 0")
    place = Path(out or f"{Path(picture).stem}-painter.safetensors")
    subject = insight.subject(open_model(backbone or SHIPPED, to_look=True), (picture,))
    printer = _printer.Printer()
    model = _painter.learn(subject, _photos(photos), _painter.Wish(strength, minutes, seed=seed), printer)
    model.save(place)
    printer.say(f"\n{model.evidence['notes'][0]}\nwrote {place}")
    if json:
        _printer.dump({"model": str(place), "seconds": model.evidence["seconds"], **model.evidence["painter"]})


def _photos(folder: str | None) -> list[object]:
    """Return the photos to practise on."""
    if folder is None:
        from sklearn.datasets import load_sample_images

        return list(load_sample_images().images)
    from pathlib import Path

    from warmer.errors import InputError
    from warmer.examples import _tree
    from warmer.examples._contract import Ledger

    if not Path(folder).exists():
        raise InputError(f"there is no folder `{folder}`")
    return [file for _, file in _tree.walk(Path(folder), Ledger())]
