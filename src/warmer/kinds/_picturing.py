"""The head that answers with a picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image as PIL
from torch import Tensor

from warmer.kinds._contract import Answer, Array, Head
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.unet import PictureMaker
from warmer.words import figures

_SHOWN, _SIDE = 6, 128
_FINEST = 32


class PictureHead(Head):
    """A picture: a U-Net's second half, absolute error (the likelihood of Laplace), PSNR and SSIM.

    Outputs and answers are `[batch, channels, height, width]` in about 0..1, targets the same in 0..255.

    Args:
        spec: of the features.
        channels, height, width: of the picture.
        size: channels of the finest level; 0: by the features.
    """

    def __init__(self, spec: FeatureSpec, channels: int, height: int, width: int, size: int) -> None:
        super().__init__(spec.members)
        self.maker = PictureMaker(spec, channels, height, width, size or _FINEST)
        self.scores = ("psnr", "ssim", "mae_pixels")
        self.register_buffer("mean", torch.zeros(channels, height, width))

    mean: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return pictures."""
        found: Tensor = self.maker(features)
        return found

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean absolute error of the pixels, 0 to 1, `[batch]`."""
        return (outputs.float() - targets.float() / 255).abs().mean((1, 2, 3))

    def prepare(self, targets: Tensor) -> None:
        """Note the mean picture."""
        total = sum((part.float().sum(0) for part in targets.split(256)), torch.zeros_like(self.mean))
        self.mean.copy_(total / (255 * len(targets)))

    def answers(self, outputs: Tensor) -> Array:
        """Return pictures in 0..1, float32."""
        return outputs.detach().float().clamp(0, 1).cpu().numpy()

    def truths(self, targets: Tensor) -> Array:
        """Return pictures in 0..1, float32."""
        return targets.float().div(255).cpu().numpy()

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return each picture as a PNG."""
        found = []
        for array in self.answers(outputs):
            data = io.BytesIO()
            image(array).save(data, "PNG")
            told = f"picture of {array.shape[2]} × {array.shape[1]}"
            found.append(Answer(told, None, ((told, 1.0),), made=data.getvalue(), suffix=".png"))
        return found

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the mean training picture, always."""
        return np.broadcast_to(self.mean.cpu().numpy(), (n, *self.mean.shape)), "always the mean picture"

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return some answers beside the truth."""
        places = np.linspace(0, len(outputs) - 1, min(_SHOWN, len(outputs))).astype(int)
        truths, answers = self.truths(targets[places]), self.answers(outputs[places])
        made = [
            {"place": int(place), "truth": _embedded(truth), "answer": _embedded(answer)}
            for place, truth, answer in zip(places, truths, answers, strict=True)
        ]
        return {"made": made}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how near the pictures are."""
        told = f"{figures(scores['psnr'], 3)} dB (PSNR) from the truth on {n:,} pictures it never saw"
        base = f"always the mean picture: {figures(baseline['psnr'], 3)} dB, {figures(baseline['ssim'], 3)}"
        return f"{told}, SSIM {figures(scores['ssim'], 3)}; {base}"


def image(array: Array) -> PIL.Image:
    """Return a picture `[channels, height, width]` in 0..1 as a PIL image."""
    pixels = np.asarray(np.round(np.clip(array, 0, 1) * 255), dtype=np.uint8)
    return PIL.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _embedded(array: Array) -> str:
    picture = image(array)
    scale = _SIDE / max(picture.size)
    data = io.BytesIO()
    picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), 0 if scale > 1 else 3
    ).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()
