"""A picture: a photo, a scan, a drawing, in colour or grey."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image as PIL
from torch import Tensor, nn

from warmer.errors import InputError
from warmer.files import File
from warmer.kinds import _generating, _image_tasks, _lines, _moving, _readers
from warmer.kinds import _image_plans as _plans
from warmer.kinds._adopted_images import adopt
from warmer.kinds._colouring import ColouringHead
from warmer.kinds._contract import Adopted, Answer, Array, Bid, Cells, Head, Kind, option
from warmer.kinds._decoding import eight_bits, is_grey, open_picture, try_open
from warmer.kinds._image_tasks import SMALL
from warmer.kinds._picturing import CriticisedHead, PictureHead, compared
from warmer.networks import pretrained
from warmer.networks.features import FeatureSpec
from warmer.networks.hub import HubEncoder
from warmer.networks.pretrained import WITH_CLASSIFIER
from warmer.networks.sequences import BODIES
from warmer.networks.unet import BEYOND
from warmer.networks.weights import Weights
from warmer.plan import Plan, Proposal

_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".avif", ".ppm", ".pgm")
_LARGE = 112
_LONGEST = 128
_LONGEST_LOCATED = 320
_LOOKED_AT = 2000
_METHODS = ("auto", "error", "critic", "colours", *_generating.METHODS)
_MIRROR_LIMIT = 0.6
_NAMED, _DESCRIBED, _LINES = _image_tasks.Named(), _image_tasks.Described(), _lines.Lines()
_LOCATED, _REPAINTED, _RETOLD = _image_tasks.Located(), _image_tasks.Repainted(), _image_tasks.Retold()


@dataclass(frozen=True)
class Image(Kind):
    """A picture, kept as `[channels, height, width]` of 0 to 255.

    Attributes:
        channels: 1 (grey) or 3 (red, green, blue).
        height, width: the size kept; a picture is scaled to cover `shorter`, and its middle is cut out.
        shorter: the size it is scaled to first, as a multiple of the size kept.
        mean, deviation: of each channel over the training pictures, 0 to 1.
        covariance: of 2×2 patches of standardised training pictures, row by row.
        flips: whether a mirrored picture means the same.
        shift: how many pixels a training picture is moved at most.
        backbone: name of a pretrained network, or nothing.
        settings: of that network, as its `config.json` has them.
        line: whether these are lines of writing, of one height and any width.
        whole: whether all of a picture and its order matter, as the answer is a sequence that may tell what lies where.
        paired: whether the answer is a picture, too, so that all of it is kept, and in its own shape.
        answered: whether it is a y.
        generated: whether as y it is one of many possible pictures, made out of noise.
        coloured: whether as y it is x with its colours.
        located: whether the answer says what lies where, so that all of it is kept, and squeezed into one shape.
        size: the height and width to keep, if you want another.
    """

    name: ClassVar[str] = "image"
    bounded: ClassVar[bool] = True
    placed: ClassVar[bool] = True
    dense: ClassVar[bool] = True
    itself: ClassVar[Mapping[str, Any] | None] = {"latent": 32}

    channels: int = 3
    height: int = 32
    width: int = 32
    shorter: float = 1.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    deviation: tuple[float, ...] = (0.25, 0.25, 0.25)
    covariance: tuple[float, ...] = ()
    resample: str = "bicubic"
    backbone: str = ""
    settings: str = ""
    line: bool = False
    whole: bool = False
    paired: bool = False
    answered: bool = False
    located: bool = False
    generated: bool = False
    coloured: bool = False
    flips: bool | None = option(None, "whether a mirrored picture means the same; none: find out")
    shift: int | None = option(None, "pixels a training picture is moved at most; none: by its size", least=0)
    size: int | None = option(None, "height and width to keep; none: by the training pictures", least=1)
    reader: str = option("auto", f"what reads a line of writing: {', '.join(BODIES)}")
    latent: int = option(
        0, "numbers that a picture has to be told through, where it is x and y; 0: it need not", least=0
    )
    method: str = option("auto", "how pictures are made: auto, error, critic, colours, flow, vae or gan")
    beyond: str = option("zeros", f"what convolutions find outside of a picture, where y is one: {', '.join(BEYOND)}")
    views: bool = option(True, "answer from the mean over slightly moved (and mirrored) views of a picture")

    @classmethod
    def recognise(cls, cells: Cells, *, column: str, role: str) -> Bid:
        """Bid for image files, PIL images and arrays of two or three axes."""
        for cell in cells[:50]:
            is_file = isinstance(cell, (File, Path, str)) and str(cell).lower().endswith(_SUFFIXES)
            is_array = isinstance(cell, np.ndarray) and cell.ndim in (2, 3)
            if not (is_file or is_array or isinstance(cell, PIL.Image)):
                return Bid(0.0)
        return Bid(0.95, "image files" if isinstance(cells[0], (File, str, Path)) else "pictures")

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
        """Choose size and channels from the training pictures, and measure their statistics on up to 2,000 of them."""
        chosen = np.linspace(0, len(cells) - 1, min(_LOOKED_AT, len(cells))).astype(int)
        opened = [(i, picture) for i in chosen if (picture := try_open(cells[i])) is not None]
        if not opened:
            return cls(**options)
        sizes = np.array([picture.size for _, picture in opened])  # width, height
        whole = partner is not None and partner.sequential
        grey = all(is_grey(picture) for _, picture in opened)
        if role == "x" and whole and not options.get("size") and _lines.are_lines(sizes):
            return cls._of_lines(1 if grey else 3, _lines.height_of(sizes), options)
        placed = partner is not None and partner.placed and role == "x"
        _checked(options)
        paired = (role == "y" and partner is not None) or (placed and partner is not None and partner.dense)
        asked = options.get("size")
        if paired or placed:
            width, height = _whole_size(sizes, asked or (_LONGEST if paired else _LONGEST_LOCATED))
        else:
            width, height = _choose_size(sizes, asked)
        blank = cls(
            channels=1 if grey or cls.colourless else 3, height=height, width=width, paired=paired,
            whole=whole or paired or placed, answered=role == "y", located=placed and not paired,
            generated=partner is not None and partner.derived and not partner.colourless,
            coloured=partner is not None and partner.colourless, **options,
        )  # fmt: skip
        stack = np.stack([blank.task.read(blank, picture) for _, picture in opened])
        flips = options.get("flips")
        if flips is None:
            kept = None if groups is None else groups[[i for i, _ in opened]]
            flips = placed or not (whole or paired or not _mirrors_alike(stack, kept))
        return blank._with_statistics(stack, bool(flips))

    @classmethod
    def _of_lines(cls, channels: int, height: int, options: dict[str, Any]) -> Self:
        """Return the kind of lines of writing."""
        _readers.chosen(options)
        return cls(channels=channels, height=height, width=0, line=True, whole=True, flips=False, **options)

    def _with_statistics(self, stack: Array, flips: bool) -> Self:
        """Return this kind with the statistics of some training pictures `[n, channels, height, width]`."""
        pixels = torch.from_numpy(stack[:1000]).double() / 255
        mean = pixels.mean((0, 2, 3))
        deviation = pixels.std((0, 2, 3)).clamp(min=1 / 255)
        scaled = (pixels - mean.view(1, -1, 1, 1)) / deviation.view(1, -1, 1, 1)
        patches = scaled.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 4 * self.channels)
        covariance = patches.t() @ patches / len(patches)
        side = min(self.height, self.width)
        shift = self.shift if self.shift is not None else (1 if side <= 16 else 2 if side <= SMALL else side // 16)
        return dataclasses.replace(
            self,
            mean=tuple(mean.tolist()),
            deviation=tuple(deviation.tolist()),
            covariance=tuple(covariance.flatten().tolist()),
            flips=flips,
            shift=shift,
        )

    @classmethod
    def adopt(cls, weights: Weights, *, answering: bool = False) -> Adopted | None:
        """Recognise an ImageNet network under timm's or torchvision's names, or an image network of transformers."""
        return adopt(cls, weights, answering)

    def refit(
        self, cells: Cells, *, groups: Array | None = None, partner: type[Kind] | None = None, **options: Any
    ) -> Self:
        """Find out whether these pictures may be mirrored, and take over the user's options."""
        found = dataclasses.replace(self, **options)
        if partner is not None and partner.placed and not self.paired:
            return found._locating(cells, options)
        if self.backbone and options.get("size"):
            found = dataclasses.replace(found, height=options["size"], width=options["size"])
        if options.get("flips") is not None:
            return found
        chosen = np.linspace(0, len(cells) - 1, min(_LOOKED_AT, len(cells))).astype(int)
        small = dataclasses.replace(found, height=24, width=24)
        opened = [(i, small.middle(picture)) for i in chosen if (picture := try_open(cells[i])) is not None]
        if not opened:
            return found
        kept = None if groups is None else groups[[i for i, _ in opened]]
        return dataclasses.replace(found, flips=_mirrors_alike(np.stack([pixels for _, pixels in opened]), kept))

    def _locating(self, cells: Cells, options: Mapping[str, Any]) -> Self:
        """Return this kind for answers that say what lies where: all of a picture is kept, in its usual shape."""
        chosen = np.linspace(0, len(cells) - 1, min(200, len(cells))).astype(int)
        sizes = [picture.size for i in chosen if (picture := try_open(cells[i])) is not None]
        width, height = self.width, self.height
        if sizes:
            width, height = _whole_size(np.array(sizes), options.get("size") or _LONGEST_LOCATED)
        flips = options.get("flips")
        return dataclasses.replace(
            self, width=width, height=height, located=True, whole=True, flips=True if flips is None else flips
        )

    @property
    def task(self) -> _image_tasks.Task:
        """What pictures of this kind are answered with, as x."""
        if self.line:
            return _LINES
        if self.latent:
            return _RETOLD
        if self.paired:
            return _REPAINTED
        if self.located:
            return _LOCATED
        return _DESCRIBED if self.whole else _NAMED

    @property
    def linear(self) -> bool:
        """Pictures that are answered with a word or a number, as pixels."""
        return self.task.pixels and not self.backbone

    @property
    def shape(self) -> tuple[int | None, ...]:
        """`[channels, height, width]`; of lines `[columns, channels, height]`, as many columns as there are."""
        return self.task.shape(self)

    @property
    def dtype(self) -> str:
        """uint8."""
        return "uint8"

    def read(self, cell: Any) -> Array:
        """Decode, turn upright, scale and cut out the middle of one picture."""
        return self.task.read(self, open_picture(cell))

    def shades(self, picture: PIL.Image) -> PIL.Image:
        """Return a picture in eight bits and as many channels as are kept."""
        return eight_bits(picture).convert("L" if self.channels == 1 else "RGB")

    def middle(self, picture: PIL.Image) -> Array:
        """Scale a picture to cover the size kept and cut out its middle, `[channels, height, width]`."""
        picture = self.shades(picture)
        cover = (round(self.width * self.shorter), round(self.height * self.shorter))
        scale = max(cover[0] / picture.width, cover[1] / picture.height)
        scaled = (max(cover[0], round(picture.width * scale)), max(cover[1], round(picture.height * scale)))
        if scaled != picture.size:
            picture = picture.resize(scaled, PIL.Resampling[self.resample.upper()])
        left, top = (picture.width - self.width) // 2, (picture.height - self.height) // 2
        pixels = np.asarray(picture)[top : top + self.height, left : left + self.width]
        return np.ascontiguousarray(pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1))

    def show(self, array: Array) -> Any:
        """Return the size in words."""
        return f"picture of {self.task.upright(array).shape[2]} × {self.height}"

    def extent(self, array: Array) -> tuple[float, str] | None:
        """Return the columns of a line."""
        return self.task.extent(array)

    def picture(self, array: Array) -> Any:
        """Return the picture."""
        found = self.task.upright(array)
        return PIL.fromarray(found[0] if self.channels == 1 else np.ascontiguousarray(found.transpose(1, 2, 0)))

    def beside_answers(self, arrays: Any, y: Kind, targets: Any, n: int) -> Proposal:
        """Propose plan fields by what some pictures look like beside their answers."""
        return self.task.beside_answers(self, arrays, y, targets, n)

    def beside(self, answer: Answer, x: Kind, cell: Any) -> Answer:
        """Where a picture was put together again, tell how far it is from the one that came in."""
        if not self.latent or answer.value is None or not answer.made:
            return answer
        return compared(answer, x.read(cell))

    def original(self, cell: Any) -> PIL.Image:
        """Return the picture as it is."""
        return eight_bits(open_picture(cell))

    def uncut(self, cell: Any, longest: int) -> Array:
        """Return a picture uncut, scaled down so that its longer side is at most `longest`."""
        picture = self.shades(open_picture(cell, longest))
        scale = min(1.0, longest / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        pixels = np.asarray(picture.resize(size, PIL.Resampling.LANCZOS) if size != picture.size else picture)
        return np.array(pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1))

    def vector(self, arrays: Array) -> Array | None:
        """Return the pixels, averaged down to about 14 × 14 (grey) or 12 × 12 (colour); none of lines."""
        return self.task.vector(self, arrays)

    def cell(self, text: str) -> Any:
        """Return the file of that name."""
        if not Path(text).is_file():
            raise InputError(f"there is no picture `{text}`")
        return File.at(text)

    @classmethod
    def sample(cls, seed: int) -> list[Any]:
        """Return a few tiny pictures: bright discs on the left or the right of a dark field."""
        generator = np.random.default_rng(seed)
        rows, columns = np.mgrid[0:12, 0:12]
        found = []
        for index in range(24):
            x, y = (3 if index % 2 else 8) + generator.uniform(-1, 1), generator.uniform(4, 7)
            disc = ((rows - y) ** 2 + (columns - x) ** 2 < 6)[..., None] * generator.uniform(120, 255, 3)
            found.append(np.clip(disc + generator.uniform(0, 30, (12, 12, 3)), 0, 255).astype(np.uint8))
        return found

    # ---- tensors ----

    def batch(self, arrays: Array | Sequence[Array], device: torch.device) -> Any:
        """Return `[batch, channels, height, width]`, 0..1 as x and 0..255 as y; of lines `Padded` columns less their paper."""
        return super().batch(arrays, device) if self.answered else self.task.batch(self, arrays, device)

    def unchanged(self, other: Kind, arrays: Any) -> tuple[Array, str] | None:
        """Return pictures scaled to the answer's size, where x is a picture of as many channels."""
        if not isinstance(other, Image) or other.line or self.latent or other.channels not in (1, self.channels):
            return None
        found = torch.from_numpy(np.ascontiguousarray(arrays)).float().expand(-1, self.channels, -1, -1) / 255
        size = (self.height, self.width)
        if found.shape[2:] == torch.Size(size):
            return found.numpy(), "leaving the picture as it is"
        found = nn.functional.interpolate(found, size, mode="bicubic", antialias=True, align_corners=False)
        return found.clamp(0, 1).numpy(), "scaling the picture (bicubic)"

    def augment(self, batch: Any, generator: torch.Generator, epoch: int) -> Any:
        """Move (small pictures), or cut, scale and brighten (large ones); mirror where that keeps the meaning."""
        return self.task.augment(self, batch, generator, epoch)

    def move(self, batch: Tensor, generator: torch.Generator, epoch: int) -> tuple[Tensor, Tensor]:
        """Mirror and shift each picture; where the answer is no picture, cut, scale and recolour it, too."""
        return self.task.move(self, batch, generator)

    def follow(self, targets: Tensor, movement: Tensor) -> Tensor:
        """Move pictures of 0 to 255 as those of x were."""
        return _moving.as_moved(targets.float(), movement)

    def view(self, batch: Any) -> list[Any]:
        """Return the views over which an answer is averaged."""
        return self.task.views(self, batch) if self.views else [batch]

    # ---- networks ----

    def proposals(self, n: int, role: str, minutes: float | None, partner: Kind) -> Proposal:
        """Propose a network and a length of training by the size of the pictures and their number."""
        if role == "y":
            return _plans.generated(self._method(), n) if self.generated else {}
        return self.task.proposals(self, n, minutes)

    def _method(self) -> str:
        """Return how pictures are made, by what they are made of where nothing was asked for."""
        if self.method != "auto":
            return self.method
        return "flow" if self.generated else "colours" if self.coloured and self.channels == 3 else "error"

    def head(self, plan: Plan, spec: FeatureSpec) -> Head:
        """Return what makes a picture of this size."""
        method, size = self._method(), plan.width if spec.rank == 2 else 0
        if method in _generating.METHODS:
            return _generating.head(method, spec, self.channels, self.height, self.width, plan.width or 48)
        if method == "colours" and self.coloured and spec.rank == 2 and self.channels == 3:
            return ColouringHead(spec, self.height, self.width, size)
        if (method == "critic" or (self.method == "auto" and plan.critic)) and spec.rank == 2:
            return CriticisedHead(spec, self.channels, self.height, self.width, size)
        residual = plan.residual and spec.rank == 2
        return PictureHead(spec, self.channels, self.height, self.width, size, self.latent, residual, self.beyond)

    def encoder(self, plan: Plan) -> nn.Module:
        """Return the pretrained network this kind was adopted from, or one to be trained from nothing."""
        if self.settings:
            return HubEncoder(self.settings, self.mean, self.deviation, self.backbone.endswith(WITH_CLASSIFIER))
        if self.backbone:
            return pretrained.Backbone(self.backbone, self.mean, self.deviation)
        return self.task.encoder(self, plan)


