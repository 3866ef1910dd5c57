"""Pictures of one line of writing: all of one height, of many widths, longer than high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as PIL
from torch import Tensor, nn

from warmer.errors import BadCell
from warmer.kinds._contract import Array, Kind, Padded, padded
from warmer.kinds._image_tasks import Task
from warmer.networks.lines import FINE, LineNet
from warmer.plan import Plan, Proposal

if TYPE_CHECKING:
    from warmer.kinds.image import Image

_INK, _DARK, _FAINT = 0.98, 3.0, 0.06
_WAVER, _NOISE = 1.8, 0.2
_SLANT, _SIZE, _STRETCH = 0.5, 0.3, 0.3
_SLANT_SMALL, _SIZE_SMALL, _STRETCH_SMALL = 0.35, 0.12, 0.15
_TURN, _SHIFT = 0.02, 0.09
_HIGHER, _TALLER = 2, (0.88, 1.12)
_BITS, _LONGEST_BIT = 3, 0.12
_LONG, _VARIED, _EVEN = 1.8, 1.3, 1.15
_LONGEST = 60
"""Times as long as it is high."""


class Lines(Task):
    """Answered with what is written in them, from their beginning to their end: an array is `[columns, channels, height]`."""

    def shape(self, image: Image) -> tuple[int | None, ...]:
        """Return `[columns, channels, height]`, as many columns as there are."""
        return (None, image.channels, image.height)

    def read(self, image: Image, picture: PIL.Image) -> Array:
        """Scale a line to the height kept, and turn it into columns."""
        picture = image.shades(picture)
        width = max(1, round(picture.width * image.height / picture.height))
        if width > _LONGEST * image.height:
            raise BadCell(f"is {picture.width} × {picture.height} pixels, too long for one line; cut it")
        pixels = np.asarray(picture.resize((width, image.height), PIL.Resampling.BICUBIC))
        shaped = pixels[:, :, None] if image.channels == 1 else pixels  # rows, columns, channels
        return np.ascontiguousarray(shaped.transpose(1, 2, 0))

    def upright(self, array: Array) -> Array:
        """Return a line as `[channels, height, columns]`."""
        return np.asarray(array).transpose(1, 2, 0)

    def extent(self, array: Array) -> tuple[float, str] | None:
        """Return the number of columns."""
        return float(len(array)), "columns"

    def batch(self, image: Image, arrays: Array | Sequence[Array], device: torch.device) -> Padded:
        """Return lines less their paper."""
        return batch(list(arrays), device)

    def vector(self, image: Image, arrays: Array) -> Array | None:
        """Return nothing: lines are of many lengths."""
        return None

    def augment(self, image: Image, batch: Any, generator: torch.Generator, epoch: int) -> Padded:
        """Write each line as another hand might have."""
        return augment(batch, generator)

    def views(self, image: Image, batch: Any) -> list[Any]:
        """Return lines, of many pixels also written higher, lower, larger and smaller."""
        return views(batch)

    def proposals(self, image: Image, n: int, minutes: float | None) -> Proposal:
        """Propose how lines are learned."""
        return proposals(image.height, n, minutes)

    def beside_answers(self, image: Image, arrays: Any, y: Kind, targets: Any, n: int) -> Proposal:
        """Propose how long the steps are with which real handwriting is learned, whatever is usual for texts."""
        if image.height < FINE:
            return {}
        return {
            "learning_rate": (0.005, "orthogonalised steps may be long"),
            "weight_decay": (0.1, "keeps weights short, whose steps are long"),
        }

    def encoder(self, image: Image, plan: Plan) -> nn.Module:
        """Return convolutions, and what reads their columns."""
        # An LSTM's step is quicker; a GRU is what small letters were measured with.
        usual = "lstm" if image.height >= FINE else "gru"
        reads = usual if image.reader in ("auto", "bag") else image.reader
        width, depth = plan.width or 256, plan.depth or 2
        return LineNet(image.channels, image.height, width, depth, plan.dropout, reads, plan.instance_norm)


def are_lines(sizes: Array) -> bool:
    """Tell whether pictures of these sizes `[n, 2]` (width, height) look like lines of writing."""
    widths, heights = sizes[:, 0] / sizes[:, 1], sizes[:, 1]
    low, middle, high = np.quantile(widths, [0.1, 0.5, 0.9])
    even = np.quantile(heights, 0.9) <= _EVEN * np.quantile(heights, 0.1)
    return bool(even and middle >= _LONG and high >= _VARIED * low)


def height_of(sizes: Array) -> int:
    """Return the height to keep: no more than lines need to have pixels to spare."""
    return int(min(FINE, np.median(sizes[:, 1])))


def batch(arrays: Sequence[Array], device: torch.device) -> Padded:
    """Return values `[batch, columns, channels, height]` and their mask.

    Of each line, how much lighter than its own paper it is, over the contrast that it has: papers and inks differ.
    """
    found = padded([_ink(array) for array in arrays], device)
    return Padded(found.values, found.mask)


def _ink(array: Array) -> Array:
    """Return a line's columns less the middle one of its shades, relative to how far its ink lies from that, float32."""
    shades = np.arange(256)
    counts = np.stack([np.bincount(one.ravel(), minlength=256) for one in np.moveaxis(np.asarray(array), 1, 0)])
    paper = _ranked(counts, 0.5)
    away = np.abs(shades - paper[:, None]).ravel()
    ink = _ranked(np.bincount(away, counts.ravel(), minlength=256)[None], _INK)[0] / 255
    scale = _DARK / max(ink, _FAINT) / 255
    return (np.asarray(array, np.float32) - paper[:, None].astype(np.float32)) * np.float32(scale)


