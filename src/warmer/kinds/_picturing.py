"""The head that answers with a picture."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image as PIL
from torch import Tensor, nn
from torch.nn import functional as F

from warmer.drawing import embedded, picture_png
from warmer.kinds._contract import Answer, Array, Head
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.generators import PatchCritic
from warmer.networks.unet import PictureMaker
from warmer.words import figures

_SHOWN, _SIDE = 6, 128
_FINEST = 32
_FITTED = 5_000
_PIXELS, _ALIKE = 100.0, 10.0
_COMPARED = 32

ALIKE = 0.8
"""Above that share, x itself is a good first answer."""

FOLLOWS = 0.3
"""Above that share of R², the mean of what is possible is a good picture; below, it is a blur."""


class MadeHead(Head):
    """What all heads that make pictures have in common; answers are `[batch, channels, height, width]` in 0..1.

    Args:
        spec: of the features.
        channels, height, width: of the picture.
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int) -> None:
        super().__init__(spec.members)
        self.register_buffer("mean", torch.zeros(channels, height, width))

    mean: Tensor

    def prepare(self, targets: Tensor) -> None:
        """Note the mean picture."""
        total = sum((part.float().sum(0) for part in targets.split(256)), torch.zeros_like(self.mean))
        self.mean.copy_(total / (255 * len(targets)))

    def truths(self, targets: Tensor) -> Array:
        """Return pictures in 0..1, float32."""
        return targets.float().div(255).cpu().numpy()

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return each picture as a PNG."""
        found = []
        for array in self.answers(outputs):
            told = f"picture of {array.shape[2]} × {array.shape[1]}"
            found.append(Answer(told, None, ((told, 1.0),), made=picture_png(image(array)), suffix=".png"))
        return found

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the mean training picture, always."""
        return np.broadcast_to(self.mean.cpu().numpy(), (n, *self.mean.shape)), "always the mean picture"


class PictureHead(MadeHead):
    """A picture: a U-Net's second half, absolute error (the likelihood of Laplace), PSNR and SSIM.

    Outputs and answers are `[batch, channels, height, width]` in about 0..1, targets the same in 0..255.

    Args:
        spec: of the features.
        channels, height, width: of the picture.
        size: channels of the finest level; 0: by the features.
        latent: numbers that each picture was told through; 0: it was not.
        residual: whether what is made is added to x, the first channels of the finest map.
        beyond: what convolutions find outside of the picture, one of `warmer.networks.unet.BEYOND`.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        channels: int,
        height: int,
        width: int,
        size: int,
        latent: int = 0,
        residual: bool = False,
        beyond: str = "zeros",
    ) -> None:
        super().__init__(spec, channels, height, width)
        self.latent, self.residual, self.channels = latent, residual, channels
        self.maker = PictureMaker(spec, channels, height, width, size or _FINEST, beyond)
        if residual:  # at first, what comes out is x
            nn.init.zeros_(self.maker.end.weight)
            nn.init.zeros_(self.maker.end.bias)  # type: ignore[arg-type]
        self.scores = ("psnr", "ssim", "mae_pixels")

    def outputs(self, features: Features) -> Tensor:
        """Return pictures."""
        made: Tensor = self.maker(features)
        if not self.residual:
            return made
        x = features.pyramid()[0][:, : self.channels].float()
        if x.shape[2:] != made.shape[2:]:
            x = F.interpolate(x, made.shape[2:], mode="bicubic", antialias=True, align_corners=False)
        return made.float() + x

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean absolute error of the pixels, 0 to 1, `[batch]`; squared and tenfold where a few numbers tell all."""
        wrong = outputs.float() - targets.float() / 255
        return (10 * wrong.square() if self.latent else wrong.abs()).mean((1, 2, 3))

    def answers(self, outputs: Tensor) -> Array:
        """Return pictures in 0..1, float32."""
        return outputs.detach().float().clamp(0, 1).cpu().numpy()

    def linear(self, x: Array, targets: Tensor, x_new: Array) -> tuple[Array, str] | None:
        """Where pictures were told through a few numbers, return what as many principal components make of them."""
        if not self.latent:
            return None
        from sklearn.decomposition import PCA

        # The vectors were standardised on the way here, and pixels that never change left out; pixels are what counts.
        true = self.truths(targets).reshape(len(targets), -1)
        scale, middle = true.std(0), true.mean(0)
        moving = scale > 1e-6
        if moving.sum() != x_new.shape[1]:
            return None
        new = np.tile(middle, (len(x_new), 1))
        new[:, moving] += x_new * scale[moving]
        some = true[np.linspace(0, len(true) - 1, min(_FITTED, len(true))).astype(int)]
        found = PCA(min(self.latent, *some.shape), svd_solver="randomized", random_state=0).fit(some)
        made = found.inverse_transform(found.transform(new)).reshape(len(x_new), *self.mean.shape)
        return np.clip(made, 0, 1).astype(np.float32), f"{self.latent} principal components"

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return some answers beside the truth."""
        places = np.linspace(0, len(outputs) - 1, min(_SHOWN, len(outputs))).astype(int)
        truths, answers = self.truths(targets[places]), self.answers(outputs[places])
        made = [
            {"place": int(place), "truth": _shown(truth), "answer": _shown(answer)}
            for place, truth, answer in zip(places, truths, answers, strict=True)
        ]
        return {"made": made}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how near the pictures are."""
        told = f"{figures(scores['psnr'], 3)} dB (PSNR) from the truth on {n:,} pictures it never saw"
        base = f"always the mean picture: {figures(baseline['psnr'], 3)} dB, {figures(baseline['ssim'], 3)}"
        return f"{told}, SSIM {figures(scores['ssim'], 3)}; {base}"


