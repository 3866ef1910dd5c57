"""The report's figures. Each says in its title what to look for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from warmer.drawing import COLD, INK, WARM
from warmer.insight import film

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from warmer.model import Model


def all_of(model: Model) -> dict[str, Figure]:
    """Return title → figure for everything the evidence holds."""
    evidence = model.evidence
    found = {"How training went": curves(model)} if model.history else {}
    if evidence.get("followed"):
        pictured = "made" in evidence["followed"]["moments"][0]
        found["What it made as it learned" if pictured else "How sure it became"] = film.strip(evidence["followed"])
    if evidence.get("range_test", {}).get("rates"):
        found["Which learning rate?"] = rates(evidence["range_test"])
    if evidence.get("curve", {}).get("of"):
        found["What more would bring"] = more(evidence["curve"])
    parts = {"": evidence}
    if "answers" in evidence:
        parts = evidence["answers"]
    for name, part in parts.items():
        before = f"{name}: " if name else ""
        if "confusion" in part:
            found[f"{before}What is taken for what"] = confusion(part)
        if "reliability" in part:
            found[f"{before}Does it know when it is right?"] = reliability(part, evidence.get("uncalibrated", {}))
        if "scatter" in part:
            found[f"{before}Answers against truth"] = scatter(part)
    return found


def _axes(width: float, height: float, x: str = "", y: str = "") -> tuple[Figure, Axes]:
    """Return an empty figure of that size in inches with these labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    return figure, axes


def curves(model: Model) -> Figure:
    """Return the training loss, and the validation score over it."""
    figure, axes = _axes(7.5, 3.6, "epochs", "training loss")
    axes.yaxis.label.set_color(COLD)
    steps = [one for one in model.history if one.get("loss") is not None]
    losses = np.array([one["loss"] for one in steps], dtype=float)
    epochs = np.array([one["epoch"] for one in steps], dtype=float)
    window = max(1, len(losses) // 40)
    smooth = np.convolve(losses, np.ones(window) / window, "valid")
    axes.plot(epochs, losses, color=COLD, alpha=0.25, linewidth=0.8)
    axes.plot(epochs[window - 1 :], smooth, color=COLD, linewidth=1.5)
    scored = [one for one in model.history if one.get("scores")]
    if scored:
        name = next(iter(scored[0]["scores"]))
        right = axes.twinx()
        right.spines[["top", "left"]].set_visible(False)
        right.plot(
            [one["epoch"] for one in scored], [one["scores"][name] for one in scored], "o-", color=WARM, markersize=3
        )
        right.set_ylabel(f"validation {name}", color=WARM, fontsize=9)
        right.tick_params(labelsize=8)
    return figure


def rates(test: Mapping[str, Any]) -> Figure:
    """Return the loss over a rising learning rate, the planned rate and the one where the loss falls fastest."""
    figure, axes = _axes(4.6, 3.6, "learning rate", "training loss, smoothed")
    axes.plot(test["rates"], test["losses"], color=COLD, linewidth=1.5)
    axes.axvline(test["planned"], color=WARM, linewidth=1, label="planned")
    if test["fastest"] is not None:
        axes.axvline(test["fastest"], color="#888888", linewidth=1, linestyle="--", label="falls fastest")
    axes.set_xscale("log")
    axes.legend(fontsize=8, frameon=False)
    return figure


def more(curve: Mapping[str, Any]) -> Figure:
    """Return a score with an eighth, with all, and (hoped for, hollow) with twice the examples and the time."""
    figure, axes = _axes(4.6, 3.6, "", f"validation {curve['score']}")
    for (what, values), colour in zip(curve["of"].items(), (WARM, COLD), strict=False):
        axes.plot([1 / 8, 1], [values["eighth"], values["all"]], "o-", color=colour, markersize=5, label=what)
        axes.plot([1, 2], [values["all"], values["twice"]], "--", color=colour, linewidth=1)
        axes.plot([2], [values["twice"]], "o", color=colour, markersize=5, fillstyle="none")
    axes.set_xscale("log", base=2)
    axes.set_xticks([1 / 8, 1, 2], ["an eighth", "all", "twice?"], fontsize=9)
    axes.minorticks_off()
    axes.legend(fontsize=8, frameon=False)
    return figure


def confusion(part: Mapping[str, Any]) -> Figure:
    """Return the confusion matrix: rows are the truth, columns the answer."""
    matrix = np.array(part["confusion"], dtype=float)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    count = len(matrix)
    side = 2.2 + 0.38 * count if count <= 20 else 9.0
    figure, axes = _axes(side, side, "answer", "truth")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    labels = [label if len(label) <= 14 else label[:13] + "…" for label in part["labels"]]
    axes.set_xticks(range(count), labels, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(count), labels, fontsize=8)
    if count <= 20:
        for row in range(count):
            for column in range(count):
                if matrix[row, column]:
                    colour = "white" if share[row, column] > 0.5 else INK
                    axes.text(
                        column, row, f"{matrix[row, column]:.0f}", ha="center", va="center", fontsize=7, color=colour
                    )
    return figure


def reliability(part: Mapping[str, Any], raw: Mapping[str, Any]) -> Figure:
    """Return accuracy against confidence, before and after calibration."""
    figure, axes = _axes(4.4, 4.0, "how sure it was", "how often it was right")
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle="--", label="honest")
    if raw.get("reliability"):
        before = np.array(raw["reliability"])
        axes.plot(before[:, 0], before[:, 1], "o-", color=COLD, markersize=3, linewidth=1, label="as trained")
    after = np.array(part["reliability"])
    axes.plot(after[:, 0], after[:, 1], "o-", color=WARM, markersize=4, label="calibrated")
    axes.legend(fontsize=8, frameon=False)
    return figure


def scatter(part: Mapping[str, Any]) -> Figure:
    """Return answers against truths."""
    figure, axes = _axes(4.6, 4.2, "truth", "answer")
    pairs = np.array(part["scatter"])
    low, high = float(pairs.min()), float(pairs.max())
    axes.plot([low, high], [low, high], color="#bbbbbb", linewidth=1, linestyle="--")
    axes.plot(pairs[:, 0], pairs[:, 1], "o", color=COLD, markersize=2.5, alpha=0.5)
    return figure
