"""Examples on the command line: one source, or two parallel ones."""

from __future__ import annotations


def source(examples: list[str]) -> str | tuple[str, str]:
    """Return what `examples` names, as `learn` takes it.

    Raises:
        InputError: there are more than two, or one of two parallel ones is missing.
    """
    from pathlib import Path

    from warmer.errors import InputError

    if len(examples) > 2:
        raise InputError(
            f"give one source of examples, or two parallel ones, not {len(examples)}; several answers are named with --y"
        )
    missing = next((one for one in examples if len(examples) == 2 and not Path(one).exists()), None)
    if missing is not None:
        raise InputError(f"there is no file or folder `{missing}`; two parallel ones are two text files or two folders")
    return (examples[0], examples[1]) if len(examples) == 2 else examples[0]
