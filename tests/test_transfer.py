"""Starting from what was learned before: our own models, pretrained networks under other people's names, the hub."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import warmer
from warmer.cli.app import run
from warmer.errors import InputError, Missing, NoAnswers, RunFailed
from warmer.networks import pretrained, weights
from warmer.opening import adopt, open_model


def pictures(n=60, side=32):
    """Red discs on the left, or blue ones on the right, as arrays."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:side, 0:side]
    found, labels = [], []
    for index in range(n):
        right = index % 2
        x, y = (0.75 if right else 0.25) * side, generator.uniform(0.3, 0.7) * side
        disc = ((rows - y) ** 2 + (columns - x) ** 2 < side)[..., None] * np.array(
            [30, 60, 240] if right else [240, 60, 30]
        )
        found.append(np.clip(disc + generator.uniform(0, 30, (side, side, 3)), 0, 255).astype(np.uint8))
        labels.append("right" if right else "left")
    return np.stack(found), np.array(labels)


def random_weights(name, place, **metadata):
    """Write a randomly initialised network of an architecture, with a classifier of three answers where it has one."""
    torch.manual_seed(0)
    module = pretrained.get(name)
    tensors = {key: tensor.clone() for key, tensor in module.encoder().state_dict().items()}
    for tensor in tensors.values():
        if tensor.dim() == 4:
            torch.nn.init.kaiming_normal_(tensor)
    if module.CLASSIFIER == "classifier.1":
        tensors |= {"classifier.1.weight": torch.randn(1000, 512, 1, 1) / 20, "classifier.1.bias": torch.zeros(1000)}
    elif module.CLASSIFIER:
        width = 1280 if "mobile" in name else 1024
        tensors |= {f"{module.CLASSIFIER}.weight": torch.randn(3, width), f"{module.CLASSIFIER}.bias": torch.zeros(3)}
    save_file(tensors, place, metadata)
    return place


