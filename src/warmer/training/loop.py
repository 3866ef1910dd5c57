"""`for moment in descent:` — forward, loss, backward, step, on one screen. There are no callbacks: the iterator is all."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer import scores
from warmer.errors import InputError, RunFailed
from warmer.files import write_whole
from warmer.kinds._contract import Batches, Head, Kind
from warmer.networks.folds import learning
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training import adversary, checkpoint, optimisers, precision, schedules
from warmer.training.followed import Followed
from warmer.training.judging import Part, evaluate, goal
from warmer.training.order import Order
from warmer.training.trail import Trail

Array = NDArray[Any]
Loss = Callable[[Tensor, Tensor], Tensor]

_FAILURES = 2
_LEARNING = 8
"""Times as long as a validation takes that learning goes on before the next, where there is a budget."""


@dataclass(frozen=True)
class Moment:
    """What there is to know after one step.

    Attributes:
        step: steps made.
        epoch: passes over the training examples made, with fraction.
        loss: of this step's batch.
        learning_rate: of the first parameter group.
        done: share of the run that is over, 0 to 1.
        scores: of the validation examples, when they were just scored; else None.
        warmer: whether they are the best so far; None when they were not scored.
        examples_per_second: over the whole run, validation excluded.
        seconds: since the run began, over all its sittings.
        seconds_left: estimated.
        note: something that had to be done about this run, or "".
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    done: float
    scores: Mapping[str, float] | None
    warmer: bool | None
    examples_per_second: float
    seconds: float
    seconds_left: float
    note: str = ""


@dataclass
class State:
    """Everything that changes during a run, besides weights and optimiser; plain JSON."""

    step: int = 0
    seen: int = 0
    total: float = 0.0
    batch: int = 1
    scale: float = 1.0
    failures: int = 0
    best: float | None = None
    stale: int = 0
    validated: float = 0.0
    validating: float = 0.0
    seconds: float = 0.0
    training_seconds: float = 0.0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    followed: list[dict[str, Any]] = field(default_factory=list)


