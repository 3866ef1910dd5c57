"""Small parts of networks, against what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from warmer.networks.blocks import (
    ACTIVATIONS,
    Activation,
    Dropout,
    MemberLinear,
    PiecewiseLinear,
    Readout,
    SharedLinear,
)
from warmer.networks.convnet import ConvNet
from warmer.networks.mlp import EnsembleMLP
from warmer.plan import Plan
from warmer.training import optimisers


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_dropout_silences_its_share_and_keeps_the_mean(share):
    torch.manual_seed(0)
    found = Dropout(share)(torch.ones(1000, 301))
    assert (found == 0).float().mean().item() == pytest.approx(share, abs=0.004)
    assert found.mean().item() == pytest.approx(1, abs=0.02)
    assert len(found.unique()) == 2


def test_dropout_follows_the_seed_and_rests_in_evaluation():
    x, layer = torch.rand(7, 5), Dropout(0.5)
    torch.manual_seed(1)
    first = layer(x)
    torch.manual_seed(1)
    assert torch.equal(first, layer(x))
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_bends(name):
    layer, x = Activation(name), torch.linspace(-3, 3, 7, requires_grad=True)
    assert name in Plan.__dataclass_fields__["activation"].metadata["allowed"]
    torch.autograd.gradcheck(layer, torch.linspace(-2.9, 3, 6, dtype=torch.float64, requires_grad=True))
    assert not torch.allclose(layer(x)[1:] - layer(x)[:-1], (layer(x)[1] - layer(x)[0]).expand(6))


def test_members_see_the_same_example_through_their_own_scales():
    layer, x = SharedLinear(3, 2, 5), torch.rand(4, 2)
    found = layer(x).view(4, 3, 5)
    for member in range(3):
        torch.testing.assert_close(found[:, member], (x * layer.scale[member]) @ layer.weight.t() + layer.bias[member])


def test_an_ensemble_of_linear_layers_is_that_many_layers():
    torch.manual_seed(0)
    layer, x = MemberLinear(3, 5, 2), torch.rand(4, 3, 5)
    found = layer(x.flatten(0, 1)).view(4, 3, 2)
    for member in range(3):
        torch.testing.assert_close(found[:, member], x[:, member] @ layer.weight[member] + layer.bias[member])


def test_an_ensemble_answers_for_each_example_alone():
    network, x = EnsembleMLP(5, 8, 2, 4, 0.3, "relu").eval(), torch.rand(6, 5)
    together = network(x).maps[0]
    assert together.shape == (24, 8)
    torch.testing.assert_close(network(x[2:3]).maps[0], together[8:12])


def test_a_piecewise_linear_code_interpolates():
    layer = PiecewiseLinear(((0.0, 1.0, 3.0),), 2)
    left, middle, right = (layer(torch.tensor([[value]]))[0, 0] for value in (1.0, 2.0, 3.0))
    torch.testing.assert_close(middle, (left + right) / 2)
    torch.testing.assert_close(layer(torch.tensor([[float("nan")]]))[0, 0], layer.missing[0])


def test_whitening_makes_neighbouring_pixels_uncorrelated():
    generator = np.random.default_rng(0)
    pictures = torch.tensor(generator.normal(size=(200, 1, 9, 9)).cumsum(2).cumsum(3), dtype=torch.float32)
    patches = pictures.unfold(2, 2, 1).unfold(3, 2, 1).reshape(-1, 4)
    network = ConvNet(1, (4,), (0.0,), (1.0,), patches.t() @ patches / len(patches))
    answers = nn.functional.conv2d(pictures, network.whiten.weight)[:, :4].permute(0, 2, 3, 1).reshape(-1, 4)
    torch.testing.assert_close(answers.t() @ answers / len(answers), torch.eye(4), atol=0.02, rtol=0)


@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
def test_orthogonalised_steps_have_about_one_length_in_every_direction(number):
    torch.manual_seed(0)
    for shape in ((3, 8, 30), (3, 30, 8)):
        lengths = torch.linalg.svdvals(optimisers.orthogonalise(torch.randn(shape).to(number), 5).float())
        assert lengths.min() > 0.5
        assert lengths.max() < 1.3


@pytest.mark.parametrize("name", ["muon", "muonw"])
def test_steps_are_orthogonalised_as_roughly_as_the_forward_pass_counts(name):
    found = {}
    for number in ("fp32", "bf16"):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 4))
        before = network[0].weight.detach().clone()
        made = optimisers.make(network, Plan(optimizer=name, precision=number, learning_rate=0.01, weight_decay=0.0))
        network(torch.ones(2, 3, 3, 3)).square().sum().backward()
        made.step()
        found[number] = network[0].weight.detach() - before
        assert network[0].weight.dtype is torch.float32
    assert not torch.equal(found["fp32"], found["bf16"])
    torch.testing.assert_close(found["fp32"], found["bf16"], rtol=0, atol=0.1 * float(found["fp32"].abs().max()))


@pytest.mark.parametrize(("name", "peer"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_optimisers_step_like_torch(name, peer):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    made = optimisers.make(ours, Plan(optimizer=name, weight_decay=0.0, learning_rate=0.01))
    options = {"betas": (0.9, 0.99)} if name == "adamw" else {"momentum": 0.9, "nesterov": True}
    plain = peer(theirs.parameters(), lr=0.01, weight_decay=0.0, **options)
    x = torch.rand(5, 3)
    for _ in range(3):
        for network, optimiser in ((ours, made), (theirs, plain)):
            optimiser.zero_grad()
            network(x).square().sum().backward()
            optimiser.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_another_optimiser_comes_with_rates_of_its_own():
    pictures = Plan(optimizer="muon", learning_rate=0.24, weight_decay=0.0, clip=0.0)
    assert optimisers.instead(pictures, "muon") == {}
    assert optimisers.instead(pictures, "adamw")["learning_rate"][0] < 0.01
    assert optimisers.instead(Plan(), "sgd")["learning_rate"][0] > 0.01
    for rate, longest in ((1e-3, 1e-3), (5e-3, 3e-3)):  # MuonW's are meant to be AdamW's
        lines = Plan(optimizer="muonw", learning_rate=rate)
        assert optimisers.instead(lines, "adamw").get("learning_rate", (rate,))[0] == longest


class Spelled(nn.Module):
    """One of each: a lookup table, a matrix, gates, a filter, a norm and a readout."""

    def __init__(self):
        super().__init__()
        self.table, self.gates = nn.Embedding(9, 16), nn.LSTM(16, 16, batch_first=True)
        self.filter, self.matrix = nn.Conv1d(16, 24, 3, padding=1), nn.Linear(24, 48)
        self.norm, self.readout = nn.LayerNorm(48), Readout(48, 5)

    def forward(self, x):
        found = self.filter(self.gates(self.table(x))[0].transpose(1, 2)).transpose(1, 2)
        return self.readout(self.norm(torch.tanh(self.matrix(found))))


def test_muon_with_weight_decay_steps_as_far_as_adam_in_every_direction():
    torch.manual_seed(0)
    network, rate = Spelled(), 0.01
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    made = optimisers.make(network, Plan(optimizer="muonw", weight_decay=0.0, learning_rate=rate))
    network(torch.randint(0, 9, (32, 7))).square().mean().backward()
    made.step()
    moved = {name: (p.detach() - before[name]) / rate for name, p in network.named_parameters()}
    inner = ("gates.weight_ih_l0", "gates.weight_hh_l0", "filter.weight", "matrix.weight")
    for name in inner:
        assert 0.13 < moved[name].square().mean().sqrt() < 0.24, name
    for gate in moved["gates.weight_ih_l0"].chunk(4):  # each by itself, however small its slope is beside the others'
        assert 0.08 < gate.square().mean().sqrt() < 0.24
    for name, step in moved.items():
        if name not in inner:
            used = step[step != 0]
            assert torch.allclose(used.abs(), torch.ones_like(used), atol=0.01), name  # Adam's first step


def test_muon_with_weight_decay_pulls_on_matrices_alone():
    torch.manual_seed(0)
    network = Spelled()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    made = optimisers.make(network, Plan(optimizer="muonw", weight_decay=0.1, learning_rate=0.01))
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    made.step()
    for name, p in network.named_parameters():
        assert torch.allclose(p, before[name] * (1 if p.dim() < 2 else 1 - 0.01 * 0.1)), name


@pytest.mark.parametrize("name", ["adamw", "muonw", "muon", "sgd"])
def test_an_encoder_that_has_learned_takes_shorter_steps_by_every_optimiser(name):
    network = nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 4)), "head": nn.Linear(4, 2)}
    )
    peaks = {}
    for rate in (1.0, 0.5):
        made = optimisers.make(network, Plan(optimizer=name, encoder_rate=rate, learning_rate=0.01))
        peaks[rate] = {p: group["peak"] for group in made.param_groups for p in group["params"]}
    first, *_, last = network["encoder"].parameters()
    shares = {p: peaks[0.5][p] / peaks[1.0][p] for p in network.parameters()}
    assert shares[first] == pytest.approx(0.05)
    assert shares[last] == pytest.approx(0.5)
    assert all(shares[p] == 1 for p in network["head"].parameters())


def test_memory_is_kept_for_a_while_and_given_back_even_after_an_error(monkeypatch):
    from warmer.training import memory

    class Library:
        def __init__(self):
            self.options, self.trimmed = {}, 0

        def mallopt(self, option, value):
            self.options[option] = value

        def malloc_trim(self, pad):
            self.trimmed += 1

    library = Library()
    monkeypatch.setattr(memory, "_glibc", lambda: library)

    def fail():
        with memory.kept():
            assert library.options[memory._MMAP_MAX] == 0
            assert not library.trimmed
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert library.options == memory._USUAL
    assert library.trimmed == 1
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.kept():
        pass
    assert library.trimmed == 1
