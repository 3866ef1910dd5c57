"""The loss around what was learned, as a map and in three dimensions, with the path that training took."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmer.errors import InputError
from warmer.insight import _draw, _watch
from warmer.insight._contract import Finding, Needs, Subject
from warmer.insight._surface import Direction, Surface, random_direction
from warmer.training.trail import Plane
from warmer.words import figures

Array = NDArray[Any]

NEEDS = Needs(answers=True, examples=True)
_MARGIN = 0.25
_LEAST_SIDE = 5


def run(
    subject: Subject, *, side: int = 21, reach: float = 1.0, curvature: bool = True, steps: int = 20, seed: int = 0
) -> Finding:
    """Walk away from the weights in two directions and look at the loss (Li et al. 2018, arXiv 1712.09913).

    One map lies in a plane of two random directions, each filter's as long as the filter, so that maps of different
    networks can be compared. The other lies in the plane in which training moved most, where the model has kept it.
    Normalisations keep the statistics they ended with, so early points of the path lie on the map of the finished network.

    Args:
        subject: a model and labelled examples; some of them are looked at, always the same.
        side: points a side of each map.
        reach: how far the random map goes each way; 1 is as far as the weights are long.
        curvature: whether the sharpest bend is measured too: the largest eigenvalue of the Hessian.
        steps: of the power iteration that finds it.
        seed: of the directions.
    """
    if side < _LEAST_SIDE:
        raise InputError(f"`side` is at least {_LEAST_SIDE} points, not {side}")
    if reach <= 0:
        raise InputError(f"`reach` is more than 0, not {reach:g}")
    plane = subject.model.trail
    surface = Surface(subject, side * side * (1 if plane is None else 2) + 4 * steps * curvature, seed)
    with _watch.still(subject.model.network):
        generator = torch.Generator().manual_seed(seed)
        directions = (random_direction(surface.weights, generator), random_direction(surface.weights, generator))
        axis = np.linspace(-reach, reach, side)
        middle = surface.grid(directions[0], directions[1], np.zeros(1), np.zeros(1))[0, 0]
        losses = surface.grid(directions[0], directions[1], axis, axis)
        pictures = {
            "The loss around the solution": _map(axis, axis, losses, "share of the weights' length, each way"),
            "The same in three dimensions": _hills(axis, axis, losses),
        }
        numbers: dict[str, Any] = {
            "loss": float(middle), "examples": surface.n, "axis": axis, "losses": losses,
            "walls": float(np.median(_border(losses))),
        }  # fmt: skip
        words = [_told(middle, losses, reach)]
        if curvature:
            found, moved = surface.sharpness(steps, seed)
            numbers |= {"sharpness": found, "sharpness_moved": moved}
            words.append(
                f"the sharpest bend (largest eigenvalue of the Hessian) is {figures(found, 3)} "
                f"(the last of {steps} steps of power iteration moved it by {figures(moved, 2)})"
            )
        if plane is not None:
            pictures["The path that training took"], told, sentence = _path(surface, plane, side)
            numbers |= told
            words.append(sentence)
    sentence = (
        f"the loss is {figures(middle, 3)} on {surface.n} examples where training ended, and "
        f"{figures(numbers['walls'], 3)} in the middle of the map's border"
    )
    return Finding("landscape", sentence, numbers, {}, pictures, words)


def _border(losses: Array) -> Array:
    return np.concatenate([losses[0], losses[-1], losses[1:-1, 0], losses[1:-1, -1]])


def _told(middle: float, losses: Array, reach: float) -> str:
    """Say whether training ended in a hollow of the map."""
    lowest = float(losses.min())
    if middle <= lowest * 1.02 + 1e-6:
        return (
            f"no point of the map, up to {reach:g} times the weights away, has a lower loss than where training ended"
        )
    return (
        f"the lowest point of the map has a loss of {figures(lowest, 3)}, below the {figures(middle, 3)} where training "
        "ended: it stopped early, or was held back on purpose (label smoothing, weight decay)"
    )


def _path(surface: Surface, plane: Plane, side: int) -> tuple[bytes, dict[str, Any], str]:
    """Return a map of the plane of the path, its numbers, and a sentence."""
    places = np.array([*plane.places, (0.0, 0.0)])
    low, high = places.min(0), places.max(0)
    margin = _MARGIN * max(high - low)
    one, other = (_on(direction, surface) for direction in plane.directions)
    a = np.linspace(low[0] - margin, high[0] + margin, side)
    b = np.linspace(low[1] - margin, high[1] + margin, side)
    losses = surface.grid(one, other, a, b)
    drawn = _map(a, b, losses, f"along the path ({plane.explained:.0%} of it lies in this plane)", places, plane.steps)
    told = {"path": places, "path_steps": plane.steps, "path_explained": plane.explained, "path_losses": losses}
    return drawn, told, (
        f"{plane.explained:.0%} of the way from start to end lies in one plane of the "
        f"{sum(p.numel() for p in surface.weights.values()):,} dimensions; the map shows it"
    )  # fmt: skip


def _on(direction: Direction, surface: Surface) -> Direction:
    """Return a direction as far as it concerns weights that the network still has."""
    return {name: p for name, p in direction.items() if name in surface.weights}


def _levels(losses: Array) -> Array:
    """Return losses cut off where they explode, so that what is near the solution can be seen."""
    finite = losses[np.isfinite(losses)]
    top = max(float(np.quantile(finite, 0.9)), float(finite.min()) * 10)
    return np.clip(np.nan_to_num(losses, nan=top, posinf=top), 1e-6, top)


def _map(
    a: Array, b: Array, losses: Array, label: str, path: Array | None = None, steps: tuple[int, ...] = ()
) -> bytes:
    """Draw contours, evenly spaced in the logarithm of the loss."""
    shown = np.log10(_levels(losses))
    drawn = _draw.figure(5.6, 4.6)
    axes = drawn.add_subplot()
    filled = axes.contourf(a, b, shown, levels=24, cmap="RdYlBu_r")
    axes.contour(a, b, shown, levels=12, colors="white", linewidths=0.4, alpha=0.7)
    bar = drawn.colorbar(filled, ax=axes, format=lambda value, _: figures(10**value, 2))
    bar.ax.tick_params(labelsize=7)
    bar.set_label("loss", fontsize=8)
    if path is not None:
        axes.plot(path[:, 0], path[:, 1], "o-", color=_draw.INK, markersize=3.5, linewidth=1)
        axes.annotate("start", path[0], xytext=(5, 5), textcoords="offset points", fontsize=8)
        if len(steps) > 2:
            middle = len(steps) // 2
            axes.annotate(
                f"step {steps[middle]:,}", path[middle], xytext=(5, 5), textcoords="offset points", fontsize=7
            )
    axes.plot([0], [0], "*", color=_draw.WARM, markersize=13, markeredgecolor="white")
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    return _draw.png(drawn)


def _hills(a: Array, b: Array, losses: Array) -> bytes:
    """Draw the loss as a surface."""
    shown = np.log10(_levels(losses))
    drawn = _draw.figure(6.0, 5.0)
    axes: Any = drawn.add_subplot(projection="3d")
    axes.plot_surface(
        *np.meshgrid(a, b), shown, cmap="RdYlBu_r", linewidth=0.2, edgecolor="white", rcount=60, ccount=60
    )
    axes.view_init(elev=32, azim=-55)
    axes.set_zticks(axes.get_zticks(), [figures(10**value, 2) for value in axes.get_zticks()])
    axes.tick_params(labelsize=6)
    axes.set_zlabel("loss", fontsize=8)
    return _draw.png(drawn)
