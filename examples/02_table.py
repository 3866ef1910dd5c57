"""A table: which columns were used and why, a number with its interval, and an unusual row."""

from sklearn.datasets import load_diabetes

import warmer

patients = load_diabetes(as_frame=True, scaled=False).frame
model = warmer.learn(patients, y="target", epochs=30)
print(model.evidence["sentence"])

for column in model.evidence["columns"][:4]:
    print(f"{column['column']}: {column['role']}, {column['kind']} ({column['why']})")

one = patients.iloc[0].drop("target").to_dict()
answer = model(one)
low, high = answer.within
print(f"{answer.value:.0f}, between {low:.0f} and {high:.0f} in {answer.coverage:.0%} of such cases")
print("unusual:", model(one | {"bmi": 96.0}).unusual)
