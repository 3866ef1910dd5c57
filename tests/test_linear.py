"""Linear networks, learned by `learn` like any other, are the linear models of statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, QuantileRegressor

import warmer
from warmer.errors import InputError
from warmer.examples._store import fill

N_TRAIN = 300


@pytest.fixture(scope="module")
def diabetes():
    """Real rows, of which the first are learned from: the frame, standardised x, and y as learned from."""
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    split = ["train"] * N_TRAIN + ["validation"] * 60 + ["test"] * (len(x) - N_TRAIN - 60)
    frame = x.assign(target=y, other=(y * 0.5 + 100 * x["bmi"]).round(3), split=split)
    values = x.to_numpy(np.float32).astype(float)
    standard = (values - values[:N_TRAIN].mean(0)) / values[:N_TRAIN].std(0)
    return frame, standard, y.to_numpy(dtype=float)


def answers(model, frame):
    return np.array([one.value for one in model(frame.to_dict("records"))])


def test_squared_error_is_least_squares(diabetes):
    frame, x, y = diabetes
    model = warmer.learn(frame, y="target", x=list(frame.columns[:10]), network="linear")
    truth = LinearRegression().fit(x[:N_TRAIN], y[:N_TRAIN]).predict(x)
    assert np.abs(answers(model, frame) - truth).max() < 1e-4 * y.std()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_small_steps_come_near_least_squares(diabetes, optimizer):
    frame, x, y = diabetes
    columns = list(frame.columns[:10])
    model = warmer.learn(frame, y="target", x=columns, network="linear", optimizer=optimizer)
    truth = LinearRegression().fit(x[:N_TRAIN], y[:N_TRAIN]).predict(x)
    assert model.plan.batch < N_TRAIN / 10
    apart = (answers(model, frame) - truth)[:N_TRAIN].std() / truth[:N_TRAIN].std()
    assert apart < 0.2  # of columns that say the same, small steps leave some for others


def test_several_answers_at_once(diabetes):
    frame, x, _ = diabetes
    model = warmer.learn(frame, y=["target", "other"], x=list(frame.columns[:10]), network="linear")
    both = frame[["target", "other"]].to_numpy(dtype=float)
    truth = LinearRegression().fit(x[:N_TRAIN], both[:N_TRAIN]).predict(x)
    found = np.array([[one.value["target"], one.value["other"]] for one in model(frame.to_dict("records"))])
    assert (np.abs(found - truth).max(0) < 1e-4 * both.std(0)).all()


def test_hubers_loss_is_scikit_learns(diabetes):
    frame, x, y = diabetes
    model = warmer.learn(frame, y="target", x=list(frame.columns[:10]), network="linear", loss="huber")
    # Its objective knows no unit but one: the scale is added once an example.
    centre, scale = np.median(y[:N_TRAIN]), np.subtract(*np.quantile(y[:N_TRAIN], [0.75, 0.25]))
    regressor = HuberRegressor(alpha=0, max_iter=10_000, tol=1e-10).fit(x[:N_TRAIN], (y[:N_TRAIN] - centre) / scale)
    assert np.abs(answers(model, frame) - (regressor.predict(x) * scale + centre)).max() < 1e-4 * y.std()


def test_absolute_error_is_as_small_as_by_linear_programming(diabetes):
    frame, x, y = diabetes
    model = warmer.learn(frame, y="target", x=list(frame.columns[:10]), network="linear", loss="mae")
    best = QuantileRegressor(quantile=0.5, alpha=0).fit(x[:N_TRAIN], y[:N_TRAIN]).predict(x)
    ours, theirs = (np.abs(one - y)[:N_TRAIN].mean() for one in (answers(model, frame), best))
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert np.abs(answers(model, frame) - best).max() < 1e-4 * y.std()


def test_quantiles_are_those_of_linear_programming(diabetes):
    frame, x, y = diabetes
    model = warmer.learn(frame, y="target", x=list(frame.columns[:10]), network="linear", loss="quantile", coverage=0.8)
    with torch.no_grad():
        store, _ = fill(model.x, frame.iloc[:, :10].to_dict("records"), "memory")
        outputs = model.network(model.x.batch(store.take(np.arange(len(frame))), torch.device("cpu")))
    found = outputs.numpy() * model.y.scale + model.y.average
    for column, level in enumerate((0.5, 0.1, 0.9)):
        best = QuantileRegressor(quantile=level, alpha=0).fit(x[:N_TRAIN], y[:N_TRAIN]).predict(x)
        assert np.abs(found[:, column] - best).max() < 1e-4 * y.std()


def spread_out(n, seed=0):
    """y scatters ten times as much where x is large."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(0, 1, n)
    return pd.DataFrame({"x": x, "y": 3 + 2 * x + generator.normal(0, 1, n) * 10 ** (x - 1)})


