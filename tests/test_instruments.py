"""Instruments: the contract over the whole folder, and each against an independent truth."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import warmer
from warmer import examples, insight
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.examples._store import fill
from warmer.insight import _attacks, _attribution, _canvas, _shapley, _watch, features
from warmer.insight._contract import Subject
from warmer.insight.summary import receptive_fields
from warmer.networks.convnet import ConvNet
from warmer.networks.features import Features
from warmer.networks.network import Network
from warmer.training import adversary

sys.path.insert(0, str(Path(__file__).parent))
from contracts import instruments as contract


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    return list(load_digits().images[:4])


@pytest.fixture(scope="module")
def few_digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return examples.open((found.images[:200], found.target[:200]))


@pytest.mark.parametrize("name", insight.names())
def test_contract_on_pictures(name, digits_model, digits, few_digits):
    contract.check_all(name, digits_model, digits, few_digits)


@pytest.mark.parametrize("name", insight.names())
def test_contract_on_rows(name, iris_model):
    table = examples.open("iris")
    cells, _ = iris_model.cells(table)
    contract.check_all(name, iris_model, [cells[0], cells[80]], table)


@pytest.fixture(scope="module")
def tones():
    from warmer import kinds

    cells = kinds.get("audio").sample(0)
    frame = pd.DataFrame({"sound": cells, "pitch": ["high", "low"] * 12, "text": ["ha", "lo"] * 12})
    others = [frame.assign(sound=kinds.get("audio").sample(seed)) for seed in (1, 2)]
    return pd.concat([frame, *others], ignore_index=True)


@pytest.fixture(scope="module")
def listening(tones):
    return warmer.learn(tones, x="sound", y="pitch", epochs=2, width=8, advice=False)


@pytest.fixture(scope="module")
def transcribing(tones):
    return warmer.learn(tones, x="sound", y="text", signature="audio -> text", epochs=1, width=16, advice=False)


@pytest.fixture(scope="module")
def sorting():
    words = ["good", "fine", "great", "bad", "poor", "awful"]
    generator = np.random.default_rng(0)
    rows = [" ".join(generator.choice(words[:3] if k % 2 else words[3:], 5)) + f" {k}" for k in range(80)]
    return warmer.learn([(text, "up" if k % 2 else "down") for k, text in enumerate(rows)], epochs=4, advice=False)


@pytest.mark.parametrize("name", insight.names())
def test_contract_on_sounds(name, listening, tones):
    contract.check_all(name, listening, list(tones.sound[:2]), examples.open(tones[["sound", "pitch"]]))


def test_the_spectrogram_that_a_pitch_looks_for_is_brighter_where_the_pitch_lies(listening, tones):
    canvas = _canvas.canvas(insight.subject(listening, ()))
    heard = fill(listening.x, list(tones.sound[:2]), "memory")[0]
    high, low = canvas.of(heard, np.arange(2)).values.mean((1, 3)).argmax(1).tolist()
    with _watch.still(listening.network):
        pictures, _ = features._grown(canvas, "labels", [0, 1], 64, torch.Generator().manual_seed(0))
    assert [str(label) for label in listening.y.labels] == ["high", "low"]
    more = (pictures[0, 0] - pictures[1, 0]).mean(1)
    assert high > low
    assert more[high] > more[low] + 0.1


@pytest.mark.parametrize("name", insight.names())
def test_contract_on_transcripts(name, transcribing, tones):
    contract.check_all(name, transcribing, list(tones.sound[:2]), examples.open(tones[["sound", "text"]]))


@pytest.mark.parametrize("name", insight.names())
def test_contract_on_texts(name, sorting):
    table = examples.open(
        [("good fine 1", "up"), ("bad awful 2", "down"), ("great good 3", "up"), ("poor bad 4", "down")] * 16
    )
    contract.check_all(name, sorting, ["good great fine", "bad news poor"], table)


def test_the_word_that_decides_is_named(sorting):
    found = warmer.look(sorting).why("4 7 awful 12")
    losses = dict(next(iter(found.sheets.values())).rows)
    assert max(losses, key=lambda word: abs(losses[word])) == "awful"
    assert losses["awful"] > 0


def small_network():
    """A network of one grey channel that is smooth everywhere."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3), nn.Tanh())
    head = nn.Linear(6, 3)

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.readout = head

        def forward(self, features):
            return self.readout(features.pooled("mean"))

    return Network(encoder, Head()).double().eval()


