"""Pictures as answers, painters, and the network that comes along."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import warmer
from warmer import examples, insight, kinds
from warmer.cli.app import run
from warmer.course import Silence
from warmer.errors import InputError
from warmer.insight import _painter
from warmer.kinds import _moving
from warmer.kinds._picturing import PictureHead
from warmer.networks.features import Features, FeatureSpec
from warmer.networks.unet import BEYOND, PictureMaker, UNetEncoder
from warmer.opening import SHIPPED, open_model
from warmer.report import page


@pytest.fixture(scope="module")
def blurred():
    """Digits of 16 × 16 pixels, and the same with noise on them."""
    from sklearn.datasets import load_digits

    generator = np.random.default_rng(0)
    clean = np.kron(load_digits().images[:400] * 15, np.ones((2, 2))).astype(np.uint8)
    noisy = np.clip(clean + generator.normal(0, 50, clean.shape), 0, 255).astype(np.uint8)
    return list(zip(noisy, clean, strict=True))


@pytest.fixture(scope="module")
def cleaner(blurred):
    return warmer.learn(blurred, signature="image -> image", epochs=8, width=8, depth=2, advice=False)


def test_noise_is_taken_off(cleaner, blurred):
    evidence = cleaner.evidence
    assert evidence["scores"]["psnr"] > evidence["baselines"]["unchanged"]["scores"]["psnr"] + 3
    assert evidence["scores"]["ssim"] > evidence["baselines"]["unchanged"]["scores"]["ssim"]
    assert evidence["scores"]["psnr"] > evidence["baselines"]["constant"]["scores"]["psnr"]
    answer = cleaner(blurred[0][0])
    with answer.picture as picture:
        made = np.asarray(picture, dtype=float)
    assert made.shape == (16, 16)
    error = np.abs(made - blurred[0][1]).mean()
    assert error < np.abs(blurred[0][0].astype(float) - blurred[0][1]).mean()


def test_two_folders_of_pictures_from_the_command_line(blurred, tmp_path, capsys):
    for name in ("noisy", "clean"):
        (tmp_path / name).mkdir()
    for place, (noisy, clean) in enumerate(blurred[:60]):
        Image.fromarray(noisy).save(tmp_path / "noisy" / f"{place}.png")
        Image.fromarray(clean).save(tmp_path / "clean" / f"{place}.png")
    Image.fromarray(blurred[0][0]).save(tmp_path / "noisy" / "alone.png")
    out = tmp_path / "clean.safetensors"
    folders = [str(tmp_path / "noisy"), str(tmp_path / "clean")]
    assert (
        run(
            [
                "learn",
                *folders,
                "--out",
                str(out),
                "--set",
                "epochs=1",
                "--set",
                "width=4",
                "--set",
                "advice=no",
                "--json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["signature"] == "image -> image"
    assert found["left_out"] == 1
    assert "no partner" in found["ledger"]["entries"][0]["reason"]
    assert "Some of what it made" in out.with_suffix(".html").read_text(encoding="utf-8")
    assert run(["predict", str(out), str(tmp_path / "noisy" / "3.png"), "--out", str(tmp_path / "made"), "--json"]) == 0
    place = json.loads(capsys.readouterr().out)["value"]
    with Image.open(place) as picture:
        assert picture.size == (16, 16)


def test_pairs_that_cannot_lie_over_each_other_are_listed(tmp_path):
    for name, side in (("small", 8), ("large", 16)):
        (tmp_path / name).mkdir()
        for k in range(12):
            Image.new("L", (side, side + 8 * (k == 3 and name == "large"))).save(tmp_path / name / f"{k}.png")
    found = examples.open((str(tmp_path / "small"), str(tmp_path / "large")))
    assert len(found) == 11
    assert found.ledger.entries[0].reason == (
        "is 8 × 8 pixels and its partner 16 × 24: they cannot lie over each other"
    )


def test_pairs_of_no_common_shape_stay(tmp_path):
    for name, size in (("wide", (16, 8)), ("high", (8, 16))):
        (tmp_path / name).mkdir()
        for k in range(12):
            Image.new("L", size).save(tmp_path / name / f"{k}.png")
    assert len(examples.open((str(tmp_path / "wide"), str(tmp_path / "high")))) == 12


def test_training_notes_what_it_makes(tmp_path):
    model = warmer.learn("digits", signature="image -> itself", epochs=1, advice=False)
    noted = model.evidence["followed"]
    assert [one["step"] for one in noted["moments"]][:5] == [0, 1, 2, 4, 8]
    assert {len(one["made"]) for one in noted["moments"]} == {4}
    assert all("truth_picture" in one for one in noted["examples"])
    found = warmer.look(model).film()
    assert "before the first step" in found.sentence
    assert Image.open(io.BytesIO(found.pictures["Film"])).n_frames > 5
    model.save(tmp_path / "m.safetensors")
    assert "What it made as it learned" in page(model)


def test_folders_without_partners_are_refused(tmp_path, capsys):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name / f"{name}.png")
    assert run(["learn", str(tmp_path / "one"), str(tmp_path / "other")]) == 2
    assert "no file of" in capsys.readouterr().err
    assert run(["learn", str(tmp_path / "one"), str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_lines_that_part_are_named(tmp_path, capsys):
    lines = [f"this is sentence number {k} of a file" for k in range(30)]
    (tmp_path / "a.en").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "a.de").write_text("\n".join([*lines[:12], "x", *lines[12:]]), encoding="utf-8")
    assert run(["learn", str(tmp_path / "a.en"), str(tmp_path / "a.de")]) == 2
    assert "part at line 13" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (9, 40)])
def test_a_u_net_takes_any_size(size):
    encoder = UNetEncoder(3, 4, 3, (0.5,) * 3, (0.25,) * 3, 0.0)
    x = torch.rand(2, 3, *size)
    features = encoder(x)
    maker = PictureMaker(FeatureSpec.probe(encoder, x), 3, *size, 4)
    assert maker(features).shape == (2, 3, *size)
    assert torch.equal(features.maps[0][:, :3], x), "the finest map holds the picture itself"


def test_a_network_that_reflects_does_not_know_where_the_edge_is():
    noise = 0.5 + 0.1 * torch.randn(400, 3, 16, 20)
    spread = {}
    for beyond in BEYOND:
        torch.manual_seed(0)
        encoder = UNetEncoder(3, 4, 3, (0.5,) * 3, (0.25,) * 3, 0.0, beyond)
        maker = PictureMaker(FeatureSpec.probe(encoder, noise), 3, 16, 20, 4, beyond)
        spread[beyond] = float(maker(encoder(noise)).detach().mean(0).std((1, 2)).max())
    assert spread["reflect"] < spread["zeros"] / 3, "on the mean, every place is painted alike"
    with pytest.raises(InputError, match="zeros, reflect"):
        kinds.get("image").fit([np.zeros((16, 16, 3), np.uint8)] * 3, beyond="mirror")


@pytest.mark.parametrize("rank", [0, 1])
def test_pictures_are_begun_from_any_features(rank):
    maker = PictureMaker(FeatureSpec((6,), rank), 1, 28, 21, 8)
    assert maker(Features((torch.randn(2, 6, *([5] * rank)),))).shape == (2, 1, 28, 21)


# ---- painters ----


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    """A picture of stripes."""
    rows, columns = np.mgrid[0:160, 0:160]
    stripes = np.stack([(np.sin((rows + columns) / 4) + 1) * 120, rows, columns], 2).clip(0, 255).astype(np.uint8)
    place = tmp_path_factory.mktemp("style") / "stripes.png"
    Image.fromarray(stripes).save(place)
    return place


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    from sklearn.datasets import load_sample_image

    place = tmp_path_factory.mktemp("photo") / "flower.png"
    Image.fromarray(load_sample_image("flower.jpg")).resize((320, 212)).save(place)
    return place


class Heard(Silence):
    """Keeps the loss of every step."""

    def __init__(self):
        self.losses = []

    def moment(self, moment):
        self.losses.append(moment.loss)


def test_a_painter_learns_a_style_and_paints_at_any_size(style, photo, tmp_path, capsys):
    subject = insight.subject(open_model(SHIPPED), (str(style),))
    cells = [subject.model.x.cell(str(photo))]
    model = _painter.learn(subject, cells, _painter.Wish(minutes=30, steps=20, width=8), heard := Heard())
    told = model.evidence["painter"]
    assert told["gone"] == pytest.approx(1 - told["style_after"] / told["style_before"])
    assert np.mean(heard.losses[-5:]) < 0.7 * heard.losses[0]
    assert model.head.maker.any_size is False
    place = model.save(tmp_path / "painter.safetensors")
    assert run(["paint", str(photo), "--style", str(place), "--size", "200", "--out", str(tmp_path / "p.png")]) == 0
    with Image.open(tmp_path / "p.png") as painted:
        assert painted.size == (200, 132)
        assert np.asarray(painted).std() > 5
    assert run(["paint", str(photo), "--style", str(SHIPPED), "--out", str(tmp_path / "q.png")]) == 2
    assert "no painter" in capsys.readouterr().err
    assert run(["paint", str(photo), "--style", str(place), "--photo", "--out", str(tmp_path / "q.png")]) == 2
    assert "leave strength" in capsys.readouterr().err


def test_photos_too_small_to_practise_on_are_refused(style):
    subject = insight.subject(open_model(SHIPPED), (str(style),))
    with pytest.raises(InputError, match="at least 128 pixels"):
        _painter.learn(subject, [np.zeros((20, 20, 3), dtype=np.uint8)], _painter.Wish(minutes=0.1), Silence())


# ---- the network that comes along ----


def test_the_shipped_network_is_small_and_says_what_it_is():
    assert SHIPPED.stat().st_size <= 4 * 2**20
    model = open_model(SHIPPED)
    assert model.evidence["scores"]["accuracy"] > 0.75
    assert model.evidence["robust"]["value"] > 0.4
    assert "research use" in model.evidence["licence"]
    assert "mistakes" not in model.evidence
    assert warmer.look().names() == warmer.look(SHIPPED).names()


def test_the_shipped_network_knows_a_cat():
    skimage = pytest.importorskip("skimage.data")
    answer = open_model(SHIPPED)(skimage.chelsea())
    assert answer.value in ("cat", "dog")


def test_pictures_are_mirrored_in_turn():
    batch = torch.randint(0, 256, (400, 3, 6, 5), generator=torch.Generator().manual_seed(0)) / 255
    first, second, third = (_moving.in_turn(batch, epoch) for epoch in (0, 1, 2))
    mirrored = (first == batch.flip(3)).flatten(1).all(1)
    assert 150 < int(mirrored.sum()) < 250
    assert torch.equal(first[~mirrored], batch[~mirrored])
    assert torch.equal(second, first.flip(3))
    assert torch.equal(third, first)


def test_what_is_added_to_x_begins_with_nothing_and_may_be_larger():
    x = torch.rand(2, 3, 10, 12)
    features = UNetEncoder(3, 8, 2, (0.5,) * 3, (0.25,) * 3, 0.0)(x)
    spec = FeatureSpec.probe(UNetEncoder(3, 8, 2, (0.5,) * 3, (0.25,) * 3, 0.0), x)
    assert torch.allclose(PictureHead(spec, 3, 10, 12, 8, residual=True).outputs(features), x)
    larger = PictureHead(spec, 3, 20, 24, 8, residual=True)
    made = larger.outputs(features)
    assert made.shape == (2, 3, 20, 24)
    expected = torch.nn.functional.interpolate(x, (20, 24), mode="bicubic", antialias=True)
    assert torch.allclose(made, expected, atol=1e-5)
    assert larger.maker.end.out_channels == 12
