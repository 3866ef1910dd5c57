"""The list of kinds is this folder, plus what outsiders register. Nothing is imported before it is asked for.

An outsider joins through the entry-point group `warmer.kinds` (name → module) or, in one call, `register(module)`.
The module holds one subclass of `Kind`, whose `name` is the module's.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from warmer.errors import UnknownName

if TYPE_CHECKING:
    from warmer.kinds._contract import Adopted, Bid, Cells, Kind
    from warmer.networks.weights import Weights

_registered: dict[str, type[Kind]] = {}


def register(kind: type[Kind]) -> type[Kind]:
    """Add a kind of somebody's own to the list, for this process. Usable as a decorator."""
    _registered[kind.name] = kind
    return kind


@cache
def _outsiders() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group="warmer.kinds")}


def names() -> tuple[str, ...]:
    """Return the names of all kinds."""
    here = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return tuple(sorted({*here, *_outsiders(), *_registered}))


def about(name: str) -> str:
    """Return the first line of a kind's description, without importing it where it lies in this folder."""
    found = importlib.util.find_spec(f"{__name__}.{name}")
    if found is not None and found.origin is not None:
        with open(found.origin, encoding="utf-8") as file:
            return (ast.get_docstring(ast.parse(file.read())) or "").partition("\n")[0]
    return (get(name).__doc__ or "").partition("\n")[0]


def get(name: str) -> type[Kind]:
    """Return a kind by name.

    Raises:
        UnknownName: there is none.
    """
    if name in _registered:
        return _registered[name]
    if name not in names():
        raise UnknownName("kind", name, names())
    if name in _outsiders():
        module = _outsiders()[name].load()
    else:
        module = importlib.import_module(f"{__name__}.{name}")
    return _class_in(module, name)


def _class_in(module: Any, name: str) -> type[Kind]:
    from warmer.kinds._contract import Kind

    if isinstance(module, type):
        return module
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Kind) and value.__dict__.get("name") == name:
            return value
    raise UnknownName("kind", name, names())


def recognise(cells: Cells, column: str, role: str) -> tuple[str, Bid]:
    """Let every kind bid for a column; return the winner's name and its bid. Ties go to the first name, and are told."""
    from warmer.kinds._contract import Bid

    bids = sorted(
        ((get(name).recognise(cells, column=column, role=role), name) for name in names()),
        key=lambda pair: (-pair[0].sure, pair[1]),
    )
    best, name = bids[0]
    if len(bids) > 1 and best.sure > 0 and bids[1][0].sure == best.sure:
        best = Bid(best.sure, f"{best.why} (just as likely: {bids[1][1]})")
    return name, best


def load(data: Mapping[str, Any]) -> Kind:
    """Return the fitted kind that `Kind.to_json` wrote."""
    return get(str(data["kind"])).from_json(data)


def adopt(weights: Weights, *, answering: bool = False) -> Adopted:
    """Return a pretrained network as an encoder of whichever kind knows it; `answering`: with its own answers.

    Raises:
        InputError: none does.
    """
    for name in names():
        if (found := get(name).adopt(weights, answering=answering)) is not None:
            return found
    from warmer.errors import InputError

    few = ", ".join(list(weights.tensors)[:3])
    raise InputError(
        f"`{weights.name}` is no network that is known here (its weights are called {few} …); "
        "start from one of: a model of ours, a timm or torchvision network listed in the documentation, a transformers encoder"
    )


def nothing() -> Kind:
    """Return the y of a network that gives no answers of its own."""
    from warmer.kinds._nothing import Nothing

    return Nothing()


def compound() -> str:
    """Return the name of the kind that several columns together are."""
    return next(name for name in names() if get(name).compound)