class CriticisedHead(PictureHead):
    """A picture that also has to convince a critic, patch by patch, that it is real beside what it was made from (pix2pix).

    Both learn in one step: each of the two losses holds the other side fixed (Isola et al. 2017, arXiv 1611.07004; hinge losses).

    Outputs are `[batch, channels + channels of x, height, width]`: the picture made, and x itself.
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> None:
        super().__init__(spec, channels, height, width, size)
        self.shown = min(3, spec.channels[0])
        self.critic = PatchCritic(channels + self.shown)
        self.scores = ("frechet", "psnr", "ssim")

    def outputs(self, features: Features) -> Tensor:
        """Return pictures, and what they were made from."""
        made = super().outputs(features)
        x = features.pyramid()[0][:, : self.shown].to(made.dtype)
        if x.shape[2:] != made.shape[2:]:
            x = F.interpolate(x, made.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([made, x], 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the error of the pixels, what the critic says of the picture, and the critic's own loss, `[batch]`."""
        outputs, real = outputs.float(), targets.float() / 255
        made, x = outputs[:, : self.channels], outputs[:, self.channels :].detach()
        error = (made - real).abs().mean((1, 2, 3))
        if not self.training:
            return error
        with _fixed(self.critic):
            seen = self.critic(torch.cat([made, x], 1))
            wanted = [one.detach() for one in self.critic(torch.cat([real, x], 1))]
        alike = torch.stack([(a - b).abs().mean((1, 2, 3)) for a, b in zip(seen[:-1], wanted, strict=False)]).mean(0)
        lost = -seen[-1].mean((1, 2, 3))
        told = [self.critic(torch.cat([one, x], 1))[-1] for one in (real, made.detach())]
        critic = F.relu(1 - told[0]).mean((1, 2, 3)) + F.relu(1 + told[1]).mean((1, 2, 3))
        return _PIXELS * error + _ALIKE * alike + lost + critic

    def answers(self, outputs: Tensor) -> Array:
        """Return pictures in 0..1."""
        return super().answers(outputs[:, : self.channels])

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how like real ones the pictures are."""
        told = f"Fréchet distance {figures(scores['frechet'], 3)} from the real ones on {n:,} pictures it never saw"
        return f"{told}, {figures(scores['psnr'], 3)} dB (PSNR); always the mean picture: {figures(baseline['frechet'], 3)}"


@contextlib.contextmanager
def _fixed(module: torch.nn.Module) -> Iterator[None]:
    """Let no gradient reach a module's weights."""
    learning = [p for p in module.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


def follows(arrays: Array, targets: Array) -> float:
    """Return how much of the answers' pixels a linear function of the same pixels of x tells, 0 to 1 (R²).

    Args:
        arrays, targets: some training pictures `[n, channels, height, width]`, 0..255.
    """
    x, y = _compared(arrays), _compared(targets)
    known = np.concatenate([x, np.ones_like(x[:1])]).T
    found = np.linalg.lstsq(known, y.T, rcond=None)[0]
    left = np.square(known @ found - y.T).mean()
    return 1 - float(left / max(1e-9, y.var(1).mean()))


def alike(arrays: Array, targets: Array) -> float:
    """Return how much of the answers' pixels the same pixels of x tell as they are (R²; below 0 where x is no answer at all)."""
    x, y = _compared(arrays), _compared(targets)
    return 1 - float(np.square(x - y).mean() / max(1e-9, y.var(1).mean())) if x.shape == y.shape else 0.0


def _compared(pictures: Array) -> Array:
    """Return small pictures' numbers by channel, `[channels, n * pixels]`."""
    found = torch.from_numpy(np.ascontiguousarray(pictures)).double() / 255
    return F.interpolate(found, (_COMPARED, _COMPARED), mode="area").transpose(0, 1).flatten(1).numpy()


def compared(answer: Answer, array: Array) -> Answer:
    """Say how far a picture that was put together again is from the one that came in, `[channels, height, width]`.

    What is unlike the training pictures is put together badly: a score for anomalies, 0 to 1.
    """
    made = np.atleast_3d(np.asarray(answer.picture, dtype=np.float32)).transpose(2, 0, 1)
    wrong = float(np.abs(made - np.asarray(array, dtype=np.float32)).mean() / 255)
    told = f"{answer.value}, on average {wrong:.3f} from the one that came in (0: the same, 1: black for white)"
    return dataclasses.replace(answer, value=told, anomaly=wrong)


def image(array: Array) -> PIL.Image:
    """Return a picture `[channels, height, width]` in 0..1 as a PIL image."""
    pixels = np.asarray(np.round(np.clip(array, 0, 1) * 255), dtype=np.uint8)
    return PIL.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _shown(array: Array) -> str:
    return embedded(picture_png(image(array), _SIDE))
