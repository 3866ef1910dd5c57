"""Painting, and what it is made of, each against an independent truth."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import warmer
from warmer.cli.app import run
from warmer.errors import InputError
from warmer.insight import _recolour, _style, _watch
from warmer.insight.paint import minimised


@pytest.fixture(scope="module")
def colour_model():
    """A network that knows red from blue."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 90, (120, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(120) % 2
    pictures[labels == 0, 8:24, 8:24, 0] += 150
    pictures[labels == 1, 8:24, 8:24, 2] += 150
    return warmer.learn((pictures, labels), epochs=2, width=8, depth=3, advice=False)


def photo(side, seed):
    """A smooth picture of random colours, `[1, 3, side, side]`."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


def as_cell(x):
    return (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)), dtype=float)


def test_gram_matrices_do_not_know_places():
    x = torch.rand(1, 3, 8, 8)
    order = torch.randperm(64)
    torch.testing.assert_close(_style.gram(x), _style.gram(x.flatten(2)[:, :, order].view(1, 3, 8, 8)))
    by_hand = sum(torch.outer(x[0, :, i, j], x[0, :, i, j]) for i in range(8) for j in range(8)) / 64
    torch.testing.assert_close(_style.gram(x)[0], by_hand)


def test_a_palette_holds_every_pixel_once():
    x = torch.rand(1, 3, 40, 40)
    found = _style.palette(x)
    torch.testing.assert_close(found["pixels"].sum(1), torch.ones(1, 40, 40))
    red = _style.palette(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 40, 40))["pixels"]
    assert int((red > 0).flatten(2).any(2).sum()) == 1


def test_recolouring_matches_mean_and_covariance():
    x, palette = photo(40, 1) * 0.4 + 0.3, photo(40, 2) * 0.2 + 0.4
    found = _recolour.mapped(x, _recolour.transport(x, palette))
    for one, other in zip(_recolour.moments(found), _recolour.moments(palette), strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=0.02)


def test_a_grid_of_equal_maps_is_one_map_and_moves_nothing():
    x = photo(40, 1)
    affine = torch.eye(3, 4)
    grid = _recolour.Grid(affine)
    torch.testing.assert_close(grid.apply(grid.maps, x), x, atol=1e-5, rtol=0)
    assert float(grid.unevenness(grid.maps)) == 0
    flat = torch.full((1, 3, 20, 20), 0.5)  # no line, so none can appear
    maps = grid.maps + 0.1 * torch.randn(grid.maps.shape, generator=torch.Generator().manual_seed(0))
    assert float(grid.apply(maps, flat).diff(dim=3).abs().max()) < 0.1


def test_hues_change_and_light_stays():
    x, other = photo(30, 1), photo(30, 2) * 0.4 + 0.3
    found = _recolour.with_colours_of(x * 0.2 + 0.4, other)
    weight = torch.tensor(_recolour.LUMA).view(1, 3, 1, 1)
    torch.testing.assert_close((found * weight).sum(1), ((x * 0.2 + 0.4) * weight).sum(1), atol=0.02, rtol=0)


def test_minimised_finds_the_minimum():
    goal = torch.rand(1, 3, 5, 5)
    found = minimised(lambda x: (x - goal).pow(2).sum(), torch.zeros_like(goal), 20)
    torch.testing.assert_close(found, goal, atol=1e-4, rtol=0)


def test_painting_moves_towards_the_style(tmp_path, colour_model):
    cell, style = as_cell(photo(64, 1)), as_cell(photo(64, 2))
    found = warmer.look(colour_model).paint(cell, style, size=64, steps=40, preview=str(tmp_path / "p.png"))
    assert found.numbers["gone"] > 0.8
    picture = pixels((tmp_path / "p.png").read_bytes())
    assert picture.shape == (64, 64, 3)
    hint = warmer.look(colour_model).paint(cell, style, size=64, steps=40, keep_colours=True)
    kept = pixels(hint.pictures["Painted"])
    assert np.abs(kept.mean((0, 1)) - cell.mean((0, 1))).max() < np.abs(picture.mean((0, 1)) - cell.mean((0, 1))).max()


def test_a_photo_stays_a_photo_of_its_size(colour_model):
    cell, style = as_cell(photo(70, 1))[:50], as_cell(photo(64, 2))
    found = warmer.look(colour_model).paint(cell, style, photo=True, steps=20)
    assert found.numbers["size"] == [50, 70]
    assert found.numbers["gone"] > 0.3


def test_the_eye_looks_after_normalisation(colour_model):
    with _watch.still(colour_model.network):
        eye = _style.eye(warmer.insight.subject(colour_model), torch.rand(1, 3, 64, 64))
    assert any(name.endswith("norm2") for name in eye.layers)
    assert not any(name.endswith("second") for name in eye.layers), "its normalisation comes at once"
    assert eye.content in eye.layers


def test_painting_that_cannot_be_is_refused(tmp_path, colour_model, capsys):
    look, cell = warmer.look(colour_model), as_cell(photo(40, 1))
    with pytest.raises(InputError, match="`size` is at least 16 pixels"):
        look.paint(cell, cell, size=3)
    with pytest.raises(InputError, match="`strength` is at least 0"):
        look.paint(cell, cell, strength=-1)
    with pytest.raises(InputError, match="looks at 2 inputs, and 1 were given"):
        look.paint(cell)
    Image.fromarray(cell).save(tmp_path / "a.png")
    model = str(colour_model.save(tmp_path / "m.safetensors"))
    command = [
        "paint",
        str(tmp_path / "a.png"),
        "--style",
        str(tmp_path / "a.png"),
        "--backbone",
        model,
        "--size",
        "48",
    ]
    assert run([*command, "--out", str(tmp_path / "b.jpg")]) == 2
    assert "should end in .png" in capsys.readouterr().err
    assert run([*command, "--steps", "4", "--out", str(tmp_path / "b.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(tmp_path / "b.png")]
    assert pixels((tmp_path / "b.png").read_bytes()).shape == (48, 48, 3)
