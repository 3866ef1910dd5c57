"""The loss around a solution, the way that led there, and where answers end, each against an independent truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import warmer
from warmer import examples
from warmer.errors import InputError, UnknownName
from warmer.insight._contract import Subject
from warmer.insight._surface import Surface, random_direction
from warmer.training.trail import Plane, Trail


@pytest.fixture(scope="module")
def small_iris():
    return warmer.learn("iris", epochs=4, width=4, depth=1, members=1, folds=1, advice=False)


@pytest.fixture(scope="module")
def surface(small_iris):
    return Surface(Subject(small_iris, examples=examples.open("iris")), 1, 0)


def test_sharpness_is_the_largest_eigenvalue_of_the_hessian(surface):
    names = list(surface.weights)
    sizes = [surface.weights[name].numel() for name in names]

    def loss(flat):
        parts = flat.split(sizes)
        return surface.loss({n: p.view_as(surface.weights[n]) for n, p in zip(names, parts, strict=True)})

    flat = torch.cat([surface.weights[name].flatten() for name in names])
    hessian = torch.autograd.functional.hessian(loss, flat)
    values = torch.linalg.eigvalsh(hessian.double())
    largest = float(values[values.abs().argmax()])
    assert surface.sharpness(200, 0)[0] == pytest.approx(largest, rel=1e-3)


def test_directions_are_as_long_as_the_filters(surface):
    direction = random_direction(surface.weights, torch.Generator().manual_seed(0))
    for name, p in surface.weights.items():
        if p.dim() < 2:
            assert not direction[name].any()
        else:
            axes = tuple(range(1, p.dim()))
            assert torch.allclose(direction[name].pow(2).sum(axes), p.pow(2).sum(axes), rtol=1e-4)


def test_the_middle_of_the_map_is_the_loss_of_the_model(small_iris, surface):
    direction = random_direction(surface.weights, torch.Generator().manual_seed(1))
    outputs = small_iris.network(surface.batch)
    expected = float(small_iris.head.loss(outputs, surface.targets).mean().detach())
    assert surface.at(direction, direction, 0.0, 0.0) == pytest.approx(expected, rel=1e-5)
    assert surface.at(direction, direction, 0.5, -0.5) == pytest.approx(expected, rel=1e-4)


def walked(points):
    """A trail of a layer without bias that was at these points, and is at the last one now."""
    layer = nn.Linear(3, 1, bias=False)
    trail = Trail(layer)
    for step, point in enumerate(points):
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([point]))
        trail.add(layer, step)
    return trail, layer


def test_a_way_in_a_plane_is_found_whole():
    trail, layer = walked([(4.0, 0.0, 1.0), (2.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)])
    plane = trail.plane(layer)
    assert plane.explained == pytest.approx(1.0, abs=1e-6)
    assert np.allclose([np.hypot(*place) for place in plane.places], [4, np.sqrt(8), np.sqrt(2), 0], atol=1e-3)
    one, other = plane.directions
    assert float(one["weight"].norm()) == pytest.approx(1, abs=1e-3)
    assert float((one["weight"] * other["weight"]).sum()) == pytest.approx(0, abs=1e-3)
    back = [a * one["weight"] + b * other["weight"] for a, b in plane.places]
    assert torch.allclose(back[0], torch.tensor([[4.0, 0.0, 0.0]]), atol=1e-2)
    again = Plane.unpack(*plane.pack())
    assert again.places == plane.places
    assert torch.allclose(again.directions[0]["weight"], one["weight"], atol=0.01)


def test_a_long_way_is_thinned_evenly():
    trail, _ = walked([(float(i), 0.0, 0.0) for i in range(100)])
    steps = [step for step, _ in trail.kept]
    assert 6 <= len(steps) <= 12
    assert len(set(np.diff(steps))) == 1


def test_a_way_that_did_not_move_has_no_plane():
    trail, layer = walked([(1.0, 0.0, 0.0)] * 5)
    assert trail.plane(layer) is None


def test_the_model_file_keeps_the_way(small_iris, tmp_path):
    assert small_iris.trail is not None
    again = warmer.load(small_iris.save(tmp_path / "iris.safetensors"))
    assert again.trail.places == small_iris.trail.places
    assert again.trail.steps[0] == 0
    found = warmer.look(again).landscape(examples="iris", side=5, steps=2)
    assert "The path that training took" in found.pictures
    assert found.numbers["path"][-1].tolist() == [0, 0]


def test_the_map_of_xor_has_four_quarters():
    model = warmer.learn("xor", advice=False, epochs=40)
    found = warmer.look(model).boundary(examples="xor", side=20)
    assert found.numbers["areas"]["one"] == pytest.approx(0.5, abs=0.12)
    assert list(found.numbers)[:2] == ["x1", "x2"]


def test_a_plane_goes_through_three_different_pictures(digits_model):
    from sklearn.datasets import load_digits

    pictures = list(load_digits().images[:3])
    look = warmer.look(digits_model)
    found = look.boundary(*pictures, examples="digits", side=16)
    shares = found.numbers["areas"]
    assert sum(shares.values()) == pytest.approx(1)
    assert {str(digits_model(one).value) for one in pictures} <= {name for name, share in shares.items() if share}
    with pytest.raises(InputError, match="lie on one line"):
        look.boundary(pictures[0], pictures[0], pictures[1], examples="digits")
    assert look.boundary(pictures[0], examples="digits", side=4).numbers["pictures"][0] == "input 1"


def test_columns_that_are_not_there_are_refused(small_iris):
    look = warmer.look(small_iris)
    with pytest.raises(UnknownName, match="petal"):
        look.boundary(examples="iris", columns="petal length (cm),petal widht (cm)")
    with pytest.raises(InputError, match="two names"):
        look.boundary(examples="iris", columns="petal length (cm)")
    with pytest.raises(InputError, match="at least 5"):
        look.landscape(examples="iris", side=3)
