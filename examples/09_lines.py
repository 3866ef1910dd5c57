"""Linear regression is a network without hidden layers; what is made small decides what its answers mean."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

import warmer
from warmer import drawing

generator = np.random.default_rng(0)
size = generator.uniform(20, 150, 1500)
price = 50 + 3 * size + generator.normal(0, 0.4, 1500) * size
price[::25] += 400  # a castle now and then
frame = pd.DataFrame({"size": size, "price": price})

models = {
    loss: warmer.learn(frame, y="price", network="linear", loss=loss) for loss in ("mse", "mae", "laplace", "quantile")
}
for loss, model in models.items():
    print(
        f"{loss:9s}", model({"size": 100}).value, "within", model({"size": 100}).within, "·", model.evidence["sentence"]
    )

# The same line as by the closed form, on the same rows.
table = warmer.examples.open(frame)
learned = models["mse"].learned_from(table)
line = LinearRegression().fit(frame.loc[learned, ["size"]], frame.loc[learned, "price"])
print("closed form", line.predict(pd.DataFrame({"size": [100.0]}))[0], "ours", models["mse"]({"size": 100}).value)

figure = drawing.figure(10, 4)
for axes, (loss, model) in zip(figure.subplots(1, 4, sharey=True), models.items(), strict=True):
    ends = [model({"size": float(x)}) for x in (20, 85, 150)]
    axes.scatter(size[:400], price[:400], s=4, color="#bbbbbb")
    axes.plot([20, 85, 150], [one.value for one in ends], color=drawing.WARM, linewidth=2)
    axes.fill_between([20, 85, 150], *zip(*(one.within for one in ends), strict=True), color=drawing.COLD, alpha=0.25)
    drawing.open_sides(axes).set(title=loss, xlabel="size", ylim=(0, 950))
Path("lines.png").write_bytes(drawing.png(figure))
