"""The middle of the story: a network, examples and a plan, until the best weights are found."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from warmer import evidence, scores
from warmer.errors import InputError, RunFailed
from warmer.examples import _split
from warmer.examples._prepare import Columns, Prepared
from warmer.kinds._contract import Head
from warmer.model import Model
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training import curve, finder, transfer
from warmer.training import device as devices
from warmer.training.judging import Part, evaluate
from warmer.training.loop import Descent, Loss, Moment
from warmer.training.trail import Plane
from warmer.words import figures

_COMPARED = 16
"""Examples that a GPU and the processor answer both, before the one is trusted."""
_LATE = 0.8
"""Share of a training with a budget after which judging is timed again, where it depends on how much was learned."""
_LEAST_SECONDS = 2.0
"""A short run beside the main one that gets less than this says nothing."""


class Listener(Protocol):
    """Somebody who is told what happens; the command line's printer, for example. Every method may do nothing."""

    def recognised(self, columns: Columns, table: Any) -> None:
        """Columns have been looked at."""

    def planned(self, plan: Plan, prepared: Prepared, parameters: int) -> None:
        """Everything is ready for training."""

    def noted(self, sentence: str) -> None:
        """Something else is worth a line."""

    def moment(self, moment: Moment) -> None:
        """A step has been made."""

    def judged(self, model: Model) -> None:
        """The model is finished."""


class Silence:
    """A listener that does nothing."""

    def recognised(self, columns: Columns, table: Any) -> None:
        """Nothing."""

    def planned(self, plan: Plan, prepared: Prepared, parameters: int) -> None:
        """Nothing."""

    def noted(self, sentence: str) -> None:
        """Nothing."""

    def moment(self, moment: Moment) -> None:
        """Nothing."""

    def judged(self, model: Model) -> None:
        """Nothing."""


class _Interrupted(Exception):
    """Somebody pressed Ctrl-C during the short runs."""


