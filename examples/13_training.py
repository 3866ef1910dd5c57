"""What the knobs do, side by side: learning rates, batches, dropout, weight decay; and how sure a network becomes."""

from pathlib import Path

import warmer


def show(examples, name, values, **choices):
    found = warmer.compare(examples, vary={name: values}, **choices)
    print(found.sentence)
    for row in found.rows():
        print(f"  {name} {row[name]:<8g} training loss {row['loss']:.4f}, {found.score} {row[found.score]:.4f}")
    Path(f"{name.replace('_', '-')}.png").write_bytes(found.picture())


show("digits", "learning_rate", [0.0005, 0.12, 10], epochs=5)
show("digits", "batch", [16, 64, 1100], epochs=5)

# Three hundred rows, a hundred times each: a network that may learn them by heart, judged at the end and not at its best.
by_heart = {"epochs": 100, "width": 128, "depth": 2, "learning_rate": 0.003, "members": 1, "folds": 1}
by_heart |= {"patience": 0, "validations": 1}
show("diabetes", "dropout", [0, 0.5, 0.8, 0.9], weight_decay=0, **by_heart)
show("diabetes", "weight_decay", [0, 3, 10, 30], dropout=0, **by_heart)

model = warmer.learn("digits", advice=False)
film = warmer.look(model).film()
print(film.sentence)
Path("film.png").write_bytes(film.pictures["Film strip"])
