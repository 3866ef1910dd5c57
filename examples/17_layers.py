"""Layer by layer: what a network has learned to look for, beside the parts of photos that excite it most."""

from pathlib import Path

import numpy as np
from skimage import data, transform

import warmer

names = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
photos = [getattr(data, name)() for name in names]
squares = []
for photo in photos:
    small = transform.resize(photo, (round(300 * photo.shape[0] / photo.shape[1]), 300), anti_aliasing=True)
    rows, columns = range(0, small.shape[0] - 63, 48), range(0, small.shape[1] - 63, 48)
    squares += [
        (255 * small[row : row + 64, column : column + 64]).astype(np.uint8) for row in rows for column in columns
    ]
print(len(squares), "squares out of", len(photos), "photos")

look = warmer.look()  # the network that comes along
print(look.summary().sentence)
found = look.features(examples=[{"picture": square} for square in squares], channels=8)
print(found.sentence)
for place, (name, picture) in enumerate(found.pictures.items()):
    print(name)
    Path("layers-labels.png" if name.startswith("labels") else f"layers-{place + 1}.png").write_bytes(picture)
