"""The audit, against faults that were put into the data on purpose."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import warmer
from warmer.cli.app import run
from warmer.errors import InputError, UnknownName
from warmer.insight import _mislabelled, _slices


@pytest.fixture(scope="module")
def people():
    """Two groups: what decides for the one is noise for the other, and a nickname gives the group away."""
    generator = np.random.default_rng(0)
    n = 3000
    group = generator.choice(["a", "b"], n, p=[0.7, 0.3])
    skill, luck = generator.normal(size=n), generator.normal(size=n)
    passed = np.where(group == "a", skill > -0.5, generator.random(n) < 0.3)
    frame = pd.DataFrame(
        {
            "group": group,
            "nickname": np.where(generator.random(n) < 0.95, np.where(group == "a", "x", "y"), "z"),
            "skill": skill,
            "luck": luck,
            "passed": np.where(passed, "yes", "no"),
        }
    )
    return frame


@pytest.fixture(scope="module")
def people_model(people):
    return warmer.learn(people, y="passed", epochs=10, advice=False)


def test_the_badly_served_group_is_found(people, people_model):
    found = warmer.look(people_model).audit(examples=people, by="group")
    slices = {one["slice"]: one for one in found.numbers["slices"]}
    bad = slices["group = b"]
    assert bad["error"] > bad["rest"] + 0.1
    assert bad["p"] < 0.001
    assert bad["interval"][0] < bad["error"] < bad["interval"][1]
    assert any("answers are worse where group = b" in sentence for sentence in found.words)
    assert found.numbers["judged"] < len(people), "what was learned from says nothing"
    hidden = warmer.look(people_model).audit(examples=people.drop(columns="group").assign(other=1))
    assert any(("nickname is" in one["slice"] or "nickname = " in one["slice"]) and one["p"] < 0.001
               for one in hidden.numbers["slices"])  # fmt: skip


def test_parity_is_what_the_rates_say(people, people_model):
    found = warmer.look(people_model).audit(examples=people, by="group")
    rows = {row[0]: row for row in found.sheets["Parity by group"].rows}
    told = found.numbers["parity_by_group"]
    assert told["demographic_parity_difference"] == pytest.approx(abs(rows["group = a"][2] - rows["group = b"][2]))
    low, high = sorted(row[2] for row in rows.values())
    assert told["ratio"] == pytest.approx(low / high)
    odds = max(abs(rows["group = a"][at] - rows["group = b"][at]) for at in (4, 5))
    assert told["equalised_odds_difference"] == pytest.approx(odds)
    guess = found.numbers["proxy_of_group"]
    assert guess["auc"] > 0.95
    assert next(iter(guess["single"])) == "nickname"
    assert 0.4 < guess["single"]["luck"] < 0.6


def test_a_fair_model_is_not_accused():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(1500, 2))
    frame = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "group": generator.choice(["a", "b"], 1500)})
    frame["y"] = np.where(x[:, 0] + 0.5 * generator.normal(size=1500) > 0, "yes", "no")
    model = warmer.learn(frame, y="y", x=["x1", "x2"], epochs=8, advice=False)
    found = warmer.look(model).audit(examples=frame, by="group")
    assert not any("group =" in sentence and "worse" in sentence for sentence in found.words)
    assert found.numbers["proxy_of_group"]["auc"] < 0.6


def test_holm_is_the_textbook():
    assert _slices.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert _slices.holm([]) == []


def test_confident_learning_by_hand():
    given = np.array([0, 0, 0, 1, 1, 1])
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.95, 0.05]])
    assert _mislabelled.confident(shares, given).tolist() == [False, False, True, False, False, True]


def test_flipped_labels_are_found():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)
    generator = np.random.default_rng(0)
    flipped = generator.permutation(len(labels))[: len(labels) // 20]
    wrong = labels.copy()
    wrong[flipped] = (labels[flipped] + generator.integers(1, 10, len(flipped))) % 10
    model = warmer.learn((images, wrong), epochs=10, advice=False)
    found = warmer.look(model).audit(examples=(images, wrong), mislabelled="yes").numbers["mislabelled"]
    hits = set(found["rows"]) & set(flipped.tolist())
    assert len(hits) / len(found["rows"]) >= 0.7
    assert len(hits) / len(flipped) >= 0.8
    first = found["rows"].index(next(iter(hits)))
    assert found["suggested"][first] == str(labels[found["rows"][first]])


def test_giveaways_and_doubles(people):
    leak = people.assign(result=np.where(people.passed == "yes", 1.0, 0.0) + 0.01 * people.luck)
    leak = pd.concat([leak, leak[:40]], ignore_index=True)
    leak.loc[len(leak) - 1, "passed"] = "no" if leak.passed.iloc[39] == "yes" else "yes"
    model = warmer.learn(leak, y="passed", epochs=3, advice=False)
    found = warmer.look(model).audit(examples=leak)
    assert any(sentence.startswith("`result` tells the answer all by itself") for sentence in found.words)
    assert found.numbers["doubles"]["equal"] == 40
    assert found.numbers["doubles"]["contradictory"] == 1


def test_a_border_that_tells_the_label_is_a_shortcut(digits_model):
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)[:400].copy()
    labels = labels[:400]
    plain = warmer.look(digits_model).audit(examples=(images, labels), mislabelled="no").numbers["border"]
    images[:, 0, :] = images[:, :, 0] = 0
    for label in range(8):
        images[labels == label, 0, label] = 16
    marked = warmer.look(digits_model).audit(examples=(images, labels), mislabelled="no")
    assert marked.numbers["border"]["accuracy"] > plain["accuracy"] + 0.05
    assert any("backgrounds are a shortcut" in sentence for sentence in marked.words)


def test_numbers_are_audited_by_their_errors():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"size": generator.uniform(0, 10, 1200), "town": generator.choice(["here", "there"], 1200)})
    frame["price"] = 3 * frame["size"] + np.where(frame.town == "here", 0.2, 6.0) * generator.normal(size=1200)
    model = warmer.learn(frame, y="price", epochs=15, advice=False)
    found = warmer.look(model).audit(examples=frame, by="town")
    assert any("answers are worse where town = there: off by" in sentence for sentence in found.words)
    assert found.sheets["Parity by town"].rows


def test_wrong_wishes_are_answered_with_a_sentence(people, people_model, tmp_path, capsys):
    with pytest.raises(UnknownName, match="no column `grup`; did you mean `group`"):
        warmer.look(people_model).audit(examples=people, by="grup")
    with pytest.raises(InputError, match="20 examples are too few"):
        warmer.look(people_model).audit(examples=people[:20])
    place = people_model.save(tmp_path / "m.safetensors")
    people.to_csv(tmp_path / "p.csv", index=False)
    out = str(tmp_path / "out")
    assert run(["audit", str(place), str(tmp_path / "p.csv"), "--by", "group", "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["words"]
    assert (tmp_path / "out" / "audit-slices.png").exists()
