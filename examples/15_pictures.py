"""Pictures: a kernel laid over a photo and learned back from it, why a ConvNet answers as it does, and how it is fooled."""

from pathlib import Path

import numpy as np
from skimage.data import chelsea
from sklearn.datasets import load_digits

import warmer
from warmer.opening import SHIPPED

edges = warmer.look(warmer.load(SHIPPED)).filter(chelsea(), kernel="emboss", learn=True)
print(edges.sentence)
print(*edges.words)
Path("kernel.png").write_bytes(edges.pictures["Before, kernel, after"])
Path("kernel-learned.png").write_bytes(edges.pictures["Kernel, and what was learned"])

model = warmer.learn("digits", epochs=15, advice=False)
look = warmer.look(model)
picture = (load_digits().images[3] * 15).astype(np.uint8)
why = look.why(picture)
print(why.sentence)
Path("why.png").write_bytes(next(iter(why.pictures.values())))
fooled = look.fool(picture, target="8", epsilon=0.25)
print(fooled.sentence)
Path("fooled.png").write_bytes(next(iter(fooled.pictures.values())))
