"""Look inside a model: the list of instruments is this folder, plus what outsiders add.

    look = warmer.look(model)
    look.names()                      # those that fit this model
    look.why("cat.jpg").save("out/")

An outsider joins through the entry-point group `warmer.instruments` (name → module). Nothing is imported before it is
asked for.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmer.errors import InputError, UnknownName

if TYPE_CHECKING:
    from warmer.insight._contract import Finding, Subject
    from warmer.model import Model


@cache
def _outsiders() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group="warmer.instruments")}


def names() -> tuple[str, ...]:
    """Return the names of all instruments."""
    here = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return tuple(sorted({*here, *_outsiders()}))


def about(name: str) -> str:
    """Return an instrument's one-line help, without importing it where it lies in this folder."""
    found = importlib.util.find_spec(f"{__name__}.{name}")
    if found is not None and found.origin is not None:
        text = ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8")))
        return (text or "").partition("\n")[0]
    return (get(name).__doc__ or "").partition("\n")[0]


def get(name: str) -> Any:
    """Return an instrument's module.

    Raises:
        UnknownName: there is none.
    """
    if name not in names():
        raise UnknownName("instrument", name, names())
    return _outsiders()[name].load() if name in _outsiders() else importlib.import_module(f"{__name__}.{name}")


def options(name: str) -> Mapping[str, Any]:
    """Return an instrument's options and their defaults."""
    parameters = inspect.signature(get(name).run).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def fits(model: Model) -> dict[str, str | None]:
    """Return instrument → why it does not fit this model, or None where it does."""
    return {name: get(name).NEEDS.missing(model) for name in names()}


def run(name: str, subject: Subject, **wishes: Any) -> Finding:
    """Use an instrument.

    Args:
        name: of the instrument.
        subject: what to look at.
        wishes: its options; text is turned into the type of their defaults.

    Raises:
        UnknownName: there is no such instrument or option.
        InputError: it does not fit the model, or an option has an impossible value.
    """
    from warmer.plan import convert
    from warmer.training import memory

    module = get(name)
    known = options(name)
    given = {}
    for option, value in wishes.items():
        if option not in known:
            raise UnknownName(f"option of {name}", option, known)
        default = known[option]
        given[option] = value if default is None or value is None else convert(option, value, type(default))
    module.NEEDS.check(subject)
    with memory.kept():
        found: Finding = module.run(subject, **given)
    return found


class Look:
    """The instruments of one model as methods: `look.why("cat.jpg", method="occlusion")`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def names(self) -> tuple[str, ...]:
        """Return the instruments that fit."""
        return tuple(name for name, why in fits(self.model).items() if why is None)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names()]

    def __getattr__(self, name: str) -> Callable[..., Finding]:
        if name.startswith("_") or name not in names():
            raise AttributeError(f"there is no instrument `{name}`; there are {', '.join(names())}")

        def use(*inputs: Any, examples: Any = None, **wishes: Any) -> Finding:
            return run(name, subject(self.model, inputs, examples), **wishes)

        use.__name__, use.__doc__ = name, about(name)
        return use


def look(model: Model | str | Path | None = None) -> Look:
    """Return the instruments of a model, of a model file, or of the network that comes with this package."""
    from warmer.opening import SHIPPED, open_model

    given = SHIPPED if model is None else model
    return Look(open_model(given, to_look=True) if isinstance(given, (str, Path)) else given)


def subject(model: Model, inputs: tuple[Any, ...] = (), examples: Any = None) -> Subject:
    """Return what is to be looked at.

    Args:
        model: the model.
        inputs: raw cells of x, or texts that a person would give on the command line.
        examples: anything `warmer.learn` takes.
    """
    from warmer import examples as sources
    from warmer.insight._contract import Subject

    cells, named = [], []
    for place, one in enumerate(inputs):
        cell = model.x.cell(one) if isinstance(one, str) else model.x.cell(str(one)) if isinstance(one, Path) else one
        cells.append(cell)
        is_named = isinstance(one, (str, Path)) and not str(one).lstrip().startswith("{")
        named.append(str(one) if is_named else f"input {place + 1}")
    table = None if examples is None else sources.open(examples)
    if table is not None and not len(table):
        raise InputError("there are no examples to look at")
    return Subject(model, cells, named, table)
