"""A small net, forwards and backwards: every number of backpropagation, and one step that makes the loss smaller."""

from pathlib import Path

from warmer.firststeps import Net

net = Net.written(weights=[[[1, -2], [0.5, 1]], [[1, -1]]], biases=[[0, 1], [0.5]], activation="sigmoid")
inputs, target = [1, 2], [1]
print(*net.steps(inputs, target), sep="\n")

for row in net.table(inputs, target):
    print(
        f"{row['parameter']:8s} {row['value']:6.2f}   slope {row['slope']:9.6f}   felt by a small step {row['felt']:9.6f}"
    )

passes = net.passes(inputs, target)
after = net.stepped(passes, rate=0.1).passes(inputs, target)
print(f"one step against the slopes: loss {passes.loss:.4f} → {after.loss:.4f}")
Path("backpropagation.png").write_bytes(net.picture(inputs, target))
