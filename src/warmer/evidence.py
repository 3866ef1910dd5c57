"""Evidence: how good a model is, on examples that neither its training nor any choice ever saw."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer import scores
from warmer.drawing import embedded, picture_png
from warmer.examples import _split
from warmer.examples._prepare import Prepared
from warmer.kinds._contract import Head
from warmer.model import Model, short
from warmer.networks.network import Network
from warmer.novelty import Novelty
from warmer.plan import Plan
from warmer.training import adversary, baselines
from warmer.training.judging import Judgement, Part
from warmer.words import figures

Array = NDArray[Any]

_SHOWN = 12
_LOOKED_AT = 500
_REMEMBERED = 200_000
_FEWEST_FOR_SETS = 20
_TIMED, _TIMED_LATER = 64, 256
_AT_ONCE = 128
"""Test examples whose losses are found together: those of texts take a number for every word there is, at every place."""
_REPORT = 1.0
_TEXT = 400
_DRAWN = 320
_TRIED, _EXPLAINED, _FEW_PARTS, _MANY_PARTS = 24, 2, 3, 60


def part(prepared: Prepared, rows: Array) -> Part:
    """Return some of the examples, to be answered by the whole network."""
    return Part(prepared.inputs, prepared.targets, rows)


def learned(prepared: Prepared, rows: Array) -> Part:
    """Return some of the training or validation examples; where there are folds, each is kept from the members of its own."""
    return Part(prepared.inputs, prepared.targets, rows, None if prepared.folds is None else prepared.folds[rows])


def halves(prepared: Prepared) -> tuple[Array, Array]:
    """Return the validation rows in two: three fifths to choose and calibrate by, two fifths for prediction sets alone."""
    rows = prepared.rows(_split.VALIDATION)
    if len(rows) < 2 * _FEWEST_FOR_SETS:
        return rows, rows[:0]
    # Equal examples stay together: the half is decided by the key, as the side was.
    later = (prepared.keys[rows] & np.uint64(0xFFFF)) >= np.uint64(0.6 * 0x10000)
    return (rows[~later], rows[later]) if 0 < later.sum() < len(rows) else (rows, rows[:0])


def tested(prepared: Prepared, head: Head) -> Part:
    """Return the test examples to judge by, fewer of them where answers are slow to make."""
    return part(prepared, prepared.rows(_split.TEST)).at_most(head.judged)


def compare(head: Head, prepared: Prepared) -> dict[str, dict[str, Any]]:
    """Return the baselines on the test part: name → {"what", "scores"}; made before training, so that their time is known."""
    test, training = tested(prepared, head), part(prepared, prepared.rows(_split.TRAIN))
    truths = head.truths(prepared.y.batch(test.targets.take(test.rows), torch.device("cpu")))
    chosen = [scores.get(name) for name in head.scores]
    found = {}
    constant = head.constant(len(test.rows))
    if constant is not None:
        found["constant"] = {"what": constant[1], "scores": scores.table(chosen, constant[0], truths)}
    unchanged = prepared.y.unchanged(prepared.x, test.inputs.take(test.rows))
    if unchanged is not None:
        found["unchanged"] = {"what": unchanged[1], "scores": scores.table(chosen, unchanged[0], truths)}
    linear = baselines.linear(head, prepared.x, prepared.y, training, test)
    if linear is not None:
        found["linear"] = {"what": linear[1], "scores": scores.table(chosen, linear[0], truths)}
    return found


def seconds_to_judge(network: Network, prepared: Prepared, plan: Plan, learned: bool = False) -> float:
    """Return about how long `judge` and a report will take, by timing a small part of it.

    Args:
        network: on the CPU.
        prepared, plan: what it learns from, and how.
        learned: whether the network has; then its own answers are timed, and else ones as long as the true ones.
    """
    head = network.head
    assert isinstance(head, Head)
    rows = tested(prepared, head).rows
    few = part(prepared, rows[: _TIMED_LATER if learned else _TIMED])  # many texts at once are written quicker
    began = time.perf_counter()
    judged = Judgement(network, prepared.x, prepared.y, few, torch.device("cpu"), plan)
    seen = time.perf_counter()
    with head.rehearsal(judged.targets, learned):
        head.answers(judged.outputs())
    each, answered = (seen - began) / len(few.rows), (time.perf_counter() - seen) / len(few.rows)
    computed = len(rows) + len(prepared.rows(_split.VALIDATION)) + _LOOKED_AT
    constant = head.constant(len(rows))
    resampled = 0.0
    if constant is not None:
        truths = head.truths(prepared.y.batch(prepared.targets.take(rows), torch.device("cpu")))
        for score in (scores.get(name) for name in head.scores):
            began = time.perf_counter()
            score(constant[0], truths)
            shared = score.parts is not None or score.redrawn is not None
            again = 3 if shared else scores.resamples(constant[0], len(rows))
            resampled += (time.perf_counter() - began) * again
    # Answers are asked for several times; those that are slow to make are made once, of the test examples alone.
    asked = head.tried + (computed if head.judged is None else len(rows))
    return each * computed + answered * asked + resampled + _REPORT


def judge(model: Model, prepared: Prepared, comparison: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Calibrate the model on validation examples, score it on test examples, and return all evidence as plain JSON.

    The model's temperature, prediction sets and novelty limit are set on the way.
    """
    head, device = model.head, torch.device("cpu")
    choosing, later = halves(prepared)
    test = tested(prepared, head)
    chosen = [scores.get(name) for name in head.scores]
    asked = _judgement(model, test, device)
    targets = asked.targets
    outputs = asked.outputs()
    before = scores.table(chosen, head.answers(outputs), head.truths(targets))
    raw = head.evidence(outputs, targets)
    calibrating = _judgement(model, learned(prepared, choosing), device)
    head.calibrate(calibrating.outputs(), calibrating.targets)
    unseen = calibrating
    if len(later):
        unseen = _judgement(model, learned(prepared, later), device)
        head.conform(unseen.outputs(), unseen.targets, model.plan.coverage)
    outputs = asked.outputs()
    answers, truths = head.answers(outputs), head.truths(targets)
    found = scores.table(chosen, answers, truths)
    constant = comparison.get("constant", {}).get("scores", {})
    training = prepared.rows(_split.TRAIN)
    model.novelty = _novelty(model, prepared, training, unseen.vectors)
    if len(training) <= _REMEMBERED:
        model.seen = torch.from_numpy(np.unique(short(prepared.keys[training])))
    return {
        "n": len(test.rows),
        "examples": {word: int((prepared.sides == side).sum()) for side, word in enumerate(_split.SIDES)},
        "scores": found,
        "intervals": {score.name: scores.interval(score, answers, truths) for score in chosen},
        "baselines": comparison,
        "before_calibration": before,
        "sentence": head.sentence(found, constant, len(test.rows), ""),
        "uncalibrated": raw,
        **_beside_inputs(head.evidence(outputs, targets), prepared, test),
        "asked": explainable(head, prepared),
        "mistakes": _mistakes(model, prepared, test, outputs, targets),
        "ledger": prepared.ledger.to_json(),
        "columns": [vars(decision) for decision in prepared.columns.decisions],
        "origin": prepared.table.origin,
        "notes": list(prepared.table.notes),
        "environment": environment(),
    }


