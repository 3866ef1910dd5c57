"""What can go wrong, and whose turn it is to act.

    WarmerError                 one sentence: what was expected, what came, what to do
    ├── InputError              the command or the input is wrong         exit status 2
    │   ├── UnknownName         a name that is not in the list; the nearest one is offered
    │   ├── NoAnswers           a network that gives no answers of its own
    │   ├── NotAModel           a file that is no model of ours, or a damaged one
    │   └── Missing             a package, file or column that has to be there first
    ├── BadCell                 one cell of one example cannot be read; its example is left out and listed
    └── RunFailed               training or writing failed                exit status 1

Nothing in the package catches `Exception`: whatever is not in this tree is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class WarmerError(Exception):
    """The root of every error this package raises on purpose; `str(error)` is one sentence for a person."""

    exit_status = 1


class InputError(WarmerError):
    """The command or the input is wrong, and the sentence says what, where and what to do."""

    exit_status = 2


class UnknownName(InputError):
    """A name that is not among those allowed, answered with the nearest one.

    Args:
        what: what the name is meant to be, for example "plan field".
        name: the name that came.
        allowed: the names there are.
    """

    def __init__(self, what: str, name: str, allowed: Iterable[str]) -> None:
        names = sorted(allowed)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        listed = ", ".join(names[:40]) + (" …" if len(names) > 40 else "")
        advice = f"did you mean `{near[0]}`?" if near else f"choose one of: {listed}"
        super().__init__(f"there is no {what} `{name}`; {advice}")


class NoAnswers(InputError):
    """The network was learned elsewhere and gives no answers of its own: it can be learned on from, or looked at."""


class NotAModel(InputError):
    """The file is not a model that this version can open."""


class Missing(InputError):
    """Something that has to be there first is not: a package of an extra, a file, a column."""


class BadCell(WarmerError):
    """One cell cannot be read. The sentence does not name the row: whoever holds the row adds it."""

    exit_status = 2


class RunFailed(WarmerError):
    """Training or writing failed although the input was right."""
