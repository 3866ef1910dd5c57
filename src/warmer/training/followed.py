"""A few validation examples whose answers are noted while a network learns: from chance to certain."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from warmer.kinds._contract import Batches, Head, Kind
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training.judging import Part, evaluate

MOST = 6


class Followed:
    """Examples of different categories, and what was answered to each at steps 0, 1, 2, 4, 8 and so on.

    Args:
        y: the kind of the answers.
        validation: examples to choose from; none are chosen where answers are not one of several labels.
    """

    def __init__(self, y: Kind, validation: Part) -> None:
        self.places = _of_each(y, validation)
        self.part = validation.at(self.places)

    def __bool__(self) -> bool:
        return len(self.places) > 0

    def is_time(self, step: int) -> bool:
        """Tell whether a step is a power of two, or the first."""
        return step & (step - 1) == 0

    def note(
        self, network: Network, x: Batches, y: Kind, device: torch.device, plan: Plan, step: int, epoch: float
    ) -> dict[str, Any]:
        """Return what is answered now, as plain JSON: each truth's share, and the likeliest answer with its share."""
        head = network.head
        assert isinstance(head, Head)
        outputs, targets = evaluate(network, x, y, self.part, device, plan)
        shares, truths = head.answers(outputs), head.truths(targets)
        said = shares.argmax(1)
        order = np.arange(len(said))
        return {
            "step": step,
            "epoch": epoch,
            "truth": _figures(shares[order, truths]),
            "said": [y.show(code) for code in said],
            "sure": _figures(shares[order, said]),
        }


def _of_each(y: Kind, validation: Part) -> np.ndarray[Any, Any]:
    """Return places of up to six examples, of as many different categories as there are."""
    if not y.discrete or y.compound or not len(validation.rows):
        return np.zeros(0, dtype=int)
    targets: Tensor = y.batch(validation.targets.take(validation.rows), torch.device("cpu"))
    if targets.dim() != 1:
        return np.zeros(0, dtype=int)
    codes = targets.long().numpy()
    turn = np.zeros(len(codes), dtype=int)
    for code in np.unique(codes):
        alike = np.flatnonzero(codes == code)
        turn[alike] = np.arange(len(alike))
    first = np.lexsort((codes, turn))
    found = first[: len(np.unique(codes))]
    found = found[np.linspace(0, len(found) - 1, min(MOST, len(found))).astype(int)]
    return np.concatenate([found, first[len(np.unique(codes)) :][: MOST - len(found)]])


def _figures(shares: Any) -> list[float]:
    return [float(f"{share:.4g}") for share in shares]
