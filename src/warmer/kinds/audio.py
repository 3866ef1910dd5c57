"""Sound: speech, music, noises."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from warmer.errors import BadCell, InputError
from warmer.files import File
from warmer.kinds import _readers, _sound
from warmer.kinds._contract import Array, Bid, Cells, Kind, Padded, option, padded
from warmer.kinds._speaking import VoiceHead, packed
from warmer.networks.features import FeatureSpec
from warmer.networks.sequences import BODIES
from warmer.networks.sound import LogMel, SoundNet
from warmer.plan import Plan, Proposal

_LOOKED_AT = 500
_FULL = 32767
_BEST = 16_000
_LEAST_LIMIT, _LIMIT = 30.0, 4.0
_SPEEDS = (0.9, 1.0, 1.1)
_CLIPPED = 0.01
_STRETCH, _STRETCHES = 0.05, 20


@dataclass(frozen=True)
class Audio(Kind):
    """Sound of one channel, kept as 16-bit samples.

    Attributes:
        rate: samples a second; what comes with another number is resampled.
        longest: seconds of the longest training sound.
        in_order: whether the other side is a sequence, so that the order has to be kept.
        answered: whether it is a y.
    """

    name: ClassVar[str] = "audio"
    sequential: ClassVar[bool] = True
    timed: ClassVar[bool] = True
    many: ClassVar[bool] = True
    joins: ClassVar[bool] = False

    rate: int = 8000
    longest: float = 1.0
    in_order: bool = False
    answered: bool = False
    voice_width: int = option(192, "numbers a column of what makes sound", least=2)
    reader: str = option("auto", f"what reads a sound in order: {', '.join(BODIES)}")

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for sound files, and for samples with a rate."""
        for cell in cells[:50]:
            is_file = isinstance(cell, (File, Path, str)) and str(cell).lower().endswith(_sound.SUFFIXES)
            if not (is_file or cls.is_one(cell)):
                return Bid(0.0)
        return Bid(0.96, "sound files" if isinstance(cells[0], (File, str, Path)) else "samples of sound")

    @classmethod
    def is_one(cls, x: Any) -> bool:
        """Tell whether this is (samples, samples a second)."""
        return isinstance(x, (tuple, list)) and len(x) == 2 and isinstance(x[0], np.ndarray) and np.ndim(x[1]) == 0

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        role: str = "x",
        groups: Array | None = None,
        partner: type[Kind] | None = None,
        **options: Any,
    ) -> Self:
        """Choose the rate, at most 16,000 a second, from up to 500 training sounds."""
        reader = _readers.chosen(options)
        rates, seconds = [], []
        for place in np.linspace(0, len(cells) - 1, min(_LOOKED_AT, len(cells))).astype(int):
            try:
                samples, rate = _sound.read(cells[place])
            except BadCell:
                continue  # it will be listed when it is read
            rates.append(rate)
            seconds.append(len(samples) / rate)
        if not rates:
            return cls(answered=role == "y", **options)
        in_order = partner is not None and partner.sequential
        in_order, rate = in_order or reader in BODIES, min(_BEST, int(np.median(rates)))
        return cls(rate, float(max(seconds)), in_order, role == "y", **options)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[samples]`, as many as there are."""
        return (None,)

    @property
    def dtype(self) -> str:
        """int16."""
        return "int16"

    def read(self, cell: Any) -> Array:
        """Decode, mix to one channel, resample."""
        samples, rate = _sound.read(cell)
        limit = self._limit
        if len(samples) / rate > limit:
            raise BadCell(
                f"lasts {len(samples) / rate:,.0f} s, and the longest that was learned from {self.longest:.1f} s; "
                f"cut it into pieces of {limit:.0f} s at the most"
            )
        found = _sound.resampled(samples, rate, self.rate)
        return np.asarray(np.clip(np.round(found * _FULL), -_FULL, _FULL), dtype=np.int16)

    @property
    def _limit(self) -> float:
        """Seconds of the longest sound that is read at once."""
        return max(_LEAST_LIMIT, _LIMIT * self.longest)

    def cut_up(self, cell: Any) -> list[Any]:
        """Return pieces, cut where it is quietest, of a sound too long to be read at once; none of another."""
        samples, rate = _sound.read(cell)
        if len(samples) / rate <= self._limit:
            return []
        return [(piece, rate) for piece in _sound.pieces(samples, rate, self.longest)]

    def show(self, array: Array) -> Any:
        """Return its length in words."""
        return f"sound of {len(array) / self.rate:.2f} s"

    def picture(self, array: Array) -> Any:
        """Return the spectrogram, low notes at the bottom."""
        from PIL import Image

        found = self._spectrogram(np.asarray(array))
        low, high = np.quantile(found, [0.05, 0.999])
        shades = np.clip((found - low) / max(1e-6, high - low), 0, 1)[::-1]
        return Image.fromarray((255 * (1 - shades)).astype(np.uint8))

    def sound(self, array: Array) -> bytes:
        """Return the sound."""
        return _sound.wav(np.asarray(array, dtype=np.float32) / _FULL, self.rate)

    def _spectrogram(self, array: Array) -> Array:
        mel = LogMel(self.rate, self.mels)
        return mel(torch.from_numpy(array.astype(np.float32) / _FULL).unsqueeze(0))[0].numpy()

    @property
    def mels(self) -> int:
        """Bands of the spectrogram."""
        return 40 if self.rate <= 8000 else 64

    @classmethod
    def strung(cls, cells: Sequence[Any]) -> File:
        """Return sounds with a short silence between, at the first one's rate; they are decoded when they are needed."""
        name = " + ".join(Path(str(cell)).stem if isinstance(cell, (File, str, Path)) else "sound" for cell in cells)
        return File(name, lambda: _sound.wav(*_sound.strung(cells, zlib.crc32(name.encode()))))

    def leave_outs(self, cell: Any) -> list[tuple[str, Any]]:
        """Return stretches of a twentieth of the sound (50 ms at least), and the sound with silence there."""
        samples, rate = _sound.read(cell)
        step = max(round(_STRETCH * rate), -(-len(samples) // _STRETCHES))
        found = []
        for start in range(0, len(samples), step):
            silenced = samples.copy()
            silenced[start : start + step] = 0
            end = min(len(samples), start + step)
            if np.abs(silenced).max() > 0:
                found.append((f"{start / rate:.2f}–{end / rate:.2f} s", (silenced, rate)))
        return found

    def extent(self, array: Array) -> tuple[float, str]:
        """Return the seconds it lasts."""
        return len(array) / self.rate, "s"

    def unlike(self, array: Array) -> str | None:
        """Say where a sound is far longer than those learned from, or clipped."""
        if len(array) / self.rate > 2 * self.longest + 1:
            return f"lasts {len(array) / self.rate:.1f} s, and the longest that was learned from {self.longest:.1f} s"
        share = float((np.abs(array.astype(np.int32)) >= _FULL - 1).mean())
        return f"{share:.0%} of its samples are clipped" if share > _CLIPPED else None

    def vector(self, arrays: Any) -> Array | None:
        """Return mean and spread over time of each band."""
        found = []
        for array in arrays:
            one = self._spectrogram(np.asarray(array))
            found.append(np.concatenate([one.mean(1), one.std(1)]))
        return np.stack(found)

    def cell(self, text: str) -> Any:
        """Return the file of that name."""
        if not Path(text).is_file():
            raise InputError(f"there is no sound `{text}`")
        return File.at(text)

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few short tones, low and high in turn."""
        generator = np.random.default_rng(seed)
        found = []
        for index in range(24):
            hertz, seconds = (300 if index % 2 else 900) + generator.uniform(-50, 50), generator.uniform(0.1, 0.2)
            times = np.arange(round(8000 * seconds)) / 8000
            tone = 0.5 * np.sin(2 * np.pi * hertz * times) + 0.01 * generator.normal(size=len(times))
            data = _sound.wav(tone, 8000)
            found.append(File(f"tone-{seed}-{index}.wav", lambda data=data: data))  # type: ignore[misc]
        return found

    # ---- tensors ----

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Any:
        """Return values `[batch, samples]` in −1..1 and their mask; as a y, lengths and samples in one tensor."""
        if self.answered:
            return packed(list(arrays)).to(device)
        found = padded(list(arrays), device)
        return Padded(found.values.float() / _FULL, found.mask)

    def augment(self, batch: Any, generator: torch.Generator, epoch: int) -> Padded:
        """Play the batch slower or faster, each sound a little later, louder or softer, with noise added to half of them."""
        values, mask = batch
        speed = _SPEEDS[int(torch.randint(len(_SPEEDS), (1,), generator=generator))]
        if speed != 1.0:
            length = max(1, round(values.shape[1] / speed))
            values = nn.functional.interpolate(values.unsqueeze(1), length, mode="linear", align_corners=False)[:, 0]
            mask = nn.functional.interpolate(mask.unsqueeze(1).float(), length, mode="nearest")[:, 0] > 0.5
            mask[:, 0] = True
        n, most = len(values), round(0.1 * self.rate)
        late = int(torch.randint(0, most + 1, (1,), generator=generator))
        values, mask = nn.functional.pad(values, (late, 0)), nn.functional.pad(mask, (late, 0), value=True)
        gain = 10 ** (torch.empty(n, 1).uniform_(-6, 6, generator=generator) / 20)
        loud = values.square().sum(1, keepdim=True).div(mask.sum(1, keepdim=True)).sqrt()
        under = 10 ** (-torch.empty(n, 1).uniform_(10, 40, generator=generator) / 20)
        noisy = (torch.rand(n, 1, generator=generator) < 0.5).float()
        noise = torch.randn(values.shape, generator=generator).to(values.device)
        return Padded((values + noise * loud * (under * noisy).to(values.device)) * gain.to(values.device) * mask, mask)

    # ---- networks ----

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose a ConvNet over the spectrogram, and something that keeps the order where the answer is a sequence."""
        if role == "y":
            return {
                "optimizer": ("adamw", "for networks that make sound"),
                "learning_rate": (1e-3, "for networks that make sound"),
                "weight_decay": (0.01, "pull towards zero"),
                "clip": (1.0, "a rare long step would undo much"),
                "warmup": (0.02, "share of the steps in which the learning rate climbs"),
                "cooldown": (0.5, "share of the steps in which it falls"),
                "epochs": (float(np.clip(100_000 / n, 10, 80)), f"about 100,000 sounds made with {n:,} to learn from"),
                "batch": (32, "sounds a step"),
                "members": (1, "one voice"),
                "folds": (1, "one voice"),
                "patience": (0, "how a voice sounds is not seen in its score"),
                "validations": (6, "times some sounds are made, at the most"),
                "dropout": (0.0, "silenced activations"),
            }
        common: dict[str, tuple[Any, str]] = {
            "optimizer": ("adamw", "for spectrograms"),
            "batch": (32, "sounds a step"),
            "weight_decay": (0.02, "pull towards zero"),
            "warmup": (0.05, "share of the steps in which the learning rate climbs"),
            "cooldown": (0.5, "share of the steps in which it falls"),
            "validations": (20, "times some sounds are judged, at the most"),
        }
        if self.in_order:
            seen = float(np.clip(60_000 / n, 10, 60))
            return {
                **common,
                "optimizer": ("muonw", "orthogonalised steps: fewer epochs"),
                "ordered": (True, "what is said is said in the order in which it is heard"),
                "epochs": (seen, f"about {seen * n:,.0f} sounds heard"),
                "learning_rate": (2e-3, "for networks that read sequences"),
                "width": (192, "numbers a place"),
                "depth": (2, "layers of what reads them"),
                "dropout": (0.2, "silenced activations"),
            }
        seen = float(np.clip(80_000 / n, 10, 60))
        return {
            **common,
            "epochs": (seen, f"about {seen * n:,.0f} sounds heard"),
            "learning_rate": (3e-3, "for spectrograms"),
            "width": (32, "channels of the first layer"),
            "dropout": (0.1, "silenced activations"),
            "pooling": ("mean", "over time"),
            "label_smoothing": (0.1, "keeps a network from being too sure"),
        }

    def head(self, plan: Plan, spec: FeatureSpec) -> VoiceHead:
        """Return what makes sound."""
        return VoiceHead(spec, self.rate, self.voice_width)

    def encoder(self, plan: Plan) -> nn.Module:
        """Return the network that listens."""
        reader = ("gru" if self.reader == "auto" else self.reader) if self.in_order else ""
        width = plan.width or (192 if reader else 32)
        return SoundNet(self.rate, self.mels, width, plan.depth or 2, plan.dropout, reader, plan.instance_norm)