# ---- watching ----


def test_a_network_is_put_back_even_after_an_error():
    network = small_network().train()
    network.head.readout.bias.requires_grad_(False)
    before = contract.state(network)

    def fail():
        with _watch.still(network), _watch.watching(network, ("encoder",)):
            torch.rand(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contract.same(before, contract.state(network))


def test_shut_rectifiers_leak_gradient_and_answer_the_same():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with _watch.leaking():
        y = torch.relu(x)
    assert y.tolist() == [0.0, 2.0]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.tolist() == pytest.approx([0.1, 1.1])


# ---- summary ----


def test_what_a_place_sees_is_what_changes_it():
    network = small_network()
    network.encoder = ConvNet(1, (4, 6), (0.4,), (0.3,), torch.eye(4)).double().eval()
    for p in network.encoder.parameters():
        torch.nn.init.normal_(p)
    x = torch.rand(1, 1, 24, 24, dtype=torch.float64)
    told = receptive_fields(network, x)
    name = "encoder.groups.0"
    with _watch.watching(network, (name,)) as seen:
        network(x)
        base = seen[name][0, :, 4, 4].clone()
        changed = np.zeros((24, 24), dtype=bool)
        for row in range(24):
            for column in range(24):
                for step in (1.0, -1.0):  # a pooling hides what is smaller than its neighbours
                    other = x.clone()
                    other[0, 0, row, column] += step
                    network(other)
                    changed[row, column] |= not torch.equal(seen[name][0, :, 4, 4], base)
    assert changed.any(0).sum() == told[name]
    assert changed.any(1).sum() == told[name]


def test_multiply_adds_are_those_of_the_textbook(digits_model):
    found = insight.look(digits_model).summary()
    rows = {row[0]: row for row in found.sheets["Layers"].rows}
    shape, weights, adds = rows["encoder.groups.0.first"][2:5]
    height, width = (int(size) for size in shape.split(" × ")[1:])
    assert adds == weights * height * width
    assert rows["head.readout"][4] == digits_model.head.readout.in_features * 10
    assert found.numbers["weights"] == digits_model.parameters


# ---- why ----


def test_integrated_gradients_add_up_and_agree_with_plain_sums():
    network = small_network()
    x, nothing = torch.rand(2, 1, 16, 16, dtype=torch.float64), torch.zeros(2, 1, 16, 16, dtype=torch.float64)

    def objective(some):
        return network(some)[:, 1]

    shares, gap = _attribution.integrated_gradients(objective, x, nothing, steps=60)
    assert float(gap.abs().max()) < 1e-3
    steps = 4000
    slow = torch.zeros_like(x[:1])
    for at in ((np.arange(steps) + 0.5) / steps).reshape(40, -1):
        between = torch.tensor(at).view(-1, 1, 1, 1) * x[:1]
        slow += adversary.slope(objective, between)[1].sum(0, keepdim=True) / steps
    torch.testing.assert_close(shares[:1], slow * x[:1], atol=1e-4, rtol=1e-2)


def test_slopes_are_finite_differences():
    network = small_network()
    x = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    _, gradient = adversary.slope(lambda some: network(some)[:, 0], x)
    for row, column in ((3, 4), (8, 8), (0, 11)):
        more, less = x.clone(), x.clone()
        more[0, 0, row, column] += 1e-6
        less[0, 0, row, column] -= 1e-6
        with torch.no_grad():
            slope = float(network(more)[0, 0] - network(less)[0, 0]) / 2e-6
        assert float(gradient[0, 0, row, column]) == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_occlusion_finds_the_only_place_that_counts():
    x = torch.zeros(1, 1, 12, 12)
    x[0, 0, 2:4, 8:10] = 1
    found = _attribution.occlusion(lambda some: some[:, 0, 2:4, 8:10].sum((1, 2)), x, patch=3, step=1)[0]
    assert divmod(int(found.argmax()), 12) in [(r, c) for r in (2, 3) for c in (8, 9)]
    assert float(found[8:, :4].abs().max()) == 0


def test_grad_cam_finds_the_bright_spot():
    class Bright(nn.Module):
        def forward(self, x):
            return Features((nn.functional.avg_pool2d(x, 2),))

    class Sum(nn.Module):
        def forward(self, features):
            return features.pooled("mean")

    x = torch.zeros(1, 1, 16, 16)
    x[0, 0, 10:12, 4:6] = 1
    found = _attribution.grad_cam(Network(Bright(), Sum()), lambda outputs: outputs[:, 0], x, None)[0]
    row, column = divmod(int(found.argmax()), 16)
    assert (row // 2, column // 2) == (5, 2)


def test_contributions_of_a_linear_model_are_its_terms():
    weights = np.array([2.0, -1.0, 0.5, 0.0])
    row, others = np.array([1.0, 2.0, 3.0, 4.0]), np.random.default_rng(0).normal(size=(30, 4))

    def value(known, rows):
        return np.where(known, row, others[rows]) @ weights

    adds, error, without, whole = _shapley.contributions(value, 4, 30, 30, 0)
    assert adds == pytest.approx(weights * (row - others.mean(0)))
    assert adds.sum() == pytest.approx(whole - without)
    assert error[3] == 0


def test_rows_need_others_to_be_compared_with(iris_model):
    row = iris_model.cells(examples.open("iris"))[0][0]
    with pytest.raises(InputError, match="give them with --examples"):
        insight.look(iris_model).why(row)


# ---- fool ----


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_stay_in_their_ball_and_raise_the_loss(digits_model, digits, norm):
    x = Subject(digits_model, digits).batch
    network = digits_model.network
    radius = 0.1 if norm == "linf" else 0.5
    with _watch.still(network):
        labels = network(x).argmax(1)
        loss = _attacks.loss(network, labels, None)
        found = _attacks.pgd(network, x, labels, radius, 10, norm=norm, generator=torch.Generator().manual_seed(0))
        change = found - x
        size = change.flatten(1).abs().amax(1) if norm == "linf" else change.flatten(1).norm(dim=1)
        assert float(size.max()) <= radius + 1e-6
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1
        assert (loss(found) > loss(x)).all()
        one = _attacks.fgsm(network, x, labels, 0.1)
        assert float((one - x).abs().max()) <= 0.1 + 1e-6


def test_deepfool_crosses_the_boundary_of_a_line_at_its_nearest_point():
    weight, bias = torch.tensor([[1.0, 2.0], [-1.0, 0.5]]), torch.tensor([-1.3, 0.2])
    x = torch.tensor([[0.6, 0.4]])

    def logits(some):
        return some @ weight.t() + bias

    found = _attacks.deepfool(logits, x, overshoot=0.02)
    normal = weight[0] - weight[1]
    distance = float((x @ normal + bias[0] - bias[1]) / normal.norm())
    assert logits(found).argmax(1) != logits(x).argmax(1)
    assert float((found - x).norm()) == pytest.approx(distance * 1.02, rel=0.01)


def test_one_change_for_all_stays_small(digits_model, digits):
    x = Subject(digits_model, digits).batch
    with _watch.still(digits_model.network):
        change = _attacks.universal(digits_model.network, x, 0.2, 5, generator=torch.Generator().manual_seed(0))
    assert change.shape == x[:1].shape
    assert 0.1 < float(change.abs().max()) <= 0.2


def test_noise_becomes_what_is_wanted(digits_model):
    found = insight.look(digits_model).fool(target="3", from_noise=True)
    assert found.numbers["success"] == 1.0


def test_what_is_saved_fools(tmp_path, digits_model, digits):
    found = insight.look(digits_model).fool(digits[0], method="deepfool")
    assert found.numbers["success"] == 1.0
    written = found.save(tmp_path)
    result = next(place for place in written if place.name == "fool-result-1.png")
    assert digits_model(result).value != digits_model(digits[0]).value


# ---- dream ----


def test_a_dream_is_answered_to_more_than_the_photo(digits_model, digits):
    found = insight.look(digits_model).dream(digits[0], label="5", size=40, octaves=2, steps=10, frames=4)
    assert found.numbers["after"] > found.numbers["before"]
    assert found.pictures["The way there"].startswith(b"GIF")
    picture = Image.open(io.BytesIO(found.pictures["The dream"]))
    assert picture.size == (40, 40)
    assert Image.open(io.BytesIO(found.pictures["The way there"])).n_frames == 4


def test_a_photo_is_dreamt_into_uncut(tmp_path, digits_model):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 90), dtype=np.uint8)).save(tmp_path / "wide.png")
    found = insight.look(digits_model).dream(tmp_path / "wide.png", size=60, octaves=1, steps=1)
    assert Image.open(io.BytesIO(found.pictures["The dream"])).size == (60, 20)


