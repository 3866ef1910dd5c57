"""Names with values on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Return name → value of texts like `epochs=3`; of `--set`, dashes in names count as underscores."""
    from warmer.errors import InputError

    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark:
            raise InputError(f"`{option} {text}` needs a name and a value with `=` between them")
        found[name.strip().replace("-", "_") if option == "--set" else name] = value.strip()
    return found


def settings(texts: list[str], *runs: Callable[..., Any], **own: Any) -> dict[str, Any]:
    """Return what is wished of a run: what the command's own options say, and over it what `--set` says.

    Args:
        texts: as they came with `--set`.
        runs: what takes the wishes or hands them on; arguments of theirs that are no field of the plan are given otherwise.
        own: name → value of the command's options that are fields of the plan, too; None: left to the plan.

    Raises:
        UnknownName: a name that has to be given otherwise.
        InputError: a value that no run could use.
    """
    from warmer.errors import UnknownName
    from warmer.plan import Plan

    found: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    arguments = {name for run in runs for name in inspect.signature(run).parameters}
    otherwise = arguments - {"encoder", *Plan.names()}
    for name, value in pairs(texts, "--set").items():
        if name in otherwise:
            raise UnknownName("plan field", name, Plan.names())
        found[name] = Plan.convert(name, value) if name in Plan.names() else value
    return found