def under_attack(model: Model, prepared: Prepared) -> dict[str, Any]:
    """Return how good the model is on up to 1,000 test examples that an adversary changes, and the sentence that says so."""
    test = part(prepared, prepared.rows(_split.TEST))
    outputs, targets = adversary.attacked(
        model.network, model.x, model.y, test, torch.device("cpu"), model.plan, steps=adversary.FINAL_STEPS
    )
    lead = scores.get(model.head.scores[0])
    value = lead(model.head.answers(outputs), model.head.truths(targets))
    sentence = (
        f"{lead.name} {figures(value)} on {len(targets):,} of them when each pixel may be changed by "
        f"{model.plan.epsilon * 255:.3g} of 255 to mislead it ({adversary.FINAL_STEPS} steps of projected gradient descent)"
    )
    return {"score": lead.name, "value": value, "n": len(targets), "epsilon": model.plan.epsilon, "sentence": sentence}


def _judgement(model: Model, some: Part, device: torch.device, views: bool = True) -> Judgement:
    return Judgement(model.network, model.x, model.y, some, device, model.plan, views=views)


def _novelty(model: Model, prepared: Prepared, training: Array, unseen: torch.Tensor) -> Novelty:
    """Learn what ordinary features look like, from some training examples and the vectors of unseen ones."""
    rows = training[np.linspace(0, len(training) - 1, min(_LOOKED_AT, len(training))).astype(int)]
    known = _judgement(model, part(prepared, rows), torch.device("cpu"), views=False).vectors
    found = Novelty(known.shape[1])
    found.fit(known, unseen)
    return found


