"""The same examples learned several times, one or two choices varied: what a choice does, seen side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmer import drawing, scores
from warmer.errors import InputError, RunFailed
from warmer.model import Model
from warmer.plan import Plan, show
from warmer.story import learn
from warmer.words import figures

_MOST, _LAST = 64, 10
_NUMBERS = (int, float)


@dataclass(frozen=True)
class Run:
    """One of the runs.

    Attributes:
        values: of the varied choices, by name.
        model: what it learned; None where the loss would not stay finite.
        failed: why there is none.
    """

    values: Mapping[str, Any]
    model: Model | None
    failed: str = ""

    @property
    def named(self) -> str:
        """The values, as a person writes them."""
        return ", ".join(f"{name} {show(value)}" for name, value in self.values.items())


@dataclass(frozen=True)
class Comparison:
    """Runs that differ in one or two choices alone.

    Attributes:
        score: name of the first score, by which they are compared.
        varied: name → values.
        runs: one for each combination.
    """

    score: str
    varied: Mapping[str, Sequence[Any]]
    runs: tuple[Run, ...]

    def value(self, run: Run) -> float:
        """Return a run's score on test examples; NaN where it failed."""
        return float("nan") if run.model is None else float(run.model.evidence["scores"][self.score])

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        good = [(self.value(run), run) for run in self.runs if run.model is not None]
        head = next(run.model.head for run in self.runs if run.model is not None)
        n = next(run.model.evidence["n"] for run in self.runs if run.model is not None)
        good.sort(key=lambda pair: pair[0], reverse=scores.get(head.scores[0]).best == "high")
        (first, best), (last, worst) = good[0], good[-1]
        failed = [run.named for run in self.runs if run.model is None]
        sentence = (
            f"{self.score} on {n:,} examples never seen is best with {best.named}: {figures(first)}, "
            f"and worst with {worst.named}: {figures(last)}"
        )
        return sentence + (f"; {'; '.join(failed)} would not learn at all" if failed else "")

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a run: its values, parameters, epochs, mean of the last training losses, and score with interval."""
        found = []
        for run in self.runs:
            row = dict(run.values)
            if run.model is None:
                found.append({**row, "failed": run.failed})
                continue
            low, high = run.model.evidence["intervals"][self.score]
            epochs = max((one["epoch"] for one in run.model.history), default=0.0)
            losses = [one["loss"] for one in run.model.history if one.get("loss") is not None]
            told = {"parameters": run.model.parameters, "epochs": epochs, "loss": float(np.mean(losses[-_LAST:]))}
            found.append({**row, **told, self.score: self.value(run), "low": low, "high": high})
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything but the models as plain JSON."""
        varied = {name: list(values) for name, values in self.varied.items()}
        return {"score": self.score, "varied": varied, "runs": self.rows(), "sentence": self.sentence}

    def picture(self) -> bytes:
        """Draw how each run's loss fell, and what it came to on examples it never saw; PNG."""
        figure = drawing.figure(11, 4.2)
        left, right = figure.subplots(1, 2)
        colours = _colours(len(self.runs))
        for run, colour in zip(self.runs, colours, strict=True):
            _draw_loss(left, run, colour)
        drawing.open_sides(left).set(xlabel="epoch", ylabel="training loss", yscale="log")
        if len(self.runs) <= 10:
            left.legend(fontsize=8, frameon=False)
        drawing.open_sides(right)
        first, *others = self.varied
        if others:
            self._lines(right, first, others[0])
        else:
            self._dots(right, first, colours)
        right.set_ylabel(f"{self.score} on examples never seen")
        return drawing.png(figure)

    def _dots(self, axes: Any, name: str, colours: Sequence[Any]) -> None:
        values = list(self.varied[name])
        places = _places(axes, name, values)
        for run, place, colour in zip(self.runs, places, colours, strict=True):
            if run.model is None:
                continue
            low, high = run.model.evidence["intervals"][self.score]
            axes.plot([place, place], [low, high], color=colour, linewidth=2, alpha=0.6)
            axes.plot(place, self.value(run), "o", color=colour, markersize=8)
        axes.plot(places, [self.value(run) for run in self.runs], color="#999999", linewidth=0.8, zorder=0)

    def _lines(self, axes: Any, name: str, other: str) -> None:
        places = _places(axes, name, list(self.varied[name]))
        for second, colour in zip(self.varied[other], _colours(len(self.varied[other])), strict=True):
            of = [self.value(run) for run in self.runs if run.values[other] == second]
            axes.plot(places, of, "o-", color=colour, label=f"{other} {show(second)}")
        axes.legend(fontsize=8, frameon=False)


def _places(axes: Any, name: str, values: list[Any]) -> list[float]:
    """Return where values stand on an axis: numbers of very different size by their logarithm, words one after another."""
    axes.set_xlabel(name)
    numbers = all(isinstance(v, _NUMBERS) and not isinstance(v, bool) for v in values)
    if numbers and min(values) > 0 and max(values) / min(values) > 8:
        axes.set_xscale("log")
        axes.set_xticks([float(v) for v in values], [show(v) for v in values])
        axes.minorticks_off()
        return [float(v) for v in values]
    if numbers and len(set(values)) == len(values):
        return [float(v) for v in values]
    axes.set_xticks(range(len(values)), [show(v) for v in values])
    return [float(k) for k in range(len(values))]


def _draw_loss(axes: Any, run: Run, colour: Any) -> None:
    if run.model is None:
        axes.plot([], [], color=colour, linestyle=":", label=f"{run.named}: diverged")
        return
    points = [(one["epoch"], one["loss"]) for one in run.model.history if one.get("loss") is not None]
    epochs, losses = (np.array(column) for column in zip(*points, strict=True))
    window = max(1, len(losses) // 25)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(epochs[window - 1 :], np.maximum(smooth, 1e-12), color=colour, linewidth=1.5, label=run.named)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["plasma"](0.05 + 0.8 * k / max(1, count - 1)) for k in range(count)]


def compare(
    source: Any,
    y: str | Sequence[str] = (),
    *,
    vary: Mapping[str, Sequence[Any]],
    told: Callable[[Run], None] | None = None,
    **wishes: Any,
) -> Comparison:
    """Learn the same examples once for each value of one or two choices, all else equal.

    What follows from a choice follows it here, too: another optimizer comes with its own learning rate.

    Args:
        source, y, wishes: as of `learn`.
        vary: name of a plan field or option → the values to try; two names: every combination.
        told: is called with each run when it is finished.

    Raises:
        InputError: there is nothing to vary, or too much.
    """
    fields, names = Plan.names(), list(vary)
    typed = {name: [Plan.convert(name, v) if name in fields else v for v in vary[name]] for name in names}
    combinations = list(itertools.product(*typed.values()))
    if not 1 <= len(names) <= 2 or len(combinations) < 2:
        raise InputError("vary one or two choices, with two values at least, such as learning_rate=0.0001,0.01")
    if len(combinations) > _MOST:
        raise InputError(f"{len(combinations)} runs would take long; vary less, {_MOST} runs are the most")
    runs = []
    for values in combinations:
        chosen = dict(zip(names, values, strict=True))
        try:
            run = Run(chosen, learn(source, y, **{"advice": False, **wishes, **chosen}))
        except RunFailed as error:
            run = Run(chosen, None, str(error))
        runs.append(run)
        if told is not None:
            told(run)
    good = [run.model for run in runs if run.model is not None]
    if not good:
        raise RunFailed(f"none of the {len(runs)} runs came to an end: {runs[0].failed}")
    return Comparison(scores.get(good[0].head.scores[0]).name, typed, tuple(runs))
