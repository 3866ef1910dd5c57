"""What the benchmarks share: a run of ours that can be made step by step, and the timing of several by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from warmer import evidence, story
from warmer.examples import _prepare, _split
from warmer.examples._prepare import Prepared
from warmer.model import build
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training import device as devices
from warmer.training.loop import Descent


def prepared_for(source: Any, y: str = "", **wishes: Any) -> tuple[Prepared, Plan]:
    """Return examples and plan as `warmer.learn` would make them."""
    wanted = story.Wishes.sort({"seed": 0, **wishes})
    table, decided, options = story._recognised(source, (), (y,) if y else (), None, None, wanted, None)
    split = {name: wanted.plan[name] for name in ("test_share", "validation_share", "time") if name in wanted.plan}
    prepared = _prepare.prepare(table, decided, options=options, **split)
    plan = story._plan(prepared, wanted, None, None)
    devices.prepare(plan)
    return prepared, plan


def network_for(prepared: Prepared, plan: Plan) -> Network:
    """Return an untrained network, its head as the run would prepare it."""
    torch.manual_seed(0)
    return build(prepared.x, prepared.y, plan)


def descent_of(prepared: Prepared, plan: Plan) -> Descent:
    """Return a run of ours before its first step."""
    training = evidence.learned(prepared, prepared.rows(_split.TRAIN))
    validation = evidence.learned(prepared, evidence.halves(prepared)[0])
    network = network_for(prepared, plan)
    return Descent(network, prepared.x, prepared.y, training, validation, plan, torch.device("cpu"))


def endless(plan: Plan) -> Plan:
    """Return a plan that never stops by itself, and never looks at validation examples."""
    return plan.but("measured here", validations=0, epochs=1e9, patience=0)


def steps_of(descent: Descent) -> Callable[[], int]:
    """Return a function that makes one step and returns how many examples it learned from."""
    moments: Iterator[Any] = iter(descent)

    def step() -> int:
        before = descent.state.seen
        next(moments)
        return descent.state.seen - before

    return step


def by_turns(runs: Mapping[str, Callable[[], int]], rounds: int, least: float) -> dict[str, float]:
    """Return things done a second by each, the median over rounds in which all take turns, so that none has a quieter machine.

    Args:
        runs: name → does some things and returns how many.
        rounds: turns each.
        least: seconds a turn.
    """
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < least:
                done += run()
            found[name].append(done / (time.perf_counter() - start))
    return {name: float(np.median(rates)) for name, rates in found.items()}


def told(what: str, rates: Mapping[str, float], ours: str = "warmer") -> str:
    """Return one line: our rate, and how many times each other's it is."""
    beside = ", ".join(
        f"{name} {rate:,.1f} ({rates[ours] / rate:.2f}×)" for name, rate in rates.items() if name != ours
    )
    return f"{what}: {ours} {rates[ours]:,.1f} a second; {beside}"