class Descent:
    """Gradient descent as an iterator of `Moment`s; stop it with `break`, or `stop()` from elsewhere.

    Whatever is random in a step follows from the seed and the step's number, so there is no random state to keep, and a
    run that was killed goes on to the very weights it would have had. (With a budget in minutes the length of a run
    depends on the clock; then only the start is the same.)

    Args:
        network: is trained in place; afterwards it has the weights that scored best on the validation examples.
        x, y: fitted kinds.
        training, validation: examples to learn from, and to choose by.
        plan: all choices.
        device: where to compute.
        place: file for checkpoints; None: none are written.
        seconds: how long training may take; None: the plan's epochs decide.
        loss: (outputs, targets) → one number or one an example, instead of the head's own.
        fingerprint: of the examples; a checkpoint of others is refused.
        worthy: whether the network is worth keeping as it comes, so that it has to be beaten.
        schedule: (plan, share of the run that is over) → share of the peak learning rate.
    """

    CHECKPOINT_EVERY = 20.0
    """Seconds between checkpoints."""

    def __init__(
        self,
        network: Network,
        x: Batches,
        y: Kind,
        training: Part,
        validation: Part,
        plan: Plan,
        device: torch.device,
        *,
        place: Path | None = None,
        seconds: float | None = None,
        loss: Loss | None = None,
        fingerprint: str = "",
        worthy: bool = False,
        schedule: Callable[[Plan, float], float] = schedules.rate,
    ) -> None:
        self.made = time.perf_counter()
        self.network, self.x, self.y = network, x, y
        self.training, self.validation, self.plan = training, validation, plan
        self.device, self.place, self.limit, self.own_loss = device, place, seconds, loss
        self.fingerprint, self.schedule = fingerprint, schedule
        head = network.head
        assert isinstance(head, Head)
        self.head = head
        self.scores = [scores.get(name) for name in head.scores]
        self.goal = goal(head, len(validation.rows))
        self.chosen_by = goal(head, 0) if plan.robust else self.goal
        n = len(training.rows)
        self.state = State(total=plan.epochs * n, batch=min(plan.batch, n))
        self.targets = y.batch(training.targets.take(training.rows), torch.device("cpu"))
        self.order = Order(training, y, self.targets, plan)
        head.prepare(self.targets)
        network.to(device)
        self.plan = precision.measured(
            plan, network, self._trial_loss(), self._batch(self._order(0)[: self.state.batch])[0], device
        )
        precision.arrange_network(network, self.plan.memory_format)
        self.optimiser = optimisers.make(network, self.plan)
        self.best = self._weights()
        self.good = self._snapshot()
        self.followed = Followed(y, validation)
        self.trail = Trail(network)
        self.trail.add(network, 0)
        head.quick = True
        self.stopping = False
        self.worthy = worthy

    # ---- the run ----

    def __iter__(self) -> Iterator[Moment]:
        """Train until the plan, the clock, or somebody says stop."""
        state = self.state
        began, before = self.made, state.seconds
        written = time.perf_counter()
        order, epoch = self._order(self._epoch()), self._epoch()
        if self.worthy and state.step == 0:
            self._validate()
        self._note()
        while not state.finished:
            if epoch != self._epoch():
                epoch = self._epoch()
                order = self._order(epoch)
            note = ""
            start = time.perf_counter()
            try:
                value, rate = self._step(order)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                note, value, rate = self._out_of_memory(error), math.nan, 0.0
            else:
                if not math.isfinite(value):
                    note = self._back(value)
            now = time.perf_counter()
            state.training_seconds += now - start
            self._note()
            state.seconds = before + now - began
            found, better = None, None
            if not note and self._is_time_to_validate():
                found, better = self._validate()
                state.seconds = before + time.perf_counter() - began
            state.finished = self.stopping or self.done() >= 1 or self._reached(found)
            if state.finished and found is None and not self.stopping and not note:
                found, better = self._validate()
            yield self._moment(value, rate, found, better, note)
            if self.place and (time.perf_counter() - written > self.CHECKPOINT_EVERY):
                self.save(self.place)
                written = time.perf_counter()
        self._finish()

    def _step(self, order: Array) -> tuple[float, float]:
        """Learn from one batch: forward, loss, backward, step. Return (loss, learning rate)."""
        state, plan = self.state, self.plan
        start = state.seen % len(order)
        rows = order[start : start + state.batch]
        torch.manual_seed(self._seed())
        x, targets = self._batch(rows)
        if plan.augment:
            x, targets = self._changed(x, targets)
        if plan.robust:
            x = self._opposed(x, targets, rows)
        rate = self.schedule(plan, self.done()) * state.scale
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self.network.train()

        def slopes() -> Tensor:
            self.optimiser.zero_grad(set_to_none=True)
            outputs = self._outputs(x)
            with precision.autocast(plan.precision, self.device):
                loss = self._loss(outputs, targets, rows)
            loss.backward()
            if plan.clip:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
            return loss.detach()

        value = float(slopes())
        if math.isfinite(value):
            self.optimiser.step(*((slopes,) if self.optimiser.asks_again else ()))
            state.step += 1
            state.seen += self._advance(len(rows), len(order), start)
        self.optimiser.zero_grad(set_to_none=True)
        return value, float(self.optimiser.param_groups[0]["lr"])

    def _changed(self, x: Any, targets: Tensor) -> tuple[Any, Tensor]:
        """Return inputs changed at random, and targets in other words, or that follow where they say what lies where."""
        generator, epoch = torch.Generator().manual_seed(self._seed()), int(self._epoch())
        if not self.y.placed:
            return self.x.augment(x, generator, epoch), self.y.vary(targets, generator)
        x, movement = self.x.move(x, generator, epoch)
        return x, targets if movement is None else self.y.follow(targets, movement.to(targets.device))

    def _outputs(self, x: Any) -> Tensor:
        with precision.autocast(self.plan.precision, self.device):
            outputs: Tensor = self.network(precision.arrange(x, self.plan.memory_format))
        return outputs

    def _opposed(self, x: Tensor, targets: Tensor, places: Array) -> Tensor:
        """Return inputs as an adversary would change them."""
        generator = torch.Generator().manual_seed(self._seed() + 1)
        self.network.train()
        epsilon, steps = self.plan.epsilon, adversary.LEARNED_STEPS
        return adversary.pushed(
            lambda some: self._loss(self._outputs(some), targets, places), x, epsilon, steps, epsilon / 2, generator
        )

    def _advance(self, learned: int, n: int, start: int) -> int:
        """Return how far a step moves in the epoch; a last batch under half the usual size is not worth a step."""
        left = n - start - learned
        return learned + left if left < self.state.batch / 2 else learned

    def stop(self) -> None:
        """End after the current step."""
        self.stopping = True

    def done(self) -> float:
        """Return the share of the run that is over."""
        if self.limit is not None:
            # The last validation comes after the last step and has to fit in as well.
            return min(1.0, self.state.seconds / max(self.limit - self.state.validating, 0.5 * self.limit))
        return min(1.0, self.state.seen / self.state.total)

    # ---- its parts ----

    def _epoch(self) -> int:
        return self.state.seen // len(self.training.rows)

    def _seed(self) -> int:
        return (self.plan.seed * 1_000_003 + self.state.step * 7919 + self.state.failures) % 2**31

    def _order(self, epoch: int) -> Array:
        return self.order.of(epoch, self.state.batch)

    def _batch(self, places: Array) -> tuple[Any, Tensor]:
        rows = self.training.rows[places]
        x = self.x.batch(self.training.inputs.take(rows), self.device)
        return x, self.targets[torch.from_numpy(places)].to(self.device)

    def _loss(self, outputs: Tensor, targets: Tensor, places: Array) -> Tensor:
        """Return the mean over examples and over the members' own losses, never of the loss of the members' mean."""
        members, folds = self.head.members, self.training.folds_at(places, self.device)
        if members > 1:
            targets = targets.repeat_interleave(members, 0)
        if folds is not None:
            may = learning(folds, self.plan.folds, members)
            outputs, targets = outputs[may], targets[may]
        loss = self.head.loss if self.own_loss is None else self.own_loss
        return loss(outputs, targets).mean()

    def _trial_loss(self) -> Callable[[], Tensor]:
        places = self._order(0)[: self.state.batch]
        x, targets = self._batch(places)
        self.network.train()
        return lambda: self._loss(self.network(x), targets, places)

    def _is_time_to_validate(self) -> bool:
        if self.done() >= 1:
            return True
        if self.limit is not None:
            # Where answers are slow to find, most of the time still goes into learning.
            often = max(1 / max(1, self.plan.validations), _LEARNING * self.state.validating / self.limit)
            return self.done() - self.state.validated >= often
        step = max(len(self.training.rows), self.state.total / max(1, self.plan.validations))
        return self.state.seen - self.state.validated >= step

    def _validate(self) -> tuple[dict[str, float], bool]:
        """Score the validation examples, keep the weights if they are the best, start the cool-down if it is time."""
        state, began = self.state, time.perf_counter()
        outputs, targets = evaluate(self.network, self.x, self.y, self.validation, self.device, self.plan)
        answers, truths = self.head.answers(outputs), self.head.truths(targets)
        found = {self.goal.name: self.goal(answers, truths), **scores.table(self.scores, answers, truths)}
        value = found[self.goal.name]
        if self.plan.robust:
            value, found = self._under_attack(found)
        better = state.best is None or self.chosen_by.better(value, state.best)
        if better and math.isfinite(value):
            state.best, state.stale = value, 0
            self.best = self._weights()
        else:
            state.stale += 1
        if self._no_longer_pays():
            state.total = state.seen / (1 - self.plan.cooldown)
        self.good = self._snapshot()
        self.trail.add(self.network, state.step)
        state.validating = time.perf_counter() - began
        state.validated = state.seen if self.limit is None else self.done() + state.validating / self.limit
        self._note(True)
        return found, better

    def _note(self, always: bool = False) -> None:
        """Note what is answered to the examples that are followed, where it is time and nothing is noted yet."""
        state = self.state
        noted = bool(state.followed) and state.followed[-1]["step"] == state.step
        if self.followed and not noted and (always or self.followed.is_time(state.step)):
            epoch = state.seen / len(self.training.rows)
            state.followed.append(
                self.followed.note(self.network, self.x, self.y, self.device, self.plan, state.step, epoch)
            )

    def _under_attack(self, found: dict[str, float]) -> tuple[float, dict[str, float]]:
        """Return the score to choose by, and all scores, the lead score under attack among them."""
        outputs, targets = adversary.attacked(self.network, self.x, self.y, self.validation, self.device, self.plan)
        answers, truths = self.head.answers(outputs), self.head.truths(targets)
        lead = self.scores[0]
        told = {name: value for name, value in found.items() if name != lead.name}
        attacked = {lead.name: found[lead.name], f"{lead.name}_under_attack": lead(answers, truths)}
        return self.chosen_by(answers, truths), {**attacked, **told}

    def _no_longer_pays(self) -> bool:
        plan, state = self.plan, self.state
        patient = plan.patience == 0 or state.stale < plan.patience or self.limit is not None
        return not patient and state.seen / state.total < 1 - plan.cooldown

    def _reached(self, found: Mapping[str, float] | None) -> bool:
        until = self.plan.until
        if until is None or found is None:
            return False
        lead = self.scores[0]
        return found[lead.name] >= until if lead.best == "high" else found[lead.name] <= until

    def _moment(
        self, value: float, rate: float, found: Mapping[str, float] | None, better: bool | None, note: str
    ) -> Moment:
        state = self.state
        done = self.done()
        left = state.seconds * (1 - done) / max(done, 1e-9) if self.limit is None else self.limit - state.seconds
        speed = state.seen / max(state.training_seconds, 1e-9)
        epoch = state.seen / len(self.training.rows)
        moment = Moment(state.step, epoch, value, rate, done, found, better, speed, state.seconds, max(0.0, left), note)
        if found is not None or note:
            state.history.append(dataclasses.asdict(moment))
        elif state.step % max(1, int(state.total / state.batch / 200)) == 0:
            state.history.append({"step": state.step, "epoch": epoch, "loss": value, "learning_rate": rate})
        return moment

    def _finish(self) -> None:
        """Give the network the best weights, and remove the checkpoint's right to go on."""
        if self.state.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        self.head.quick = False

    # ---- trouble ----

    def _back(self, value: float) -> str:
        """Return to the last good state at a third of the rate; give up after the second time."""
        state = self.state
        state.failures += 1
        if state.failures > _FAILURES:
            raise RunFailed(
                f"the loss became {value} at step {state.step:,} for the third time; look for extreme values in the examples, "
                f"or give a smaller learning rate, e.g. --set learning_rate={self.plan.learning_rate / 30:.1g}"
            )
        weights, optimiser, step, seen = self.good
        self.network.load_state_dict(weights)
        self.optimiser.load_state_dict(_copied(optimiser))
        state.step, state.seen = step, seen
        state.followed = [one for one in state.followed if one["step"] <= step]
        state.scale /= 3
        return f"the loss became {value}: back to step {step:,} at a third of the learning rate"

    def _out_of_memory(self, error: BaseException) -> str:
        """Halve the batch; any other error is passed on."""
        text = str(error).lower()
        if not (isinstance(error, (torch.OutOfMemoryError, MemoryError)) or ("memory" in text and "alloc" in text)):
            raise error
        if self.state.batch <= 1:
            raise RunFailed(
                "there is not enough memory for a single example; give smaller ones, e.g. --set size=64"
            ) from None
        self.optimiser.zero_grad(set_to_none=True)
        self.state.batch //= 2
        return f"out of memory: the batch is halved to {self.state.batch}"

    # ---- what a checkpoint holds ----

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def _snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any], int, int]:
        return self._weights(), _copied(self.optimiser.state_dict()), self.state.step, self.state.seen

    def save(self, place: Path) -> None:
        """Write a checkpoint."""
        tensors = {f"weights.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"good.{name}": tensor for name, tensor in self.good[0].items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser.state_dict())
        tensors |= checkpoint.optimiser_tensors(self.good[1], "good_optimiser")
        trail, told = self.trail.pack()
        tensors |= trail
        data = {
            "trail": told,
            "state": dataclasses.asdict(self.state),
            "plan": self.plan.to_json(),
            "good": self.good[2:],
            "fingerprint": self.fingerprint,
            "threads": torch.get_num_threads(),
        }
        write_whole(place, checkpoint.pack(tensors, data))

    def resume(self, place: Path) -> None:
        """Take up the run whose checkpoint this is.

        Raises:
            InputError: the checkpoint belongs to other examples or another plan.
        """
        tensors, data = checkpoint.unpack(place)
        if data["fingerprint"] != self.fingerprint:
            raise InputError(
                f"the examples are not those of the run in `{place}`; give the same ones, or leave --resume out"
            )
        plan = Plan.from_json(data["plan"])
        changed = [name for name in Plan.names() if not _same(name, getattr(plan, name), getattr(self.plan, name))]
        if changed:
            raise InputError(
                f"`{changed[0]}` was {getattr(plan, changed[0])} in the run in `{place}`; give the same, or leave --resume out"
            )
        self.plan = plan
        precision.arrange_network(self.network, plan.memory_format)
        self.optimiser = optimisers.make(self.network, plan)
        torch.set_num_threads(int(data["threads"]))
        self.network.load_state_dict(
            {n.removeprefix("weights."): t for n, t in tensors.items() if n.startswith("weights.")}
        )
        self.best = {n.removeprefix("best."): t for n, t in tensors.items() if n.startswith("best.")}
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict(checkpoint.optimiser_state(groups, tensors))
        good = {n.removeprefix("good."): t for n, t in tensors.items() if n.startswith("good.")}
        step, seen = data["good"]
        self.good = (good, checkpoint.optimiser_state(groups, tensors, "good_optimiser"), step, seen)
        self.state = State(**data["state"])
        self.trail.unpack(tensors, data["trail"])


def _same(name: str, a: Any, b: Any) -> bool:
    """Tell whether two plans agree in a field; what was measured, and what is advice, may differ between sittings."""
    return name in ("precision", "memory_format", "threads", "advice", "find_learning_rate") or a == b


def _copied(state: Any) -> Any:
    """Return an optimiser's state with its tensors copied."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_copied(value) for value in state]
    return state
