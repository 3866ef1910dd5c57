"""Fool a model with our attacks, beside Foolbox and torchattacks, and compare integrated gradients with Captum's.

    pip install --no-deps captum foolbox eagerpy torchattacks
    python benchmarks/fooling.py cifar10.safetensors cifar10/train.zip

Attacks go against `model.network` (one view), on examples of EXAMPLES that the model never learned from and answers right.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import warmer
from warmer import examples
from warmer.examples import _prepare, _split
from warmer.insight import _attacks, _attribution, _watch

RADIUS, STEP, STEPS = 8 / 255, 2 / 255, 20


def main() -> None:
    """Run everything and print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("examples")
    parser.add_argument("--n", type=int, default=500, help="examples to fool")
    chosen = parser.parse_args()
    model = warmer.load(chosen.model)
    x, labels = unseen(model, chosen.examples, 2 * chosen.n)
    with _watch.still(model.network):
        right = answers(model.network, x) == labels
        print(f"right before any attack: {float(right.float().mean()):.1%} of {len(x)}")
        x, labels = x[: chosen.n], labels[: chosen.n]
        ours(model.network, x, labels)
        beside(model.network, x, labels)
        gradients(model.network, x[:8], labels[:8])


def unseen(model: Any, source: str, n: int) -> tuple[Tensor, Tensor]:
    """Return inputs and labels of the test part."""
    table = examples.open(source)
    prepared = _prepare.prepare(table, _prepare.decide(table, (), ()), options={}, adopted=model.x)
    rows = np.random.default_rng(0).permutation(prepared.rows(_split.TEST))[:n]
    x = model.x.batch(prepared.inputs.take(rows), torch.device("cpu"))
    return x, torch.from_numpy(np.asarray(prepared.targets.take(rows))).long()


def answers(network: Any, x: Tensor) -> Tensor:
    """Return the answered labels."""
    with torch.no_grad():
        return torch.cat([network(some).argmax(1) for some in x.split(250)])


def left(network: Any, x: Tensor, labels: Tensor) -> str:
    """Return the share of right answers."""
    return f"{float((answers(network, x) == labels).float().mean()):.1%} right"


def ours(network: Any, x: Tensor, labels: Tensor) -> None:
    """Print how each of our attacks does."""
    generator = torch.Generator().manual_seed(0)
    print(f"FGSM 8/255: {left(network, _attacks.fgsm(network, x, labels, RADIUS), labels)}")
    goal = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
    aimed = _attacks.pgd(network, x, labels, RADIUS, 50, goal=goal, generator=generator, restarts=1, step=STEP)
    reached = float((answers(network, aimed) == goal).float().mean())
    print(f"targeted, 50 steps, 8/255: {reached:.1%} of {len(x)} reach a label drawn at random")
    change = _attacks.universal(network, x, 10 / 255, 5, generator=generator)
    turned = answers(network, (x + change).clamp(0, 1)) != answers(network, x)
    print(f"one change for all, 10/255: {float(turned.float().mean()):.1%} of answers turn")
    nearest = _attacks.deepfool(network, x[:200])
    print(f"DeepFool: median length {float((nearest - x[:200]).flatten(1).norm(dim=1).median()):.3f}")
    count = network(x[:1]).shape[1]
    noise = torch.rand((count, *x.shape[1:]), generator=generator)
    found, taken = _attacks.from_noise(network, noise, torch.arange(count), 100, 0.99)
    with torch.no_grad():
        sure = network(found).softmax(1)[torch.arange(count), torch.arange(count)]
    print(f"from noise: least confidence {float(sure.min()):.1%}, at most {int(taken.max())} steps")


def beside(network: Any, x: Tensor, labels: Tensor) -> None:
    """Print PGD with 20 steps, each as it comes: ours with two starts, Foolbox's, torchattacks'; interleaved, twice."""
    for _ in range(2):
        for name, attack in (("warmer", _warmer), ("Foolbox", _foolbox), ("torchattacks", _torchattacks)):
            start = time.perf_counter()
            found = attack(network, x, labels)
            print(f"PGD-20 of {name}: {left(network, found, labels)}, {time.perf_counter() - start:.1f} s")


def _warmer(network: Any, x: Tensor, labels: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return _attacks.pgd(network, x, labels, RADIUS, STEPS, step=STEP, restarts=2, generator=generator, leave=True)


def _foolbox(network: Any, x: Tensor, labels: Tensor) -> Tensor:
    import foolbox

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS)
    return attack(model, x, labels, epsilons=RADIUS)[1]  # type: ignore[no-any-return]


def _torchattacks(network: Any, x: Tensor, labels: Tensor) -> Tensor:
    import torchattacks

    return torchattacks.PGD(network, eps=RADIUS, alpha=STEP, steps=STEPS)(x, labels)  # type: ignore[no-any-return]


def gradients(network: Any, x: Tensor, labels: Tensor) -> None:
    """Print how far our integrated gradients are from Captum's."""
    from captum.attr import IntegratedGradients

    objective: Callable[[Tensor], Tensor]
    mine = torch.zeros_like(x)
    for place in range(len(x)):
        objective = lambda some, aim=labels[place]: network(some)[:, aim]  # noqa: E731
        one = x[place : place + 1]
        mine[place] = _attribution.integrated_gradients(objective, one, torch.zeros_like(one))[0][0]
    theirs = IntegratedGradients(network).attribute(x, target=labels, n_steps=50)
    print(f"integrated gradients: at most {float((mine - theirs).abs().max()):.1e} from Captum's")


if __name__ == "__main__":
    main()
