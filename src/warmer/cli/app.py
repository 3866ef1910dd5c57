"""The command `warmer`: the list of verbs is this folder; options, help and defaults come from each verb's signature."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import time
from typing import Any

STARTED = time.monotonic()
"""When the process began, as nearly as can be told: budgets count from here."""


def verbs() -> tuple[str, ...]:
    """Return the names of all verbs, as they are typed."""
    import warmer.cli

    return tuple(
        sorted(
            m.name.replace("_", "-")
            for m in pkgutil.iter_modules(warmer.cli.__path__)
            if not m.name.startswith("_") and m.name != "app"
        )
    )


def make() -> Any:
    """Return the typer application. A verb's module imports nothing heavy before its `run` is called."""
    import typer

    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.callback()
    def about() -> None:
        """Show it examples of x and y; it learns the function between them and says honestly how good it is."""

    for name in verbs():
        module = importlib.import_module(f"warmer.cli.{name.replace('-', '_')}")
        app.command(name)(module.run)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; return 0 (done), 1 (the run failed) or 2 (the command or the input is wrong)."""
    from warmer.errors import WarmerError

    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if "--version" in arguments[:1]:
        import warmer

        print(f"warmer {warmer.__version__}")
        return 0
    try:
        make()(arguments, prog_name="warmer")
    except WarmerError as error:
        if debug:
            raise
        print(f"warmer: {error}", file=sys.stderr)
        return error.exit_status
    except SystemExit as leaving:  # typer has printed help, or what is wrong with the command
        return int(leaving.code or 0)
    except KeyboardInterrupt:
        print("warmer: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
