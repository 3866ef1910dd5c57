"""A few validation examples whose answers are noted while a network learns: from chance to certain, from mist to picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from warmer.drawing import embedded, picture_jpeg
from warmer.kinds._contract import Array, Batches, Head, Kind
from warmer.networks.network import Network
from warmer.plan import Plan
from warmer.training.judging import Part, evaluate

MOST, MOST_PICTURES = 6, 4
SIDE = 80
"""Pixels of a noted picture's longer side."""


class Followed:
    """Examples, and what was answered to each at steps 0, 1, 2, 4, 8 and so on.

    Where answers are one of several labels, examples of different labels are followed; where they are pictures, a few of all;
    else none.

    Args:
        y: the kind of the answers.
        validation: examples to choose from.
    """

    def __init__(self, y: Kind, validation: Part) -> None:
        self.pictured = y.plane and y.shape[0] in (1, 3)
        self.places = _spread(validation) if self.pictured else _of_each(y, validation)
        self.part = validation.at(self.places)

    def __bool__(self) -> bool:
        return len(self.places) > 0

    def is_time(self, step: int) -> bool:
        """Tell whether a step is a power of two, or the first."""
        return step & (step - 1) == 0

    def note(
        self, network: Network, x: Batches, y: Kind, device: torch.device, plan: Plan, step: int, epoch: float
    ) -> dict[str, Any]:
        """Return what is answered now, as plain JSON.

        For labels each truth's share, and the likeliest answer with its share; for pictures the pictures, as base64 JPEG.
        """
        head = network.head
        assert isinstance(head, Head)
        outputs, targets = evaluate(network, x, y, self.part, device, plan)
        answers, truths = head.answers(outputs), head.truths(targets)
        if self.pictured:
            return {"step": step, "epoch": epoch, "made": [_small(one) for one in answers]}
        said = answers.argmax(1)
        order = np.arange(len(said))
        return {
            "step": step,
            "epoch": epoch,
            "truth": _figures(answers[order, truths]),
            "said": [y.show(code) for code in said],
            "sure": _figures(answers[order, said]),
        }


def _spread(validation: Part) -> Array:
    return np.linspace(0, len(validation.rows) - 1, min(MOST_PICTURES, len(validation.rows))).astype(int)


def _of_each(y: Kind, validation: Part) -> Array:
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


def _small(picture: Array) -> str:
    """Return a picture `[channels, height, width]` in 0..1 as base64 JPEG."""
    from PIL import Image

    pixels = (255 * np.clip(np.nan_to_num(picture), 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return embedded(picture_jpeg(Image.fromarray(pixels.squeeze()), SIDE))


def _figures(shares: Any) -> list[float]:
    return [float(f"{share:.4g}") for share in shares]
