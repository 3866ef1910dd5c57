"""Pictures learned from a second by the detector and the U-Net, against the plain PyTorch loop of the same network.

    python benchmarks/picture_training.py --boxes blood-cells/train --pairs facades/train

The plain loop is what the introductions to PyTorch show: a data set that opens, scales and mirrors each picture, a data
loader, AdamW, single precision. A second one is given all pictures decoded beforehand and changes none of them, so that only
the steps themselves are compared. All take turns in one process, on the same number of threads. The decoding of boxes is
timed against greedy suppression with pycocotools' overlaps, class by class and picture by picture.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _runs import by_turns, descent_of, endless, network_for, prepared_for, steps_of, told
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from warmer.examples import _split
from warmer.examples._prepare import Prepared
from warmer.kinds._detecting import BoxesHead
from warmer.networks.detector import reaching
from warmer.plan import Plan

Item = tuple[Tensor, Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=Path, help="a folder of pictures with boxes")
    parser.add_argument("--pairs", type=Path, help="a folder of `drawing` and `photo`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="a turn")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    turns = (options.rounds, options.seconds)
    if options.boxes:
        prepared, plan = prepared_for(str(options.boxes), threads=options.threads)
        print(told("detector, pictures learned from", by_turns(training(prepared, plan), *turns)), flush=True)
        print(told("boxes, pictures decoded", by_turns(decoding(prepared, plan), options.rounds, 2.0)), flush=True)
    if options.pairs:
        source = (options.pairs / "drawing", options.pairs / "photo")
        prepared, plan = prepared_for(source, threads=options.threads, method="error")
        print(told("U-Net, pictures learned from", by_turns(training(prepared, plan), *turns)), flush=True)


def training(prepared: Prepared, plan: Plan) -> dict[str, Callable[[], int]]:
    """Return one step of ours, and one of each plain loop."""
    ours = descent_of(prepared, endless(plan))
    print(f"ours runs in {ours.plan.precision}, {ours.plan.memory_format}, batches of {plan.batch}", flush=True)
    return {
        "warmer": steps_of(ours),
        "a plain loop": plain(prepared, plan, Opened(prepared)),
        "a plain loop on decoded pictures": plain(prepared, plan, Decoded(prepared)),
    }


class Opened(Dataset[Item]):
    """Pictures opened, scaled and mirrored one by one, and their targets."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared, self.rows = prepared, prepared.rows(_split.TRAIN)
        self.size = (prepared.x.width, prepared.x.height)
        self.cells = prepared.table.columns[prepared.x_names[0]]
        self.draw = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Item:
        row = self.rows[place]
        picture = (
            Image.open(io.BytesIO(self.cells[row].read())).convert("RGB").resize(self.size, Image.Resampling.BILINEAR)
        )
        x = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())
        target = self.prepared.y.batch(self.prepared.targets.take(np.array([row])), torch.device("cpu"))[0]
        if self.draw.random() < 0.5:
            x = x.flip(-1)
            target = target.flip(-1) if target.dim() == 3 else _mirrored(target)
        return x, target


class Decoded(Dataset[Item]):
    """The same, decoded beforehand and never changed."""

    def __init__(self, prepared: Prepared) -> None:
        rows, device = prepared.rows(_split.TRAIN), torch.device("cpu")
        self.x = prepared.x.batch(prepared.inputs.take(rows), device)
        self.y = prepared.y.batch(prepared.targets.take(rows), device)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, place: int) -> Item:
        return self.x[place], self.y[place]


def plain(prepared: Prepared, plan: Plan, data: Dataset[Item]) -> Callable[[], int]:
    """Return one step of the loop that the introductions show."""
    network = network_for(prepared, plan).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def batches() -> Iterator[Any]:
        while True:
            yield from DataLoader(data, batch_size=plan.batch, shuffle=True, drop_last=True)

    endless = batches()

    def step() -> int:
        x, target = next(endless)
        optimiser.zero_grad()
        loss = network.head.loss(network(x), target).mean()
        loss.backward()
        optimiser.step()
        loss.item()
        return len(x)

    return step


def _mirrored(boxes: Tensor) -> Tensor:
    """Return boxes `[most, 5]` of class, left, top, right, bottom in shares of the picture, left and right swapped."""
    there = boxes[:, :1] >= 0
    return torch.where(
        there, torch.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1], boxes[:, 4]], 1), boxes
    )


def decoding(prepared: Prepared, plan: Plan) -> dict[str, Callable[[], int]]:
    """Return our decoding of one batch's map, and a loop over pictures, classes and boxes."""
    head = network_for(prepared, plan).head
    assert isinstance(head, BoxesHead)
    rows = prepared.rows(_split.TRAIN)[:16]
    targets = prepared.y.batch(prepared.targets.take(rows), torch.device("cpu"))
    outputs = crowded(head, targets, size=(64, 64))

    def ours() -> int:
        head.answers(outputs)
        return len(outputs)

    def loop() -> int:
        for output in outputs:
            one_by_one(output, len(head.labels))
        return len(outputs)

    return {"warmer": ours, "a loop with pycocotools' overlaps": loop}


def crowded(head: BoxesHead, targets: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps `[batch, classes + 4, height, width]` as a trained network gives them: bumps over the true boxes."""
    there, label = targets[..., 0] >= 0, targets[..., 0].long().clamp(min=0)
    bumps = head._bumps(targets, there, torch.Size(size))
    classes = len(head.labels)
    heat = torch.full((len(targets), classes, *size), 0.01)
    heat.scatter_reduce_(1, label[..., None, None].expand_as(bumps), bumps * 0.9, "amax")
    generator = torch.Generator().manual_seed(0)
    heat = (heat + 0.05 * torch.rand(heat.shape, generator=generator)).clamp(1e-3, 0.99)
    return torch.cat([heat.logit(), torch.randn(len(targets), 4, *size, generator=generator)], 1)


def one_by_one(output: Tensor, classes: int, threshold: float = 0.5, least: float = 0.02) -> list[NDArray[Any]]:
    """Return boxes by greedy suppression: the surest is kept, those that overlap it are dropped, and so on."""
    heat, boxes = output[:classes].sigmoid(), reaching(output[None, classes:])[0]
    peaks = heat * (F.max_pool2d(heat[None], 3, 1, 1)[0] == heat)
    sure, place = peaks.flatten().topk(100)
    label, cell = (place // heat[0].numel()).numpy(), (place % heat[0].numel())
    corners = boxes.flatten(1)[:, cell].t().clamp(0, 1).double().numpy()
    found = []
    for one in range(classes):
        left = [k for k in range(100) if label[k] == one and sure[k] >= least]
        while left:
            first, *rest = left
            found.append(np.array([one, float(sure[first]), *corners[first]]))
            wide = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
            left = [k for k in rest if mask.iou(wide[[k]], wide[[first]], [0])[0, 0] < threshold]
    return found


if __name__ == "__main__":
    main()
