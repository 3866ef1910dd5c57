"""The head that colours: a choice among colours at every place, over the brightness that is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from warmer.kinds._contract import Array
from warmer.kinds._picturing import PictureHead
from warmer.networks.features import Features, FeatureSpec
from warmer.scores import colourful
from warmer.words import figures

_COLOURS, _NEAREST, _WIDTH = 64, 5, 5.0
_MIXED, _SHARPENED = 0.5, 0.38
_VIVID, _STRETCHED, _STRETCHES, _HALVINGS = 0.9, 500, (0.5, 4.0), 7
_SHARPNESSES = (0.25, 0.38, 0.6, 1.0)
_SAMPLED = 40_000
_SCALE = 110.0
_RGB_TO_XYZ = torch.tensor(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = torch.tensor([0.95047, 1.0, 1.08883])


class ColouringHead(PictureHead):
    """Colours: which of 64, at every place, by a cross-entropy in which rare colours count more; brightness is kept.

    Colours that are the mean of what is possible are brown; a choice, sharpened, stays vivid (Zhang et al. 2016,
    arXiv 1603.08511). The 64 are the middles of clusters of the training pictures' colours. How sharp, and how vivid, is
    found on validation pictures: answers shall be nine tenths as colourful as real pictures, and as near to the true ones as
    that allows. While training, every set of answers is judged at that colourfulness, so that dull ones do not win.

    Outputs are `[batch, 1 + 64, height, width]`: the brightness 0..1 that came in, and logits.

    Args:
        spec: of the features.
        height, width: of the picture.
        size: channels of the finest level.
    """

    def __init__(self, spec: FeatureSpec, height: int, width: int, size: int) -> None:
        super().__init__(spec, _COLOURS, height, width, size)
        self.register_buffer("colours", torch.zeros(_COLOURS, 2))
        self.register_buffer("rarity", torch.ones(_COLOURS))
        self.register_buffer("sharpened", torch.tensor(_SHARPENED))
        self.register_buffer("vividness", torch.tensor(1.0))
        self.register_buffer("usual", torch.tensor(0.0))
        self.scores = ("psnr", "ssim", "mae_pixels", "colourfulness")
        self.mean = torch.zeros(3, height, width)  # what is made are logits, what comes of them has three channels

    colours: Tensor
    rarity: Tensor
    sharpened: Tensor
    vividness: Tensor
    usual: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return brightness and logits."""
        made = super().outputs(features)
        return torch.cat([features.pyramid()[0][:, :1].to(made.dtype), made], 1)

    def prepare(self, targets: Tensor) -> None:
        """Find the colours of the training pictures, and how rare each is."""
        super().prepare(targets)
        from sklearn.cluster import MiniBatchKMeans

        generator = np.random.default_rng(0)
        some = targets[torch.from_numpy(generator.choice(len(targets), min(len(targets), 2000), replace=False))]
        self.usual.fill_(float(colourful(some.float().numpy() / 255).mean()))
        ab = lab_of(some.float() / 255)[:, 1:].permute(0, 2, 3, 1).reshape(-1, 2).numpy()
        ab = ab[generator.choice(len(ab), min(len(ab), _SAMPLED), replace=False)]
        found = MiniBatchKMeans(_COLOURS, random_state=0, n_init=1, batch_size=4096).fit(ab)
        share = np.bincount(found.labels_, minlength=_COLOURS) / len(ab)
        rarity = 1 / ((1 - _MIXED) * share + _MIXED / _COLOURS)
        self.colours.copy_(torch.from_numpy(found.cluster_centers_))
        self.rarity.copy_(torch.from_numpy(rarity / (rarity * share).sum()))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy with the five nearest colours, each place weighed by how rare its colour is, `[batch]`."""
        ab = lab_of(targets.float() / 255)[:, 1:].permute(0, 2, 3, 1)
        apart = torch.cdist(ab.reshape(-1, 2), self.colours)
        near, which = apart.topk(_NEAREST, largest=False)
        share = (-near.square() / (2 * _WIDTH**2)).softmax(-1)
        logits = outputs[:, 1:].float().permute(0, 2, 3, 1).reshape(-1, _COLOURS).log_softmax(-1)
        entropy = -(logits.gather(1, which) * share).sum(-1) * self.rarity[which[:, 0]]
        return entropy.unflatten(0, (len(targets), -1)).mean(1)

    def answers(self, outputs: Tensor) -> Array:
        """Return pictures in 0..1: the sharpened mean of likely colours over the brightness."""
        outputs = outputs.detach().float().cpu()
        vividness = self._vividness(outputs, float(self.sharpened)) if self.quick else float(self.vividness)
        return self._coloured(outputs, float(self.sharpened), vividness)

    def _coloured(self, outputs: Tensor, sharpened: float, vividness: float) -> Array:
        share = (outputs[:, 1:] / sharpened).softmax(1)
        ab = torch.einsum("bkhw,kc->bchw", share, self.colours.cpu()) * vividness
        return rgb_of(torch.cat([_lightness(outputs[:, :1]), ab], 1)).clamp(0, 1).numpy()

    def _vividness(self, outputs: Tensor, sharpened: float) -> float:
        """Return by how much colours must be stretched to be as colourful as they shall be, 0.5 to 4; by halving."""
        some = outputs[torch.linspace(0, len(outputs) - 1, min(len(outputs), _STRETCHED)).long()]
        low, high = _STRETCHES
        for _ in range(_HALVINGS):
            middle = (low * high) ** 0.5
            vivid = float(colourful(self._coloured(some, sharpened, middle)).mean())
            low, high = (middle, high) if vivid < _VIVID * float(self.usual) else (low, middle)
        return (low * high) ** 0.5

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Find how sharp and how vivid colours have to be: the nearest to the truth of those that are colourful enough."""
        some = torch.linspace(0, len(outputs) - 1, min(len(outputs), _STRETCHED)).long()
        outputs, truths = outputs[some].detach().float().cpu(), self.truths(targets[some])
        tried = []
        for sharpened in _SHARPNESSES:
            vividness = self._vividness(outputs, sharpened)
            wrong = float(np.square(self._coloured(outputs, sharpened, vividness) - truths).mean())
            tried.append((wrong, sharpened, vividness))
        _, sharpened, vividness = min(tried)
        self.sharpened.fill_(sharpened)
        self.vividness.fill_(vividness)

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how near the colours are."""
        told = (
            f"colours {figures(scores['psnr'], 3)} dB (PSNR) from the true ones on {n:,} pictures it never saw, "
            f"{scores['colourfulness']:.0%} as colourful"
        )
        return f"{told}; always the mean picture: {figures(baseline['psnr'], 3)} dB"


def lab_of(rgb: Tensor) -> Tensor:
    """Return CIELAB of sRGB `[batch, 3, height, width]` in 0..1, as scikit-image has it."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("kc,bchw->bkhw", _RGB_TO_XYZ.to(rgb), linear) / _WHITE.to(rgb).view(1, 3, 1, 1)
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def rgb_of(lab: Tensor) -> Tensor:
    """Return sRGB of CIELAB `[batch, 3, height, width]`; colours that no screen shows lie outside 0..1."""
    y = (lab[:, 0] + 16) / 116
    f = torch.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], 1).clamp(min=0)
    xyz = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * _WHITE.to(lab).view(1, 3, 1, 1)
    linear = torch.einsum("kc,bchw->bkhw", torch.linalg.inv(_RGB_TO_XYZ).to(lab), xyz)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _lightness(brightness: Tensor) -> Tensor:
    """Return CIELAB's lightness of a grey picture of that brightness, 0..1."""
    return lab_of(brightness.expand(-1, 3, -1, -1))[:, :1]
