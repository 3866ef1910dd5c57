"""Scores of boxes, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def ap(answers: Array, truths: Array) -> float:
    """Average precision of boxes, mean over classes and overlaps (IoU) of 0.50 to 0.95 (COCO's, by pycocotools).

    Answers are boxes `[k, 6]` of class, score, left, top, right, bottom; truths `[m, 5]` of class, left, top, right, bottom.
    Every class that the truths hold counts; 0 where they hold no box.
    """
    return _means(average_precisions(answers, truths)[0])[0]


def ap50(answers: Array, truths: Array) -> float:
    """Average precision of boxes, mean over classes, where an overlap (IoU) of 0.50 is enough (COCO's, by pycocotools)."""
    return _means(average_precisions(answers, truths, [0.5])[0])[1]


def aps(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    return [_means(found)[0] for found in _redrawn(answers, truths, draws, None)]


def ap50s(answers: Array, truths: Array, draws: Sequence[Array]) -> list[float]:
    return [_means(found)[1] for found in _redrawn(answers, truths, draws, [0.5])]


def _means(found: Array) -> tuple[float, float]:
    """Return AP over all overlaps and at the first, of precisions `[overlaps, recalls, classes]`."""
    known, first = found[found > -1], found[0][found[0] > -1]
    return float(known.mean()) if len(known) else 0.0, float(first.mean()) if len(first) else 0.0


def average_precisions(answers: Array, truths: Array, overlaps: list[float] | None = None) -> tuple[Array, Array]:
    """Return precision `[overlaps, recalls, classes]` at 101 recalls, −1 where a class has no true box, and the classes."""
    judged = _matched(answers, truths, overlaps)
    return _accumulated(judged), np.array(judged.params.catIds, dtype=int)


def _redrawn(answers: Array, truths: Array, draws: Sequence[Array], overlaps: list[float] | None) -> Iterator[Array]:
    """Yield the precisions of several draws of examples, whose boxes are matched once."""
    judged = _matched(answers, truths, overlaps)
    matched = np.array(judged.evalImgs, dtype=object).reshape(-1, len(truths))
    for draw in draws:
        judged.evalImgs = list(matched[:, draw].reshape(-1))
        yield _accumulated(judged)


def _matched(answers: Array, truths: Array, overlaps: list[float] | None) -> Any:
    """Return pycocotools' evaluation of boxes, every answer matched with a truth."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    scale = 1000.0  # overlaps do not depend on it, and the tool takes pixels
    marked: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        for label, *corners in np.asarray(truth, dtype=float).tolist():
            marked.append({"image_id": image, "category_id": int(label), "bbox": corners})
        for label, sure, *corners in np.asarray(answer, dtype=float).tolist():
            found.append({"image_id": image, "category_id": int(label), "bbox": corners, "score": sure})
    for place, one in [*enumerate(marked), *enumerate(found)]:
        left, top, right, bottom = (scale * corner for corner in one["bbox"])
        one |= {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
        one |= {"id": place + 1, "iscrowd": 0}
    classes = sorted({one["category_id"] for one in marked})
    holders = (COCO(), COCO())
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its timings
        for holder, boxes in zip(holders, (marked, found), strict=True):
            images, names = [{"id": image} for image in range(len(truths))], [{"id": label} for label in classes]
            holder.dataset = {"images": images, "annotations": boxes, "categories": names}
            holder.createIndex()
        judged = COCOeval(*holders, "bbox")
        judged.params.areaRng, judged.params.areaRngLbl, judged.params.maxDets = [[0, 1e10]], ["all"], [100]
        if overlaps is not None:
            judged.params.iouThrs = np.array(overlaps)
        if classes:
            judged.evaluate()
    return judged


def _accumulated(judged: Any) -> Array:
    if not judged.params.catIds:
        return np.full((1, 101, 1), -1.0)
    with contextlib.redirect_stdout(io.StringIO()):
        judged.accumulate()
    return np.asarray(judged.eval["precision"][:, :, :, 0, 0])
