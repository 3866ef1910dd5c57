"""Pictures made out of noise, coloured, put together again, and made against a critic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color
from sklearn.datasets import load_digits

import warmer
from warmer import examples, kinds
from warmer.errors import BadCell, InputError
from warmer.examples._derived import derive
from warmer.kinds._colouring import lab_of, rgb_of
from warmer.kinds._moving import as_moved, shifts
from warmer.kinds._picturing import CriticisedHead, follows
from warmer.networks.features import Features, FeatureSpec
from warmer.scores import colourful
from warmer.signature import Signature


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder of class folders of scikit-learn's handwritten zeros and ones."""
    place, found = tmp_path_factory.mktemp("digits"), load_digits()
    for k in np.flatnonzero(found.target < 2):
        folder = place / str(found.target[k])
        folder.mkdir(exist_ok=True)
        Image.fromarray((found.images[k] * 15).astype(np.uint8)).save(folder / f"{k}.png")
    return place


@pytest.mark.parametrize(
    ("signature", "options", "words"),
    [
        ("gray -> image", {"y": "nope"}, "no column `nope`"), ("image -> itself", {"x": "nope"}, "no column `nope`"),
        ("gray -> imge", {}, "imge.*image"),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_told(signature, options, words):
    pictures = [{"pic": np.full((8, 8, 3), k, np.uint8)} for k in range(20)]
    with pytest.raises(InputError, match=words):
        warmer.learn(pictures, signature=signature, epochs=1, **options)


@pytest.mark.parametrize("method", ["flow", "vae", "gan"])
def test_pictures_out_of_noise_are_the_wished_ones(digits, tmp_path, method):
    model = warmer.learn(digits, signature="noise -> image", method=method, epochs=10, batch=32, width=16)
    assert model.x.labels == ("0", "1")
    found = model.evidence
    assert found["scores"]["frechet"] < 0.5 * found["baselines"]["constant"]["scores"]["frechet"]
    assert len(found["figures"]) == 2
    assert found["distance_to_training"] > 0
    zeros, ones = (np.stack([np.asarray(a.picture, float) for a in model([label] * 8)]) for label in "01")
    # A zero is dark in its middle, a one is not.
    assert zeros[:, 3:5, 3:5].mean() < ones[:, 3:5, 3:5].mean() - 40
    model.save(tmp_path / "m.safetensors")
    again = warmer.load(tmp_path / "m.safetensors")
    assert again("1").made == model("1").made
    tested = again.test(digits)
    assert tested.n > 300
    assert tested.seen == sum(model.evidence["examples"][side] for side in ("train",))
    with pytest.raises(BadCell, match="none of those"):
        model("7")


def test_a_picture_told_through_a_few_numbers(digits):
    model = warmer.learn(digits, signature="image -> itself", latent=6, epochs=25, batch=32)
    assert str(model.signature) == "image -> image"
    baselines = model.evidence["baselines"]
    assert baselines["linear"]["what"].startswith("6 principal components")
    assert "unchanged" not in baselines, "leaving the picture as it is would be no feat"
    assert model.evidence["scores"]["psnr"] > baselines["linear"]["scores"]["psnr"] - 4
    assert model.evidence["scores"]["psnr"] > baselines["constant"]["scores"]["psnr"] + 5
    assert model.test(digits).scores["psnr"] == pytest.approx(model.evidence["scores"]["psnr"], abs=2)
    answer = model(load_digits().images[0])
    assert "from the one that came in" in answer.value
    noise = model(np.random.default_rng(0).integers(0, 17, (8, 8)).astype(float))
    assert 0 < answer.anomaly < noise.anomaly / 2


def test_colours_are_found():
    """Discs are red on the left and blue on the right: where a bright disc lies says which colour it has."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:24, 0:24]
    pairs = []
    for k in range(120):
        x, y = (6 if k % 2 else 17) + generator.uniform(-2, 2), generator.uniform(7, 16)
        disc = ((rows - y) ** 2 + (columns - x) ** 2 < 20)[..., None]
        colour = np.array([220, 60, 60]) if k % 2 else np.array([70, 110, 235])
        pairs.append({"picture": np.where(disc, colour, 128).astype(np.uint8)})
    model = warmer.learn(pairs, signature="gray -> image", epochs=20, width=16, depth=3, flips=False)
    assert model.x.channels == 1
    found = model.evidence
    assert found["scores"]["psnr"] > found["baselines"]["unchanged"]["scores"]["psnr"] + 2
    assert found["scores"]["colourfulness"] > 0.7
    assert found["baselines"]["unchanged"]["scores"]["colourfulness"] == pytest.approx(0, abs=0.01)
    assert model.test(pairs[:20]).scores["psnr"] == pytest.approx(found["scores"]["psnr"], abs=3)


def test_colour_spaces_agree_with_scikit_image():
    rgb = np.random.default_rng(0).random((2, 5, 6, 3))
    lab = lab_of(torch.from_numpy(rgb).permute(0, 3, 1, 2))
    assert np.allclose(lab.permute(0, 2, 3, 1).numpy(), color.rgb2lab(rgb), atol=0.05)
    assert torch.allclose(rgb_of(lab).permute(0, 2, 3, 1), torch.from_numpy(rgb), atol=1e-3)
    grey = np.full((1, 3, 4, 4), 0.5)
    assert colourful(grey)[0] == pytest.approx(0)
    assert colourful(np.random.default_rng(1).random((1, 3, 9, 9)))[0] > 50


def test_a_critic_is_asked_for_where_a_pixel_does_not_tell_its_answer():
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    kind = kinds.get("image").fit(list(x.transpose(0, 2, 3, 1)), partner=kinds.get("image"))
    y = kinds.get("image").fit(list(x.transpose(0, 2, 3, 1)), role="y", partner=kinds.get("image"))
    assert follows(x, 255 - x) == pytest.approx(1)
    assert kind.beside_answers(x, y, 255 - x, 500) == {}
    assert kind.beside_answers(x, y, np.clip(x, 20, 250), 500)["residual"][0] is True
    proposed = kind.beside_answers(x, y, generator.integers(0, 256, x.shape, dtype=np.uint8), 500)
    assert proposed["critic"][0] is True
    assert proposed["epochs"][0] == 120, "by how many examples there are, not by how many were looked at"


def test_pairs_are_moved_by_whole_pixels():
    """Noise must not be smoothed on the way: every pixel of a moved picture stood in it before."""
    x = torch.rand(8, 3, 20, 30)
    movement = shifts(8, 2, (20, 30), True, torch.Generator().manual_seed(0))
    found = as_moved(x, movement)
    assert not torch.equal(found, x)
    for before, after in zip(x, found, strict=True):
        assert torch.cdist(after.reshape(-1, 1), before.reshape(-1, 1)).amin(1).max() < 1 / 510


def test_each_rival_learns_from_its_own_loss_alone():
    torch.manual_seed(0)
    head = CriticisedHead(FeatureSpec((7, 8), 2), 3, 16, 16, 8).train()
    features = Features((torch.rand(2, 7, 16, 16), torch.rand(2, 8, 8, 8)))
    targets = torch.randint(0, 256, (2, 3, 16, 16))
    outputs = head(features)
    fooled = torch.autograd.grad(head.loss(outputs, targets).sum(), outputs, retain_graph=True)[0]
    assert fooled.abs().sum() > 0
    apart = outputs.detach().requires_grad_()
    grads = torch.autograd.grad(head.loss(apart, targets).sum(), list(head.critic.parameters()))
    assert all(grad.abs().sum() > 0 for grad in grads if grad.dim() > 1)
    assert all(p.requires_grad for p in head.critic.parameters())


def test_derived_signatures_say_what_is_lacking():
    table = examples.open([{"a": 1, "b": "x"}] * 5)
    with pytest.raises(InputError, match="which column"):
        derive(table, Signature("gray", "image"), (), ())
    with pytest.raises(InputError, match="cannot be put together again"):
        derive(table, Signature("number", "itself"), (), ())
    with pytest.raises(InputError, match="`method` is one of"):
        kinds.get("image").fit([np.zeros((4, 4), np.uint8)], method="magic")
