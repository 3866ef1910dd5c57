"""Which words, or which moments, decided: leave each out and see what becomes of the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warmer.errors import BadCell, InputError
from warmer.examples._store import fill
from warmer.insight import _attribution, _draw, _pick, _watch
from warmer.insight._contract import Finding, Sheet, Subject
from warmer.networks.network import Network
from warmer.words import figures

Array = NDArray[Any]

_LISTED, _WORDS = 40, 400
_WIDE, _LINE, _GAP, _MARGIN = 8.0, 0.27, 0.011, 0.02
_AT_ONCE = 64


def explain(subject: Subject, label: str | None, seed: int) -> Finding:
    """Return what the answer to each input loses without each of its parts, beside the same of a shuffled network.

    Labels: the logarithm of the label's probability. Numbers: the answer itself. Texts: the mean logarithm of the
    probability of each token of the answer.
    """
    sheets, pictures, told, alike = {}, {}, [], []
    for place, cell in enumerate(subject.cells):
        name = subject.name(place)
        try:
            parts = subject.model.x.leave_outs(cell)
        except BadCell as error:
            raise InputError(f"{name} {error}") from None
        if len(parts) < 2:
            raise InputError(f"{name} has too few parts to leave one out")
        answer, real = _lost(subject, subject.model.network, cell, [one for _, one in parts], label)
        shuffled_network = _pick.randomised(subject.model.network, seed)
        _, shuffled = _lost(subject, shuffled_network, cell, [one for _, one in parts], label)
        agreement = _attribution.rank_correlation(torch.from_numpy(real), torch.from_numpy(shuffled))
        alike.append(agreement)
        most = int(np.argmax(np.abs(real)))
        told.append(f"{name}: “{answer}” hangs most on “{parts[most][0]}” ({real[most]:+.3g})")
        rows = tuple((part, float(value)) for (part, _), value in zip(parts, real, strict=True))
        sheets[name] = Sheet(("part", "what the answer loses without it"), rows)
        drawn = _bars if subject.model.x.timed else _coloured
        pictures[f"{name}: what decided"] = drawn([part for part, _ in parts], real, answer)
    sentence = (
        f"{'; '.join(told)}; red speaks for the answer, blue against it; a network with shuffled weights agrees by "
        f"{figures(float(np.mean(alike)), 2)} (1: the same, so explaining nothing; 0: unrelated)"
    )
    return Finding("why", sentence, {"agreement_with_shuffled": float(np.mean(alike))}, sheets, pictures)


def _lost(subject: Subject, network: Network, cell: Any, without: list[Any], label: str | None) -> tuple[str, Array]:
    """Return the answer, and how much of its score is lost without each part."""
    model = subject.model
    with _watch.still(network), torch.no_grad():
        outputs = _outputs(subject, network, [cell])
        if model.y.discrete:
            which = int(outputs[0].argmax()) if label is None else subject.label(label)
            answer = str(subject.labels[which])

            def score(some: Tensor) -> Array:
                return np.asarray(some.double().log_softmax(1)[:, which])
        elif (first := model.head.decode(outputs)[0]).made:
            raise InputError(f"what decided about a {model.y.name} that was made cannot be said in numbers")
        elif model.y.sequential:
            answer = str(first.value)
            target = model.y.batch([model.y.read(answer)], torch.device("cpu"))

            def score(some: Tensor) -> Array:
                return np.asarray(-model.head.loss(some, target.expand(len(some), -1)).double())
        else:
            answer = str(first.value)

            def score(some: Tensor) -> Array:
                return np.asarray(model.head.answers(some), dtype=float).reshape(len(some))

        whole = score(outputs)[0]
        losses = [
            whole - score(_outputs(subject, network, without[start : start + _AT_ONCE]))
            for start in range(0, len(without), _AT_ONCE)
        ]
    return answer, np.concatenate(losses)


def _outputs(subject: Subject, network: Network, cells: list[Any]) -> Tensor:
    model = subject.model
    store, bad = fill(model.x, cells, "memory")
    if bad:
        raise InputError(f"{subject.name(0)} {bad[min(bad)]}")
    found: Tensor = network(model.x.batch(store.take(np.arange(len(store))), torch.device("cpu"))).float()
    return found


def _coloured(parts: list[str], values: Array, answer: str) -> bytes:
    """Draw the text with each word on a ground that is the redder the more it speaks for the answer, the bluer against it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    shades = LinearSegmentedColormap.from_list("", [_draw.COLD, "#ffffff", _draw.WARM])
    grounds = shades(_draw.stretched(values)[:_WORDS])
    title = f"what “{answer[:60]}” hangs on: at most {figures(float(np.abs(values).max()), 2)}, by one word"
    drawn = Figure(figsize=(_WIDE, 1.0))
    renderer = FigureCanvasAgg(drawn).get_renderer()
    dots = drawn.dpi * _WIDE
    words = [part if len(part) <= 40 else part[:39] + "…" for part in parts[:_WORDS]]
    sizes = [drawn.text(0, 0, word, fontsize=10).get_window_extent(renderer).width / dots for word in words]
    for one in list(drawn.texts):
        one.remove()
    lines: list[list[tuple[int, float]]] = [[]]
    right = 0.0
    for place, size in enumerate(sizes):
        if right and right + size > 1 - _MARGIN:
            lines.append([])
            right = 0.0
        lines[-1].append((place, right))
        right += size + _GAP
    tall = _LINE * (len(lines) + 1.6)
    drawn.set_size_inches(_WIDE, tall)
    drawn.text(0.01, 1 - 0.6 * _LINE / tall, title, fontsize=8, color=_draw.INK, va="center")
    for row, line in enumerate(lines):
        for place, left in line:
            ground = {"facecolor": grounds[place], "edgecolor": "none", "pad": 1.6}
            height = 1 - (row + 1.8) * _LINE / tall
            drawn.text(0.01 + left, height, words[place], fontsize=10, va="center", bbox=ground)
    return _draw.png(drawn)


def _bars(parts: list[str], values: Array, answer: str) -> bytes:
    """Draw the parts in their order from top to bottom, each with a bar."""
    shown = np.sort(np.argsort(-np.abs(values), kind="stable")[:_LISTED])
    drawn = _draw.figure(6.5, 1.0 + 0.24 * len(shown))
    axes = drawn.add_subplot()
    places = np.arange(len(shown))[::-1]
    colours = [_draw.WARM if values[i] > 0 else _draw.COLD for i in shown]
    axes.barh(places, values[shown], color=colours, height=0.7)
    axes.set_yticks(places, [parts[i][:30] for i in shown], fontsize=8)
    axes.axvline(0, color=_draw.INK, linewidth=0.8)
    axes.set_xlabel(f"what “{answer[:60]}” loses without it", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _draw.png(drawn)
