"""The head that answers with sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from warmer.drawing import embedded
from warmer.kinds import _sound
from warmer.kinds._contract import Answer, Array, Head, objects
from warmer.kinds._spelling import with_mask
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.voice import LATENT, Spectrum, Voice
from warmer.words import figures

_FULL = 32767
_BASE = 2**15
_FREE = 0.05
_ANGLES, _CLOSE, _LASTS = 0.5, 0.02, 0.2
_SHOWN = 8
_MOST_COLUMNS = 4000


def packed(arrays: list[Array]) -> Tensor:
    """Return sounds as targets `[batch, 2 + samples]`, int16: first their length in two numbers, then samples and padding."""
    longest = max(len(one) for one in arrays)
    found = np.zeros((len(arrays), 2 + longest), dtype=np.int16)
    for place, one in enumerate(arrays):
        found[place, :2] = divmod(len(one), _BASE)
        found[place, 2 : 2 + len(one)] = one
    return torch.from_numpy(found)


def unpacked(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return sounds `[batch, samples]` in −1..1, cut to the longest, and how many samples each has."""
    lengths = targets[:, 0].long() * _BASE + targets[:, 1].long()
    return targets[:, 2 : 2 + int(lengths.max())].float() / _FULL, lengths


class VoiceHead(Head):
    """Sound: a spectrum of what is to be said, made all at once, then phases by Griffin and Lim.

    Outputs are what is to be said, `[batch, places, width + 1]`, whose last number is 1 where there is something.

    Args:
        spec: of the features.
        rate: samples a second.
        width: numbers a column.
    """

    def __init__(self, spec: FeatureSpec, rate: int, width: int) -> None:
        super().__init__(spec.members)
        self.rate = rate
        self.spectrum = Spectrum(rate)
        self.voice = Voice(spec.channels[-1], self.spectrum.bins, width)
        self.scores = ("spectral_error", "length_error")
        self.register_buffer("mean", torch.zeros(self.spectrum.bins))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("columns", torch.tensor(10.0))

    mean: Tensor
    spread: Tensor
    columns: Tensor

    def prepare(self, targets: Tensor) -> None:
        """Note the mean spectrum, the spread, and how long sounds are."""
        total, square, count = torch.zeros_like(self.mean), 0.0, 0
        lengths = []
        for part in targets.split(64):
            spectra, columns = self._true(part)
            for one, n in zip(spectra, columns.tolist(), strict=True):
                total, square, count = total + one[:, :n].sum(1), square + float(one[:, :n].square().sum()), count + n
                lengths.append(n)
        self.mean.copy_(total / count)
        over_all = float(self.mean.mean())
        self.spread.fill_(max(1e-3, square / (count * len(self.mean)) - over_all**2) ** 0.5)
        self.columns.fill_(float(np.median(lengths)))

    def _true(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return true spectra `[batch, bins, columns]`, and how many columns each has."""
        samples, lengths = unpacked(self.near(targets))
        return self.spectrum(samples), self.spectrum.columns(lengths)

    def outputs(self, features: Features) -> Tensor:
        """Return what is to be said."""
        mask = None
        if features.mask is not None:
            mask = features.mask.flatten(1).repeat_interleave(features.members, 0)
        return with_mask(self.voice.entry(features.tokens()).float(), mask)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the error of the spectrum in spreads, plus that of the length and what the latent numbers cost, `[batch]`."""
        memory, mask = outputs[..., :-1], outputs[..., -1] > 0.5
        wanted, columns = self._true(targets)
        wanted = (wanted - self.mean.unsqueeze(1)) / self.spread
        keep = (torch.arange(wanted.shape[2], device=wanted.device) < columns.unsqueeze(1)).float()
        middle, spread = self.voice.read(memory, mask, wanted, keep)
        how = middle + torch.randn_like(middle) * (spread / 2).exp() if self.training else middle
        made = self.voice(memory, mask, how, columns)
        error = self._mean((made - wanted).abs(), keep)
        steep = self._mean((made.diff(dim=2) - wanted.diff(dim=2)).abs(), keep[:, 1:])
        cost = 0.5 * (middle.square() + spread.exp() - 1 - spread)
        told = cost.clamp(min=_FREE).sum(1)
        lasts = (self.voice.length(memory, mask, how) - columns.float().log()).square()
        return error + _ANGLES * steep + _CLOSE * told + _LASTS * lasts

    @staticmethod
    def _mean(x: Tensor, keep: Tensor) -> Tensor:
        return (x.mean(1) * keep).sum(1) / keep.sum(1).clamp(min=1)

    @torch.no_grad()
    def _made(self, outputs: Tensor) -> list[Tensor]:
        """Return spectra `[bins, columns]`, said in the ordinary way."""
        found: list[Tensor] = []
        for part in outputs.float().split(32):
            some = self.near(part)
            memory, mask = some[..., :-1], some[..., -1] > 0.5
            how = torch.zeros(len(some), LATENT, device=some.device)
            columns = self.voice.length(memory, mask, how).exp().round().clamp(3, _MOST_COLUMNS).long()
            made = self.voice(memory, mask, how, columns) * self.spread + self.mean.unsqueeze(1)
            found += [one[:, :n].cpu() for one, n in zip(made, columns.tolist(), strict=True)]
        return found

    def answers(self, outputs: Tensor) -> Array:
        """Return the logarithm of each spectrum, `[bins, columns]`."""
        return objects([one.numpy() for one in self._made(outputs)])

    @torch.no_grad()
    def truths(self, targets: Tensor) -> Array:
        """Return the logarithm of each true spectrum, `[bins, columns]`."""
        found: list[Array] = []
        for part in targets.split(64):
            spectra, columns = self._true(part)
            found += [one[:, :n].cpu().numpy() for one, n in zip(spectra, columns.tolist(), strict=True)]
        return objects(found)

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return each sound as a WAV file."""
        found = []
        for one in self._made(outputs):
            samples = self.spectrum.sound(self.near(one)).cpu().numpy()
            told = f"sound of {len(samples) / self.rate:.2f} s"
            made = _sound.wav(samples, self.rate)
            found.append(Answer(told, None, ((told, 1.0),), made=made, suffix=".wav"))
        return found

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the mean spectrum, for as long as sounds usually are, always."""
        one = self.mean.cpu().numpy()[:, None].repeat(int(self.columns), 1)
        return objects([one] * n), "always the mean spectrum"

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return some sounds beside the true ones."""
        places = np.linspace(0, len(outputs) - 1, min(_SHOWN, len(outputs))).astype(int)
        answers = self.decode(outputs[places])
        samples, lengths = unpacked(targets[places])
        told = []
        for place, answer, sound, n in zip(places, answers, samples, lengths.tolist(), strict=True):
            truth = _sound.wav(sound[:n].numpy(), self.rate)
            told.append({"place": int(place), "answer_sound": embedded(answer.made), "truth_sound": embedded(truth)})
        return {"made": told}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how near the sounds are."""
        return (
            f"spectra {figures(scores['spectral_error'], 3)} dB from the truth on {n:,} sounds it never heard "
            f"(always the mean spectrum: {figures(baseline['spectral_error'], 3)}); no two people, and no one twice, say a thing "
            "alike, so listen: the report plays some"
        )
