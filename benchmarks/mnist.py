"""Seconds of training until 99.0 % of unseen digits are right: ours beside two networks that people start with.

    pip install keras jax
    python benchmarks/mnist.py mnist/train.zip [--keras jax|torch]

All three learn from the same pictures in memory and are asked about the same test digits. Only training is timed: no
reading, no importing, no judging; ours does include the measuring of number formats that opens each of its runs. The
peers are judged every half epoch and stop at 99.0 %; ours gets a plan of a length that is just enough, and its
accuracy is printed, whatever it is. Ours is run twice before each peer, since a machine's speed drifts.

The peers are the network and settings of PyTorch's "basic MNIST example" (two convolutions without padding, 1.2 million
weights, Adadelta, batches of 64) and of Keras' "Simple MNIST convnet" (two convolutions, Adam, batches of 128).
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmer import examples
from warmer.examples import _prepare, _split
from warmer.kinds._contract import Head
from warmer.model import build
from warmer.plan import Plan
from warmer.training.judging import Part, evaluate
from warmer.training.loop import Descent

Array = NDArray[Any]

TARGET = 0.99
EPOCHS = 0.5
HALVES = 40


def main() -> None:
    """Run the comparison and print one line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--keras", default="jax", help="Keras' backend")
    parser.add_argument("--epochs", type=float, default=EPOCHS, help="length of our runs")
    chosen = parser.parse_args()
    os.environ["KERAS_BACKEND"] = chosen.keras
    table = examples.open(str(chosen.file))
    prepared = _prepare.prepare(table, _prepare.decide(table, (), ()), options={})
    data = _arrays(prepared)
    print(
        f"{len(data[0]):,} digits for the peers, {len(prepared.rows(_split.TRAIN)):,} for ours, {len(data[2]):,} to test"
    )
    found: dict[str, float] = {}
    mine: list[float] = []
    seeds = itertools.count()
    for name, run in (("PyTorch's example", pytorch_example), (f"Keras on {chosen.keras}", keras_convnet)):
        mine += [_told("warmer", *ours(prepared, chosen.epochs, next(seeds))) for _ in range(2)]
        found[name] = _told(name, *run(*data))
    for name, seconds in found.items():
        print(f"{name}: {seconds / np.median(mine):.1f} times as long as ours (median {np.median(mine):.2f} s)")


def _told(name: str, seconds: float, accuracy: float) -> float:
    print(f"{name:20} {seconds:7.2f} s   {accuracy:.2%} of the test digits right", flush=True)
    return seconds


def _arrays(prepared: _prepare.Prepared) -> tuple[Array, Array, Array, Array]:
    """Return (pictures, answers) to learn from, training and validation together, and to test on."""
    learn = np.concatenate([prepared.rows(_split.TRAIN), prepared.rows(_split.VALIDATION)])
    test = prepared.rows(_split.TEST)
    pairs = [(prepared.inputs.take(rows), prepared.targets.take(rows).reshape(-1)) for rows in (learn, test)]
    return *pairs[0], *pairs[1]


def ours(prepared: _prepare.Prepared, epochs: float, seed: int) -> tuple[float, float]:
    """Train with our defaults, only shorter; return (seconds of training, accuracy)."""
    n = len(prepared.rows(_split.TRAIN))
    plan = Plan.derive(
        [prepared.x.proposals(n, "x", None, prepared.y)], {"epochs": epochs, "validations": 1, "seed": seed}
    )
    torch.manual_seed(seed)
    network = build(prepared.x, prepared.y, plan)
    parts = [Part(prepared.inputs, prepared.targets, prepared.rows(side)) for side in (_split.TRAIN, _split.VALIDATION)]
    start = time.perf_counter()
    descent = Descent(network, prepared.x, prepared.y, parts[0], parts[1], plan, torch.device("cpu"))
    for _ in descent:
        pass
    seconds = time.perf_counter() - start
    test = Part(prepared.inputs, prepared.targets, prepared.rows(_split.TEST))
    head = network.head
    assert isinstance(head, Head)
    outputs, targets = evaluate(network, prepared.x, prepared.y, test, torch.device("cpu"), descent.plan)
    return seconds, float(np.mean(head.answers(outputs).argmax(1) == head.truths(targets)))


def _until(train: Callable[[Array], None], right: Callable[[], float], n: int) -> tuple[float, float]:
    """Train half an epoch after another until the target is reached; return (seconds of training, accuracy)."""
    seconds, accuracy = 0.0, 0.0
    for rows in _halves(n):
        start = time.perf_counter()
        train(rows)
        seconds += time.perf_counter() - start
        accuracy = right()
        if accuracy >= TARGET:
            break
    return seconds, accuracy


def _halves(n: int) -> Iterator[Array]:
    generator = np.random.default_rng(0)
    for _ in range(HALVES // 2):
        order = generator.permutation(n)
        yield order[: n // 2]
        yield order[n // 2 :]


class _Example(nn.Module):
    """The network of PyTorch's basic example."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.end = nn.Sequential(
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.log_softmax(self.end(self.maps(x)), 1)


def pytorch_example(x: Array, y: Array, x_test: Array, y_test: Array) -> tuple[float, float]:
    """Train the network of PyTorch's basic example; its rate falls by 0.7 after each epoch."""
    torch.manual_seed(0)
    network = _Example()
    optimiser = torch.optim.Adadelta(network.parameters(), lr=1.0)
    inputs, answers, test = (
        torch.from_numpy(a) for a in (_scaled(x, 0.1307, 0.3081), y.astype(np.int64), _scaled(x_test, 0.1307, 0.3081))
    )
    halves = 0

    def train(rows: Array) -> None:
        nonlocal halves
        network.train()
        for group in optimiser.param_groups:
            group["lr"] = 0.7 ** (halves // 2)
        for part in torch.from_numpy(rows).split(64):
            optimiser.zero_grad()
            nn.functional.nll_loss(network(inputs[part]), answers[part]).backward()
            optimiser.step()
        halves += 1

    @torch.no_grad()
    def right() -> float:
        network.eval()
        found = torch.cat([network(part).argmax(1) for part in test.split(1000)])
        return float((found.numpy() == y_test).mean())

    return _until(train, right, len(x))


def keras_convnet(x: Array, y: Array, x_test: Array, y_test: Array) -> tuple[float, float]:
    """Train the network of Keras' introduction."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    inputs, test = (np.ascontiguousarray(_scaled(a, 0.0, 1.0).transpose(0, 2, 3, 1)) for a in (x, x_test))
    network.train_on_batch(inputs[:128], y[:128])  # compiles; not timed

    def train(rows: Array) -> None:
        network.fit(inputs[rows], y[rows], batch_size=128, epochs=1, verbose=0)

    return _until(train, lambda: float(network.evaluate(test, y_test, batch_size=1000, verbose=0)[1]), len(x))


def _scaled(pixels: Array, mean: float, deviation: float) -> Array:
    return ((pixels.astype(np.float32) / 255 - mean) / deviation).astype(np.float32)


if __name__ == "__main__":
    main()
