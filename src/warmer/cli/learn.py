"""`warmer learn`."""

from __future__ import annotations

from typing import Annotated

import typer

_MULTI = "may be given several times"


def run(
    examples: Annotated[
        list[str],
        typer.Argument(
            help="a built-in name (digits, wine, moons, …), a folder, archive or table; or two parallel ones"
        ),
    ],
    y: Annotated[
        list[str] | None, typer.Option("--y", metavar="COLUMN", help=f"the column to answer; {_MULTI}")
    ] = None,
    x: Annotated[
        list[str] | None,
        typer.Option("--x", metavar="COLUMN", help=f"a column to learn from; {_MULTI}; default: all of use"),
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--as", metavar="SIGNATURE", help='such as "row -> category"')
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=KIND", help=f"read a column as this kind, or `unused`; {_MULTI}"),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="the model file to write; default: named after the examples")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="wall-clock budget for everything; default: stop when it no longer pays")
    ] = None,
    seed: Annotated[int, typer.Option(help="every random choice follows from it")] = 0,
    start: Annotated[
        str | None, typer.Option("--from", metavar="MODEL", help="start from this model or these pretrained weights")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help=f"override a field of the plan; {_MULTI}")
    ] = None,
    x_range: Annotated[
        str | None, typer.Option("--x-range", metavar="LOW,HIGH", help="for a formula such as 'y = sin(3*x)': where")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run of the same command that was cut off")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="also write an HTML report beside the model")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="print exactly one JSON object on standard output")] = False,
) -> None:
    """Learn a function from examples; write it to one model file, with a report beside it."""
    from pathlib import Path

    from warmer.cli import _printer
    from warmer.cli._pairs import pairs, settings
    from warmer.cli._sources import source
    from warmer.cli.app import STARTED

    given = source(examples)
    place = Path(out) if out else Path(_stem(examples[0]) + ".safetensors")
    _check_writable(place)

    from warmer.story import learn

    wishes = settings(set_ or [], learn, minutes=minutes, seed=seed, x_range=x_range)
    printer = _printer.Printer()
    checkpoint = place.with_name(place.name + ".resume")
    model = learn(
        given,
        y=y or (),
        x=x or (),
        signature=signature,
        columns=pairs(column or [], "--column"),
        start=start,
        checkpoint=checkpoint,
        resume=resume,
        listener=printer,
        started=STARTED,
        **wishes,
    )
    model.save(place)
    checkpoint.unlink(missing_ok=True)
    printer.say(f"\nwrote {place}")
    if report:
        from warmer.report import write

        printer.say(f"wrote {write(model, place.with_suffix('.html'))}")
    if json:
        _printer.dump(summary(model, place))


def summary(model: object, place: object) -> dict[str, object]:
    """Return what `--json` prints of a finished model."""
    from warmer.model import Model

    assert isinstance(model, Model)
    evidence = model.evidence
    return {
        "model": str(place),
        "signature": str(model.signature),
        "n": evidence["n"],
        "left_out": evidence["ledger"]["counts"].get("left out", 0),
        "scores": evidence["scores"],
        "intervals": evidence["intervals"],
        "baseline": evidence["baselines"].get("constant", {}).get("scores", {}),
        "baselines": evidence["baselines"],
        "seconds": evidence["seconds"],
        "examples": evidence["examples"],
        "parameters": model.parameters,
        "sentence": evidence["sentence"],
        "curve": evidence.get("curve"),
        "ledger": evidence["ledger"],
        "calibration": {
            "before": {
                name: evidence["before_calibration"].get(name)
                for name in ("ece", "log_loss")
                if name in evidence["scores"]
            },
            "after": {name: evidence["scores"][name] for name in ("ece", "log_loss") if name in evidence["scores"]},
        },
        "plan": model.plan.to_json(),
    }


def _stem(examples: str) -> str:
    """Return what a model of these examples is called when nobody says otherwise."""
    import os
    from pathlib import Path

    if "=" in examples and not os.path.exists(examples):
        return "formula"
    path = Path(examples).resolve()
    name = path.name
    for suffix in (".gz", ".tar", ".zip", ".tgz", path.suffix):
        name = name.removesuffix(suffix) if suffix and not path.is_dir() else name
    return (path.parent.name if name in ("train", "data") else name) or "model"


def _check_writable(place: object) -> None:
    """Refuse, before any work is done, a place where nothing can be written."""
    import os
    from pathlib import Path

    from warmer.errors import InputError

    assert isinstance(place, Path)
    folder = place.parent
    if place.is_dir():
        raise InputError(f"`{place}` is a folder; give a file name with --out")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"nothing can be written to `{place.parent}`; choose another place with --out")
