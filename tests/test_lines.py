"""Lines of writing: how they are told, changed while they are learned, normalised and read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import warmer
from warmer.kinds import _lines
from warmer.kinds._contract import Padded
from warmer.networks.blocks import BatchInstanceNorm
from warmer.networks.lines import LineNet


def test_lines_are_told_from_pictures():
    generator = np.random.default_rng(0)
    widths = generator.integers(60, 300, 50)
    assert _lines.are_lines(np.stack([widths, np.full(50, 32)], 1))
    assert not _lines.are_lines(np.full((50, 2), 64))
    assert not _lines.are_lines(np.stack([np.full(50, 300), np.full(50, 32)], 1))
    photos = np.where(generator.random((50, 1)) < 0.5, [[160, 240]], [[240, 160]])
    assert not _lines.are_lines(photos)


def test_lines_of_digits_are_read():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * 15).astype(np.uint8)
    generator = np.random.default_rng(0)
    pairs = []
    for _ in range(700):
        chosen = generator.integers(0, len(labels), generator.integers(1, 6))
        pairs.append((np.concatenate([images[i] for i in chosen], 1), "".join(str(labels[i]) for i in chosen)))
    model = warmer.learn(
        pairs, signature="image -> text", epochs=20, advice=False, width=96, depth=1, batch=16, learning_rate=3e-3
    )
    assert model.x.line
    assert model.plan.ordered
    assert model.evidence["scores"]["cer"] < 0.15
    assert model.evidence["baselines"]["constant"]["scores"]["cer"] > 0.7
    grown = warmer.look(model).features(steps=4, channels=2)
    assert len(grown.pictures) == 3, "one a number of channels"
    paler = (pairs[0][0] // 2 + 60).astype(np.uint8)
    assert model(paler).value == model(pairs[0][0]).value, "paper and ink do not matter"


@pytest.fixture(scope="module")
def strokes():
    """Lines of 48 rows, in each as many strokes as there are letters."""
    generator = np.random.default_rng(0)
    pairs = []
    for _ in range(60):
        text = "".join(generator.choice(["a", "b"], generator.integers(2, 7)))
        line = np.full((48, 20 * len(text) + 60), 220, np.uint8)
        for place, letter in enumerate(text):
            line[8 : 40 if letter == "a" else 24, 20 * place + 35 : 20 * place + 40] = 30
        pairs.append((line + generator.integers(0, 20, line.shape, np.uint8), text))
    return pairs


def learned(pairs, **wishes):
    return warmer.learn(
        pairs, signature="image -> text", epochs=1, advice=False, width=32, depth=1, batch=16, **wishes
    )  # fmt: skip


def test_real_handwriting_is_normalised_by_itself_and_opens_again_as_it_was(strokes, tmp_path):
    model = learned(strokes)
    norms = [one.own for one in model.network.modules() if isinstance(one, BatchInstanceNorm)]
    assert norms == [model.plan.instance_norm] * 7
    assert model.plan.instance_norm == 0.5
    model.save(tmp_path / "m.safetensors")
    again = warmer.load(tmp_path / "m.safetensors")
    assert [again(line).confidence for line, _ in strokes[:5]] == [model(line).confidence for line, _ in strokes[:5]]


def test_lines_of_real_handwriting_are_learned_at_a_pace_of_their_own(strokes):
    plan, small = learned(strokes).plan, learned([(line[::2, ::2], text) for line, text in strokes]).plan
    assert plan.learning_rate > small.learning_rate
    assert plan.weight_decay > small.weight_decay


def test_lines_as_answers_are_pictures_of_one_size(strokes):
    pairs = [(text, line) for line, text in strokes]
    model = warmer.learn(pairs, signature="text -> image", epochs=0.5, advice=False)
    assert not model.y.line
    assert model("ab").picture.size == (model.y.width, model.y.height)


@pytest.mark.parametrize(("wishes", "seen"), [({}, 5), ({"views": False}, 1), ({"ordered": False}, 1)])
def test_only_what_spells_in_order_is_averaged_over_views(strokes, wishes, seen, monkeypatch):
    model = learned(strokes, **wishes)
    asked = []
    original = model.network.features
    monkeypatch.setattr(model.network, "features", lambda batch: asked.append(1) or original(batch))
    model(strokes[0][0])
    assert len(asked) == seen


@pytest.mark.parametrize("height", [28, 64])
@pytest.mark.parametrize("own", [0.0, 0.5])
def test_lines_of_any_height_and_length_are_read_column_by_column(height, own):
    network = LineNet(1, height, 32, 1, 0.0, "gru", own).eval()
    mask = torch.ones(2, 50, dtype=torch.bool)
    mask[1, 30:] = False
    values = torch.randn(2, 50, 1, height) * mask[:, :, None, None]
    shown, read = network(Padded(values, mask)).maps
    assert shown.shape == read.shape == (2, 32, 13)
    alone = network(Padded(values[1:, :30], mask[1:, :30])).maps[1]
    assert torch.allclose(read[1, :, :8], alone[0], atol=1e-5), "padding changes nothing"


@pytest.mark.parametrize("training", [True, False])
def test_a_line_is_normalised_in_part_by_what_it_shows_itself(training):
    torch.manual_seed(0)
    norm = BatchInstanceNorm(3, 0.4).double().train(training)
    norm.weight.data, norm.bias.data = torch.tensor([1.5, -0.5, 2.0]).double(), torch.randn(3).double()
    norm.running_mean, norm.running_var = torch.randn(3).double(), torch.rand(3).double() + 0.5
    x, mask = torch.randn(2, 3, 5, 7).double().requires_grad_(), torch.ones(2, 7).double()
    mask[1, 4:] = 0
    plain = torch.nn.BatchNorm2d(3, affine=False).double().train(training)
    plain.running_mean, plain.running_var = norm.running_mean.clone(), norm.running_var.clone()
    common = plain(x)
    wanted = []
    for one, columns in zip(common, (7, 4), strict=True):
        variance, mean = torch.var_mean(one.detach()[:, :, :columns], (1, 2), correction=0, keepdim=True)
        away = (one - 0.4 * mean) / (0.6 + 0.4 * variance).sqrt()
        wanted.append(away * norm.weight[:, None, None] + norm.bias[:, None, None])
    found, slopes = norm(x, mask), torch.randn(2, 3, 5, 7).double()
    torch.testing.assert_close(found, torch.stack(wanted), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    inputs = (x, norm.weight, norm.bias)
    for a, b in zip(
        torch.autograd.grad(found, inputs, slopes),
        torch.autograd.grad(torch.stack(wanted), inputs, slopes),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_lines_with_pixels_to_spare_are_also_read_moved_and_in_other_sizes():
    values, mask = torch.zeros(1, 9, 1, 48), torch.ones(1, 9, dtype=torch.bool)
    values[0, 3, 0, 14:34] = 1.0
    seen = [one.values[0, :, 0] for one in _lines.views(Padded(values, mask))]
    for one, (begin, end) in zip(seen, ((14, 34), (16, 36), (12, 32), (15, 33), (13, 35)), strict=True):
        column = one[3]
        assert column[begin + 1 : end - 1].min() > 0.9
        assert column[: begin - 1].max() == column[end + 1 :].max() == 0
        assert (one != 0).any(1).tolist() == [place == 3 for place in range(9)]
    assert len(_lines.views(Padded(values[..., :28], mask))) == 1, "of small letters each pixel counts"


def test_a_budget_of_minutes_decides_how_often_real_handwriting_is_seen():
    alone, budgeted = (float(_lines.proposals(64, 1400, minutes)["epochs"][0]) for minutes in (None, 90.0))
    assert alone < budgeted
    assert _lines.proposals(28, 1400, None)["epochs"] == _lines.proposals(28, 1400, 90.0)["epochs"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_line_is_measured_against_its_own_paper_and_ink(channels):
    generator = np.random.default_rng(channels)
    paper, ink = (generator.integers(low, high, (701, channels, 64)) for low, high in ((200, 230), (20, 120)))
    line = np.where(generator.random(paper.shape) < 0.1, ink, paper).astype(np.uint8)
    values = line / 255 - np.median(line / 255, axis=(0, 2), keepdims=True)
    wanted = 3 * values / np.quantile(np.abs(values), 0.98)
    found = _lines.batch([line], torch.device("cpu")).values[0].numpy()
    assert np.abs(found - wanted).max() < 0.02 * wanted.std()


def test_some_strokes_become_bolder_and_some_thinner():
    lines = torch.zeros(3, 1, 9, 9)
    lines[:, :, 4, 4] = -3.0  # ink is darker than paper
    found = _lines._bolder(lines, torch.tensor([1.0, 0.3, -1.0]).view(-1, 1, 1, 1))
    assert int((found[0] < 0).sum()) == 9
    assert torch.equal(found[1], lines[1])
    assert found[2, 0, 4, 4] > lines[2, 0, 4, 4]


@pytest.mark.parametrize("height", [16, 64])
def test_augmented_lines_stay_lines(height):
    values = torch.randn(4, 50, 1, height)
    mask = torch.ones(4, 50, dtype=torch.bool)
    mask[1, 30:] = False
    found = _lines.augment(Padded(values, mask), torch.Generator().manual_seed(0))
    assert found.values.shape[:2] == found.mask.shape
    assert found.values.shape[2:] == (1, height)
    assert not found.values[1][~found.mask[1]].any()
    assert 0.45 < int(found.mask[1].sum()) / int(found.mask[0].sum()) < 0.75, "each is a little longer or shorter"


@pytest.mark.parametrize("height", [16, 64])
def test_an_augmented_line_is_longer_where_its_letters_are_further_apart(height):
    values, mask = torch.zeros(8, 400, 1, height), torch.ones(8, 400, dtype=torch.bool)
    ends = (40, 360)
    for end in ends:
        values[:, end - 2 : end + 2, :, height // 2 - 2 : height // 2 + 2] = -9.0
    found = _lines.augment(Padded(values, mask), torch.Generator().manual_seed(1))
    lengths = found.mask.sum(1)
    assert lengths.unique().numel() > 4
    dark = (found.values < -3).any(3).any(2)
    for line, length in zip(dark, lengths, strict=True):
        places = torch.nonzero(line).flatten() / length
        for end in ends:
            near = places[(places - end / 400).abs() < 0.1]
            assert (near.mean() - end / 400).abs() < 0.03