@pytest.mark.parametrize("name", pretrained.names())
def test_each_architecture_is_recognised_by_its_keys(tmp_path, name):
    place = random_weights(name, tmp_path / "w.safetensors", input_size="64")
    assert pretrained.claim(weights.read(place).tensors) == name
    found = adopt(place)
    assert found.kind.backbone == name
    encoder = found.kind.encoder(warmer.Plan())
    encoder.load_state_dict(found.weights)
    features = encoder(torch.rand(2, 3, 64, 64))
    sizes = [one.shape[-1] for one in features.pyramid()]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def test_a_pretrained_classifier_opens_as_a_model(tmp_path, capsys):
    (tmp_path / "classes.json").write_text(json.dumps([{"name": "crane", "wnid": f"n{i}"} for i in range(3)]))
    place = random_weights("mobilenetv2_100", tmp_path / "m.safetensors", input_size="64", classes="classes.json")
    model = open_model(place)
    assert model.y.labels == ("crane", "crane (n1)", "crane (n2)")
    picture = pictures(1)[0][0]
    assert sum(share for _, share in model(picture).alternatives) == pytest.approx(1)
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "p.png")
    assert run(["predict", str(place), str(tmp_path / "p.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == model(picture).value
    assert run(["report", str(place), "--out", str(tmp_path / "r.html")]) == 0
    again = warmer.load(model.save(tmp_path / "ours.safetensors"))
    assert again(picture).alternatives == model(picture).alternatives


def test_a_lone_file_of_a_thousand_answers_speaks_imagenets_words(tmp_path):
    model = open_model(random_weights("squeezenet1_1", tmp_path / "s.safetensors", input_size="64"))
    labels = model.y.labels
    assert len(set(labels)) == 1000
    assert [labels[index] for index in (1, 9, 207, 285, 999)] == [
        "goldfish",
        "ostrich",
        "golden retriever",
        "Egyptian cat",
        "toilet tissue",
    ]
    assert model(pictures(1)[0][0]).value in labels


def test_a_network_without_answers_is_refused_as_a_model(tmp_path):
    place = random_weights("vgg19_block3", tmp_path / "v.safetensors")
    with pytest.raises(InputError, match="no answers of its own"):
        open_model(place)


def test_learning_from_a_pretrained_network(tmp_path):
    place = random_weights("squeezenet1_1", tmp_path / "s.safetensors", input_size="64")
    model = warmer.learn(pictures(), start=place)
    assert model.plan.fine_tune is False
    assert "few" in model.plan.why["fine_tune"]
    assert model.evidence["start"]["head_alone"]
    assert model.evidence["scores"]["accuracy"] > 0.8
    again = warmer.load(model.save(tmp_path / "ours.safetensors"))
    picture = pictures(2)[0][1]
    assert again(picture) == model(picture)


def test_learning_from_a_model_of_ours(tmp_path, digits_model):
    place = digits_model.save(tmp_path / "digits.safetensors")
    model = warmer.learn("digits", start=place, epochs=1)
    assert model.x.mean == digits_model.x.mean
    assert model.evidence["start"]["from"] == str(place)
    assert model.evidence["scores"]["accuracy"] > 0.95
    with pytest.raises(InputError, match="takes image and"):
        warmer.learn("iris", start=place)
    with pytest.raises(InputError, match="another shape"):
        warmer.learn("digits", start=place, width=5)


def test_fine_tuning_is_kept_only_where_it_gains(tmp_path, digits_model):
    place = digits_model.save(tmp_path / "digits.safetensors")
    wild = {"learning_rate": 3.0, "encoder_rate": 1.0, "warmup": 0.0, "cooldown": 0.0}
    model = warmer.learn("digits", start=place, epochs=1, **wild)
    assert model.evidence["scores"]["accuracy"] > 0.95
    before = digits_model.network.encoder.state_dict()
    after = model.network.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "a worse encoder was kept"


def test_learning_a_table_from_a_model_of_a_table(tmp_path, iris_model):
    place = iris_model.save(tmp_path / "iris.safetensors")
    model = warmer.learn("iris", start=place)
    assert model.evidence["scores"]["accuracy"] > 0.8


def test_weights_nobody_knows(tmp_path):
    save_file({"mystery.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="mystery"):
        adopt(tmp_path / "w.safetensors")
    with pytest.raises(Missing, match="hub names"):
        weights.read(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("family", ["vit", "resnet", "convnext"])
def test_image_encoders_of_transformers(tmp_path, family):
    transformers = pytest.importorskip("transformers", reason="the extra [hub] is not installed")
    torch.manual_seed(0)
    labels = {"id2label": {0: "left", 1: "right"}, "label2id": {"left": 0, "right": 1}}
    sizes = {
        "vit": {"image_size": 32, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 1,
                "num_attention_heads": 2, "intermediate_size": 16},
        "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
        "convnext": {"num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1], "image_size": 32},
    }[family]  # fmt: skip
    config = transformers.AutoConfig.for_model(family, **sizes, **labels)
    transformers.AutoModelForImageClassification.from_config(config).eval().save_pretrained(tmp_path / "hub")
    looks = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "hub" / "preprocessor_config.json").write_text(json.dumps(looks))
    classifier = open_model(tmp_path / "hub")
    assert set(classifier.y.labels) == {"left", "right"}
    x, _ = pictures(4)
    theirs = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "hub").eval()
    with torch.no_grad():
        expected = theirs(pixel_values=torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1).logits.softmax(-1)
    for picture, row in zip(x, expected, strict=True):
        assert dict(classifier(picture).alternatives)["right"] == pytest.approx(float(row[1]), abs=1e-4)
    model = warmer.learn(pictures(), start=tmp_path / "hub")
    again = warmer.load(model.save(tmp_path / "ours.safetensors"))
    assert again(x[0]) == model(x[0])


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as a download needs."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    wrong = False
    asked = 0

    def do_HEAD(self):
        self.reply(False)

    def do_GET(self):
        self.reply(True)

    def reply(self, body):
        type(self).asked += 1
        data = self.files.get(self.path.rpartition("/")[2])
        self.send_response(404 if data is None else 200)
        if data is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            digest = hashlib.sha256(data + b"!" * self.wrong).hexdigest()
            self.send_header("ETag", f'"{digest}"')
            self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        if body and data is not None:
            self.wfile.write(data)

    def log_message(self, *args): ...


@pytest.fixture
def hub(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants", reason="the extra [hub] is not installed")
    random_weights("mobilenetv2_100", tmp_path / "model.safetensors", input_size="64")
    monkeypatch.setattr(Hub, "files", {"model.safetensors": (tmp_path / "model.safetensors").read_bytes()})
    monkeypatch.setattr(Hub, "asked", 0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


def test_a_hub_name_is_downloaded_checked_and_cached(hub):
    place = weights.locate("hf://somebody/mobilenet")
    assert Path(place).read_bytes() == Hub.files["model.safetensors"]
    assert adopt("hf://somebody/mobilenet").kind.backbone == "mobilenetv2_100"
    hub.shutdown()
    hub.server_close()
    assert weights.locate("hf://somebody/mobilenet") == place, "the cache serves when the hub is out of reach"
    with pytest.raises(Missing, match="not in the cache"):
        weights.locate("hf://somebody/else")


def test_a_damaged_download_is_refused(hub, monkeypatch):
    monkeypatch.setattr(Hub, "wrong", True)
    with pytest.raises(RunFailed, match="damaged on its way"):
        weights.locate("hf://somebody/mobilenet")


@pytest.mark.data
@pytest.mark.parametrize("name", ["mobilenetv2_100", "squeezenet1_1", "googlenet_bvlc"])
def test_real_networks_answer_as_published(data, name):
    expected = json.loads((data / "weights" / "expected_top5.json").read_text())
    model = open_model(data / "weights" / f"{name}.safetensors")
    for photo, answers in expected.items():
        found = model(data / "weights" / "photos" / photo)
        shares = dict(found.alternatives)
        assert found.value == answers[name][0][0]
        for _, index, share in answers[name]:
            assert shares[model.y.labels[index]] == pytest.approx(share, abs=0.03)


def test_a_network_without_answers_can_be_looked_at_but_not_asked(tmp_path, capsys):
    place = random_weights("vgg19_block3", tmp_path / "v.safetensors", input_size="64")
    with pytest.raises(NoAnswers, match="gives no answers of its own"):
        open_model(place)
    look = warmer.look(place)
    assert {"filters", "activations", "dream"} <= set(look.names())
    assert "why" not in look.names()
    assert look.dream(size=48, octaves=1, steps=1).pictures
    with pytest.raises(InputError, match="gives no answers of its own"):
        look.model(pictures(1)[0][0])
    assert run(["look", str(place), "summary", "--out", str(tmp_path / "look")]) == 0
