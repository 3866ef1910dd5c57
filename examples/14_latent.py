"""The last hidden layer: like inputs lie near each other there, and one linear layer is enough to tell them apart."""

from pathlib import Path

import warmer

model = warmer.learn("digits", epochs=15, advice=False)
found = warmer.look(model).latent(examples="digits")
print(found.sentence)
Path("latent.png").write_bytes(found.pictures["Map"])
print(f"right by a linear model of the latent numbers: {found.numbers['linear_on_latent']:.1%}")
print(f"right by a linear model of the pixels: {found.numbers['linear_on_inputs']:.1%}")
