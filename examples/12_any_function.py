"""Any function: how near a network comes to a formula, by its width and depth."""

from pathlib import Path

import warmer

found = warmer.compare(
    "y = sin(3*x) + x**2",
    vary={"width": [1, 2, 4, 8, 16, 64], "depth": [1, 2, 3]},
    x_range="-3,3",
    n=600,
    epochs=60,
    batch=32,
    learning_rate=0.01,
    activation="tanh",
    members=1,
    dropout=0,
    folds=1,
    patience=0,
)
for row in found.rows():
    print(f"width {row['width']:3d}  depth {row['depth']}  {row['parameters']:6,} parameters  rmse {row['rmse']:.4f}")
print(found.sentence)
Path("any-function.png").write_bytes(found.picture())
