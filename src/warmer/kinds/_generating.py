"""Heads that make pictures of many possible ones: flow matching, a variational autoencoder, a pair of rivals.

Each needs a vector alone of the features: it says which picture is wanted (a digit's name, a row, a text). Outputs are
that vector; pictures are drawn from it with noise of a fixed seed, so that the same question has the same answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.drawing import embedded, picture_png
from warmer.kinds._contract import Array
from warmer.kinds._picturing import MadeHead, image
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.generators import LATENT, FlowNet, Looker, Maker
from warmer.networks.judge import vectors
from warmer.words import figures

METHODS = ("flow", "vae", "gan")

_CONDITION = 64
_AT_ONCE = 128
_STEPS, _FEW_STEPS, _GUIDANCE, _LEFT_OUT = 10, 6, 1.5, 0.1
_FREE, _PENALTY = 0.02, 1.0
_SHEET = 640
_SHOWN, _NEIGHBOURS, _REMEMBERED = 40, 8, 2_000


class GeneratingHead(MadeHead):
    """What the three have in common.

    Outputs are conditions `[batch, 64]`, targets pictures in 0..255, answers pictures in 0..1.

    Args:
        spec: of the features.
        channels, height, width: of the picture.
    """

    scores = ("frechet",)
    judged = 1_000

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int) -> None:
        super().__init__(spec, channels, height, width)
        self.size = (channels, height, width)
        self.entry = nn.Linear(spec.channels[-1], _CONDITION)
        self.known: Tensor | None = None  # some training pictures; not kept with the weights
        self.last: tuple[Tensor, Array] | None = None

    def outputs(self, features: Features) -> Tensor:
        """Return what says which picture is wanted."""
        found: Tensor = self.entry(features.pooled())
        return found

    @abstractmethod
    def drawn(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Draw pictures in −1..1."""

    def prepare(self, targets: Tensor) -> None:
        """Note the mean picture, and some training pictures to compare with what will be made."""
        super().prepare(targets)
        some = targets[torch.linspace(0, len(targets) - 1, min(_REMEMBERED, len(targets))).long()]
        self.known = some.to(torch.uint8)

    @torch.no_grad()
    def answers(self, outputs: Tensor) -> Array:
        """Return pictures drawn with noise that follows from the place alone; the same outputs give the same pictures."""
        outputs = outputs.detach().float()
        if self.last is not None and self.last[0].shape == outputs.shape and torch.equal(self.last[0], outputs):
            return self.last[1]
        training = self.training
        self.eval()
        noise = torch.Generator().manual_seed(0)
        made = torch.cat([self.drawn(self.near(part), noise) for part in outputs.split(_AT_ONCE)])
        self.train(training)
        found = (made / 2 + 0.5).clamp(0, 1).cpu().numpy()
        if not self.quick:
            self.last = (outputs, found)
        return found

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return a sheet of pictures made, and some beside the training picture most like each, against learning by heart."""
        some = torch.linspace(0, len(outputs) - 1, min(len(outputs), 400)).long()
        made = self.answers(outputs)[some.numpy()]
        everywhere = np.linspace(0, len(made) - 1, min(_SHOWN, len(made))).astype(int)
        found: dict[str, Any] = {"figures": [{"what": "Pictures it made.", "png": _sheet(made[everywhere])}]}
        if self.known is None:
            return found
        known = self.truths(self.known)
        true = self.truths(targets[some])
        near, place = _nearest(vectors(made), vectors(known))
        ordinary, _ = _nearest(vectors(true), vectors(known))
        pairs = np.stack(
            [
                picture
                for k in everywhere[:: len(everywhere) // _NEIGHBOURS or 1]
                for picture in (made[k], known[place[k]])
            ]
        )
        what = "Made (left of each pair) beside the training picture most like it (of 2,000): is it learned by heart?"
        found["figures"].append({"what": what, "png": _sheet(pairs)})
        # Below 1, pictures made lie nearer to training pictures than unseen real ones do.
        found["distance_to_training"] = float(np.median(near) / max(1e-9, np.median(ordinary)))
        return found

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how like real ones the pictures are."""
        told = f"Fréchet distance {figures(scores['frechet'], 3)} from {n:,} pictures it never saw"
        return f"{told}; always the mean picture: {figures(baseline['frechet'], 3)}"

    def _real(self, targets: Tensor) -> Tensor:
        return targets.float() / 127.5 - 1


