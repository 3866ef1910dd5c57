"""Going downhill on a formula: by trying both sides, by slopes, by gradients, with memory, with curvature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError, UnknownName
from warmer.formula import Formula

Array = NDArray[np.float64]

_FLAT, _STILL = 1e-8, 1e-10
_FAR = 1e12
_KEPT, _SQUARES = 0.9, 0.999
_HALF = 1e-4
_FINE, _MOST_TRIED = 1e-6, 1_000


@dataclass
class State:
    """What a method remembers from step to step."""

    velocity: Array
    squares: Array
    count: int = 0


Step = Callable[[Formula, Array, float, State], "Array | None"]


def _hot_and_cold(f: Formula, x: Array, step: float, state: State) -> Array | None:
    """Try a step each way along each axis and take the one that is warmest; None if none is warmer."""
    tried = [x + sign * step * axis for axis in np.eye(len(x)) for sign in (1, -1)]
    values = [float(f(*one)) for one in tried]
    best = int(np.nanargmin(values)) if not np.isnan(values).all() else 0
    return tried[best] if values[best] < float(f(*x)) else None


def _slope(f: Formula, x: Array, step: float, state: State) -> Array:
    """Go down the slope that is felt by looking a ten-thousandth to each side."""
    felt = [(float(f(*(x + s))) - float(f(*(x - s)))) / (2 * _HALF) for s in _HALF * np.eye(len(x))]
    return x - step * np.array(felt)


def _gradient(f: Formula, x: Array, step: float, state: State) -> Array:
    """Go down the gradient, the exact slope."""
    return x - step * f.gradient(x)


def _momentum(f: Formula, x: Array, step: float, state: State) -> Array:
    """Keep nine tenths of the last movement (Polyak 1964)."""
    state.velocity = _KEPT * state.velocity - step * f.gradient(x)
    return x + state.velocity


def _nesterov(f: Formula, x: Array, step: float, state: State) -> Array:
    """As momentum, with the gradient where the movement leads (Nesterov 1983)."""
    state.velocity = _KEPT * state.velocity - step * f.gradient(x + _KEPT * state.velocity)
    return x + state.velocity


def _rmsprop(f: Formula, x: Array, step: float, state: State) -> Array:
    """Divide each slope by its usual size (Hinton 2012)."""
    slope = f.gradient(x)
    state.squares = _KEPT * state.squares + (1 - _KEPT) * slope**2
    return x - step * slope / (np.sqrt(state.squares) + 1e-8)


def _adam(f: Formula, x: Array, step: float, state: State) -> Array:
    """Both: momentum, and slopes divided by their usual size (Kingma and Ba 2015, arXiv 1412.6980)."""
    slope = f.gradient(x)
    state.velocity = _KEPT * state.velocity + (1 - _KEPT) * slope
    state.squares = _SQUARES * state.squares + (1 - _SQUARES) * slope**2
    velocity = state.velocity / (1 - _KEPT**state.count)
    return x - step * velocity / (np.sqrt(state.squares / (1 - _SQUARES**state.count)) + 1e-8)


def _newton(f: Formula, x: Array, step: float, state: State) -> Array:
    """Go to the bottom of the bowl that curves as the ground does here; where it curves the other way, downhill all the same."""
    values, ways = np.linalg.eigh(f.hessian(x))
    curved = np.maximum(np.abs(values), 1e-9)
    return x - ways @ ((ways.T @ f.gradient(x)) / curved)


METHODS: Mapping[str, tuple[Step, float]] = {
    "hot-and-cold": (_hot_and_cold, 1.0),
    "slope": (_slope, 0.1),
    "gradient": (_gradient, 0.1),
    "momentum": (_momentum, 0.02),
    "nesterov": (_nesterov, 0.02),
    "rmsprop": (_rmsprop, 0.05),
    "adam": (_adam, 0.1),
    "newton": (_newton, 1.0),
}
"""Name → one step of it, and the size of step it usually does with."""


@dataclass(frozen=True)
class Path:
    """The way a descent took.

    Attributes:
        formula: what it went down on.
        method, step: how.
        points: `[steps + 1, variables]`.
        values: of the formula at each.
        outcome: "stopped" (no step is warmer), "converged", "diverged", or "unfinished".
        sentence: that in words.
    """

    formula: Formula
    method: str
    step: float
    points: Array
    values: Array
    outcome: str
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "formula": self.formula.text,
            "variables": list(self.formula.variables),
            "method": self.method,
            "step": self.step,
            "points": self.points.tolist(),
            "values": [float(v) if np.isfinite(v) else None for v in self.values],
            "outcome": self.outcome,
            "sentence": self.sentence,
        }

    def picture(self) -> bytes:
        """Draw the way as PNG: on the curve; on the surface and from above; or its values where there are more variables."""
        figure = drawing.figure(10, 4.2)
        draw = {1: self._on_the_curve, 2: self._on_the_surface}.get(self.formula.dimensions, self._values_alone)
        draw(figure)
        figure.suptitle(f"{self.formula.text} by {self.method}, step {self.step:g}: {self.outcome}", fontsize=10)
        return drawing.png(figure)

    def _shown(self) -> Array:
        good = np.isfinite(self.points).all(1) & np.isfinite(self.values)
        near = np.abs(self.points).max(1) < 1e3 * (1 + np.abs(self.points[0]).max())
        return self.points[good & near]

    def _on_the_curve(self, figure: Any) -> None:
        axes, points = drawing.open_sides(figure.add_subplot()), self._shown()[:, 0]
        low, high = min(points.min(), -1), max(points.max(), 1)
        xs = np.linspace(low - 0.3 * (high - low), high + 0.3 * (high - low), 800)
        axes.plot(xs, self.formula(xs) + 0 * xs, color=drawing.COLD, linewidth=1.6)
        ys = np.array([float(self.formula(p)) for p in points])
        axes.plot(points, ys, "-", color=drawing.WARM, linewidth=0.8, alpha=0.7)
        axes.scatter(points, ys, c=np.arange(len(points)), cmap="autumn_r", edgecolor=drawing.INK, zorder=3, s=36)
        axes.annotate("start", (points[0], ys[0]), textcoords="offset points", xytext=(8, 4))
        axes.set(xlabel=self.formula.variables[0], ylabel="value")

    def _on_the_surface(self, figure: Any) -> None:
        points = self._shown()
        low, high = points.min(0), points.max(0)
        reach = np.maximum(0.6 * (high - low), 0.5 + 0.2 * np.abs(points).max())
        middle = (low + high) / 2
        grid = [np.linspace(m - r, m + r, 120) for m, r in zip(middle, reach, strict=True)]
        x, y = np.meshgrid(*grid)
        z = self.formula(x, y) + 0 * x
        ground, above = figure.add_subplot(1, 2, 1, projection="3d"), figure.add_subplot(1, 2, 2)
        ground.plot_surface(x, y, z, cmap="viridis", alpha=0.65, linewidth=0)
        heights = np.array([float(self.formula(*p)) for p in points])
        ground.plot(points[:, 0], points[:, 1], heights, "o-", color=drawing.WARM, markersize=3)
        above.contour(x, y, z, levels=18, cmap="viridis", linewidths=0.8)
        above.plot(points[:, 0], points[:, 1], "o-", color=drawing.WARM, markersize=4)
        above.annotate("start", points[0], textcoords="offset points", xytext=(6, 6))
        for axes in (ground, above):
            axes.set(xlabel=self.formula.variables[0], ylabel=self.formula.variables[1])

    def _values_alone(self, figure: Any) -> None:
        axes = drawing.open_sides(figure.add_subplot())
        axes.plot(self.values, "o-", color=drawing.WARM, markersize=3)
        axes.set(xlabel="step", ylabel="value")


def descend(
    formula: str | Formula,
    start: float | Sequence[float],
    *,
    method: str = "gradient",
    step: float | None = None,
    steps: int = 200,
) -> Path:
    """Go downhill from a place.

    Args:
        formula: such as `"x**2 + 1"`.
        start: a number for each variable, in the order of their names.
        method: one of `METHODS`.
        step: its size; None: what the method usually does with.
        steps: the most that are made.

    Raises:
        InputError: the formula is none, has no variable, or another number of them than `start`; or is not a number there.
        UnknownName: there is no such method.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    f, x = place(formula, start)
    move, usual = METHODS[method]
    size = usual if step is None else float(step)
    if size <= 0 or steps < 1:
        raise InputError("the step and the number of steps must be more than zero")
    points, values, outcome = [x], [float(f(*x))], "unfinished"
    state = State(np.zeros_like(x), np.zeros_like(x))
    while len(points) <= steps and outcome == "unfinished":
        state.count += 1
        following = move(f, points[-1], size, state)
        if following is None:
            outcome = "stopped"
            break
        points.append(following)
        values.append(float(f(*following)))
        outcome = _outcome(f, points, values, method)
    found = np.array(points)
    return Path(f, method, size, found, np.array(values), outcome, _sentence(f, found, values, outcome, method, size))


