"""Names with values on the command line."""

from __future__ import annotations


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