def _ranked(counts: Array, share: float) -> Array:
    """Return the shade below which this share of the pixels lies, of each histogram `[n, 256]`."""
    below = np.cumsum(counts, 1)
    return np.asarray((below < share * below[:, -1:]).sum(1))


def augment(lines: Any, generator: torch.Generator) -> Padded:
    """Write each line as another hand might have: slanted, turned, larger or smaller.

    Lines of many pixels waver, too, become bolder or thinner, and lose bits; in small ones that would be another letter.
    """
    values, mask = lines
    x: Tensor = values.permute(0, 2, 3, 1)
    n, channels, height, width = x.shape
    fine = height >= FINE

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high, generator=generator).to(x.device)

    # Lines of a batch are of about one length, and are made longer or shorter together, so that little of it is padding.
    most = _STRETCH if fine else _STRETCH_SMALL
    longer = float(torch.empty(1).uniform_(-most, most, generator=generator).exp()) * drawn(-most / 3, most / 3).exp()
    lengths = mask.sum(1) * longer
    columns = max(8, round(float(lengths.max())))
    lengths = lengths.round().clamp(min=1, max=columns)
    theta = _placed(drawn, columns / (width * longer), height / width, columns / height, fine)
    grid = nn.functional.affine_grid(theta, [n, channels, height, columns], align_corners=False)
    if fine:
        grid = grid + _wavering((n, height, columns), generator).to(x.device) * drawn(0, 1, 1, 1, 1)
    found = nn.functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
    kept = torch.arange(columns, device=x.device).unsqueeze(0) < lengths.unsqueeze(1)
    seen = kept
    if fine:
        found = _bolder(found, drawn(-1, 1, 1, 1, 1))
        seen = kept & ~_hidden(lengths, columns, height * _LONGEST_BIT, drawn)
    found = found * drawn(0.7, 1.3, 1, 1, 1) + _NOISE * torch.randn(found.shape, generator=generator).to(x.device)
    return Padded(found.permute(0, 3, 1, 2) * seen[:, :, None, None], kept)


def views(lines: Any) -> list[Any]:
    """Return the views over which what is read in lines is averaged: of many pixels, also higher, lower, larger and smaller."""
    values, mask = lines
    if values.shape[3] < FINE:
        return [lines]
    moved = nn.functional.pad(values, (_HIGHER, _HIGHER))
    others = [moved[..., start : start + values.shape[3]] for start in (0, 2 * _HIGHER)]
    return [lines, *(Padded(one, mask) for one in (*others, *(_taller(values, times) for times in _TALLER)))]


