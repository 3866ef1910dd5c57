"""Probable label errors: confident learning (Northcutt, Jiang and Chuang 2019, arXiv 1911.00068)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer.examples import _split
from warmer.insight._audited import Audited
from warmer.model import build
from warmer.plan import Plan
from warmer.training.judging import evaluate
from warmer.training.loop import Descent

Array = NDArray[Any]

_FOLDS = 3
_SHORTER = 1 / 3
_LEAST_EPOCHS = 20.0
_LEAST_SEEN = 25_000
_CHOOSING = 0.1
_SECONDS = 150.0
"""Without being asked for, networks are not trained anew for longer than this."""


@dataclass(frozen=True)
class Suspects:
    """Examples whose label is probably wrong, most suspicious first.

    Attributes:
        rows: their places.
        suggested: label index for each.
        doubt: for each, the probability of the suggested label less that of the given one.
        looked_at: how many examples were looked at.
        how: where the probabilities came from, in words.
    """

    rows: Array
    suggested: Array
    doubt: Array
    looked_at: int
    how: str


def suspects(audited: Audited, wanted: bool | None, seed: int) -> Suspects:
    """Find probable label errors among the examples.

    Networks fit the errors among what they learn from, so every probability has to come from one that never saw the
    example: for examples that the model learned from, fresh networks are trained.

    Args:
        audited: the examples.
        wanted: whether to train three fresh networks; None: if that takes under
            two and a half minutes. Without them only examples that the model never learned from are looked at.
        seed: of the folds.
    """
    seen = audited.learned if audited.learned is not None else np.ones(len(audited), dtype=bool)
    if not seen.any():
        return _confident(audited, audited.answers, ~seen, "by the model, which learned from none of them")
    if wanted if wanted is not None else _estimate(audited, int(seen.sum())) < _SECONDS:
        shares, right = crossed(audited, seed)
        how = (
            f"by {_FOLDS} fresh networks, each asked about a third that it never saw "
            f"({right:.1%} of all labels are what they answer)"
        )
        return _confident(audited, shares, np.ones(len(audited), dtype=bool), how)
    how = "by the model, for what it did not learn from; --set mislabelled=yes trains fresh networks to look at all"
    return _confident(audited, audited.answers, ~seen, how)


def _estimate(audited: Audited, learned: int) -> float:
    """Return the seconds that training fresh networks would take."""
    evidence = audited.model.evidence
    if "start" in evidence or evidence.get("own_encoder") or "training_seconds" not in evidence:
        return float("inf")
    n = max(1, int(evidence.get("examples", {}).get("train", learned)))
    plan = audited.model.plan
    return float(evidence["training_seconds"]) * _epochs(plan, n) / plan.epochs * (_FOLDS - 1) * len(audited) / n


def _epochs(plan: Plan, n: int) -> float:
    """Return how long fresh networks are trained on `n` examples.

    As long as the model was, or a third of that where it was long; where examples are few, until they have seen enough to
    be of an opinion of their own.
    """
    return max(min(_LEAST_EPOCHS, max(plan.epochs, _LEAST_SEEN / n)), plan.epochs * _SHORTER)


def crossed(audited: Audited, seed: int) -> tuple[Array, float]:
    """Return probabilities from networks that never saw the example, `[examples, labels]`, and how often they agree."""
    model, device = audited.model, torch.device("cpu")
    folds = _split.deal(audited.keys, _FOLDS)
    plan = model.plan.but(
        "to find label errors",
        epochs=_epochs(model.plan, len(audited) * (_FOLDS - 1) // _FOLDS),
        members=max(1, model.plan.members // model.plan.folds),
        folds=1,
        minutes=None,
        until=None,
        validations=4,
    )
    shares = np.zeros_like(audited.answers)
    order = np.random.default_rng(seed).permutation(len(audited))
    with torch.random.fork_rng(devices=[]):
        for fold in range(_FOLDS):
            torch.manual_seed(seed + fold)
            rest = order[folds[order] != fold]
            few = max(1, round(_CHOOSING * len(rest)))
            network = build(model.x, model.y, plan)
            descent = Descent(
                network, model.x, model.y, audited.part.at(rest[few:]), audited.part.at(rest[:few]), plan, device
            )
            for _ in descent:
                pass
            asked = np.flatnonzero(folds == fold)
            outputs, _ = evaluate(network, model.x, model.y, audited.part.at(asked), device, plan)
            shares[asked] = network.head.answers(outputs)  # type: ignore[operator]
    return shares, float((shares.argmax(1) == audited.truths).mean())


def _confident(audited: Audited, shares: Array, asked: Array, how: str) -> Suspects:
    rows = np.flatnonzero(asked)
    wrong = confident(shares[rows], audited.truths[rows])
    places = rows[wrong]
    suggested = shares[places].argmax(1)
    doubt = shares[places, suggested] - shares[places, audited.truths[places]]
    order = np.argsort(-doubt, kind="stable")
    return Suspects(places[order], suggested[order], doubt[order], len(rows), how)


def confident(shares: Array, given: Array) -> Array:
    """Tell which labels are probably wrong, `[examples]`.

    An example belongs confidently to the label whose probability is highest among those that reach their usual value: the
    mean over the examples that bear that label. How often examples of label i belong confidently to j estimates how many
    labels i should be j, and as many are suspected: those where j is likeliest compared with i (pruning by noise rate).

    Args:
        shares: probabilities from networks that did not see the example, `[examples, labels]`.
        given: the labels it bears, `[examples]`.
    """
    labels = shares.shape[1]
    usual = np.full(labels, np.inf)
    for label in np.unique(given):
        usual[label] = shares[given == label, label].mean()
    reached = np.where(shares >= usual, shares, -1.0)
    sure = reached.max(1) > 0
    joint = np.zeros((labels, labels))
    np.add.at(joint, (given[sure], reached[sure].argmax(1)), 1)
    suspected = np.zeros(len(given), dtype=bool)
    answered = shares.argmax(1)
    for bears in np.unique(given):
        members = np.flatnonzero(given == bears)
        for rather in np.flatnonzero(joint[bears]):
            if rather != bears:
                expected = round(float(joint[bears, rather] / joint[bears].sum() * len(members)))
                doubt = shares[members, rather] - shares[members, bears]
                suspected[members[np.argsort(-doubt, kind="stable")[:expected]]] = True
    return suspected & (answered != given)
