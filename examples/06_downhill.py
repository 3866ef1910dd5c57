"""A neuron by hand, and downhill on a formula: what training does, with numbers small enough to follow."""

from pathlib import Path

from warmer.firststeps import Neuron, curves, descend

neuron = Neuron(weights=(4, 2, 2, 1), bias=-25)
print(*neuron.steps([3, 2, 4, 2]), sep="\n")
Path("curves.png").write_bytes(curves())

path = descend("x**2 + 1", -2, method="hot-and-cold", step=1)
print(path.points[:, 0], path.values, path.sentence)

for method in ("gradient", "momentum", "adam", "newton"):
    path = descend("x**2 + 3*y**2", [2, 1], method=method)
    print(f"{method:10s}", path.sentence)
    Path(f"{method}.png").write_bytes(path.picture())