def _taller(values: Tensor, times: float) -> Tensor:
    """Return lines `[batch, columns, channels, height]` so many times as high, in the same frame."""
    x = values.permute(0, 2, 3, 1)
    theta = values.new_tensor([[1, 0, 0], [0, 1 / times, 0]]).expand(len(x), -1, -1)
    grid = nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
    return nn.functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False).permute(0, 3, 1, 2)


def _placed(drawn: Any, along: Tensor, before: float, after: float, fine: bool) -> Tensor:
    """Return affine maps `[n, 2, 3]` from the places of new lines to those of old ones, in the units of a sampling grid.

    Args:
        drawn: makes a random number a line.
        along: new columns over old ones and over how much longer each line becomes, `[n]`; lines begin where they began.
        before: rows over columns of the old lines.
        after: columns over rows of the new lines.
        fine: whether there are pixels to spare.
    """
    slant, size = (_SLANT, _SIZE) if fine else (_SLANT_SMALL, _SIZE_SMALL)
    theta = along.new_zeros(len(along), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = along, along - 1
    theta[:, 0, 1] = drawn(-slant, slant) * before
    theta[:, 1, 0] = drawn(-_TURN, _TURN) * after
    theta[:, 1, 1], theta[:, 1, 2] = drawn(-size, size).exp(), drawn(-_SHIFT, _SHIFT)
    return theta


def _wavering(size: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Return how far each pixel is moved, `[n, height, width, 2]` in the units of a sampling grid.

    Neighbours move alike, by a few pixels at the most (Simard, Steinkraus and Platt 2003).
    """
    n, height, width = size
    moved = []
    for across, (down, along) in ((width, (16, 16)), (height, (32, 24))):
        coarse = torch.randn(n, 1, max(2, height // down), max(2, width // along), generator=generator)
        smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
        moved.append(smooth[:, 0] * _WAVER * 2 * height / 64 / across)
    return torch.stack(moved, 3)


def _bolder(x: Tensor, by: Tensor) -> Tensor:
    """Return lines whose dark strokes are thinner where `by`, −1 to 1, is below −½, and bolder where above ½."""
    found = x.clone()
    for sign, most in ((-1, 1.0), (1, 1.5)):
        much = (-sign * by - 0.5).flatten()
        some = torch.nonzero(much > 0).flatten()  # only those, for pooling is slow
        spread = sign * nn.functional.max_pool2d(sign * x[some], 3, 1, 1)
        found[some] += most * much[some].view(-1, 1, 1, 1) * (spread - x[some])
    return found


def _hidden(lengths: Tensor, columns: int, longest: float, drawn: Any) -> Tensor:
    """Return where columns are hidden, `[n, columns]`: up to three bits of each line, `longest` columns at the most."""
    order = torch.arange(columns, device=lengths.device)
    found = torch.zeros(len(lengths), columns, dtype=torch.bool, device=lengths.device)
    for _ in range(_BITS):
        begin, long = drawn(0, 1) * lengths, drawn(-longest / 2, longest)
        found |= (order >= begin[:, None]) & (order < (begin + long)[:, None])
    return found


def proposals(height: int, n: int, minutes: float | None) -> Proposal:
    """Propose how lines are learned."""
    seen, most = (90_000 if height >= FINE else 60_000), 60
    if minutes is not None and height >= FINE:
        seen, most = 3 * seen, 3 * most  # hands never seen go on being read better: the minutes are to end it
    of_height: Proposal = (
        {"instance_norm": (0.5, "hands differ"), "width": (384, "numbers a place; channels go along")}
        if height >= FINE
        else {"precision": ("fp32", "of small letters every shade counts")}
    )
    return {
        "width": (256, "numbers a place"),
        **of_height,
        "ordered": (True, "pictures of one height and many widths: lines, written in the order in which they are read"),
        "optimizer": ("muonw", "orthogonalised steps: fewer epochs")
        if height >= FINE
        else ("adamw", "orthogonalised steps learn small letters sooner, and in the end by heart"),
        "epochs": (float(np.clip(seen / n, 8, most)), f"at the most {seen:,} lines seen with {n:,} to learn from"),
        "batch": (16 if n < 3000 else 32, "lines a step"),
        "depth": (2, "layers of what reads them"),
        "dropout": (0.2, "silenced activations"),
    }
