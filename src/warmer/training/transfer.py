"""Starting from a network learned before: first a new head on its features, then, gently, all of it.

Linear probing and then fine-tuning (Kumar et al. 2022, arXiv 2202.10054): a head that fits before the encoder moves keeps
the encoder from being bent out of shape by the first, blind steps.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from warmer import scores
from warmer.examples._store import Store
from warmer.kinds._contract import Batches, Head, Kind
from warmer.networks.features import Features
from warmer.networks.network import Network
from warmer.plan import Plan, Proposal
from warmer.training import curve, precision
from warmer.training.judging import Part, evaluate, goal
from warmer.training.loop import Descent

_MOST_AT_ONCE = 256
_DECAYS = (0.01, 0.1, 1.0)
_HEAD_STEPS = 600
_FEWEST_TO_TUNE = 300


def proposals(n: int) -> Proposal:
    """Propose how `n` examples are learned by a network that has learned before."""
    few = n < _FEWEST_TO_TUNE
    return {
        "fine_tune": (not few, f"{n:,} examples are too few to move the encoder" if few else "after its new head"),
        "optimizer": ("adamw", "small steps from a good place"),
        "learning_rate": (1e-3, "of the head; the encoder's is smaller"),
        "encoder_rate": (0.3, "its last layers; a tenth of that at the first"),
        "weight_decay": (0.01, "small, the start is good"),
        "label_smoothing": (0.1, "keeps a network from being too sure"),
        "dropout": (0.0, "the encoder knows its subject"),
        "epochs": (float(np.clip(1000 / n, 1, 8)), "passes of fine-tuning"),
        "batch": (int(np.clip(2 ** round(np.log2(max(1, n / 40))), 16, 128)), "examples a step"),
        "warmup": (0.1, "so that the first steps do no harm"),
        "cooldown": (0.8, "the rate falls nearly from the start"),
        "patience": (0, "the run is short"),
        "validations": (4, "times the validation examples are scored, at the most"),
        "clip": (1.0, "largest norm of the gradient"),
    }


class _Cached(Batches):
    """Feature vectors in place of examples: `[examples, views, size]`."""

    def batch(self, arrays: Any, device: torch.device) -> Tensor:
        return torch.as_tensor(np.asarray(arrays)).to(device)

    def augment(self, batch: Tensor, generator: torch.Generator, epoch: int) -> Tensor:
        """Take one view of each example at random."""
        chosen = torch.randint(0, batch.shape[1], (len(batch),), generator=generator)
        return batch[torch.arange(len(batch)), chosen].unsqueeze(1)

    def move(self, batch: Tensor, generator: torch.Generator, epoch: int) -> tuple[Tensor, None]:
        """Vectors have no places."""
        return self.augment(batch, generator, epoch), None

    def view(self, batch: Tensor) -> list[Tensor]:
        """Return each view of the batch."""
        return [batch[:, view : view + 1] for view in range(batch.shape[1])]


class _Recall(nn.Module):
    """Cached vectors as features."""

    def __init__(self, members: int) -> None:
        super().__init__()
        self.members = members

    def forward(self, x: Tensor) -> Features:
        return Features((x[:, 0].unflatten(1, (self.members, -1)).flatten(0, 1),), members=self.members)


@dataclass(frozen=True)
class Probe:
    """How good a new head alone is.

    Attributes:
        name, value: of the choosing score, on the validation examples.
        point: the lead score with an eighth of the examples and with all; None where that was not asked or not possible.
    """

    name: str
    value: float
    point: curve.Point | None = None


def fit_head(
    network: Network,
    x: Kind,
    y: Kind,
    training: Part,
    validation: Part,
    plan: Plan,
    device: torch.device,
    *,
    keys: NDArray[Any] | None = None,
) -> Probe:
    """Fit the network's head on its encoder's features, computed once; return how good that is.

    Several weight decays are tried; the one that is best on the validation examples stays.

    Args:
        network: encoder and new head; only the head changes.
        x, y: fitted kinds.
        training, validation: examples to learn from, and to choose by.
        plan: of the whole run.
        device: where to compute.
        keys: of the training rows, by content, if an eighth of them is to be tried as well.
    """
    head = network.head
    assert isinstance(head, Head)
    learn, choose = (_cached(network, x, part, plan, device) for part in (training, validation))
    fresh = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    score = goal(head, len(validation.rows))
    best: tuple[float, float, dict[str, Tensor]] | None = None
    small = Network(_Recall(head.members), head)

    def fitted(part: Part, decay: float, by: scores.Score) -> float:
        head.load_state_dict(fresh)
        short = dataclasses.replace(_short(plan, len(part.rows)), weight_decay=decay)
        for _ in Descent(small, _Cached(), y, part, choose, short, device):
            pass
        return _value(small, y, choose, short, device, by)

    for decay in _DECAYS:
        value = fitted(learn, decay, score)
        if best is None or score.better(value, best[0]):
            best = value, decay, {name: tensor.clone() for name, tensor in head.state_dict().items()}
    assert best is not None
    point = None
    few = None if keys is None else curve.eighth(learn, keys)
    lead = scores.get(head.scores[0])
    if few is not None:
        little = fitted(few, best[1], lead)
        head.load_state_dict(best[2])
        point = curve.Point(little, _value(small, y, choose, _short(plan, len(learn.rows)), device, lead))
    head.load_state_dict(best[2])
    return Probe(score.name, best[0], point)


def _value(network: Network, y: Kind, part: Part, plan: Plan, device: torch.device, score: scores.Score) -> float:
    head = network.head
    assert isinstance(head, Head)
    outputs, targets = evaluate(network, _Cached(), y, part, device, plan)
    return score(head.answers(outputs), head.truths(targets))


def _short(plan: Plan, n: int) -> Plan:
    """Return the plan for the head alone."""
    batch = min(n, 256)
    return dataclasses.replace(
        plan, optimizer="adamw", learning_rate=3e-3, batch=batch, epochs=_HEAD_STEPS * batch / n, warmup=0.02,
        cooldown=0.9, patience=0, validations=12, augment=True, precision="fp32", memory_format="contiguous",
        encoder_rate=1.0, until=None, minutes=None,
    )  # fmt: skip


@torch.no_grad()
def _cached(network: Network, x: Kind, part: Part, plan: Plan, device: torch.device) -> Part:
    """Return examples whose inputs are pooled features of all views, `[examples, views, members * channels]`."""
    network.to(device).eval()
    precision.arrange_network(network, "channels_last")

    def vectors(batch: Any, how: str) -> Tensor:
        with precision.autocast(how, device):
            features = network.features(precision.arrange(batch, "channels_last"))
        return features.pooled(plan.pooling).float().unflatten(0, (-1, features.members)).flatten(1)

    step = part.inputs.at_once(_MOST_AT_ONCE)
    first = x.batch(part.inputs.take(part.rows[:step]), device)
    how = precision.quicker(lambda how: vectors(first, how), device) if plan.precision == "measure" else plan.precision
    found = []
    for start in range(0, len(part.rows), step):
        batch = x.batch(part.inputs.take(part.rows[start : start + step]), device)
        found.append(torch.stack([vectors(one, how) for one in x.view(batch)], 1).cpu().numpy())
    return Part(Store(np.concatenate(found)), part.targets.part(part.rows), np.arange(len(part.rows)), part.folds)
