"""Gradient flow: the way water would take, which gradient descent follows in steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError
from warmer.firststeps.descent import place
from warmer.formula import Formula

Array = NDArray[np.float64]

_FLAT = 1e-3
_LONGEST = 1e4
_RADIUS = 1e-4
_ANGLES = 12
_MOST_STEPS = 20_000


@dataclass(frozen=True)
class Flow:
    """The flow line x′ = −∇f(x) from a place, and gradient descents that follow it.

    Attributes:
        formula: what it runs down on.
        times: `[moments]`, at which the line was computed.
        line: `[moments, variables]`.
        steps: sizes of step of the descents, falling.
        ways: of each descent the points `[steps + 1, variables]`; point k belongs to time k × step.
        distances: largest distance of each descent from the flow line at the same time.
        angles: between gradient and level set at places on the line, in degrees; empty unless there are two variables.
        sentence: what was found, in words.
    """

    formula: Formula
    times: Array
    line: Array
    steps: tuple[float, ...]
    ways: tuple[Array, ...]
    distances: tuple[float, ...]
    angles: tuple[float, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "formula": self.formula.text,
            "variables": list(self.formula.variables),
            "times": self.times.tolist(),
            "line": self.line.tolist(),
            "steps": list(self.steps),
            "distances": [d if np.isfinite(d) else None for d in self.distances],
            "angles": list(self.angles),
            "sentence": self.sentence,
        }

    def picture(self) -> bytes:
        """Draw level sets, the flow line and the descents (two variables), or the way over time; and the distances; PNG."""
        figure = drawing.figure(10.5, 4.6)
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
        if self.formula.dimensions == 2:
            self._map(left)
        else:
            self._over_time(left)
        good = [(s, d) for s, d in zip(self.steps, self.distances, strict=True) if np.isfinite(d) and d > 0]
        drawing.open_sides(right)
        if good:
            right.loglog(*zip(*good, strict=True), "o-", color=drawing.WARM)
            right.set_xticks([s for s, _ in good], [f"{s:.3g}" for s, _ in good], rotation=30)
            right.minorticks_off()
        right.set(xlabel="step", ylabel="largest distance from the flow line")
        right.grid(alpha=0.3)
        figure.suptitle(f"{self.formula.text}: the flow of its gradient", fontsize=10)
        return drawing.png(figure)

    def _map(self, axes: Any) -> None:
        shown = [way for way, d in zip(self.ways, self.distances, strict=True) if np.isfinite(d)]
        corners = np.concatenate([self.line, *shown[-3:]])
        low, high = corners.min(0), corners.max(0)
        reach = max(0.6 * float((high - low).max()), 0.2)
        middle = (low + high) / 2
        grid = [np.linspace(m - reach, m + reach, 200) for m in middle]
        x, y = np.meshgrid(*grid)
        levels = 22
        axes.contour(x, y, self.formula(x, y) + 0 * x, levels=levels, cmap="viridis", linewidths=0.7)
        coarse = [one[::14] for one in grid]
        u, v = np.meshgrid(*coarse)
        slopes = np.array([self.formula.gradient(np.array(p)) for p in zip(u.ravel(), v.ravel(), strict=True)])
        lengths = np.linalg.norm(slopes, axis=1, keepdims=True)
        arrows = -slopes / np.where(lengths > 0, lengths, 1)
        axes.quiver(u.ravel(), v.ravel(), *arrows.T, color="#999999", scale=34, width=0.0022)
        for way, step, shade in zip(shown[:3], self.steps, ("#f4a259", "#d1495b", "#7b2d43"), strict=False):
            axes.plot(*way.T, "o-", color=shade, markersize=3.5, linewidth=1, label=f"steps of {step:g}")
        axes.plot(*self.line.T, color=drawing.COLD, linewidth=2.2, label="flow line")
        axes.plot(*self.line[0], "o", color=drawing.INK, markersize=7)
        axes.legend(fontsize=8, frameon=True)
        axes.set(xlabel=self.formula.variables[0], ylabel=self.formula.variables[1], aspect="equal")
        axes.set(xlim=(grid[0][0], grid[0][-1]), ylim=(grid[1][0], grid[1][-1]))

    def _over_time(self, axes: Any) -> None:
        drawing.open_sides(axes)
        for name, values in zip(self.formula.variables, self.line.T, strict=True):
            axes.plot(self.times, values, linewidth=2, label=f"{name} of the flow line")
        for way, step in zip(self.ways[:2], self.steps, strict=False):
            axes.plot(np.arange(len(way)) * step, way, "o", markersize=3, alpha=0.6)
        axes.legend(fontsize=8, frameon=False)
        axes.set(xlabel="time = step × number of steps")


def flow(formula: str | Formula, start: float | Sequence[float], *, step: float = 0.1, halvings: int = 5) -> Flow:
    """Follow the gradient flow from a place, and gradient descents of smaller and smaller steps beside it.

    Args:
        formula: such as `"x**2 + 3*y**2"`.
        start: a number for each variable, in the order of their names.
        step: of the coarsest descent.
        halvings: how many finer descents there are, each of half the step.

    Raises:
        InputError: the formula is none, has no variable or another number of them than `start`, is no number there, is
            flat there, or a size is out of range.
    """
    f, origin = place(formula, start)
    if step <= 0 or not 1 <= halvings <= 12:
        raise InputError("the step must be more than zero, and halved 1 to 12 times")
    times, line, rests = _line(f, origin)
    sizes = tuple(step / 2**k for k in range(halvings + 1))
    ways, distances = [], []
    for size in sizes:
        count = int(np.clip(times[-1] / size, 1, _MOST_STEPS))
        way = _descent(f, origin, size, count)
        reached = np.stack([np.interp(np.arange(len(way)) * size, times, column) for column in line.T], axis=1)
        apart = np.linalg.norm(way - reached, axis=1)
        ways.append(way)
        whole = np.isfinite(apart).all() and len(way) == count + 1 and float(f(*way[-1])) <= float(f(*origin))
        distances.append(float(apart.max()) if whole else float("inf"))
    angles = _angles(f, line) if f.dimensions == 2 else ()
    return Flow(
        f, times, line, sizes, tuple(ways), tuple(distances), angles, _sentence(line, rests, sizes, distances, angles)
    )


def _line(f: Formula, start: Array) -> tuple[Array, Array, bool]:
    """Solve x′ = −∇f(x) until the ground is nearly flat (Dormand and Prince's method of order 5); also whether it is."""
    from scipy.integrate import solve_ivp

    steepness = float(np.abs(f.gradient(start)).max())
    if not np.isfinite(steepness) or steepness == 0:
        raise InputError(f"`{f}` has no slope at the start, so nothing flows from there")

    def flat(t: float, x: Array) -> float:
        return float(np.abs(f.gradient(x)).max()) - _FLAT * steepness

    flat.terminal = True  # type: ignore[attr-defined]
    found = solve_ivp(
        lambda t, x: -f.gradient(x), (0, _LONGEST), start, events=flat, rtol=1e-9, atol=1e-11, dense_output=True
    )
    end = float(found.t[-1])
    times = np.linspace(0, end, 4001)
    line = found.sol(times).T
    good = np.isfinite(line).all(1)
    if good.sum() < 2:
        raise InputError(f"`{f}` leads to no number right beside the start")
    return times[good], line[good], found.status == 1


def _descent(f: Formula, start: Array, step: float, count: int) -> Array:
    points = [start]
    for _ in range(count):
        points.append(points[-1] - step * f.gradient(points[-1]))
        if not np.isfinite(points[-1]).all() or np.abs(points[-1]).max() > 1e9:
            return np.array(points[:-1])
    return np.array(points)


def _angles(f: Formula, line: Array) -> tuple[float, ...]:
    """Measure the angle between gradient and level set at places along the line.

    The level set is found without the gradient: on a small circle round a place, it passes where the formula has the
    same value as in the middle.
    """
    found = []
    for point in line[np.linspace(0, 0.8 * (len(line) - 1), _ANGLES).astype(int)]:
        crossings = _crossings(f, point)
        slope = f.gradient(point)
        if len(crossings) != 2 or not np.linalg.norm(slope):
            continue
        along = crossings[1] - crossings[0]
        cosine = float(abs(along @ slope) / (np.linalg.norm(along) * np.linalg.norm(slope)))
        found.append(float(np.degrees(np.arccos(min(1.0, cosine)))))
    return tuple(found)


def _crossings(f: Formula, point: Array) -> list[Array]:
    """Return where the level set of a place crosses a small circle round it."""
    from scipy.optimize import brentq

    radius = _RADIUS * (1 + float(np.abs(point).max()))
    level = float(f(*point))

    def above(turn: float) -> float:
        return float(f(*_on_circle(point, radius, turn))) - level

    turns = np.linspace(0, 2 * np.pi, 37) + 0.1
    heights = [above(turn) for turn in turns]
    pairs = [(a, b) for a, b, u, v in zip(turns, turns[1:], heights, heights[1:], strict=False) if u * v < 0]
    return [_on_circle(point, radius, float(brentq(above, a, b, xtol=1e-14))) for a, b in pairs]


def _on_circle(middle: Array, radius: float, turn: float) -> Array:
    return middle + radius * np.array([np.cos(turn), np.sin(turn)])


def _sentence(
    line: Array, rests: bool, steps: Sequence[float], distances: Sequence[float], angles: Sequence[float]
) -> str:
    end = ", ".join(f"{x:.4g}" for x in np.round(line[-1], 6) + 0.0)
    told = [
        f"the flow line ends near ({end})" if rests else f"the flow line finds no bottom: at ({end}) it still falls"
    ]
    both = [(s, d) for s, d in zip(steps, distances, strict=True) if np.isfinite(d) and d > 0]
    diverged = [s for s, d in zip(steps, distances, strict=True) if not np.isfinite(d)]
    if diverged:
        told.append(f"steps of {max(diverged):g} leave it for good")
    if len(both) > 1:
        (_, coarse), (fine, last) = both[-2], both[-1]
        told.append(
            f"steps of {fine:g} stay within {last:.2g} of it, and halving the step made that {last / coarse:.2f} times as large"
        )
    if angles:
        told.append(
            f"gradient and level set meet at {sum(angles) / len(angles):.2f}° ({min(angles):.2f}° to {max(angles):.2f}°)"
        )
    return "; ".join(told)
