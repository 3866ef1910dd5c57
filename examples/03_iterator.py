"""Training is an iterator: your own loop around it, your own way to stop."""

import torch

from warmer import examples, kinds
from warmer.evidence import halves, part
from warmer.examples import _prepare, _split
from warmer.model import build
from warmer.plan import Plan
from warmer.training.loop import Descent

table = examples.open("moons", n="500")
data = _prepare.prepare(table, _prepare.decide(table), options={})
plan = Plan(epochs=40, batch=32, learning_rate=0.01, members=1, width=16)
network = build(data.x, data.y, plan)
descent = Descent(
    network, data.x, data.y, part(data, data.rows(_split.TRAIN)), part(data, halves(data)[0]), plan, torch.device("cpu")
)
for moment in descent:
    if moment.scores:
        print(f"epoch {moment.epoch:4.1f}  loss {moment.loss:.3f}  accuracy {moment.scores['accuracy']:.3f}")
        if moment.scores["accuracy"] > 0.97:
            break
print("kinds there are:", ", ".join(kinds.names()))
