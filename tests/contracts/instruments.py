"""What every instrument must do. Run over whatever the folder of instruments holds, on every model it says it fits."""

from __future__ import annotations

import inspect
import json

import pytest
import torch

from warmer import insight
from warmer.errors import InputError, UnknownName
from warmer.insight._contract import Finding, Needs, Subject

QUICK = {"steps": 4, "channels": 2, "side": 5}
"""Options that make an instrument quick enough to be run often."""


def check_all(name, model, cells, examples):
    """Run every check on one instrument and one model."""
    module = insight.get(name)
    check_shape(name, module)
    if module.NEEDS.missing(model) is not None:
        check_refusal(name, model, cells, examples)
        return
    subject = Subject(model, cells[: wanted(module.NEEDS)], ["first", "second"], examples)
    options = {option: value for option, value in QUICK.items() if option in insight.options(name)}
    check_nothing_changes(name, subject, options)
    check_finding(name, insight.run(name, subject, **options), insight.run(name, subject, **options))
    check_wrong_options(name, subject)
    if module.NEEDS.inputs[0]:
        with pytest.raises(InputError, match="inputs, and 0 were given"):
            insight.run(name, Subject(model, (), (), examples))


def wanted(needs):
    least, most = needs.inputs
    return max(least, min(2, 2 if most is None else most))


def check_shape(name, module):
    assert isinstance(module.NEEDS, Needs)
    assert insight.about(name).endswith("."), "the first docstring line is the one-line help"
    parameters = list(inspect.signature(module.run).parameters.values())
    assert parameters[0].name == "subject"
    assert all(one.kind is one.KEYWORD_ONLY for one in parameters[1:])


def check_refusal(name, model, cells, examples):
    with pytest.raises(InputError, match="does not fit") as caught:
        insight.run(name, Subject(model, cells[:1], ["one"], examples))
    assert "\n" not in str(caught.value)


def check_nothing_changes(name, subject, options):
    network = subject.model.network
    torch.manual_seed(5)
    before = state(network)
    insight.run(name, subject, **options)
    assert same(before, state(network)), f"{name} changes the network or the random state"


def state(network):
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())
    wanted = [p.requires_grad for p in network.parameters()]
    grads = [p.grad is None for p in network.parameters()]
    return weights, modes, hooks, wanted, grads, torch.get_rng_state()


def same(one, other):
    weights = all(torch.equal(one[0][key].nan_to_num(), other[0][key].nan_to_num()) for key in one[0])
    return weights and one[1:5] == other[1:5] and torch.equal(one[5], other[5])


def check_finding(name, found, again):
    assert isinstance(found, Finding)
    assert found.instrument == name
    assert found.sentence
    assert "\n" not in found.sentence
    assert found.to_json() == again.to_json(), "the same seed must give the same finding"
    assert Finding.from_json(json.loads(json.dumps(found.to_json()))).to_json() == found.to_json()
    assert found.pictures or found.sheets
    for title, data in found.pictures.items():
        assert varied(data), f"the picture “{title}” is of one colour"
    for sheet in found.sheets.values():
        assert all(len(row) == len(sheet.head) for row in sheet.rows)


def varied(data):
    import io

    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).std() > 0


def check_wrong_options(name, subject):
    with pytest.raises(UnknownName):
        insight.run(name, subject, no_such_option=1)
    if "layer" in insight.options(name):
        with pytest.raises(InputError):
            insight.run(name, subject, layer="no.such.layer")
