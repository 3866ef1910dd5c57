"""The story: open, recognise, split, plan, build, descend, judge."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from warmer import evidence, examples, kinds, opening
from warmer.course import Course, Listener, Silence
from warmer.errors import InputError, UnknownName
from warmer.examples import _apart, _derived, _prepare, _series, _split, _strung
from warmer.examples._contract import Table
from warmer.examples._prepare import Columns, Prepared
from warmer.kinds._contract import Adopted
from warmer.model import Model, build
from warmer.networks.network import Network
from warmer.plan import Plan, Proposal
from warmer.signature import Signature
from warmer.training import adversary, memory, optimisers, transfer
from warmer.training import device as devices
from warmer.training.loop import Loss

_LOOKED_AT = 200


@dataclass(frozen=True)
class Wishes:
    """What the user set, sorted by whose it is."""

    plan: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def sort(cls, wishes: Mapping[str, Any]) -> Wishes:
        """Sort names into plan fields, options of kinds and options of sources.

        Raises:
            UnknownName: a name that nobody knows; the nearest known one is offered.
        """
        of_kinds = {name: one for kind in kinds.names() for name, one in kinds.get(kind).options().items()}
        of_sources = examples.options()
        plan, kind, source = {}, {}, {}
        for name, value in wishes.items():
            if name in Plan.names():
                plan[name] = Plan.convert(name, value)
            elif name in of_kinds:
                kind[name] = of_kinds[name].convert(name, value)
            elif name in of_sources:
                source[name] = value
            else:
                raise UnknownName("plan field", name, [*Plan.names(), *of_kinds, *of_sources])
        return cls(plan, kind, source)


def learn(
    source: Any,
    y: str | Sequence[str] = (),
    x: str | Sequence[str] = (),
    *,
    signature: str | None = None,
    columns: Mapping[str, str] | None = None,
    minutes: float | None = None,
    seed: int = 0,
    start: str | Path | None = None,
    encoder: nn.Module | str | None = None,
    loss: Loss | str | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    started: float | None = None,
    **wishes: Any,
) -> Model:
    """Learn a function from examples, and say how good it is on examples it never saw.

    Args:
        source: a built-in name, a path, a table, (x, y) arrays, or a list of (x, y) pairs.
        y: the column to answer, or several.
        x: the columns to learn from; none: all that are of use.
        signature: such as `"row -> category"`, where another one is wanted than recognised.
        columns: column → kind, or "unused", where another one is wanted than recognised.
        minutes: wall-clock budget for everything; none: training stops by itself when it no longer pays.
        seed: every random choice follows from it.
        start: a model of ours, or pretrained weights, to start from.
        encoder: a module of your own from x's batch to `[batch, channels, *grid]` or `Features`, instead of the kind's; or the
            name of what shall read a sequence: transformer, gru, lstm, convnet, or bag.
        loss: (outputs, targets) → one loss an example, or one number, instead of the head's; or the name of one: mse, mae,
            huber, gaussian, laplace or quantile for numbers.
        checkpoint: file for checkpoints; none: none are written.
        resume: go on from that file if it is there.
        listener: somebody to be told what happens.
        started: `time.monotonic()` of when the budget began to run; none: now.
        wishes: fields of the plan, options of the kinds and of the source, by name.

    Raises:
        InputError: the examples or the wishes are wrong; the sentence says what to do.
        RunFailed: training diverged three times.
    """
    started = time.monotonic() if started is None else started
    listener = listener or Silence()
    if isinstance(encoder, str):
        wishes, encoder = {**wishes, "reader": encoder}, None
    if isinstance(loss, str):
        wishes, loss = {**wishes, "loss": loss}, None
    wanted = Wishes.sort({**wishes, "seed": seed, **({"minutes": minutes} if minutes is not None else {})})
    adopted = opening.adopt(start) if start is not None else None
    if adopted is not None and encoder is not None:
        raise InputError("an encoder of your own and another model to start from cannot both be given; leave one out")
    table, decided, options = _recognised(source, _names(x), _names(y), signature, columns, wanted, adopted)
    listener.recognised(decided, table)
    if adopted is not None and decided.signature.x != adopted.kind.name:
        raise InputError(f"`{adopted.name}` takes {adopted.kind.name} and `{table.origin}` holds {decided.signature.x}")
    prepared = _prepare.prepare(
        table,
        decided,
        options=options,
        time=wanted.plan.get("time"),
        test_share=wanted.plan.get("test_share", 0.2),
        validation_share=wanted.plan.get("validation_share"),
        store=wanted.plan.get("store", "auto"),
        adopted=adopted.kind if adopted else None,
    )
    plan = _plan(prepared, wanted, adopted, encoder)
    prepared = prepared.dealt(plan.folds)
    devices.prepare(plan)
    torch.manual_seed(plan.seed)
    network, fresh = _built(prepared, plan, adopted, encoder)
    course = Course(network, fresh, prepared, plan, listener, started, loss)
    comparison = evidence.compare(course.head, prepared)
    place = Path(checkpoint) if checkpoint else None
    resumed = resume and place is not None and place.exists()
    with memory.kept():
        fitted = adopted is not None and not resumed and course.fit_head()
        if plan.find_learning_rate and not resumed:
            course.try_learning_rates()
        if not fitted or plan.fine_tune:
            course.descend(place, resumed)
        model = Model(
            course.network,
            prepared.x,
            prepared.y,
            prepared.x_names,
            prepared.y_names,
            course.plan,
            history=course.history,
            trail=course.trail,
        )
        model.evidence = evidence.judge(model, prepared, comparison)
        if plan.robust:
            model.evidence["robust"] = evidence.under_attack(model, prepared)
    model.evidence["own_encoder"] = encoder is not None
    if adopted is not None:
        probe = course.head_alone
        model.evidence["start"] = {"from": adopted.name, "head_alone": {probe.name: probe.value} if probe else None}
    model.evidence |= course.advice()
    model.evidence["seconds"] = time.monotonic() - started
    model.evidence["training_seconds"] = course.seconds
    listener.judged(model)
    return model


def _recognised(
    source: Any,
    x: tuple[str, ...],
    y: tuple[str, ...],
    signature: str | None,
    columns: Mapping[str, str] | None,
    wanted: Wishes,
    adopted: Adopted | None,
) -> tuple[Table, Columns, Mapping[str, Any]]:
    """Return the examples, what was decided about their columns, and options of the kinds."""
    table = examples.open(source, y, **wanted.source)
    if _series.asked(wanted.source):
        y = (str(table.y),)  # rows became stretches, and the columns asked for what is forecast of them
    found = _derived.derive(table, Signature.parse(signature) if signature else None, x, y)
    named = tuple(found.x) or tuple(name for name in (adopted.x_names if adopted else ()) if name in table.columns)
    table, plan = found.table, wanted.plan
    decided = _prepare.decide(table, named, tuple(found.y), found.signature, columns, plan.get("group"))
    _apart.check(table, plan)
    if not (table.split or set(_apart.BY) & set(plan)):
        table.notes.extend(_apart.noticed(table, set(table.columns) - {*x, *decided.of("y")}))
    if join := plan.get("join", ""):
        parts = (plan.get("test_share", 0.2), plan.get("validation_share"))
        table = _strung.strung(table, decided, join, parts, plan["seed"])
    return table, decided, {**found.options, **wanted.kinds}


def _built(
    prepared: Prepared, plan: Plan, adopted: Adopted | None, encoder: nn.Module | None
) -> tuple[Network, Callable[[], Network]]:
    """Return the network to train, and a function that makes another like it, untrained."""
    untouched = copy.deepcopy(encoder)

    def made(own: nn.Module | None) -> Network:
        network = build(prepared.x, prepared.y, plan, own)
        if adopted is not None:
            opening.start_with(adopted, network.encoder)
        return network

    return made(encoder), lambda: made(copy.deepcopy(untouched))


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _of_line(prepared: Prepared, wanted: Wishes, adopted: Adopted | None, encoder: nn.Module | None) -> list[Proposal]:
    """Return what a linear network and a named loss ask for, or say why they cannot be.

    Raises:
        InputError: x cannot be handed on as it is, or y has no such loss.
    """
    x, y, n = prepared.x, prepared.y, len(prepared.rows(_split.TRAIN))
    loss = wanted.plan.get("loss", "auto")
    if loss != "auto" and loss not in y.losses:
        known = f"one of {', '.join(y.losses)}" if y.losses else "not open to choice"
        raise InputError(f"the loss of {y.name} is {known}, so `{loss}` cannot be had; leave it out")
    if wanted.plan.get("network", "auto") != "linear":
        if wanted.plan.get("optimizer") == "bfgs":
            raise InputError("optimizer=bfgs goes to the bottom of a linear network's loss; give network=linear, too")
        return []
    if encoder is not None or adopted is not None:
        raise InputError("a linear network has no encoder; leave out yours, or network=linear")
    if not (x.linear and y.losses):
        raise InputError(
            "network=linear is for numbers, categories, dates and pictures as x and for numbers and categories as y; "
            "leave it out, or leave out the other columns with --column NAME=unused"
        )
    numbers = int(np.prod([size or 1 for size in x.shape]))
    return [optimisers.proposals(n, numbers, y.discrete, wanted.plan.get("optimizer"))]


def _plan(prepared: Prepared, wanted: Wishes, adopted: Adopted | None, encoder: nn.Module | None) -> Plan:
    """Lay the kinds' proposals and the user's wishes over the defaults."""
    minutes, n = wanted.plan.get("minutes"), len(prepared.rows(_split.TRAIN))
    x, y = prepared.x, prepared.y
    proposals = [x.proposals(n, "x", minutes, y), y.proposals(n, "y", minutes, x)]
    rows = prepared.rows(_split.TRAIN)[:_LOOKED_AT]
    proposals.append(x.beside_answers(prepared.inputs.take(rows), y, prepared.targets.take(rows), n))
    if adopted is not None:
        proposals += [transfer.proposals(n), adopted.plan]
        if y.placed:  # what finds places learns from nothing, whatever the encoder knows
            proposals.append(y.proposals(n, "y", minutes, x))
    if encoder is not None or adopted is not None:
        proposals.append({"residual": (False, "the encoder hands on no x")})
    if encoder is not None:
        proposals.append({"folds": (1, "there is one encoder of yours")})
    elif prepared.own_validation or "validation_share" in wanted.plan:
        proposals.append({"folds": (1, "there is a validation part of its own")})
    proposals += _of_line(prepared, wanted, adopted, encoder)
    if wanted.plan.get("robust"):
        if not x.bounded:
            raise InputError(
                f"`robust` is for pictures, whose pixels can be changed a little, not for {x.name}; leave it out"
            )
        if adopted is not None:
            raise InputError("`robust` needs a network trained from nothing; leave out --from, or robust")
        proposals.append(adversary.proposals(proposals[0]))
    if (optimizer := wanted.plan.get("optimizer")) is not None:
        proposals.append(optimisers.instead(Plan.derive(proposals, {}), optimizer))
    plan = Plan.derive(proposals, wanted.plan)
    if plan.folds > 1 and encoder is not None:
        raise InputError("an encoder of your own cannot be multiplied; leave folds out")
    return plan.but("you asked for it", options=dict(wanted.kinds)) if wanted.kinds else plan
