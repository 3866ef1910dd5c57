"""Boxes: what lies where in a picture."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from warmer.drawing import picture_png
from warmer.errors import BadCell, InputError
from warmer.kinds._contract import Answer, Array, Bid, Cells, Kind
from warmer.kinds._detecting import BoxesHead
from warmer.networks.features import FeatureSpec
from warmer.plan import Plan, Proposal

_WIDTH = 64
_VISIBLE = 0.3
_SLACK = 1e-3
_COLOURS = (
    "#e6194b",
    "#0082c8",
    "#3cb44b",
    "#f58231",
    "#911eb4",
    "#008080",
    "#aa6e28",
    "#808000",
    "#000080",
    "#f032e6",
)
_FORM = '{"size": [width, height], "boxes": [[label, left, top, right, bottom], …]}'


@dataclass(frozen=True)
class Boxes(Kind):
    """Labelled boxes in a picture: any number of them, none included; kept as `[boxes, 5]` of class and corners in 0..1.

    A raw cell is `{"size": [width, height], "boxes": [[label, left, top, right, bottom], …]}` in pixels, or that as JSON.

    Attributes:
        labels: of the classes, sorted.
        counts: how many training boxes each has.
        most: boxes of one training example.
    """

    name: ClassVar[str] = "boxes"
    placed: ClassVar[bool] = True
    joins: ClassVar[bool] = False

    labels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    most: int = 1

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for cells that hold boxes and the picture's size."""
        for cell in cells[:50]:
            try:
                _parsed(cell)
            except BadCell:
                return Bid(0.0)
        return Bid(0.97, "boxes with labels")

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
        """Note the classes."""
        counts: dict[str, int] = {}
        most = 1
        for cell in cells:
            try:
                boxes = _parsed(cell)[2] if cell is not None else []
            except BadCell:
                continue  # it will be listed when it is read
            most = max(most, len(boxes))
            for label, *_ in boxes:
                counts[label] = counts.get(label, 0) + 1
        if role == "y" and not counts:
            raise InputError("no training example has a box; add some that do")
        labels = tuple(sorted(counts)) or ("thing",)
        return cls(labels, tuple(counts.get(label, 0) for label in labels), most, **options)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[boxes, 5]`, as many as there are."""
        return (None, 5)

    @property
    def dtype(self) -> str:
        """float32."""
        return "float32"

    def read(self, cell: Any) -> Array:
        """Check the boxes of one picture, and put their corners into shares of it."""
        width, height, boxes = _parsed(cell)
        found = np.zeros((len(boxes), 5), dtype=np.float32)
        for place, (label, left, top, right, bottom) in enumerate(boxes):
            if label not in self.labels:
                raise BadCell(
                    f"has a box called `{label}`, which no training example has ({', '.join(self.labels[:8])})"
                )
            if not (left < right and top < bottom):
                raise BadCell(
                    f"has a box `{label}` whose corners {left:g}, {top:g}, {right:g}, {bottom:g} enclose nothing"
                )
            corners = np.array([left / width, top / height, right / width, bottom / height])
            if corners.min() < -_SLACK or corners.max() > 1 + _SLACK:
                raise BadCell(f"has a box `{label}` that reaches outside the picture of {width:g} × {height:g} pixels")
            found[place] = [self.labels.index(label), *corners.clip(0, 1)]
        return found

    def show(self, array: Array) -> Any:
        """Return the boxes with their labels, corners in shares of the picture."""
        return [
            {"label": self.labels[int(row[0])], "box": [round(float(corner), 4) for corner in row[1:]]} for row in array
        ]

    def beside(self, answer: Answer, x: Kind, cell: Any) -> Answer:
        """Put corners into the input's own pixels, and draw them on it."""
        picture = x.original(cell)
        if picture is None or answer.value is None:
            return answer
        made = picture_png(self.drawn(answer.value, picture))
        scale = (picture.width, picture.height) * 2
        value = [
            {**one, "box": [round(corner * size, 1) for corner, size in zip(one["box"], scale, strict=True)]}
            for one in answer.value
        ]
        return dataclasses.replace(answer, value=value, alternatives=((value, 1.0),), made=made, suffix=".png")

    def drawn(self, value: Any, picture: Any) -> Any:
        """Draw boxes, corners in shares of the picture."""
        from PIL import ImageDraw, ImageFont

        found = picture.convert("RGB")
        if max(found.size) < 320:
            scale = math.ceil(320 / max(found.size))
            found = found.resize((found.width * scale, found.height * scale), 0)
        draw, line = ImageDraw.Draw(found), max(1, round(max(found.size) / 250))
        font = ImageFont.load_default(max(10, round(max(found.size) / 40)))
        for one in value:
            colour = _COLOURS[self.labels.index(one["label"]) % len(_COLOURS)]
            corners = [corner * size for corner, size in zip(one["box"], found.size * 2, strict=True)]
            draw.rectangle(corners, outline=colour, width=line)
            text = f"{one['label']} {one['score']:.0%}" if "score" in one else one["label"]
            place = (corners[0] + line, corners[1] + line)
            draw.rectangle(draw.textbbox(place, text, font), fill=colour)
            draw.text(place, text, "white", font)
        return found

    def collected(self, answers: Sequence[Answer]) -> tuple[str, bytes]:
        """Return COCO's results: one entry a box, of `image` and `category` by name besides the usual fields."""
        found = []
        for number, answer in enumerate(answers):
            for one in answer.value or []:
                left, top, right, bottom = one["box"]
                found.append(
                    {
                        "image_id": number + 1,
                        "file_name": answer.input,
                        "category_id": self.labels.index(one["label"]) + 1,
                        "category": one["label"],
                        "bbox": [left, top, round(right - left, 4), round(bottom - top, 4)],
                        "score": one["score"],
                    }
                )
        return "coco.json", json.dumps(found, ensure_ascii=False).encode()

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return one box a cell, on the left or on the right."""
        generator = np.random.default_rng(seed)
        found = []
        for index in range(24):
            left, top = (1 if index % 2 else 6) + generator.uniform(-1, 1), generator.uniform(1, 4)
            label = "left" if index % 2 else "right"
            found.append({"size": [12, 12], "boxes": [[label, left, top, left + 5, top + 5]]})
        return found

    # ---- tensors ----

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Tensor:
        """Return `[batch, most, 5]`, filled up with class −1."""
        most = max(1, self.most, *(len(one) for one in arrays))
        found = np.zeros((len(arrays), most, 5), dtype=np.float32)
        found[..., 0] = -1
        for place, one in enumerate(arrays):
            found[place, : len(one)] = one
        return torch.from_numpy(found).to(device)

    def follow(self, targets: Tensor, movement: Tensor) -> Tensor:
        """Move boxes as their pictures were; those of which less than three tenths stay to be seen are dropped."""
        scale, shift = movement[:, [0, 1], [0, 1]].unsqueeze(1), movement[:, :, 2].unsqueeze(1)
        one, other = (((targets[..., part] * 2 - 1 - shift) / scale + 1) / 2 for part in (slice(1, 3), slice(3, 5)))
        low, high = torch.minimum(one, other), torch.maximum(one, other)
        kept_low, kept_high = low.clamp(0, 1), high.clamp(0, 1)
        seen = (kept_high - kept_low).prod(-1) / (high - low).prod(-1).clamp(min=1e-9)
        label = torch.where(seen >= _VISIBLE, targets[..., 0], torch.full_like(seen, -1))
        return torch.cat([label.unsqueeze(-1), kept_low, kept_high], -1)

    # ---- networks ----

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose what detectors learn well with."""
        if role == "x" or not partner.plane:
            return {}
        return {
            "optimizer": ("adamw", "for networks that find things"),
            "learning_rate": (2e-3, "for networks that find things"),
            "weight_decay": (0.05, "pull towards zero"),
            "epochs": (float(np.clip(40_000 / n, 10, 200)), f"about 40,000 pictures seen with {n:,} to learn from"),
            "batch": (8, "pictures a step"),
            "warmup": (0.05, "share of the steps in which the learning rate climbs"),
            "cooldown": (0.6, "share of the steps in which it falls"),
            "clip": (5.0, "a rare long step would undo much"),
            "label_smoothing": (0.0, "there are no categories to smooth"),
            "validations": (15, "times boxes are judged, at the most"),
            "advice": (False, "short runs find too little to forecast from"),
        }

    def head(self, plan: Plan, spec: FeatureSpec) -> BoxesHead:
        """Return what finds things."""
        return BoxesHead(spec, self.labels, 2 * plan.width or _WIDTH)


def _parsed(cell: Any) -> tuple[float, float, list[tuple[str, float, float, float, float]]]:
    """Return width, height and boxes of a raw cell."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise BadCell(f"is no JSON of the form {_FORM}") from None
    if not isinstance(cell, Mapping) or not {"size", "boxes"} <= set(cell):
        raise BadCell(f"is not of the form {_FORM}")
    try:
        width, height = (float(size) for size in cell["size"])
        boxes = []
        for label, left, top, right, bottom in cell["boxes"]:
            boxes.append((str(label), float(left), float(top), float(right), float(bottom)))
    except (TypeError, ValueError):
        raise BadCell(f"is not of the form {_FORM}") from None
    numbers = [width, height, *(corner for box in boxes for corner in box[1:])]
    if not all(math.isfinite(number) for number in numbers) or width <= 0 or height <= 0:
        raise BadCell("has a size or a corner that is no number, or a picture of no size")
    return width, height, boxes