def _checked(options: Mapping[str, Any]) -> None:
    """Refuse options that are not known."""
    if options.get("method", "auto") not in _METHODS:
        raise InputError(f"`method` is one of {', '.join(_METHODS)}, not `{options['method']}`")
    if options.get("beyond", "zeros") not in BEYOND:
        raise InputError(f"`beyond` is one of {', '.join(BEYOND)}, not `{options['beyond']}`")


def _whole_size(sizes: Array, longest: int) -> tuple[int, int]:
    """Return (width, height) of pictures of which all is kept: their usual one, the longer side `longest` at the most."""
    width, height = np.median(sizes, 0)
    scale = min(1.0, longest / max(width, height))
    return max(4, round(width * scale)), max(4, round(height * scale))


def _choose_size(sizes: Array, asked: int | None) -> tuple[int, int]:
    """Return (width, height): the pictures' own if they are small and alike, else a square by their shorter side."""
    if asked:
        return asked, asked
    shorter = int(np.median(sizes.min(1)))
    if shorter <= SMALL:
        width, height = (int(value) for value in np.median(sizes, 0))
        return (width, height) if max(width, height) <= 2 * SMALL else (shorter, shorter)
    side = min(_LARGE, shorter)
    return side, side


def _mirrors_alike(stack: Array, groups: Array | None) -> bool:
    """Tell whether a mirrored picture looks like another original of its category, or unlike any.

    In each of the ten largest categories a linear model learns to tell originals from mirrored ones on one half of the
    pictures and is asked about the other half. Photos of things: it guesses (50 %). Digits, letters, signs: it knows.
    """
    from sklearn.linear_model import RidgeClassifier

    small = nn.functional.adaptive_avg_pool2d(torch.from_numpy(stack).float().mean(1, keepdim=True) / 255, 12)
    plain, mirrored = small.flatten(1).numpy(), small.flip(3).flatten(1).numpy()
    labels = np.zeros(len(stack), dtype=int) if groups is None else np.asarray(groups)
    rights, counts = 0.0, 0
    for label in np.argsort(-np.bincount(labels[labels >= 0]))[:10] if (labels >= 0).any() else []:
        members = np.flatnonzero(labels == label)
        if len(members) < 10:
            continue
        half = len(members) // 2
        learn, ask = members[:half], members[half:]
        model = RidgeClassifier(alpha=10.0).fit(
            np.concatenate([plain[learn], mirrored[learn]]), np.repeat([0, 1], half)
        )
        told = np.concatenate([model.predict(plain[ask]) == 0, model.predict(mirrored[ask]) == 1])
        rights, counts = rights + float(told.sum()), counts + len(told)
    return counts > 0 and rights / counts < _MIRROR_LIMIT
