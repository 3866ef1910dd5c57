"""Handwritten digits: learn, ask, look at what it is unsure of, save."""

from sklearn.datasets import load_digits

import warmer

model = warmer.learn("digits", epochs=6)
print(model.evidence["sentence"])

for picture in load_digits().images[:3]:
    answer = model(picture)
    print(answer.value, f"{answer.confidence:.3f}", "one of", answer.within)

worst = model.evidence["mistakes"][0]
print("worst mistake:", worst["example"], "is", worst["truth"], "but was answered", worst["answer"])
print("saved as", model.save("digits.safetensors"))
