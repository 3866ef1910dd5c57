"""What the knobs do: learning rates, batches, dropout, side by side; and how sure a network becomes."""

from pathlib import Path

import warmer

choices = {
    "learning_rate": [0.0005, 0.12, 10],
    "batch": [16, 64, 1100],
    "dropout": [0, 0.3, 0.8],
}
for name, values in choices.items():
    found = warmer.compare("digits", vary={name: values}, epochs=5)
    print(found.sentence)
    Path(f"{name.replace('_', '-')}.png").write_bytes(found.picture())

model = warmer.learn("digits", advice=False)
film = warmer.look(model).film()
print(film.sentence)
Path("film.png").write_bytes(film.pictures["Film strip"])
