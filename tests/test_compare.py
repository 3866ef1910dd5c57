"""Choices seen side by side, thresholds, mistakes and boundaries: what they show is what is true."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score

import warmer
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.firststeps import boundaries, count_mistakes, stack


def width_of(data):
    return Image.open(io.BytesIO(data)).width


def test_a_perceptron_fails_at_xor_and_a_hidden_layer_does_not():
    found = warmer.compare("xor", vary={"network": ["linear", "auto"]}, epochs=30, members=2, folds=1)
    line, net = (found.value(one) for one in found.runs)
    assert line < 0.65
    assert net > 0.9
    assert "best with network auto" in found.sentence
    assert width_of(found.picture()) > 600


def test_two_choices_make_every_pair(tmp_path, capsys):
    out = tmp_path / "both.png"
    given = [
        "compare",
        "y = sin(3*x)",
        "--vary",
        "width=1,16",
        "--vary",
        "depth=1,2",
        "--set",
        "epochs=4",
        "--set",
        "n=400",
    ]
    assert run([*given, "--set", "members=1", "--set", "folds=1", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["width"], one["depth"]) for one in told["runs"]] == [(1, 1), (1, 2), (16, 1), (16, 2)]
    counts = [one["parameters"] for one in told["runs"]]
    assert counts[0] < counts[1] < counts[3]
    assert width_of(out.read_bytes()) > 600


def test_a_rate_that_diverges_is_one_of_the_results():
    found = warmer.compare(
        "diabetes", vary={"learning_rate": [1e-3, 1e30]}, epochs=3, folds=1, members=1, optimizer="sgd", clip=0
    )
    assert found.runs[0].model is not None
    assert found.runs[1].model is None
    assert "would not learn" in found.sentence
    assert found.rows()[1]["failed"]
    assert width_of(found.picture()) > 600


def test_comparisons_that_cannot_be():
    with pytest.raises(InputError, match="vary one or two"):
        warmer.compare("iris", vary={"width": [3]})
    with pytest.raises(InputError, match="runs would take long"):
        warmer.compare("iris", vary={"width": range(9), "depth": range(9)})
    with pytest.raises(InputError, match="learning_rate"):
        warmer.compare("iris", vary={"learning_rat": [1, 2]})


def test_a_short_last_batch_counts_for_what_it_holds():
    steps = []

    class Listener:
        def __getattr__(self, name):
            return lambda *_: None

        def moment(self, moment):
            steps.append((moment.step, moment.epoch))

    model = warmer.learn("iris", epochs=3, batch=16, folds=1, members=1, patience=0, advice=False, listener=Listener())
    n = model.evidence["examples"]["train"]
    assert steps[-1][1] == pytest.approx(3)
    # A last batch under half the usual size is not worth a step; its examples come in another order next time.
    each = n // 16 + (n % 16 >= 8)
    assert steps[-1][0] == 3 * each


def test_thresholds_count_what_scikit_learn_counts():
    model = warmer.learn("breast-cancer", folds=1, members=2, epochs=15, advice=False)
    found = warmer.look(model).threshold(examples="breast-cancer", miss=10)
    table = warmer.examples.open("breast-cancer")
    learned = model.learned_from(table)
    rest = table.take(np.flatnonzero(~learned))
    answers = model(list(model.cells(rest)[0]))
    share = np.array([dict(one.alternatives)["malignant"] for one in answers])
    truth = np.array([str(one) == "malignant" for one in rest.columns[rest.y]])
    assert found.numbers["n"] == len(truth)
    assert found.numbers["roc_auc"] == pytest.approx(roc_auc_score(truth, share), abs=1e-6)
    sheet = found.sheets["Thresholds"]
    middle = dict(zip(sheet.head, sheet.rows[5], strict=True))
    assert middle["threshold"] == pytest.approx(0.5)
    assert middle["precision"] == pytest.approx(precision_score(truth, share >= 0.5))
    assert middle["recall"] == pytest.approx(recall_score(truth, share >= 0.5))
    assert found.numbers["cost_at_best"] <= found.numbers["cost_at_half"]
    with pytest.raises(InputError, match="costs"):
        warmer.look(model).threshold(examples="breast-cancer", miss=-1)


def test_of_three_answers_one_is_yes():
    model = warmer.learn("iris", folds=1, members=2, epochs=15, advice=False)
    assert warmer.look(model).threshold(examples="iris").numbers["yes"] in model.y.labels
    assert warmer.look(model).threshold(examples="iris", yes="setosa").numbers["roc_auc"] > 0.9


def test_counting_mistakes_gives_nothing_to_descend():
    data = load_breast_cancer()
    x, yes = data.data[:, 0], data.target == 0
    found = count_mistakes(x, yes)
    assert found.flat_counts > 0.99
    assert found.flat_costs == 0
    z = (x - x.mean()) / x.std()
    truth = LogisticRegression(C=np.inf, tol=1e-10).fit(z[:, None], yes)
    assert found.path[-1] == pytest.approx([truth.coef_[0, 0], truth.intercept_[0]], abs=0.05)
    assert width_of(found.picture()) > 600
    assert json.dumps(found.to_json())
    for wrong in (([1, 2], [True]), ([1, 1], [True, False]), ([1, 2], [True, True])):
        with pytest.raises(InputError):
            count_mistakes(*wrong)


def test_linear_layers_are_one_layer_unless_something_bends():
    flat = stack((4, 3, 6, 5))
    assert flat.apart < 1e-9
    assert flat.rank == 3
    assert flat.net.parameters == 5 * 3 + 4 * 6 + 7 * 5
    assert flat.single.parameters == 5 * 5
    assert stack((4, 3, 6, 5), activation="tanh").apart > 0.01


def test_boundaries_bend_with_depth(tmp_path, capsys):
    line = boundaries("xor", hidden=0, epochs=15)
    net = boundaries("xor", hidden=1, width=16, epochs=30)
    assert line.accuracies[-1] < 0.65 < 0.9 < net.accuracies[-1]
    assert len(net.epochs) == 31
    assert net.shares.shape[-1] == 2
    assert np.allclose(net.shares.sum(-1), 1, atol=1e-5)
    assert width_of(net.picture()) > 600
    film = Image.open(io.BytesIO(line.film()))
    assert getattr(film, "n_frames", 1) > 5
    with pytest.raises(InputError, match="two columns of numbers"):
        boundaries("iris")
    assert run(["boundaries", "moons", "--epochs", "3", "--out", str(tmp_path / "b.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"][0] == 0


def test_training_notes_how_sure_it_becomes():
    model = warmer.learn("digits", epochs=4, advice=False)
    found = warmer.look(model).film()
    assert np.mean(found.numbers["first"]) < 0.25
    assert np.mean(found.numbers["last"]) > 0.5
    steps = [one["step"] for one in model.evidence["followed"]["moments"]]
    assert steps[:5] == [0, 1, 2, 4, 8]
    truths = [one["truth"] for one in model.evidence["followed"]["examples"]]
    assert len(set(truths)) == 6
    with pytest.raises(InputError, match="does not fit"):
        warmer.look(warmer.learn("diabetes", epochs=2, folds=1, members=1, advice=False)).film()
