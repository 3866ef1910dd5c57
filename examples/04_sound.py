"""Sound: notes made on the spot, told apart; and which moment decided."""

from pathlib import Path

import numpy as np

import warmer
from warmer import drawing

RATE = 8000
generator = np.random.default_rng(0)


def note(hertz, seconds):
    """Return a note that fades, with a little noise, as (samples, samples a second)."""
    times = np.arange(round(RATE * seconds)) / RATE
    sound = np.sin(2 * np.pi * hertz * times) * np.exp(-3 * times / seconds)
    return 0.5 * sound + 0.01 * generator.normal(size=len(times)), RATE


names = {"c": 262, "e": 330, "g": 392}
examples = [(note(names[name] * 2, generator.uniform(0.2, 0.4)), name) for name in list(names) * 60]
model = warmer.learn(examples, signature="audio -> category", epochs=12, width=16, advice=False)
print(model.evidence["sentence"])

answer = model(note(2 * names["g"], 0.3))
print(answer.value, f"{answer.confidence:.0%}")
why = warmer.look(model).why(note(2 * names["g"], 0.3))
print(why.sentence)
Path("note.png").write_bytes(next(iter(why.pictures.values())))

figure = drawing.figure(9, 2.6)
for axes, (name, hertz) in zip(figure.subplots(1, 3), names.items(), strict=True):
    axes.imshow(model.x.picture(model.x.read(note(2 * hertz, 0.3))), aspect="auto", cmap="magma_r")
    axes.set(title=name, xticks=[], yticks=[])
Path("spectrograms.png").write_bytes(drawing.png(figure))
