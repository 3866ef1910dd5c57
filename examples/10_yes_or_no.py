"""Yes or no: why mistakes are not what is made small, and what moving the threshold gains and costs."""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

import warmer
from warmer.firststeps import count_mistakes

data = load_breast_cancer(as_frame=True)
radius, malignant = data.frame["mean radius"], data.frame["target"] == 0
mistakes = count_mistakes(radius, malignant)
print(mistakes.sentence)
Path("mistakes.png").write_bytes(mistakes.picture())

model = warmer.learn("breast-cancer", network="linear")
print(model.evidence["sentence"])
found = warmer.look(model).threshold(examples="breast-cancer", miss=10)
print(found.sentence)
Path("threshold.png").write_bytes(found.pictures["The threshold moved"])
Path("roc.png").write_bytes(found.pictures["ROC and precision"])