class FlowHead(GeneratingHead):
    """Flow matching: learn how noise has to move to become a picture, in a straight line (Lipman et al. 2023, arXiv 2210.02747).

    Times are drawn from a logit-normal (Esser et al. 2024); the wish is left out one time in ten, so that afterwards
    pictures can be pushed further towards it (Ho and Salimans 2022, arXiv 2207.12598).
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> None:
        super().__init__(spec, channels, height, width)
        levels = 2 if max(height, width) <= 48 else 3
        self.flow = FlowNet(channels, _CONDITION, size, levels)
        self.none = nn.Parameter(torch.zeros(_CONDITION))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the squared error of the velocity at a random time, `[batch]`."""
        real = self._real(targets)
        noise, time = torch.randn_like(real), torch.randn(len(real), device=real.device).sigmoid()
        at = time[:, None, None, None]
        left_out = torch.rand(len(real), 1, device=real.device) < (_LEFT_OUT if self.training else 0.0)
        wish = torch.where(left_out, self.none, outputs)
        found = self.flow((1 - at) * noise + at * real, time, wish.to(real.dtype))
        return (found.float() - (real - noise)).square().mean((1, 2, 3))

    def drawn(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Follow the flow by Heun's method."""
        x = torch.randn((len(condition), *self.size), generator=noise).to(condition.device)
        steps = _FEW_STEPS if self.quick else _STEPS
        for k in range(steps):
            now, step = k / steps, 1 / steps
            first = self._velocity(x, now, condition)
            ahead = x + step * first
            x = (
                ahead
                if self.quick or k == steps - 1
                else x + step * (first + self._velocity(ahead, now + step, condition)) / 2
            )
        return x

    def _velocity(self, x: Tensor, time: float, condition: Tensor) -> Tensor:
        times = torch.full((len(x),), time, device=x.device)
        found: Tensor = self.flow(x, times, condition)
        if self.quick:
            return found
        freely = self.flow(x, times, self.none.expand(len(x), -1))
        return freely + _GUIDANCE * (found - freely)


class VaeHead(GeneratingHead):
    """A variational autoencoder: a picture through 64 numbers that are drawn (Kingma and Welling 2014, arXiv 1312.6114).

    Where they are drawn from depends on the wish (Sohn et al. 2015), so that numbers that make a three are not drawn for a
    seven.
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> None:
        super().__init__(spec, channels, height, width)
        self.looker = Looker(channels, height, width, size, 2 * LATENT)
        self.maker = Maker(LATENT + _CONDITION, channels, height, width, size)
        self.prior = nn.Linear(_CONDITION, 2 * LATENT)
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(self.prior.bias)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the negative evidence lower bound, per pixel, `[batch]`; a latent number costs nothing up to 0.02 nats."""
        real = self._real(targets)
        middle, spread = self.looker(real).float().chunk(2, 1)
        spread = spread.clamp(-10, 6)
        latent = middle + torch.randn_like(middle) * (spread / 2).exp() if self.training else middle
        made = self.maker(torch.cat([latent, outputs.float()], 1)).float()
        error = F.binary_cross_entropy_with_logits(made, real / 2 + 0.5, reduction="none").sum((1, 2, 3))
        usual, width = self.usual(outputs.float())
        apart = (spread.exp() + (middle - usual).square()) / width.exp()
        cost = (0.5 * (apart - 1 - spread + width)).clamp(min=_FREE).sum(1)
        return (error + cost) / real[0].numel()

    def usual(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the logarithm of the variance of the latent numbers of a wish, each `[batch, 64]`."""
        middle, width = self.prior(condition).chunk(2, 1)
        return middle, width.clamp(-6, 6)

    def drawn(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Make pictures of random latent numbers."""
        usual, width = self.usual(condition)
        drawn = torch.randn((len(condition), LATENT), generator=noise).to(condition.device)
        latent = usual + drawn * (width / 2).exp()
        found: Tensor = self.maker(torch.cat([latent, condition], 1)).sigmoid() * 2 - 1
        return found


class GanHead(GeneratingHead):
    """Two rivals: one makes pictures, the other tells them from real ones (Goodfellow et al. 2014, arXiv 1406.2661).

    The critic compares pairs, and its slope at real and at made pictures is kept small, which makes the game converge
    (R3GAN, Huang et al. 2024, arXiv 2501.05441). Both learn in one step: each loss holds the other side fixed.
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> None:
        super().__init__(spec, channels, height, width)
        self.maker = Maker(LATENT + _CONDITION, channels, height, width, size)
        self.critic = Looker(channels, height, width, size, _CONDITION + 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of both losses, `[batch]`."""
        real, wish = self._real(targets), outputs.float()
        latent = torch.randn((len(real), LATENT), device=real.device)
        made = self.maker(torch.cat([latent, wish], 1)).float().tanh()
        fixed = {name: p.detach() for name, p in self.critic.named_parameters()}
        # The maker may change what a wish means to itself alone, or it would learn wishes that the critic cannot check.
        asked = wish.detach()
        lost = F.softplus(self._realness(real, asked, fixed) - self._realness(made, asked, fixed))
        return lost + self._critic_loss(real, made.detach(), wish)

    def _critic_loss(self, real: Tensor, made: Tensor, wish: Tensor) -> Tensor:
        steep = self.training and torch.is_grad_enabled()
        sides = [one.clone().requires_grad_(steep) for one in (real, made)]
        seen = [self._realness(one, wish) for one in sides]
        found = F.softplus(seen[1] - seen[0])
        if steep:
            for side, one in zip(sides, seen, strict=True):
                (slope,) = torch.autograd.grad(one.sum(), side, create_graph=True)
                found = found + 0.5 * _PENALTY * slope.square().sum((1, 2, 3))
        return found

    def _realness(self, pictures: Tensor, wish: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return how real pictures look, and how like what was wished for (Miyato and Koyama 2018, arXiv 1802.05637)."""
        given: dict[str, Tensor] = dict(weights) if weights is not None else {}
        found: Tensor = torch.func.functional_call(self.critic, given, (pictures,))
        return found[:, 0] + (found[:, 1:] * wish).sum(1) / _CONDITION**0.5

    def drawn(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Make pictures of random latent numbers."""
        latent = torch.randn((len(condition), LATENT), generator=noise).to(condition.device)
        found: Tensor = self.maker(torch.cat([latent, condition], 1)).tanh()
        return found


def head(method: str, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> GeneratingHead:
    """Return the head of a method."""
    made: dict[str, type[FlowHead] | type[VaeHead] | type[GanHead]] = {"flow": FlowHead, "vae": VaeHead, "gan": GanHead}
    return made[method](spec, channels, height, width, size)


def _nearest(some: Array, known: Array) -> tuple[Array, Array]:
    """Return the distance of each vector to the nearest known one, and its place."""
    apart = np.sqrt(np.maximum(0, (some**2).sum(1)[:, None] + (known**2).sum(1) - 2 * some @ known.T))
    return apart.min(1), apart.argmin(1)


def _sheet(pictures: Array, columns: int = 10) -> str:
    """Return pictures in rows, as base64 PNG."""
    n, channels, height, width = pictures.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    sheet = np.ones((channels, rows * (height + 2), columns * (width + 2)), dtype=np.float32)
    for k, picture in enumerate(pictures):
        top, left = (k // columns) * (height + 2), (k % columns) * (width + 2)
        sheet[:, top : top + height, left : left + width] = picture
    found = image(sheet)
    return embedded(picture_png(found, max(1, round(_SHEET / found.width)) * max(found.size)))