def test_the_gaussian_likelihood_is_at_its_top():
    frame = spread_out(400).assign(split=["train"] * 300 + ["validation"] * 50 + ["test"] * 50)
    model = warmer.learn(frame, y="y", network="linear", loss="gaussian")
    x, y = (frame[name].to_numpy(np.float32).astype(float)[:300] for name in ("x", "y"))

    def surprise(p):
        log = p[2] + p[3] * x
        return np.mean(log + 0.5 * ((y - p[0] - p[1] * x) / np.exp(log)) ** 2)

    found = minimize(
        surprise, [3, 2, -1, 1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 9999}
    )
    ends = answers(model, pd.DataFrame({"x": [0.0, 1.0]}))
    assert ends[0] == pytest.approx(found.x[0], abs=1e-4)
    assert ends[1] == pytest.approx(found.x[0] + found.x[1], abs=1e-4)


@pytest.mark.parametrize("loss", ["gaussian", "laplace", "quantile"])
def test_intervals_are_wide_where_y_scatters(loss):
    model = warmer.learn(spread_out(3000), y="y", network="linear", loss=loss)
    new = spread_out(4000, seed=1)
    found = model(new[["x"]].to_dict("records"))
    inside = np.array([a.within[0] <= y <= a.within[1] for a, y in zip(found, new["y"], strict=True)])
    low = new["x"].to_numpy() < 0.5
    for part in (low, ~low):
        assert 0.84 < inside[part].mean() < 0.96
    widths = np.array([a.within[1] - a.within[0] for a in found])
    assert widths[~low].mean() > 2 * widths[low].mean()


def test_logistic_regression_is_scikit_learns():
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    x = x.iloc[:, :10]
    split = ["train"] * 400 + ["validation"] * 80 + ["test"] * (len(x) - 480)
    frame = x.assign(benign=np.where(y == 1, "yes", "no"), split=split)
    model = warmer.learn(frame, y="benign", x=list(x.columns), network="linear", weight_decay=0.002)
    shares = np.array([dict(one.alternatives)["yes"] for one in model(x.to_dict("records"))])
    values = x.to_numpy(np.float32).astype(float)
    lower, centre, upper = np.quantile(values[:400], [0.25, 0.5, 0.75], axis=0)
    scaled = (values - centre) / (upper - lower)
    # Two logits share what one logit carries, so half the pull on each is the whole pull on their difference.
    truth = LogisticRegression(C=2 / (400 * 0.002), tol=1e-10, max_iter=10_000).fit(scaled[:400], y[:400])
    odds = np.log(truth.predict_proba(scaled)[:, 1] / truth.predict_proba(scaled)[:, 0])
    temperature = float(model.network.head.temperature)
    assert np.abs(np.log(shares / (1 - shares)) * temperature - odds).max() < 1e-3
    assert (
        np.abs(1 / (1 + np.exp(-np.log(shares / (1 - shares)) * temperature)) - truth.predict_proba(scaled)[:, 1]).max()
        < 1e-4
    )


def test_many_categories_of_pixels_are_softmax_regression(tmp_path):
    pixels, digits = load_digits(return_X_y=True)
    pictures = (pixels.reshape(-1, 8, 8) * 15).astype(np.uint8)
    model = warmer.learn((pictures, digits), network="linear")
    assert model.evidence["scores"]["accuracy"] > 0.93
    assert sum(p.numel() for p in model.network.parameters()) == 64 * 10 + 10
    model.save(tmp_path / "linear.safetensors")
    again = warmer.load(tmp_path / "linear.safetensors")
    assert again(pictures[0]).alternatives == model(pictures[0]).alternatives


def test_more_weights_than_a_whole_matrix_holds():
    pixels, digits = load_digits(return_X_y=True)
    pictures = np.kron(pixels.reshape(-1, 8, 8) * 15, np.ones((2, 2))).astype(np.uint8)
    model = warmer.learn((pictures, digits), network="linear")
    assert sum(p.numel() for p in model.network.parameters()) == 256 * 10 + 10
    assert model.evidence["scores"]["accuracy"] > 0.93


def test_a_named_loss_trains_any_network():
    frame = spread_out(600)
    model = warmer.learn(frame, y="y", loss="quantile", epochs=6, folds=1, members=2, advice=False)
    assert model.evidence["coverage"]["asked"] == pytest.approx(0.9)
    low, high = model({"x": 0.9}).within
    assert low < model({"x": 0.9}).value < high


def test_what_cannot_be_linear_is_answered_in_a_sentence():
    with pytest.raises(InputError, match="the loss of category is one of cross_entropy"):
        warmer.learn("iris", loss="mae")
    with pytest.raises(InputError, match="give network=linear, too"):
        warmer.learn("iris", optimizer="bfgs")
    sentences = [f"a sentence number {i} about {'dogs' if i % 2 else 'cats'} and trees" for i in range(60)]
    rows = [({"words": sentence}, i) for i, sentence in enumerate(sentences)]
    with pytest.raises(InputError, match="network=linear is for numbers"):
        warmer.learn(rows, network="linear", columns={"words": "text"})
