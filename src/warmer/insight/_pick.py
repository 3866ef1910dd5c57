"""What the answer to an input is, as one number that can be made larger."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from warmer.insight._contract import Subject
from warmer.networks.network import Network

Logits = Callable[[Tensor], Tensor]


def logits(subject: Subject, network: Network | None = None) -> Logits:
    """Return inputs → outputs as the model gives them: averaged over views, in evaluation mode (use inside `_watch.still`).

    Args:
        subject: whose model.
        network: another one in place of the model's.
    """
    asked, kind = network or subject.model.network, subject.model.x

    def found(x: Tensor) -> Tensor:
        return torch.stack([asked(one).float() for one in kind.view(x)]).mean(0)

    return found


def target(outputs: Tensor, label: int | None) -> Tensor:
    """Return the index of the output to look at for each input: a label's, or the largest."""
    if label is not None:
        return torch.full((len(outputs),), label)
    return outputs.argmax(1) if outputs.dim() == 2 else torch.zeros(len(outputs), dtype=torch.long)


def score(outputs: Tensor, which: Tensor) -> Tensor:
    """Return one output of each input, `[n]`."""
    flat = outputs.flatten(1)
    return flat[torch.arange(len(flat)), which]


def randomised(network: Network, seed: int) -> Network:
    """Return a copy whose learned weights are shuffled layer by layer: it has learned nothing, yet answers in the same range."""
    import copy

    made = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in made.parameters():
            if p.dim() > 1:
                p.copy_(p.flatten()[torch.randperm(p.numel(), generator=generator)].view_as(p))
    return made