def test_dreams_that_cannot_be_are_refused(tmp_path, digits_model):
    look = insight.look(digits_model)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="broken"):
        look.dream(str(tmp_path / "broken.png"))
    with pytest.raises(InputError, match="has channels 0 to"):
        look.dream(channel=10_000)
    with pytest.raises(InputError, match="at least 2"):
        look.dream(frames=1)


# ---- latent, importance ----


def test_lines_through_latent_numbers_do_not_depend_on_how_examples_are_sorted(iris_model):
    found = insight.look(iris_model).latent(examples=examples.open("iris"))  # sorted by flower
    assert found.numbers["linear_on_latent"] > 0.8
    assert found.numbers["linear_on_inputs"] > 0.8


def test_an_example_is_its_own_nearest_neighbour(digits_model, digits, few_digits):
    found = insight.look(digits_model).latent(digits[1], examples=few_digits)
    first = found.sheets["Neighbours"].rows[0]
    assert first[1] == few_digits.name(1)
    assert first[3] == pytest.approx(1, abs=1e-6)
    assert found.numbers["neighbours_agree"] > 0.8
    assert 0 < found.numbers["variance_in_two"] < 1


def test_too_few_examples_make_no_map(digits_model, few_digits):
    with pytest.raises(InputError, match="too few to draw a map"):
        insight.look(digits_model).latent(examples=few_digits.take(np.arange(3)))


