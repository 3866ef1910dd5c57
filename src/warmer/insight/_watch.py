"""Read what happens inside a network, and leave it as it was: mode, gradients, hooks and random state, even on errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from warmer.errors import UnknownName
from warmer.networks.network import Network

_RECTIFIERS = ("relu", "relu6", "hardtanh")
_LEAK = 0.1
_FINE = 4


@contextlib.contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Hold a network still: evaluation mode, no gradients for its weights, random state put back afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    wanted = [(p, p.requires_grad) for p in network.parameters()]
    with torch.random.fork_rng(devices=[]):
        try:
            network.eval()
            for p, _ in wanted:
                p.requires_grad_(False)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for p, flag in wanted:
                p.requires_grad_(flag)


@contextlib.contextmanager
def watching(network: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Collect the last output of some modules while the network runs: name → tensor, with its gradient graph."""
    found: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    handles = []

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
            if not isinstance(output, Tensor):
                return output
            found[name] = output
            return output.clone()  # the network goes on with a copy: a step in place must not change what was seen

        return hook

    try:
        for name in names:
            handles.append(modules[name].register_forward_hook(keep(name)))
        yield found
    finally:
        for handle in handles:
            handle.remove()


class leaking(TorchFunctionMode):  # noqa: N801 — used like the functions beside it
    """Let gradients leak through rectifiers that are shut, a tenth of them; answers stay as they are.

    A unit that is silent for an input has no slope there, so there would be no way to wake it.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Give rectifiers another gradient."""
        output = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") not in _RECTIFIERS or not isinstance(args[0], Tensor):
            return output
        return output + _LEAK * (args[0] - args[0].detach())


@dataclass(frozen=True)
class Layer:
    """A module with learned numbers somewhere inside, whose output is one tensor.

    Attributes:
        name: its path in the network.
        type: its class.
        shape: of its output for one example, without the batch.
        parameters: how many numbers it learned.
        leaf: whether it holds no other modules.
        stage: its number, from 1, if its output is one of the encoder's maps, fine to coarse; else 0.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    parameters: int
    leaf: bool
    stage: int


@torch.no_grad()
def layers(network: Network, batch: Any) -> list[Layer]:
    """Return the layers in the order in which they answer a batch of one example."""
    seen: dict[str, Tensor] = {}
    handles = []
    named = {name: module for name, module in network.named_modules() if name}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                seen.pop(name, None)
                seen[name] = output

        return hook

    with still(network):
        try:
            for name, module in named.items():
                handles.append(module.register_forward_hook(keep(name)))
            features = network.features(batch)
            network.head(features)
        finally:
            for handle in handles:
                handle.remove()
    stages = {id(one): place for place, one in enumerate(features.maps, 1)}
    outermost = {id(output): name for name, output in seen.items()}  # a container answers after what it contains
    found = []
    for name, output in seen.items():
        module = named[name]
        count = sum(p.numel() for p in module.parameters()) + _constants(module)
        if count:
            leaf = not any(True for _ in module.children())
            shape = tuple(output.shape[1:])
            stage = stages.get(id(output), 0) if outermost[id(output)] == name else 0
            found.append(Layer(name, type(module).__name__, shape, count, leaf, stage))
    return found


def _constants(module: nn.Module) -> int:
    """Return 1 for a module that holds numbers but learns none (a fixed filter, say), so that it is a layer too."""
    return int(any(True for _ in module.buffers()) and not any(True for _ in module.parameters()))


def find(network: Network, batch: Any, name: str | None, rank: int | None = None) -> Layer:
    """Return a layer by name, or the last stage (or else the last layer) of that grid rank whose grid is not too coarse.

    Raises:
        UnknownName: there is none of that name.
    """
    found = [one for one in layers(network, batch) if rank is None or len(one.shape) == rank + 1]
    if name is not None:
        chosen = [one for one in found if one.name == name]
        if not chosen:
            raise UnknownName("layer", name, [one.name for one in found])
        return chosen[0]
    stages = [one for one in found if one.stage] or found[-1:]
    fine = [one for one in stages if min(one.shape[1:], default=0) >= _FINE]
    return fine[-1] if fine else stages[0]
