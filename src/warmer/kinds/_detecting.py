"""The head that answers with boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from warmer import drawing, scores
from warmer.kinds._contract import Answer, Array, Head, objects
from warmer.networks.detector import Detector, overlap, places, reaching, suppressed
from warmer.networks.features import Features, FeatureSpec
from warmer.words import figures

_SPREAD = 0.54
_MOST, _LEAST_SURE = 100, 0.02
_REACH = 5.0
_SHOWN = 6
_RIGHT = 0.5
_CURVES = (
    "How many of the boxes it names are right (precision), when as many of the true ones are to be found (recall)."
)


class BoxesHead(Head):
    """Boxes: at every place of a map, whether a thing has its middle there, and how far it reaches.

    The map learns elliptical bumps over the true boxes by a focal loss, and every place under a bump learns the reach by
    overlap (TTFNet, Liu et al. 2020, arXiv 1909.00700).

    Outputs are `[batch, classes + 4, height, width]`, targets `[batch, most, 5]` of class (−1: none) and corners in 0..1,
    answers arrays `[k, 6]` of class, how sure (0 to 1), and corners.

    Args:
        spec: of the features.
        labels: of the classes.
        width: channels of the map.
    """

    scores = ("ap", "ap50")

    def __init__(self, spec: FeatureSpec, labels: Sequence[str], width: int) -> None:
        super().__init__(spec.members)
        self.labels = tuple(labels)
        self.detector = Detector(spec, len(self.labels), width)
        self.register_buffer("threshold", torch.tensor(0.3))
        self.register_buffer("usual", torch.full((_MOST, 6), -1.0))

    threshold: Tensor
    usual: Tensor

    def outputs(self, features: Features) -> Tensor:
        """Return the map."""
        found: Tensor = self.detector(features)
        return found

    # ---- loss ----

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the focal loss of the classes, per object, and five times the overlap's, `[batch]`."""
        classes = len(self.labels)
        logits, boxes = outputs[:, :classes].float(), reaching(outputs[:, classes:])
        there, label = targets[..., 0] >= 0, targets[..., 0].long().clamp(min=0)
        bumps = self._bumps(targets, there, logits.shape[2:])
        index = label[..., None, None].expand_as(bumps)
        wanted = torch.zeros_like(logits).scatter_reduce(1, index, bumps, "amax")
        count = there.sum(1).clamp(min=1)
        return self._focal(logits, wanted).sum((1, 2, 3)) / count + _REACH * self._reach(boxes, targets, there, bumps)

    @staticmethod
    def _bumps(targets: Tensor, there: Tensor, size: torch.Size) -> Tensor:
        """Return a bump for each object, `[batch, most, height, width]`: 1 at its middle's place, 0 outside its ellipse."""
        height, width = size
        x, y = places(height, width, targets.device)
        middle = (targets[..., 1:3] + targets[..., 3:]) / 2
        # Seen from the middle of its own place, so that one place is exactly 1 however small the object.
        middle = torch.stack(
            [((middle[..., k] * n).floor().clamp(0, n - 1) + 0.5) / n for k, n in enumerate((width, height))], -1
        )
        spread = (targets[..., 3:] - targets[..., 1:3]).clamp(min=1e-6) * _SPREAD / 6
        far_x = (x - middle[..., :1]) / spread[..., :1].clamp(min=0.3 / width)
        far_y = (y - middle[..., 1:]) / spread[..., 1:].clamp(min=0.3 / height)
        far = far_y.square().unsqueeze(-1) + far_x.square().unsqueeze(-2)
        return torch.where((far <= 9) & there[..., None, None], (-far / 2).exp(), torch.zeros_like(far))

    @staticmethod
    def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
        """Return the focal loss with less blame near a middle (Law and Deng 2018, arXiv 1808.01244)."""
        p = logits.sigmoid()
        hit = F.logsigmoid(logits) * (1 - p).square()
        miss = F.logsigmoid(-logits) * p.square() * (1 - wanted) ** 4
        return -torch.where(wanted > 0.999, hit, miss)

    @staticmethod
    def _reach(boxes: Tensor, targets: Tensor, there: Tensor, bumps: Tensor) -> Tensor:
        """Return one minus the general overlap, a mean over the places under bumps; the smallest object has the place."""
        area = (targets[..., 3:] - targets[..., 1:3]).prod(-1).clamp(min=1e-9)
        claims = torch.where(bumps > 0, area[..., None, None], torch.full_like(bumps, float("inf")))
        smallest, owner = claims.min(1)
        owned = smallest.isfinite()
        share = bumps / bumps.sum((2, 3), keepdim=True).clamp(min=1e-9)
        weight = share.gather(1, owner.unsqueeze(1)).squeeze(1) * owned
        flat = owner.flatten(1).unsqueeze(-1).expand(-1, -1, 4)
        true = targets[..., 1:].gather(1, flat).unflatten(1, owner.shape[1:])
        lost = 1 - overlap(boxes.permute(0, 2, 3, 1), true)[1]
        return (lost * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)

    # ---- answers ----

    def answers(self, outputs: Tensor) -> Array:
        """Return the boxes of each example, the surest first, down to hardly likely ones."""
        return objects([self._found(one) for one in outputs.detach().float().cpu()])

    def _found(self, output: Tensor) -> Array:
        classes = len(self.labels)
        heat, boxes = output[:classes].sigmoid(), reaching(output[None, classes:])[0]
        peaks = heat * (F.max_pool2d(heat[None], 3, 1, 1)[0] == heat)
        sure, place = peaks.flatten().topk(min(_MOST, peaks.numel()))
        label, cell = place // heat[0].numel(), place % heat[0].numel()
        found = boxes.flatten(1)[:, cell].t().clamp(0, 1)
        sure = suppressed(found, sure, label)
        rows = torch.cat([label.unsqueeze(1).float(), sure.unsqueeze(1), found], 1)[sure >= _LEAST_SURE]
        return rows[rows[:, 1].argsort(descending=True, stable=True)].numpy()

    def truths(self, targets: Tensor) -> Array:
        """Return the true boxes of each example, `[m, 5]`."""
        return objects([one[one[:, 0] >= 0].numpy() for one in targets.float().cpu()])

    def decode(self, outputs: Tensor) -> list[Answer]:
        """Return the boxes above the threshold that did best on validation examples."""
        found = []
        for rows in self.answers(outputs):
            kept = [self._told(row) for row in rows if row[1] >= float(self.threshold)]
            found.append(Answer(kept, None, ((kept, 1.0),)))
        return found

    def _told(self, row: Array) -> dict[str, Any]:
        box = [round(float(corner), 4) for corner in row[-4:]]
        label = self.labels[int(row[0])]
        return (
            {"label": label, "score": round(float(row[1]), 3), "box": box}
            if len(row) == 6
            else {"label": label, "box": box}
        )

    # ---- judging ----

    def prepare(self, targets: Tensor) -> None:
        """Keep the boxes of a usual example, for the simplest answer."""
        counts = (targets[..., 0] >= 0).sum(1)
        usual = targets[int(torch.argsort(counts, stable=True)[len(counts) // 2])]
        usual = usual[usual[:, 0] >= 0][:_MOST]
        self.usual[: len(usual)] = torch.cat([usual[:, :1], torch.ones(len(usual), 1), usual[:, 1:]], 1)

    def constant(self, n: int) -> tuple[Array, str]:
        """Return the boxes of one usual training example, always."""
        usual = self.usual[self.usual[:, 0] >= 0].cpu().numpy()
        return objects([usual] * n), "always the boxes of one training example"

    def calibrate(self, outputs: Tensor, targets: Tensor) -> None:
        """Find the threshold with the best harmonic mean of precision and recall at an overlap of a half."""
        sure, right, there = matched(self.answers(outputs), self.truths(targets))
        if not len(sure) or not there:
            return
        hits = np.cumsum(right)
        best = int(np.argmax(2 * hits / (np.arange(1, len(sure) + 1) + there)))
        self.threshold.fill_(float(sure[best]))

    def evidence(self, outputs: Tensor, targets: Tensor) -> dict[str, Any]:
        """Return each class's precision at every recall, and some answers to be drawn beside the truth."""
        answers, truths = self.answers(outputs), self.truths(targets)
        found, classes = scores.average_precisions(answers, truths, [0.5])
        curves = {
            self.labels[int(label)]: {
                "ap50": float(found[0, :, k].mean()),
                "precision": found[0, ::5, k].round(4).tolist(),
                "n": int(sum((one[:, 0] == label).sum() for one in truths)),
            }
            for k, label in enumerate(classes)
        }
        made = []
        for place in np.linspace(0, len(outputs) - 1, min(_SHOWN, len(outputs))).astype(int):
            answer = [self._told(row) for row in answers[place] if row[1] >= float(self.threshold)]
            truth = [self._told(row) for row in truths[place]]
            made.append({"place": int(place), "answer_value": answer, "truth_value": truth})
        figure = {"what": _CURVES, "png": _drawn(curves)}
        return {"precision_recall": curves, "figures": [figure], "made": made, "threshold": float(self.threshold)}

    def sentence(self, scores: Mapping[str, float], baseline: Mapping[str, float], n: int, unit: str) -> str:
        """Say how well things are found."""
        told = f"AP {figures(scores['ap'], 3)}, and {figures(scores['ap50'], 3)} where boxes may be half off (AP50), on {n:,}"
        return f"{told} pictures it never saw; always the boxes of one training example: {figures(baseline['ap50'], 3)} (AP50)"


def _drawn(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """Draw precision over recall of each class, as base64 PNG."""
    figure = drawing.figure(6, 3.6)
    axes = drawing.open_sides(figure.add_subplot())
    for label, curve in curves.items():
        shown = f"{label}: AP50 {curve['ap50']:.2f} of {curve['n']}"
        axes.plot(np.linspace(0, 1, len(curve["precision"])), curve["precision"], label=shown)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower left", fontsize=8, ncols=1 + len(curves) // 12)
    return drawing.embedded(drawing.png(figure))


def matched(answers: Array, truths: Array) -> tuple[Array, Array, int]:
    """Match boxes with true ones of their class, the surest first, by an overlap of a half.

    Returns:
        How sure each answered box is, in falling order; whether it is right; how many true boxes there are.
    """
    rows = []
    for answer, truth in zip(answers, truths, strict=True):
        free = np.ones(len(truth), dtype=bool)
        if len(truth):
            over = overlap(torch.from_numpy(answer[:, None, 2:]), torch.from_numpy(truth[None, :, 1:]))[0].numpy()
        for place, row in enumerate(answer):
            found = False
            if len(truth):
                may = np.where(free & (truth[:, 0] == row[0]), over[place], 0)
                if may.max() >= _RIGHT:
                    free[int(may.argmax())], found = False, True
            rows.append((float(row[1]), found))
    rows.sort(key=lambda pair: -pair[0])
    sure, right = np.array([pair[0] for pair in rows]), np.array([pair[1] for pair in rows], dtype=bool)
    return sure, right, int(sum(len(truth) for truth in truths))
