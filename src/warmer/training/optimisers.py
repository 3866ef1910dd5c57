"""How a step is made of a gradient: AdamW, SGD with Nesterov momentum, and Muon in two forms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from warmer.networks.blocks import Readout
from warmer.plan import Plan, Proposal

_INNER = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.RNNBase)
_STEPS_DOWN = 5
_EXACT_EPOCHS, _ITERATIONS, _TRIALS = 3, 2000, 50
_WHOLE_MATRIX = 1500
_FLAT, _STILL = 1e-9, 1e-12
_MOST_NUMBERS = 10_000_000

_USUAL: dict[str, tuple[float, float, float]] = {  # learning rate, weight decay, clip
    "adamw": (2e-3, 0.01, 1.0),
    "muonw": (2e-3, 0.01, 1.0),
    "muon": (0.12, 0.0, 0.0),
    "sgd": (0.02, 5e-4, 1.0),
}
_LONGEST = 3e-3  # of AdamW's usual rates


class Plain(Optimizer):
    """Torch's base without its detour round the compiler: we never compile, and importing that takes a second."""

    asks_again = False
    """Whether a step computes the loss more than once."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class AdamW(Plain, torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101)."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class SGD(Plain, torch.optim.SGD):
    """Stochastic gradient descent with momentum."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


def make(network: nn.Module, plan: Plan) -> Plain:
    """Return the plan's optimiser over the parameters that are to be trained.

    Weight decay pulls on matrices and filters only, never on biases, norms and embeddings of one number.
    Each group keeps its share of the plan's learning rate in `peak`.
    """
    if plan.optimizer == "bfgs":
        return BFGS(network, plan.weight_decay)
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    number = torch.bfloat16 if plan.precision == "bf16" else torch.float32
    if plan.optimizer == "muon":
        filters = [p for _, p in named if p.dim() == 4]
        matrices = [p for _, p in named if p.dim() >= 2 and p.dim() != 4]
        vectors = [p for _, p in named if p.dim() < 2]
        return Muon(filters, matrices, vectors, plan.learning_rate, plan.weight_decay, _shares(named, plan), number)
    if plan.optimizer == "muonw":
        return MuonW(network, plan.learning_rate, plan.weight_decay, _shares(named, plan), number)
    groups = _groups(named, plan)
    if plan.optimizer == "sgd":
        return SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, nesterov=plan.momentum > 0)
    return AdamW(groups, lr=plan.learning_rate, betas=(plan.momentum, 0.99), fused=True)


