"""Merge layers with no bend between them into one, and show that the outputs are equal."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Sheet, Subject
from warmer.kinds._contract import Head
from warmer.networks.blocks import FrozenNorm
from warmer.networks.network import Network

NEEDS = Needs(even=True)
_INPUTS = 4
_POOLS = ("max_pool2d", "max_pool2d_with_indices", "boolean_dispatch")


@dataclass(frozen=True)
class _Step:
    """One operation: what it is called, the module whose weights it uses, what goes in and what comes out."""

    name: str
    module: str
    source: int
    target: int


class _Steps(TorchFunctionMode):
    """Write down every operation on the way from input to output."""

    def __init__(self, owners: dict[int, str]) -> None:
        super().__init__()
        self.owners, self.steps, self.kept = owners, [], []  # type: ignore[var-annotated]
        self.uses: Counter[int] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        given = [one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
        if isinstance(output, Tensor) and given and output is not given[0]:
            owner = next((self.owners[id(one)] for one in given[1:] if id(one) in self.owners), "")
            self.steps.append(_Step(getattr(func, "__name__", ""), owner, id(given[0]), id(output)))
            self.uses.update({id(one) for one in given})
            self.kept += [output, *given]  # so that no other tensor gets its id
        return output


def run(subject: Subject, *, seed: int = 0) -> Finding:
    """Merge linear layers that follow each other, and convolutions with the batch normalisation after them.

    Stacked linear maps are one linear map: `B(Ax + a) + b = (BA)x + (Ba + b)`. Only a bend between them makes depth count.

    Args:
        subject: the model.
        seed: of the random inputs that both networks are compared on.
    """
    network = copy.deepcopy(subject.model.network).double().eval()
    batch = _random(subject, seed)
    with _watch.still(network), torch.no_grad():
        before = _answers(network, batch)
        pairs = _pairs(network, batch)
        rows = []
        modules = dict(network.named_modules())
        for first, second in pairs:
            rows.append((first, type(modules[first]).__name__, second, type(modules[second]).__name__))
            _merge(network, first, second)
            modules = dict(network.named_modules())
        after = _answers(network, batch)
    gap = float((after - before).abs().max())
    old, new = (sum(p.numel() for p in one.parameters()) for one in (subject.model.network, network))
    if not pairs:
        sentence = (
            "nothing can be merged: a bend lies between every two layers, and that is why this network's depth counts"
        )
    else:
        sentence = (
            f"{len(pairs)} layers vanished into those before them; the outputs stay equal up to {gap:.0e} (in double precision, "
            f"{_INPUTS} random inputs)"
        )
    numbers = {"merged": len(pairs), "largest_difference": gap, "parameters_before": old, "parameters_after": new}
    sheet = Sheet(("layer", "type", "took in", "type"), tuple(rows) or (("–", "–", "–", "–"),))
    return Finding(
        "collapse", sentence, numbers, {"Merged": sheet}, {"Outputs before and after": _drawing(before, after)}
    )


def _random(subject: Subject, seed: int) -> Any:
    """Return ordinary inputs with noise on them, in double precision."""
    blank = subject.blank()
    generator = torch.Generator().manual_seed(seed)
    many = blank.double().expand(_INPUTS, *blank.shape[1:])
    return many + torch.rand(many.shape, generator=generator, dtype=torch.double)


def _answers(network: Network, batch: Any) -> Tensor:
    """Return the outputs of all members, before anything that is not learned is done to them."""
    head = network.head
    assert isinstance(head, Head)
    return head.outputs(network.features(batch))


def _pairs(network: Network, batch: Any) -> list[tuple[str, str]]:
    """Return pairs of modules of which the second can be merged into the first."""
    owners = {}
    for name, module in network.named_modules():
        for one in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            owners[id(one)] = name
    with _Steps(owners) as seen:
        network(batch)
    modules = dict(network.named_modules())
    by_target = {step.target: step for step in seen.steps}
    times = Counter(step.module for step in seen.steps if step.name in ("linear", "conv2d", "batch_norm"))
    found: list[tuple[str, str]] = []
    taken: dict[str, str] = {}
    for step in seen.steps:
        second = modules.get(step.module)
        if step.name not in ("linear", "batch_norm") or times[step.module] != 1 or second is None:
            continue
        between = _before(step.source, by_target, seen.uses)
        pooled = False
        if between is not None and between.name in _POOLS:
            pooled = True
            between = _before(between.source, by_target, seen.uses)
        if between is None or times[between.module] != 1:
            continue
        first = taken.get(between.module, between.module)
        if _fits(modules[between.module], second, pooled):
            found.append((first, step.module))
            taken[step.module] = first
    return found


def _before(place: int, by_target: dict[int, _Step], uses: Counter[int]) -> _Step | None:
    """Return the operation that made a tensor which goes nowhere else; dropout does nothing when a network answers."""
    found = by_target.get(place)
    while found is not None and uses[place] == 1 and "dropout" in found.name:
        place = found.source
        found = by_target.get(place)
    return found if uses[place] == 1 else None


def _fits(first: nn.Module, second: nn.Module, pooled: bool) -> bool:
    """Tell whether the second module can be merged into the first."""
    if isinstance(first, nn.Linear):
        return isinstance(second, nn.Linear) and not pooled
    if not isinstance(first, nn.Conv2d) or not isinstance(second, (nn.BatchNorm2d, FrozenNorm)):
        return False
    if second.running_var is None:
        return False
    # A maximum stays where it is when everything is scaled by something positive.
    return not pooled or second.weight is None or bool((second.weight > 0).all())


def _merge(network: Network, first: str, second: str) -> None:
    """Merge one module into another and leave nothing in its place."""
    modules = dict(network.named_modules())
    one, other = modules[first], modules[second]
    assert isinstance(one, (nn.Linear, nn.Conv2d))
    bias = one.bias if one.bias is not None else torch.zeros(len(one.weight), dtype=one.weight.dtype)
    if isinstance(other, nn.Linear):
        weight = other.weight @ one.weight
        shift = other.weight @ bias + (other.bias if other.bias is not None else 0)
        made = nn.Linear(weight.shape[1], weight.shape[0]).to(weight.dtype)
        made.weight.copy_(weight)
        made.bias.copy_(shift)
        _place(network, first, made)
    else:
        assert isinstance(other, (nn.BatchNorm2d, FrozenNorm))
        assert other.running_var is not None
        assert other.running_mean is not None
        size = torch.rsqrt(other.running_var + (FrozenNorm.EPS if isinstance(other, FrozenNorm) else other.eps))
        size = size if other.weight is None else size * other.weight
        one.weight.copy_(one.weight * size.view(-1, 1, 1, 1))
        moved = (bias - other.running_mean) * size + (other.bias if other.bias is not None else 0)
        one.bias = nn.Parameter(moved, requires_grad=False)
    _place(network, second, nn.Identity())


def _place(network: nn.Module, name: str, module: nn.Module) -> None:
    path, _, last = name.rpartition(".")
    setattr(network.get_submodule(path), last, module)


def _drawing(before: Tensor, after: Tensor) -> bytes:
    drawn = _draw.figure(4.4, 4.2)
    axes = drawn.add_subplot()
    x, y = before.flatten().numpy(), after.flatten().numpy()
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    axes.plot([low, high], [low, high], color="#aaaaaa", linewidth=0.8)
    axes.plot(x, y, "o", color=_draw.COLD, markersize=4, alpha=0.7)
    axes.set_xlabel("outputs before", fontsize=8)
    axes.set_ylabel("outputs after merging", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