def place(formula: str | Formula, start: float | Sequence[float]) -> tuple[Formula, Array]:
    """Read a formula and a place on it.

    Raises:
        InputError: the formula is none, has no variable, or another number of them than `start`; or is not a number there.
    """
    f = formula if isinstance(formula, Formula) else Formula(formula)
    x = np.atleast_1d(np.asarray(start, dtype=float))
    if not f.dimensions:
        raise InputError(f"`{f}` is the same everywhere: it has no variable to change")
    if x.shape != (f.dimensions,):
        raise InputError(
            f"`{f}` depends on {', '.join(f.variables)}, so the start needs {f.dimensions} numbers, not {x.size}"
        )
    if not np.isfinite(value := float(f(*x))):
        raise InputError(f"`{f}` is {value:g} at {_told(x)}, which is no place to start from")
    return f, x


def _outcome(f: Formula, points: list[Array], values: list[float], method: str) -> str:
    """Tell whether the last step ended it."""
    last, value = points[-1], values[-1]
    if not np.isfinite(last).all() or not np.isfinite(value) or np.abs(last).max() > _FAR:
        return "diverged"
    if method == "hot-and-cold":
        return "unfinished"
    if np.abs(f.gradient(last)).max() < _FLAT or np.abs(last - points[-2]).max() < _STILL * (1 + np.abs(last).max()):
        return "converged"
    return "unfinished"


