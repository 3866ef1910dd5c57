"""Opening a model file: one of ours, or a pretrained network as it stands."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from warmer import kinds
from warmer.errors import InputError, NoAnswers
from warmer.kinds._contract import Adopted, Kind
from warmer.model import Model, build, load
from warmer.networks import judge, weights
from warmer.plan import Plan, Proposal

SHIPPED = judge.FILE
"""The network that comes with this package, for painting and dreaming without anything to download."""

SHAPING = ("width", "depth", "members", "folds", "stride", "pooling", "dropout", "activation")
"""Fields of a plan that an encoder is built by."""


def open_model(path: str | Path, *, to_look: bool = False) -> Model:
    """Open a model file of ours, or a pretrained classifier (local, or `hf://owner/name`) as a model.

    Args:
        path: of the file.
        to_look: whether a network that gives no answers of its own will do, too.

    Raises:
        NotAModel: it is none, is damaged, or was written by a later version.
        InputError: it is a network that gives no answers of its own.
    """
    if not _is_foreign(path):
        return load(path)
    read = weights.read(path)
    try:
        adopted = kinds.adopt(read, answering=True)
    except NoAnswers:
        if not to_look:
            raise
        adopted = kinds.adopt(read)
    answers = adopted.answers or kinds.nothing()
    plan = Plan.derive([adopted.plan], {})
    network = build(adopted.kind, answers, plan)
    network.encoder.load_state_dict(adopted.weights)
    network.head.load_state_dict({**network.head.state_dict(), **adopted.head})
    evidence = {"origin": str(path), "notes": ["learned elsewhere; nothing is known here about how good it is"]}
    return Model(network, adopted.kind, answers, (adopted.kind.name,), ("answer",), plan, evidence=evidence)


def adopt(start: str | Path) -> Adopted:
    """Open something to start from: a model of ours, or pretrained weights.

    Raises:
        InputError: it is neither, or a model whose encoder is somebody's own module.
    """
    if _is_foreign(start):
        return kinds.adopt(weights.read(start))
    model = load(start)
    return Adopted(
        str(start), model.x, model.network.encoder.state_dict(), _shape(model), x_names=_names(model.x, model.x_names)
    )


def _names(kind: Kind, names: tuple[str, ...]) -> tuple[str, ...]:
    return names if kind.compound else ()


def _shape(model: Model) -> Proposal:
    return {name: (getattr(model.plan, name), "as in the model it starts from") for name in SHAPING}


def _is_foreign(path: str | Path) -> bool:
    """Tell whether this is somebody else's file of weights, a folder of one, or a hub name."""
    if str(path).startswith(weights.HUB) or Path(path).is_dir():
        return True
    try:
        with safe_open(path, "pt") as file:
            return "warmer" not in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False  # `load` says what is wrong with it


def start_with(adopted: Adopted, network: torch.nn.Module) -> None:
    """Put the adopted weights into a new network's encoder.

    Raises:
        InputError: the plan asks for an encoder of another shape.
    """
    try:
        network.load_state_dict(adopted.weights)
    except RuntimeError:
        raise InputError(
            f"the encoder of `{adopted.name}` has another shape; leave {', '.join(SHAPING[:4])} as they are with --from"
        ) from None