def test_the_column_that_decides_is_the_important_one():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(300, 3)), columns=["decides", "idle", "noise"])
    frame["y"] = np.where(frame["decides"] > 0, "up", "down")
    model = warmer.learn(frame, y="y", epochs=15, advice=False)
    found = insight.look(model).importance(examples=frame)
    assert found.numbers["n"] < 100, "examples that it learned from are left out"
    rows = {row[0]: row[1] for row in found.sheets["Columns"].rows}
    assert rows["decides"] > 0.3
    assert max(rows["idle"], rows["noise"]) < 0.1
    told = insight.look(model).why({"decides": 2.0, "idle": 0.0, "noise": 0.0}, examples=frame)
    assert told.sheets["input 1"].rows[0][0] == "decides"


# ---- the face ----


def test_look_from_python(digits_model):
    look = warmer.look(digits_model)
    assert "summary" in look.names()
    assert "summary" in dir(look)
    with pytest.raises(AttributeError, match="no instrument `telescope`"):
        _ = look.telescope


def test_look_from_the_command_line(tmp_path, capsys, digits_model):
    place = str(digits_model.save(tmp_path / "digits.safetensors"))
    assert run(["look", place]) == 0
    assert "summary" in capsys.readouterr().out
    assert run(["look", place, "filters", "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["instrument"] == "filters"
    assert all(Path(file).exists() for file in told["files"])
    assert run(["look", place, "filtres"]) == 2
    assert "filters" in capsys.readouterr().err
    assert run(["fool", place, "--from-noise", "--target", "7", "--out", str(tmp_path / "out")]) == 0
    assert "7" in capsys.readouterr().out
    assert run(["fool", place, "--from-noise", "--target", "ostrich"]) == 2
    assert run(["fool", place]) == 2
    assert "give pictures" in capsys.readouterr().err