def _sentence(f: Formula, points: Array, values: list[float], outcome: str, method: str, step: float) -> str:
    count, last = len(points) - 1, points[-1]
    where = f"{_told(last)}, where the value is {values[-1]:.6g}"
    if outcome == "diverged":
        return f"diverged: after {count} steps it is out of all bounds; a smaller step than {step:g} may do"
    if outcome == "converged":
        return f"converged after {count} steps at {where}"
    if outcome == "stopped":
        bottom = _bottom(f, last, step)
        if float(f(*bottom)) < values[-1] - 1e-9:
            return (
                f"stopped after {count} steps at {where}: no step of {step:g} is warmer, yet the bottom is at {_told(bottom)}, "
                f"value {float(f(*bottom)):.6g}, which such steps never reach from here"
            )
        return f"stopped after {count} steps at {where}: every step from here is colder"
    worse = values[-1] > values[0]
    hint = f"; it went up instead of down, so try a smaller step than {step:g}" if worse else "; more steps go further"
    return f"not finished after {count} steps: it is at {where}{hint}"


def _bottom(f: Formula, x: Array, step: float) -> Array:
    """Return where hot and cold ends when its step is halved again and again."""
    state = State(np.zeros_like(x), np.zeros_like(x))
    for _ in range(_MOST_TRIED):
        if step <= _FINE:
            break
        following = _hot_and_cold(f, x, step, state)
        if following is None:
            step /= 2
        else:
            x = following
    return np.round(x, 6) + 0.0


def _told(x: Array) -> str:
    numbers = ", ".join(f"{number + 0.0:.6g}" for number in x)
    return numbers if len(x) == 1 else f"({numbers})"