def proposals(n: int, size: int, sorts: bool, wanted: str | None = None) -> Proposal:
    """Propose how a linear network is learned: to the bottom, from all `n` examples of `size` numbers in each step.

    Only where they are too many for that, or another optimiser is wanted, in small batches. Categories that a line can part
    would pull its weights without end, so they get scikit-learn's usual pull back.
    """
    common: Proposal = {
        "members": (1, "one network"),
        "folds": (1, "one network"),
        "dropout": (0.0, "nothing to silence"),
        "label_smoothing": (0.0, "the plain likelihood"),
        "augment": (False, "the examples as they are"),
        "advice": (False, "a line is learned in one go"),
        "patience": (0, "goes to the bottom"),
        "clip": (0.0, "every step is what it is"),
        "precision": ("fp32", "in double precision, in fact: there is one answer to find"),
        "memory_format": ("contiguous", "nothing else fits"),
    }
    if wanted not in (None, "bfgs") or (wanted is None and n * size > _MOST_NUMBERS):
        return {
            **common,
            "optimizer": ("adamw", "too many examples for steps on all of them"),
            "learning_rate": (1e-3, "for a linear network"),
            "batch": (int(min(512, max(16, n // 20))), "examples a step"),
            "epochs": (float(min(20 if wanted is None else 200, max(2, 4_000_000 / n))), "passes"),
            "weight_decay": (0.0, "none"),
            "cooldown": (0.8, "ever shorter steps come to rest"),
        }
    return {
        **common,
        "optimizer": ("bfgs", "steps on all examples at once, guided by how the slope changes"),
        "learning_rate": (1.0, "these steps find their own length"),
        "batch": (n, "all examples"),
        "epochs": (float(_EXACT_EPOCHS), f"steps, each of up to {_ITERATIONS} trials"),
        "weight_decay": (1 / n if sorts else 0.0, "as scikit-learn's C = 1" if sorts else "none: the plain likelihood"),
        "warmup": (0.0, "not needed with these steps"),
        "cooldown": (0.0, "not needed with these steps"),
        "validations": (1, "the end counts, wherever the way led"),
    }


def instead(proposed: Plan, wanted: str) -> Proposal:
    """Propose what usually goes with an optimiser, where another one is wanted than was proposed.

    What is a short step for one is far too long for another; only MuonW's rates are meant to be AdamW's.
    """
    if wanted == proposed.optimizer or wanted not in _USUAL:
        return {}
    rate, decay, clip = _USUAL[wanted]
    why = f"usual with {wanted}"
    if {wanted, proposed.optimizer} == {"adamw", "muonw"}:
        return {"learning_rate": (_LONGEST, why)} if proposed.learning_rate > _LONGEST else {}
    return {"learning_rate": (rate, why), "weight_decay": (decay, why), "clip": (clip, why)}


def _groups(named: list[tuple[str, nn.Parameter]], plan: Plan) -> list[dict[str, Any]]:
    """Return groups by learning rate and weight decay."""
    shares = _shares(named, plan)
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for _, p in named:
        key = plan.learning_rate * shares[p], plan.weight_decay if p.dim() >= 2 else 0.0
        found.setdefault(key, []).append(p)
    return [{"params": ps, "weight_decay": decay, "peak": rate, "lr": rate} for (rate, decay), ps in found.items()]


def _shares(named: list[tuple[str, nn.Parameter]], plan: Plan) -> dict[nn.Parameter, float]:
    """Return at what share of the learning rate each parameter learns.

    Where the plan has a rate of its own for the encoder, its first layers learn at a tenth of that of its last ones:
    what they look for is of use for any pictures, and little of it has to change (Howard and Ruder 2018, arXiv 1801.06146).
    """
    inside = [name for name, _ in named if name.startswith("encoder.")]
    depth = {name: 1 - place / max(1, len(inside) - 1) for place, name in enumerate(inside)}
    found = dict.fromkeys((p for _, p in named), 1.0)
    if plan.encoder_rate != 1:
        for name, p in named:
            if name in depth:
                found[p] = plan.encoder_rate * 0.1 ** (round(depth[name] * _STEPS_DOWN) / _STEPS_DOWN)
    return found


class BFGS(Plain):
    """Broyden, Fletcher, Goldfarb and Shanno's method, for a loss that is the same at each step.

    With bisection for the weak Wolfe conditions it goes to the bottom also where the loss has kinks (Lewis and Overton 2013,
    doi 10.1007/s10107-012-0514-2), so absolute errors and quantiles need nothing special. The inverse curvature is a whole
    matrix, for up to 1,500 weights; with more it is kept as the last fifty steps (L-BFGS, Liu and Nocedal 1989).

    A step is a whole run of it; nothing is remembered from one step to the next. Weight decay is half its square times
    the squared weights, added to the loss, biases excepted: the objective of ridge and of regularised logistic regression.

    Args:
        network: is trained in place.
        weight_decay: as above.
    """

    asks_again = True

    def __init__(self, network: nn.Module, weight_decay: float) -> None:
        self.learned = [p for p in network.parameters() if p.requires_grad]
        self.pull = weight_decay
        super().__init__([{"params": self.learned, "peak": 1.0, "lr": 1.0}], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> None:  # type: ignore[override]
        """Go down as far as a run gets; `closure` computes loss and gradients anew."""
        if sum(p.numel() for p in self.learned) > _WHOLE_MATRIX:
            self._limited(closure)
            return
        place = nn.utils.parameters_to_vector(self.learned)
        value, slope = self._at(place, closure)
        inverse: Tensor | None = None
        for _ in range(_ITERATIONS):
            way = -slope if inverse is None else -(inverse @ slope)
            if float(slope @ way) >= 0:
                inverse, way = None, -slope
            found = self._walked(place, value, slope, way, closure)
            if found is None:
                break
            moved, value, new = found
            inverse = _curved(inverse, moved - place, new - slope)
            far = float((moved - place).abs().max())
            place, slope = moved, new
            if far < _STILL or float(slope.abs().max()) < _FLAT:
                break
        nn.utils.vector_to_parameters(place, self.learned)

    def _walked(
        self, place: Tensor, value: float, slope: Tensor, way: Tensor, closure: Callable[[], Tensor]
    ) -> tuple[Tensor, float, Tensor] | None:
        """Return the place along a way where it is lower and less steep, with value and slope; None if there is none."""
        falls, low, high, size = float(slope @ way), 0.0, float("inf"), 1.0
        for _ in range(_TRIALS):
            moved = place + size * way
            there, new = self._at(moved, closure)
            if not there <= value + 1e-4 * size * falls:
                high = size
            elif float(new @ way) < 0.9 * falls:
                low = size
            else:
                return moved, there, new
            size = (low + high) / 2 if high < float("inf") else 2 * size
        return None

    def _at(self, place: Tensor, closure: Callable[[], Tensor]) -> tuple[float, Tensor]:
        """Return loss and slope at a place."""
        nn.utils.vector_to_parameters(place, self.learned)
        with torch.enable_grad():
            loss = self._pulled(closure())
        slopes = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.learned]
        return float(loss), nn.utils.parameters_to_vector(slopes)

    def _limited(self, closure: Callable[[], Tensor]) -> None:
        inner = _LBFGS(
            self.learned, max_iter=_ITERATIONS, history_size=50, tolerance_grad=_FLAT, tolerance_change=_STILL,
            line_search_fn="strong_wolfe",
        )  # fmt: skip
        inner.step(lambda: self._pulled(closure()))

    def _pulled(self, loss: Tensor) -> Tensor:
        with torch.no_grad():
            for p in self.learned:
                if self.pull and p.dim() >= 2 and p.grad is not None:
                    p.grad.add_(p, alpha=self.pull)
                    loss = loss + self.pull / 2 * p.square().sum()
        return loss


class _LBFGS(Plain, torch.optim.LBFGS):
    step = torch.no_grad()(inspect.unwrap(torch.optim.LBFGS.step))


def _curved(inverse: Tensor | None, moved: Tensor, steeper: Tensor) -> Tensor | None:
    """Return the inverse curvature after a step and what it did to the slope."""
    along = float(moved @ steeper)
    if along <= 0:
        return inverse
    if inverse is None:
        inverse = torch.eye(len(moved), dtype=moved.dtype, device=moved.device) * (along / float(steeper @ steeper))
    left = inverse @ steeper
    inverse = inverse - (torch.outer(moved, left) + torch.outer(left, moved)) / along
    return inverse + torch.outer(moved, moved) * ((float(steeper @ left) / along + 1) / along)


class Muon(Plain):
    """Momentum, orthogonalised by Newton–Schulz steps, for convolution filters; Adam for everything else.

    Jordan 2024 (github.com/KellerJordan/Muon), in the form of his CIFAR-10 speedrun: a filter bank keeps the length it
    would have with one unit a filter, so that the learning rate means the same in every layer and throughout training.

    Args:
        filters: weights `[out, in, height, width]`, seen as matrices `[out, in * height * width]`.
        matrices, vectors: everything else, for Adam; its learning rate is `rate * ADAM`.
        rate: learning rate of the filters, relative to their length.
        weight_decay: decoupled, on `matrices`.
        shares: parameter → at what share of the learning rate it learns.
        number: format in which steps are orthogonalised; that is rough, and bf16 as good as any (Jordan 2024).
    """

    MOMENTUM = 0.6
    STEPS = 3
    ADAM = 0.05

    def __init__(
        self,
        filters: list[nn.Parameter],
        matrices: list[nn.Parameter],
        vectors: list[nn.Parameter],
        rate: float,
        weight_decay: float,
        shares: Mapping[nn.Parameter, float],
        number: torch.dtype = torch.float32,
    ) -> None:
        kinds = (
            ("filters", filters, rate, 0.0),
            ("adam", matrices, rate * self.ADAM, weight_decay),
            ("adam", vectors, rate * self.ADAM, 0.0),
        )
        groups: list[dict[str, Any]] = []
        for kind, params, lr, decay in kinds:
            alike: dict[float, list[nn.Parameter]] = {}
            for p in params:
                alike.setdefault(lr * shares[p], []).append(p)
            groups += [
                {"params": some, "kind": kind, "peak": peak, "lr": peak, "weight_decay": decay}
                for peak, some in alike.items()
            ]
        super().__init__(groups, {})
        self.number = number

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make one step."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["kind"] == "filters":
                self._filter_steps(params, group)
            else:
                self._adam_step(params, group)

    def _filter_steps(self, params: list[Tensor], group: dict[str, Any]) -> None:
        for p in params:
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            assert p.grad is not None
            state["momentum"].mul_(self.MOMENTUM).add_(p.grad)
            direction = p.grad.add(state["momentum"], alpha=self.MOMENTUM)
            p.mul_(len(p) ** 0.5 / p.norm().clamp(min=1e-12))
            step = orthogonalise(direction.reshape(1, len(p), -1).to(self.number), self.STEPS)
            p.add_(step.view_as(p), alpha=-group["lr"])

    def _adam_step(self, params: Iterable[Tensor], group: dict[str, Any]) -> None:
        for p in params:
            state = self.state[p]
            if not state:
                state["first"], state["second"] = torch.zeros_like(p), torch.zeros_like(p)
                state["count"] = torch.zeros(())
            assert p.grad is not None
            state["count"] += 1
            count = float(state["count"])
            state["first"].lerp_(p.grad, 0.1)
            state["second"].mul_(0.99).addcmul_(p.grad, p.grad, value=0.01)
            size = (state["second"] / (1 - 0.99**count)).sqrt_().add_(1e-8)
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.addcdiv_(state["first"] / (1 - 0.9**count), size, value=-group["lr"])


class MuonW(Muon):
    """Muon for what turns features into features, in steps as long as AdamW's usually are; Adam for everything else.

    Jordan 2024 in the form of Liu et al. 2025 (arXiv 2502.16982): its learning rate and weight decay mean what AdamW's mean.
    Lookup tables, readouts, biases and norms are Adam's. A matrix of a multiple of its columns in rows is taken as that many
    square ones, for they are gates of a recurrent network, or keys and values.

    Args:
        network: whose parameters are trained.
        rate: learning rate.
        weight_decay: decoupled, on everything that is no vector.
        shares: parameter → at what share of the learning rate it learns.
        number: format in which steps are orthogonalised; that is rough, and bf16 as good as any (Jordan 2024).
    """

    MOMENTUM = 0.95
    STEPS = 5
    ADAM = 1.0
    LENGTH = 0.2
    """Root mean square of the numbers in a usual step of Adam at a learning rate of one."""

    def __init__(
        self,
        network: nn.Module,
        rate: float,
        weight_decay: float,
        shares: Mapping[nn.Parameter, float],
        number: torch.dtype = torch.float32,
    ) -> None:
        inner = {
            p: None
            for module in network.modules()
            if isinstance(module, _INNER) and not isinstance(module, Readout)
            for p in module.parameters(recurse=False)
            if p.requires_grad and p.dim() >= 2
        }
        others = [p for p in network.parameters() if p.requires_grad and p not in inner]
        matrices, vectors = ([p for p in others if (p.dim() >= 2) is flat] for flat in (True, False))
        super().__init__(list(inner), matrices, vectors, rate, weight_decay, shares, number)
        for group in self.param_groups:
            if group["kind"] == "filters":
                group["weight_decay"] = weight_decay

    @torch.no_grad()
    def _filter_steps(self, params: list[Tensor], group: dict[str, Any]) -> None:
        alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for p in params:
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            assert p.grad is not None
            state["momentum"].lerp_(p.grad, 1 - self.MOMENTUM)
            direction = p.grad.lerp(state["momentum"], self.MOMENTUM).flatten(1)
            squares = len(p) // direction.shape[1] if p.dim() == 2 and len(p) % direction.shape[1] == 0 else 1
            for part, of in zip(direction.chunk(squares), p.chunk(squares), strict=True):
                alike.setdefault(tuple(part.shape), []).append((part, of))
        for shape, pairs in alike.items():
            steps = orthogonalise(torch.stack([part for part, _ in pairs]).to(self.number), self.STEPS)
            for step, (_, p) in zip(steps, pairs, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(step.view_as(p), alpha=-group["lr"] * self.LENGTH * max(shape) ** 0.5)


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """Return nearly the closest matrices whose rows (or columns) are orthogonal and of length one, `[n, rows, columns]`.

    Newton–Schulz iteration with Jordan's quintic, in the matrices' own number format; singular values end between about 0.7
    and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    length = torch.linalg.matrix_norm(matrices, keepdim=True, dtype=torch.float32).clamp(min=1e-12)
    x = matrices / length.to(matrices.dtype)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
