"""Downhill without steps, with smaller and smaller steps, and from many starts."""

from pathlib import Path

from warmer.firststeps import descend_from_many, flow

found = flow("x**2 + 3*y**2", [2, 1], step=0.2)
print(found.sentence)
Path("flow.png").write_bytes(found.picture())

hills = descend_from_many("sin(2*x)*cos(2*y) + (x**2 + y**2)/8", -3, 3, starts=60)
print(hills.sentence)
Path("starts.png").write_bytes(hills.picture())

too_far = flow("x**2", -2, step=1.5, halvings=3)
print(too_far.sentence)