def _mistakes(
    model: Model, prepared: Prepared, test: Part, outputs: torch.Tensor, targets: torch.Tensor
) -> list[dict[str, Any]]:
    """Return the test examples with the largest losses: what they are, what was answered, what is true."""
    head, some = model.head.eval(), zip(outputs.split(_AT_ONCE), targets.split(_AT_ONCE), strict=True)
    with torch.no_grad():
        losses = torch.cat([head.loss(*one) for one in some])
    found = []
    for place in torch.argsort(losses, descending=True)[:_SHOWN].tolist():
        row = int(test.rows[place])
        array = prepared.inputs.take(np.array([row]))[0]
        answer = model.head.decode(outputs[place : place + 1])[0]
        parts = answer.value.values() if isinstance(answer.value, dict) else [answer.value]
        if answer.made or any(isinstance(one, list) for one in parts):
            return []  # what is no single value is shown beside the truth
        sound = prepared.x.sound(array)
        found.append(
            {
                **_named(prepared, row, array),
                "answer": answer.value,
                "confidence": answer.confidence,
                "loss": float(losses[place]),
                **({"sound": embedded(sound)} if sound is not None else {}),
            }
        )
    return found


def _named(prepared: Prepared, row: int, array: Array) -> dict[str, Any]:
    """Return an example's name, its truth, and its picture or what a person reads."""
    picture = prepared.x.picture(array)
    told = {"shown": _shown(prepared, row, array)} if picture is None else {"picture": _shown_picture(picture, 96)}
    truth = prepared.y.show(prepared.targets.take(np.array([row]))[0])
    return {"example": prepared.table.name(row), "truth": truth, **told}


def explainable(head: Head, prepared: Prepared) -> list[dict[str, str]]:
    """Return two test inputs whose answers a report can explain part by part: a text, or the bytes of a sound or picture.

    They have some parts that can be left out, but not too many to see; where the answer is a text, any will do.
    """
    if prepared.x.compound or prepared.y.compound or not (head.spelled or prepared.y.shape == ()):
        return []
    rows = prepared.rows(_split.TEST)
    found: list[dict[str, str]] = []
    for row in rows[np.linspace(0, len(rows) - 1, min(_TRIED, len(rows))).astype(int)]:
        cell = prepared.table.columns[prepared.x_names[0]][int(row)]
        if not head.spelled and not _FEW_PARTS <= len(prepared.x.leave_outs(cell)) <= _MANY_PARTS:
            continue
        array = prepared.inputs.take(np.array([row]))[0]
        sound, picture = prepared.x.sound(array), prepared.x.picture(array)
        name = {"name": prepared.table.name(int(row)).rsplit("/", 1)[-1]}
        if isinstance(cell, str):
            found.append({**name, "words": cell})
        elif sound is not None or picture is not None:
            found.append({**name, "data": embedded(sound if sound is not None else picture_png(picture))})
        if len(found) == _EXPLAINED:
            break
    return found


def followed(prepared: Prepared, rows: Array, moments: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the examples that were followed through training, and what was answered to them when."""
    shown = [_named(prepared, int(row), prepared.inputs.take(np.array([row]))[0]) for row in rows]
    if "made" in moments[0]:
        for one, row in zip(shown, rows, strict=True):
            truth = prepared.y.picture(prepared.targets.take(np.array([row]))[0])
            # Where nothing but a wish was given there is no truth that the picture should be like.
            one |= {"truth_picture": _shown_picture(truth, 96)} if "picture" in one else {}
    return {"examples": shown, "moments": moments}


def _beside_inputs(found: dict[str, Any], prepared: Prepared, test: Part) -> dict[str, Any]:
    """Put the input's picture beside each thing that was made of it."""
    kept = []
    for one in found.get("made", []):
        row = int(test.rows[one["place"]])
        array = prepared.inputs.take(np.array([row]))[0]
        picture = prepared.x.picture(array)
        if "answer_value" in one:  # to be drawn over the input, where that is a picture
            both = {what: prepared.y.drawn(one[f"{what}_value"], picture) for what in ("answer", "truth") if picture}
            kept += [{"drawn": True, **{what: _shown_picture(drawn, _DRAWN) for what, drawn in both.items()}}] * bool(
                both
            )
            continue
        shown = {"said": _shown(prepared, row, array)} if picture is None else {"input": _shown_picture(picture, 128)}
        kept.append({**one, **shown})
    return {**found, "made": kept} if kept else {name: value for name, value in found.items() if name != "made"}


def _shown_picture(picture: Any, side: int) -> str:
    return embedded(picture_png(picture, side))


def _shown(prepared: Prepared, row: int, array: Array) -> Any:
    """Return an input as a person reads it: a text as it stands in the table."""
    cell = prepared.table.columns[prepared.x_names[0]][row]
    return cell[:_TEXT] if isinstance(cell, str) and not prepared.x.compound else prepared.x.show(array)


def environment() -> dict[str, Any]:
    """Return what else could change the result: versions, machine, threads."""
    import sklearn

    import warmer

    return {
        "warmer": warmer.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "date": time.strftime("%Y-%m-%d"),
    }
