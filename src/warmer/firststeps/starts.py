"""Going downhill from many places: which bottoms there are, and which of them is the lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError
from warmer.firststeps.descent import Path, descend
from warmer.formula import Formula

Array = NDArray[np.float64]

_SAME = 1e-2


@dataclass(frozen=True)
class Starts:
    """Descents from many places.

    Attributes:
        formula: what they went down on.
        paths: one a start.
        bottoms: the different places where descents converged, lowest first, `[bottoms, variables]`.
        values: of the formula there.
        ended: for each path the place of its bottom in `bottoms`; −1 where it did not converge.
        sentence: what was found, in words.
    """

    formula: Formula
    paths: tuple[Path, ...]
    bottoms: Array
    values: Array
    ended: tuple[int, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return everything but the ways themselves as plain JSON."""
        return {
            "formula": self.formula.text,
            "variables": list(self.formula.variables),
            "starts": [path.points[0].tolist() for path in self.paths],
            "ended": list(self.ended),
            "bottoms": self.bottoms.tolist(),
            "values": self.values.tolist(),
            "sentence": self.sentence,
        }

    def picture(self) -> bytes:
        """Draw every way on the curve, or from above, coloured by the bottom it leads to; PNG."""
        if self.formula.dimensions > 2:
            raise InputError("a picture from above needs one or two variables")
        figure = drawing.figure(8.5, 5 if self.formula.dimensions == 2 else 4.2)
        axes = figure.add_subplot()
        draw = self._curve if self.formula.dimensions == 1 else self._map
        draw(axes)
        axes.set_title(f"{self.formula.text}: {len(self.paths)} starts, {len(self.bottoms)} bottoms", fontsize=10)
        return drawing.png(figure)

    def _colours(self) -> list[Any]:
        from matplotlib import colormaps

        return [colormaps["tab10"](end % 10) if end >= 0 else "#aaaaaa" for end in self.ended]

    def _curve(self, axes: Any) -> None:
        drawing.open_sides(axes)
        places = np.array([path.points[0, 0] for path in self.paths] + list(self.bottoms[:, 0]))
        margin = 0.08 * float(np.ptp(places))
        xs = np.linspace(places.min() - margin, places.max() + margin, 900)
        ys = self.formula(xs) + 0 * xs
        axes.plot(xs, ys, color=drawing.INK, linewidth=1.2)
        for path, colour in zip(self.paths, self._colours(), strict=True):
            inside = (path.points[:, 0] >= xs[0]) & (path.points[:, 0] <= xs[-1])
            axes.plot(path.points[inside, 0], path.values[inside], ".-", color=colour, linewidth=0.7, markersize=5)
            axes.plot(path.points[0, 0], path.values[0], "o", color=colour, markeredgecolor=drawing.INK, markersize=7)
        for bottom, value in zip(self.bottoms, self.values, strict=True):
            axes.annotate(f"{value:.3g}", (bottom[0], value), xytext=(0, -14), textcoords="offset points", ha="center")
        low, high = float(np.nanmin(ys)), float(np.nanmax(ys))
        axes.set(xlabel=self.formula.variables[0], ylabel="value", ylim=(low - 0.12 * (high - low), None))

    def _map(self, axes: Any) -> None:
        places = np.array([path.points[0] for path in self.paths] + list(self.bottoms))
        margin = 0.06 * np.ptp(places, axis=0) + 1e-9
        low, high = places.min(0) - margin, places.max(0) + margin
        grid = [np.linspace(a, b, 220) for a, b in zip(low, high, strict=True)]
        x, y = np.meshgrid(*grid)
        axes.contour(x, y, self.formula(x, y) + 0 * x, levels=26, cmap="Greys", linewidths=0.7, alpha=0.8)
        for path, colour in zip(self.paths, self._colours(), strict=True):
            axes.plot(*path.points.T, "-", color=colour, linewidth=0.9)
            axes.plot(*path.points[0], "o", color=colour, markersize=5)
        for bottom, value in zip(self.bottoms, self.values, strict=True):
            axes.plot(*bottom, "*", color=drawing.INK, markersize=12)
            axes.annotate(f"{value:.3g}", bottom, xytext=(8, 6), textcoords="offset points", fontsize=9)
        axes.set(xlabel=self.formula.variables[0], ylabel=self.formula.variables[1])
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def descend_from_many(
    formula: str | Formula,
    low: float,
    high: float,
    *,
    starts: int = 20,
    method: str = "gradient",
    step: float | None = None,
    steps: int = 2000,
    seed: int = 0,
) -> Starts:
    """Go downhill from many places, spread evenly over a line, at random over a square or cube.

    Args:
        formula: such as `"x**4 - 3*x**2 + x"`.
        low, high: between which each variable starts.
        starts: how many.
        method, step, steps: as of `descend`.
        seed: random places follow from it.

    Raises:
        InputError: the range is empty, or the formula is no number at every start; and what `descend` raises.
    """
    f = formula if isinstance(formula, Formula) else Formula(formula)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"the range goes from a smaller number to a larger one, not from {low:g} to {high:g}")
    if not 2 <= starts <= 1000:
        raise InputError(f"give 2 to 1,000 starts, not {starts}")
    places = np.random.default_rng(seed).uniform(low, high, (starts, max(1, f.dimensions)))
    if f.dimensions == 1:
        places = np.linspace(low, high, starts)[:, None]
    good = [place for place in places if not f.dimensions or np.isfinite(float(f(*place)))]
    if not good:
        raise InputError(f"`{f}` is no number at any of the {starts} starts; give another range")
    paths = tuple(descend(f, place.tolist(), method=method, step=step, steps=steps) for place in good)
    bottoms, values, ended = _bottoms(paths, high - low)
    return Starts(f, paths, bottoms, values, ended, _sentence(paths, bottoms, values, ended))


def _bottoms(paths: tuple[Path, ...], reach: float) -> tuple[Array, Array, tuple[int, ...]]:
    """Return the different ends, lowest first, their values, and which of them each path came to."""
    found: list[tuple[float, Array]] = []
    for path in paths:
        end = path.points[-1]
        if path.outcome in ("converged", "stopped") and not any(
            np.abs(end - other).max() < _SAME * reach for _, other in found
        ):
            found.append((float(path.values[-1]), end))
    found.sort(key=lambda one: one[0])
    ended = [
        next((k for k, (_, b) in enumerate(found) if np.abs(path.points[-1] - b).max() < _SAME * reach), -1)
        if path.outcome in ("converged", "stopped")
        else -1
        for path in paths
    ]
    places = np.array([b for _, b in found]).reshape(len(found), paths[0].points.shape[1])
    return places, np.array([v for v, _ in found]), tuple(ended)


def _sentence(paths: tuple[Path, ...], bottoms: Array, values: Array, ended: tuple[int, ...]) -> str:
    lost = sum(end < 0 for end in ended)
    unfinished = f"{lost} of {len(paths)} starts found no bottom" if lost else ""
    if not len(bottoms):
        return f"none of {len(paths)} starts found a bottom; try a smaller step, or more steps"
    told = []
    for place, (bottom, value) in enumerate(zip(bottoms, values, strict=True)):
        where = ", ".join(f"{x + 0.0:.4g}" for x in np.round(bottom, 6))
        told.append(f"{sum(end == place for end in ended)} end at ({where}), value {value:.4g}")
    kind = "there is one bottom" if len(bottoms) == 1 else f"there are {len(bottoms)} bottoms, and the start decides"
    return "; ".join([f"{kind}: " + ", ".join(told[:8]), *([unfinished] if unfinished else [])])
