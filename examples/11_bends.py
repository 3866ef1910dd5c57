"""Why depth needs bends: linear layers collapse into one, and a line cannot do what XOR and spirals ask."""

from pathlib import Path

from warmer.firststeps import boundaries, stack

print(stack((4, 16, 16, 3)).sentence)
print(stack((4, 16, 16, 3), activation="relu").sentence)

for name, examples, hidden, width in (
    ("xor-perceptron", "xor", 0, 1),
    ("xor-hidden", "xor", 1, 8),
    ("spirals-one", "spirals", 1, 8),
    ("spirals-two", "spirals", 2, 32),
):
    found = boundaries(examples, hidden=hidden, width=width, epochs=40)
    print(f"{examples}: {found.sentence}")
    Path(f"{name}.png").write_bytes(found.picture(moments=4))
