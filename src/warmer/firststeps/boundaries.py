"""How a boundary bends as a network learns: the answers over a plane, epoch by epoch."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmer import drawing
from warmer.errors import InputError

if TYPE_CHECKING:
    from warmer.examples._prepare import Prepared
    from warmer.networks.network import Network

Array = NDArray[Any]

_SIDE, _DOTS = 90, 400
_COLOURS = ("#2e6f95", "#d1495b", "#edae49", "#3a7d44", "#775ba3", "#999999")


@dataclass(frozen=True)
class Boundaries:
    """What a network answers over two columns, at moments of its training.

    Attributes:
        names: of both columns.
        ends: of the plane along each, `[2, 2]`.
        epochs: of the moments, the first before any step.
        shares: probability of each answer, `[moments, side, side, answers]`; rows go along the second column.
        accuracies: on validation examples, `[moments]`.
        dots: `[examples, 3]`: both columns and the index of the true answer.
        parameters: of the network.
        sentence: what was found, in words.
    """

    names: tuple[str, str]
    ends: Array
    epochs: tuple[float, ...]
    shares: Array
    accuracies: tuple[float, ...]
    dots: Array
    parameters: int
    sentence: str

    def picture(self, moments: int = 8) -> bytes:
        """Draw the plane at some moments, first and last included, side by side; PNG."""
        chosen = sorted(set(np.geomspace(1, len(self.epochs), moments).round().astype(int) - 1))
        wide = (len(chosen) + 1) // 2 if len(chosen) > 4 else len(chosen)
        tall = -(-len(chosen) // wide)
        figure = drawing.figure(2.5 * wide, 2.75 * tall)
        places = figure.subplots(tall, wide, squeeze=False).ravel()
        for axes in places[len(chosen) :]:
            axes.axis("off")
        for place, axes in zip(chosen, places, strict=False):
            self._draw(axes, place)
        return drawing.png(figure)

    def film(self) -> bytes:
        """Draw the plane at every moment as a GIF."""
        from PIL import Image

        frames = []
        for place in range(len(self.epochs)):
            figure = drawing.figure(4, 4.2)
            self._draw(figure.add_subplot(), place)
            data = io.BytesIO()
            figure.savefig(data, format="png", dpi=90)
            frames.append(Image.open(data).convert("P", palette=Image.Palette.ADAPTIVE))
        out = io.BytesIO()
        frames[0].save(out, "GIF", save_all=True, append_images=[*frames[1:], *[frames[-1]] * 8], duration=160, loop=0)
        return out.getvalue()

    def _draw(self, axes: Any, place: int) -> None:
        from matplotlib.colors import to_rgb

        colours = np.array([to_rgb(_COLOURS[k % len(_COLOURS)]) for k in range(self.shares.shape[-1])])
        shown = self.shares[place] @ (0.35 + 0.65 * colours)
        (left, right), (low, high) = self.ends
        axes.imshow(np.clip(shown, 0, 1), origin="lower", extent=(left, right, low, high), aspect="auto")
        if self.shares.shape[-1] == 2:
            x, y = np.linspace(left, right, _SIDE), np.linspace(low, high, _SIDE)
            first = self.shares[place, :, :, 0]
            if first.min() < 0.5 < first.max():
                axes.contour(x, y, first, levels=[0.5], colors="white", linewidths=1.6)
        kinds = [_COLOURS[int(k) % len(_COLOURS)] for k in self.dots[:, 2]]
        axes.scatter(self.dots[:, 0], self.dots[:, 1], c=kinds, s=7, edgecolors="white", linewidths=0.3)
        axes.set(xticks=[], yticks=[], xlim=(left, right), ylim=(low, high))
        when = "before" if self.epochs[place] == 0 else f"epoch {self.epochs[place]:.3g}"
        axes.set_title(f"{when}: {self.accuracies[place]:.0%} right", fontsize=9)


def boundaries(
    source: Any = "spirals",
    *,
    hidden: int = 2,
    width: int = 32,
    activation: str = "relu",
    epochs: int = 60,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Boundaries:
    """Learn to tell apart examples of two numbers, and look at the whole plane after every epoch.

    Args:
        source: as of `learn`; two columns of numbers, answered with a category.
        hidden: hidden layers; 0: none, a perceptron.
        width: neurons of each.
        activation: what bends their answers.
        epochs: passes over the training examples.
        learning_rate: of Adam.
        seed: every random choice follows from it.

    Raises:
        InputError: the examples are not of two numbers and a category, or a choice is out of range.
    """
    import torch

    from warmer import examples
    from warmer.evidence import halves, part
    from warmer.examples import _prepare, _split
    from warmer.model import build
    from warmer.plan import Plan
    from warmer.training.judging import evaluate
    from warmer.training.loop import Descent

    if not (0 <= hidden <= 20 and 1 <= width <= 4096 and 1 <= epochs <= 2000):
        raise InputError(
            f"hidden is 0 to 20, width 1 to 4,096 and epochs 1 to 2,000, not {hidden}, {width} and {epochs}"
        )
    table = examples.open(source)
    data = _prepare.prepare(table, _prepare.decide(table), options={})
    flat = len(data.x_names) == 2 and data.x.linear and data.y.discrete
    if not flat:
        raise InputError("boundaries are drawn of examples with two columns of numbers and a category, such as spirals")
    fields: dict[str, Any] = {"network": "linear"} if hidden == 0 else {"depth": hidden, "width": width}
    plan = Plan(
        seed=seed,
        epochs=epochs,
        batch=32,
        activation=Plan.convert("activation", activation),
        clip=0,
        weight_decay=0,
        learning_rate=learning_rate,
        validations=epochs,
        cooldown=0.3,
        precision="fp32",
        memory_format="contiguous",
        **fields,
    )
    torch.manual_seed(seed)
    network = build(data.x, data.y, plan)
    training, validation = part(data, data.rows(_split.TRAIN)), part(data, halves(data)[0])
    descent = Descent(network, data.x, data.y, training, validation, plan, torch.device("cpu"))
    ends, grid = _plane(data)
    answers, truths = evaluate(network, data.x, data.y, validation, descent.device, plan)
    found = [(0.0, _shares(network, grid), float((answers.argmax(-1) == truths).float().mean()))]
    for moment in descent:
        if moment.scores is not None:
            found.append((moment.epoch, _shares(network, grid), moment.scores["accuracy"]))
    moments, shares, right = zip(*found, strict=True)
    rows = training.rows[:_DOTS]
    codes = data.y.batch(data.targets.take(rows), torch.device("cpu")).numpy()
    dots = np.column_stack([np.asarray(data.inputs.take(rows))[:, :2], codes])
    count = sum(p.numel() for p in network.parameters())
    what = "no hidden layer" if hidden == 0 else f"{hidden} hidden layer{'s' * (hidden > 1)} of {width} neurons"
    sentence = (
        f"with {what} ({count:,} parameters) {right[-1]:.0%} of the validation examples are right after {epochs} epochs"
    )
    names = (data.x_names[0], data.x_names[1])
    return Boundaries(names, ends, moments, np.stack(shares), right, dots, count, sentence)


def _plane(data: Prepared) -> tuple[Array, Any]:
    """Return the ends of the plane, and a batch of its points."""
    import torch

    values = np.asarray(data.inputs.take(np.arange(len(data.inputs))), dtype=float)[:, :2]
    low, high = np.nanmin(values, 0), np.nanmax(values, 0)
    ends = np.stack([low - 0.08 * (high - low), high + 0.08 * (high - low)], 1)
    x, y = np.meshgrid(*(np.linspace(a, b, _SIDE) for a, b in ends))
    points = np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)
    return ends, data.x.batch(points, torch.device("cpu"))


def _shares(network: Network, grid: Any) -> Array:
    import torch

    network.eval()
    with torch.no_grad():
        found = network(grid).softmax(-1).float().numpy()
    return found.reshape(_SIDE, _SIDE, -1)