class Course:
    """What happens between a plan and a finished network.

    Args:
        network: untrained, or with an encoder that has learned before; it is trained in place.
        fresh: makes another untrained one, for the short runs beside it.
        prepared: the examples.
        plan: all choices.
        listener: is told what happens.
        started: when the budget began to run, `time.monotonic()`.
        loss: the user's own.
    """

    def __init__(
        self,
        network: Network,
        fresh: Callable[[], Network],
        prepared: Prepared,
        plan: Plan,
        listener: Listener,
        started: float,
        loss: Loss | None,
    ) -> None:
        self.network, self.fresh = network, fresh
        self.prepared, self.plan, self.listener = prepared, plan, listener
        self.started, self.loss = started, loss
        self.training = evidence.learned(prepared, prepared.rows(_split.TRAIN))
        self.validation = evidence.learned(prepared, evidence.halves(prepared)[0]).at_most(self.head.judged)
        self.device = self._device()
        self.history: list[dict[str, Any]] = []
        self.seconds = self.after = 0.0
        self.trail: Plane | None = None
        self.followed: tuple[Any, list[dict[str, Any]]] = ([], [])
        self.head_alone: transfer.Probe | None = None
        self.curve: dict[str, Any] | None = None
        self.range_test: dict[str, Any] | None = None

    @property
    def head(self) -> Head:
        """The network's end."""
        assert isinstance(self.network.head, Head)
        return self.network.head

    def _device(self) -> torch.device:
        """Return the plan's device; if nobody asked for it and it does not answer as the CPU does, the CPU."""
        device, cpu = devices.choose(self.plan), torch.device("cpu")
        if self.plan.device != "auto" or device == cpu:
            return device
        few, plan = self.training.at_most(_COMPARED), self.plan.but("", precision="fp32")

        def answers(where: torch.device) -> Tensor:
            return evaluate(self.network.to(where), self.prepared.x, self.prepared.y, few, where, plan)[0]

        why = devices.mistrusted(device, answers)
        self.network.to(cpu)  # heads see their targets there first
        if why:
            self.listener.noted(f"{device.type} {why}; the processor is used instead")
        return cpu if why else device

    def fit_head(self) -> bool:
        """Fit a new head on the features of an encoder that has learned before; False where that head needs more."""
        if not self.head.pools:
            return False
        began = time.monotonic()
        self.listener.noted("fitting the new head on the features of every example, computed once")
        probe = transfer.fit_head(
            self.network,
            self.prepared.x,
            self.prepared.y,
            self.training,
            self.validation,
            self.plan,
            self.device,
            keys=self.prepared.keys[self.training.rows] if self.plan.advice else None,
        )
        self.seconds += time.monotonic() - began
        self.listener.noted(f"the new head alone: {probe.name} {figures(probe.value)} on the validation examples")
        self.head_alone = probe
        if probe.point is not None:
            self._advise(probe.point, None, of=" of the new head alone")
        return True

    def try_learning_rates(self) -> None:
        """Tell where a range test would put the learning rate."""
        found = finder.range_test(
            self.fresh(), self.prepared.x, self.prepared.y, self.training, self.plan, self.device, loss=self.loss
        )
        self.range_test = found.to_json()
        self.listener.noted(found.sentence())

    def descend(self, place: Path | None, resume: bool) -> None:
        """Train all of the network, then find out what more examples and time would bring."""
        aside = self.plan.advice and self.head_alone is None
        left = self._seconds_left()
        short = left / (curve.SHARE + 2) if left is not None and aside else None
        aside = aside and (short is None or short >= _LEAST_SECONDS)
        descent = self._descent(
            self.network,
            self.training,
            self.plan,
            short * curve.SHARE if short is not None and aside else left,
            place=place,
            fingerprint=self.prepared.fingerprint(),
            worthy=self.head_alone is not None,
        )
        if resume and place is not None:
            descent.resume(place)
        self.plan = descent.plan
        self.listener.planned(self.plan, self.prepared, sum(p.numel() for p in self.network.parameters()))
        allowed = descent.limit or math.inf
        timed_again = left is None or not self.head.unsteady
        with interruptible(descent.stop):
            for moment in descent:
                self.listener.moment(moment)
                if left is not None and not timed_again and _LATE <= moment.done < 1:
                    timed_again = True
                    descent.limit = allowed * self._share_kept(descent, left)
        self.history, self.seconds = descent.state.history, self.seconds + descent.state.seconds
        self.trail = descent.trail.plane(self.network)
        self.followed = (self.validation.rows[descent.followed.places], descent.state.followed)
        if aside and not descent.stopping:
            self._draw_curves(descent, short)

    def _share_kept(self, descent: Descent, left: float) -> float:
        """Return how much of the time that was left for all training is left, or more, if judging goes as it would by now."""
        network, quick = descent.network.to("cpu"), descent.head.quick
        descent.head.quick = False
        after = evidence.seconds_to_judge(network, self.prepared, self.plan, learned=True)
        descent.head.quick = quick
        network.to(self.device)
        return max(0.0, 1 - (after - self.after) / left)

    def _descent(self, network: Network, training: Part, plan: Plan, seconds: float | None, **options: Any) -> Descent:
        x, y = self.prepared.x, self.prepared.y
        return Descent(
            network, x, y, training, self.validation, plan, self.device, seconds=seconds, loss=self.loss, **options
        )

    def _draw_curves(self, descent: Descent, seconds: float | None) -> None:
        """Make the short runs beside a finished one; Ctrl-C, or a loss that will not stay finite, ends them alone."""
        began = time.monotonic()
        self.listener.noted(
            "short runs, to say what more examples and time would bring (--set advice=no leaves them out)"
        )
        state, n = descent.state, len(self.training.rows)
        stopped = seconds is None and state.total < self.plan.epochs * n * 0.999
        now = curve.best(self.history, scores.get(self.head.scores[0]).name)
        few = curve.eighth(self.training, self.prepared.keys[self.training.rows])
        examples = less = None
        try:
            if few is not None:
                plan = curve.of_fewer(self.plan, state.seen / n, len(few.rows))
                examples = curve.Point(self._short_run(plan, few, seconds), now)
            if not stopped:
                less = curve.Point(
                    self._short_run(curve.of_less(self.plan, state.seen / n), self.training, seconds), now
                )
        except (_Interrupted, RunFailed) as error:
            self.listener.noted(f"no forecast: {error}")
        else:
            self._advise(examples, less, stopped)
        self.seconds += time.monotonic() - began

    def _short_run(self, plan: Plan, training: Part, seconds: float | None) -> float:
        """Return the lead score that a fresh network reaches."""
        torch.manual_seed(plan.seed)
        descent = self._descent(self.fresh(), training, plan, seconds)
        with interruptible(descent.stop):
            for _ in descent:
                pass
        if descent.stopping:
            raise _Interrupted("you stopped the short runs; the model is finished")
        return curve.best(descent.state.history, scores.get(self.head.scores[0]).name)

    def _advise(
        self, examples: curve.Point | None, time: curve.Point | None, stopped: bool = False, of: str = ""
    ) -> None:
        score = scores.get(self.head.scores[0])
        self.curve = {
            "score": score.name,
            "of": {
                what: {"eighth": point.little, "all": point.all, "twice": curve.forecast(score, point)}
                for what, point in (("examples", examples), ("time", time))
                if point is not None
            },
            "sentence": curve.sentence(score, examples, time, stopped, of),
        }

    def advice(self) -> dict[str, Any]:
        """Return what was found out beside the training, for the evidence."""
        followed = evidence.followed(self.prepared, *self.followed) if self.followed[1] else None
        found = {"curve": self.curve, "range_test": self.range_test, "followed": followed}
        return {name: value for name, value in found.items() if value is not None}

    def _seconds_left(self) -> float | None:
        """Return how long training may take, so that everything together keeps to the budget; None without one."""
        if self.plan.minutes is None:
            return None
        spent = time.monotonic() - self.started
        self.after = after = evidence.seconds_to_judge(self.network, self.prepared, self.plan)
        left = self.plan.minutes * 60 - spent - after
        if left < 1:
            raise InputError(
                f"reading the examples took {spent:.0f} s and judging will take about {after:.0f} s "
                f"of the {60 * self.plan.minutes:.0f} s allowed; give more --minutes"
            )
        return left


@contextlib.contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C call `stop`; the second interrupts as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: Any) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
