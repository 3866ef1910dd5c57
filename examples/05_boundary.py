"""Two spirals: where one answer ends and another begins, and the hollow of the loss that training found."""

from pathlib import Path

import warmer

model = warmer.learn("spirals", epochs=40, folds=1, members=4, advice=False)
print(model.evidence["sentence"])

look = warmer.look(model)
for finding in (look.boundary(examples="spirals", side=120), look.landscape(examples="spirals", side=13, steps=8)):
    print(finding.sentence)
    for place in finding.save(Path("spirals-look")):
        print("wrote", place)
