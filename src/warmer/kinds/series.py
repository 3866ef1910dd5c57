"""A series: numbers in the order of time, of one channel or several."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from warmer.errors import BadCell, InputError
from warmer.kinds._contract import Answer, Array, Bid, Cells, Kind
from warmer.kinds._forecasting import SeriesHead, plot
from warmer.networks.features import FeatureSpec
from warmer.networks.series import Onward, SeriesNet
from warmer.plan import Plan, Proposal
from warmer.stretch import Frame, Stretch

_LEAST, _MOST = 4, 4096
_FAR = 8.0


@dataclass(frozen=True)
class Series(Kind):
    """Numbers at even steps, kept as `[steps, channels]`.

    Attributes:
        length: steps.
        names: of the channels.
        targets: places of the channels that were asked for; none: all.
        period: steps after which it tends to repeat.
        mean, deviation: of each channel over the training part.
        onward: whether the other side is the same series: its past, or what came after.
    """

    name: ClassVar[str] = "series"
    joins: ClassVar[bool] = False
    many: ClassVar[bool] = True

    length: int = 16
    names: tuple[str, ...] = ("value",)
    targets: tuple[int, ...] = ()
    period: int = 1
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    onward: bool = False

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for stretches of a series, arrays and lists of numbers."""
        for cell in cells[:50]:
            if not isinstance(cell, Stretch) and _numbers(cell) is None:
                return Bid(0.0)
        return Bid(0.94, "stretches of a series" if isinstance(cells[0], Stretch) else "numbers in a row")

    @classmethod
    def is_one(cls, x: Any) -> bool:
        """Tell whether this is one list of numbers."""
        return isinstance(x, Stretch) or _numbers(x) is not None

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
        """Note length, channels and their spread."""
        read = [one for cell in cells if cell is not None and (one := _stretch(cell)) is not None]
        if not read:
            return cls(**options)
        length = max(len(one.values) for one in read)
        if not _LEAST <= length <= _MOST and role == "x":
            raise InputError(f"series of {length} steps cannot be learned from; give {_LEAST} to {_MOST} steps")
        frame = read[0].frame
        mean, deviation = frame.mean, frame.deviation
        if not mean:
            values = np.concatenate([one.values for one in read if one.values.shape[1] == read[0].values.shape[1]])
            spread = values.std(0)
            mean, deviation = tuple(values.mean(0).tolist()), tuple(np.where(spread > 0, spread, 1).tolist())
        same = partner is not None and partner.name == cls.name
        return cls(
            length, frame.names, frame.targets, frame.period, mean, deviation,
            onward=same, **options,
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[steps, channels]`."""
        return (self.length, len(self.names))

    @property
    def dtype(self) -> str:
        """float32."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Return the numbers; a shorter series is filled up in front with its first step."""
        found = _stretch(cell)
        if found is None:
            raise BadCell(f"is no series of numbers but `{str(cell)[:40]}`")
        values = found.values
        if values.shape[1] != len(self.names):
            raise BadCell(
                f"has {values.shape[1]} channels, and {len(self.names)} were learned from ({', '.join(self.names[:6])})"
            )
        if len(values) > self.length:
            raise BadCell(f"has {len(values)} steps, and the longest that was learned from {self.length}")
        if not len(values) or not np.isfinite(values).all():
            raise BadCell("has no step, or a step that is no number")
        filled = np.repeat(values[:1], self.length - len(values), 0)
        return np.concatenate([filled, values]).astype(np.float32)

    def show(self, array: Array) -> Any:
        """Return the numbers of the channels asked for."""
        chosen = self.targets or tuple(range(len(self.names)))
        told = {self.names[k]: [float(f"{number:.6g}") for number in array[:, k]] for k in chosen}
        return next(iter(told.values())) if len(told) == 1 else told

    def picture(self, array: Array) -> Any:
        """Return a small drawing of the first channel asked for."""
        from PIL import Image, ImageDraw

        column = np.asarray(array)[:, (self.targets or (0,))[0]]
        found = Image.new("L", (96, 48), 255)
        low, spread = float(column.min()), max(1e-9, float(np.ptp(column)))
        across = np.linspace(2, 93, len(column))
        points = [(float(x), 44 - 40 * (float(y) - low) / spread) for x, y in zip(across, column, strict=True)]
        ImageDraw.Draw(found).line(points if len(points) > 1 else points * 2, fill=0)
        return found

    def unlike(self, array: Array) -> str | None:
        """Say which channel lies far outside what was learned from."""
        far = np.abs((array - np.array(self.mean)) / np.array(self.deviation)).max(0)
        worst = int(far.argmax())
        return f"`{self.names[worst]}` lies {far[worst]:.0f} deviations from its mean" if far[worst] > _FAR else None

    def vector(self, arrays: Array) -> Array | None:
        """Return the standardised numbers, averaged down to 32 steps at the most; none where the answer goes on with them."""
        if self.onward:
            return None
        scaled = (np.asarray(arrays) - np.array(self.mean)) / np.array(self.deviation)
        parts = np.array_split(scaled, min(32, self.length), 1)
        return np.concatenate([part.mean(1) for part in parts], 1)

    def unchanged(self, other: Kind, arrays: Any) -> tuple[Array, str] | None:
        """Return the last period of the past again and again, standardised; the last step where nothing repeats."""
        if not isinstance(other, Series) or not other.onward:
            return None
        scaled = (np.asarray(arrays) - np.array(self.mean)) / np.array(self.deviation)
        period = self.period if 1 < self.period <= scaled.shape[1] else 1
        places = np.arange(self.length) % period - period
        told = f"repeating the last {period} steps" if period > 1 else "repeating the last step"
        return scaled[:, places].astype(np.float32), told

    def opening(self, y: Kind, last: bool) -> Mapping[str, Any]:
        """Return with which options a table of rows is to be read as such stretches."""
        if not self.onward:
            return {}
        return {"horizon": y.shape[0], "past": self.length, "channels": self.names, **({"last": True} if last else {})}

    def beside(self, answer: Answer, x: Kind, cell: Any) -> Answer:
        """Draw a forecast after the end of its past."""
        if answer.value is None or not isinstance(x, Series) or not x.onward:
            return answer
        frame = Frame(self.names, self.targets)
        return dataclasses.replace(answer, made=plot(answer, x.read(cell), frame), suffix=".png")

    def cell(self, text: str) -> Any:
        """Return the numbers of a list in brackets."""
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if _numbers(found) is None:
            raise InputError(f"`{text[:40]}` is no list of numbers such as [1, 2, 3], and no file")
        return found

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few short waves, rising or falling."""
        generator = np.random.default_rng(seed)
        steps = np.arange(16)
        found = []
        for index in range(24):
            wave = (0.3 if index % 2 else -0.3) * steps + np.sin(steps + generator.uniform(0, 6))
            found.append((wave + generator.normal(size=16) * 0.05).astype(np.float32))
        return found

    def blank(self) -> Any:
        """Return zeros."""
        return Stretch(np.zeros((self.length, len(self.names)), dtype=np.float32), Frame(self.names))

    # ---- tensors and networks ----

    def augment(self, batch: Tensor, generator: torch.Generator, epoch: int) -> Tensor:
        """Leave a series as it is."""
        return batch

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose what forecasts, or a ConvNet along time, learn well with."""
        common: dict[str, tuple[Any, str]] = {
            "optimizer": ("adamw", "for series"),
            "batch": (int(np.clip(2 ** round(np.log2(max(n / 100, 1))), 8, 64)), "series a step"),
            "dropout": (0.3, "silenced activations"),
        }
        if role == "x" and self.onward:
            epochs = float(np.clip(120_000 / n, 10, 200))
            return {
                **common,
                "epochs": (epochs, f"about {epochs * n:,.0f} stretches seen"),
                "learning_rate": (1e-3, "for weighted sums of the past"),
                "weight_decay": (0.01, "pull towards zero"),
                "cooldown": (0.8, "share of the steps in which the learning rate falls"),
                "patience": (4, "validations without gain before the cool-down starts early"),
                "advice": (False, "time decides what may be learned from, so there is no fair eighth of the examples"),
                "folds": (1, "examples are dealt out by time"),
            }
        if role == "x":
            return {
                **common,
                "epochs": (float(np.clip(60_000 / n, 10, 60)), "about 60,000 series seen"),
                "learning_rate": (2e-3, "for ConvNets along time"),
                "width": (48, "channels"),
                "depth": (5, "layers, each seeing twice as far as the one before"),
            }
        return {}

    def encoder(self, plan: Plan) -> nn.Module:
        """Return what reads a series; for one that shall go on it is passed on as it is."""
        if self.onward:
            return Onward(self.mean, self.deviation)
        return SeriesNet(self.mean, self.deviation, plan.width or 48, plan.depth or 5, plan.dropout)

    def head(self, plan: Plan, spec: FeatureSpec) -> SeriesHead:
        """Return what goes on with a series, or makes one."""
        past = spec.grids[0][0] if self.onward and spec.rank == 1 else 0
        frame = Frame(self.names, self.targets, self.period, 0, self.mean, self.deviation)
        return SeriesHead(spec, frame, self.length, past, plan.dropout)


def _numbers(cell: Any) -> Array | None:
    """Return a list or an array of one axis as numbers, `[steps, 1]`, or None."""
    if isinstance(cell, np.ndarray):
        good = cell.ndim == 1 and cell.dtype.kind in "fiu" and len(cell) > 1
        return cell.astype(np.float32)[:, None] if good else None
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if not isinstance(cell, (list, tuple)) or len(cell) < 2:
        return None
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in cell):
        return None
    return np.array(cell, dtype=np.float32)[:, None]


def _stretch(cell: Any) -> Stretch | None:
    if isinstance(cell, Stretch):
        return cell
    found = _numbers(cell)
    return None if found is None else Stretch(found, Frame(("value",)))
