"""Boxes: read from three forms of annotation, moved with their pictures, found in pictures never seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import warmer
from warmer import examples, kinds, scores
from warmer.errors import BadCell, InputError
from warmer.kinds._detecting import matched
from warmer.networks.detector import overlap, suppressed

VOC = """<annotation><filename>{name}</filename><size><width>40</width><height>30</height></size>{boxes}</annotation>"""
VOC_BOX = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)
TRUE = {"a": [["cat", 4, 6, 20, 18]], "b": [["dog", 10, 5, 30, 25], ["cat", 0, 0, 8, 8]], "c": []}


def pictures(folder):
    for name in TRUE:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), "grey").save(folder / "images" / f"{name}.png")


def voc(folder):
    (folder / "annotations").mkdir()
    for name, boxes in TRUE.items():
        told = "".join(VOC_BOX.format(label, x0 + 1, y0 + 1, x1, y1) for label, x0, y0, x1, y1 in boxes)
        (folder / "annotations" / f"{name}.xml").write_text(VOC.format(name=f"{name}.png", boxes=told))


def coco(folder):
    found, names = [], ["cat", "dog"]
    for k, boxes in enumerate(TRUE.values()):
        found += [
            {"id": len(found) + i, "image_id": k, "category_id": names.index(label), "bbox": [x0, y0, x1 - x0, y1 - y0]}
            for i, (label, x0, y0, x1, y1) in enumerate(boxes)
        ]
    images = [{"id": k, "file_name": f"{name}.png", "width": 40, "height": 30} for k, name in enumerate(TRUE)]
    categories = [{"id": k, "name": name} for k, name in enumerate(names)]
    data = {"images": images, "annotations": found, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(data))


def yolo(folder):
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("path: .\nnames:\n  0: cat\n  1: dog\n")
    for name, boxes in TRUE.items():
        lines = [
            f"{['cat', 'dog'].index(label)} {(x0 + x1) / 80} {(y0 + y1) / 60} {(x1 - x0) / 40} {(y1 - y0) / 30}"
            for label, x0, y0, x1, y1 in boxes
        ]
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines))


def outlines(folder):
    """YOLO's labels for segments: corners of each, here two of them twice."""
    yolo(folder)
    for name, boxes in TRUE.items():
        lines = [
            f"{['cat', 'dog'].index(label)} "
            + " ".join(str(share) for share in (x0 / 40, y0 / 30, x1 / 40, y0 / 30, x1 / 40, y1 / 30, x0 / 40, y1 / 30))
            for label, x0, y0, x1, y1 in boxes
        ]
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines))


@pytest.mark.parametrize("form", [voc, coco, yolo, outlines])
def test_three_forms_say_the_same(tmp_path, form):
    pictures(tmp_path)
    form(tmp_path)
    table = examples.open(tmp_path)
    assert table.y == "boxes"
    assert not table.ledger.entries
    for cell, picture in zip(table.columns["boxes"], table.columns["picture"], strict=True):
        true = TRUE[picture.name[-5]]
        assert cell["size"] == [40, 30]
        assert [box[0] for box in cell["boxes"]] == [box[0] for box in true]
        assert np.allclose([box[1:] for box in cell["boxes"]], [box[1:] for box in true])


def test_doubtful_annotations_are_listed_and_lose_no_picture(tmp_path):
    pictures(tmp_path)
    voc(tmp_path)
    wrong = [("cat", 20, 18, 5, 7), ("dog", 30, 20, 90, 28), ("cat", 9, 9, 9, 20), ("dog", 60, 60, 70, 70)]
    told = "".join(VOC_BOX.format(*box) for box in wrong)
    (tmp_path / "annotations" / "a.xml").write_text(VOC.format(name="a.png", boxes=told))
    (tmp_path / "annotations" / "b.xml").write_text("<annotation><object>")
    (tmp_path / "annotations" / "lonely.xml").write_text(VOC.format(name="lonely.png", boxes=""))
    table = examples.open(tmp_path)
    cells = dict(zip((file.name[-5] for file in table.columns["picture"]), table.columns["boxes"], strict=True))
    assert set(cells) == {"a", "c"}
    assert [box[0] for box in cells["a"]["boxes"]] == ["cat", "dog", "cat"]
    assert cells["a"]["boxes"][1][1:] == [29, 19, 40, 28]
    reasons = " ".join(entry.reason for entry in table.ledger.entries)
    for words in (
        "swapped corners",
        "reaches outside",
        "encloses nothing",
        "cannot be read",
        "no picture",
        "has no annotation",
    ):
        assert words in reasons, words


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.xml", ""), ("notes.json", ""), ("notes.json", "{"), ("a.txt", ""), ("classes.txt", ""), ("a.txt", "a note")],
)
def test_what_lies_beside_pictures_and_says_nothing_makes_no_boxes(tmp_path, name, content):
    for kind in ("one", "two"):
        (tmp_path / kind).mkdir()
        for k in range(3):
            Image.new("L", (8, 8), k).save(tmp_path / kind / f"{'abc'[k]}.png")
    (tmp_path / "one" / name).write_text(content)
    table = examples.open(tmp_path)
    assert table.y == "category"
    assert len(table) == 6


def test_a_damaged_coco_file_is_listed(tmp_path):
    pictures(tmp_path)
    coco(tmp_path)
    (tmp_path / "more.json").write_text('{"images": [{"file_name": "a.png"}], "annotations": [], "categories": []}')
    table = examples.open(tmp_path)
    assert len(table) == 3
    assert "cannot be read as COCO's JSON (KeyError: 'id')" in table.ledger.entries[0].reason


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([["cat", 20, 6, 4, 18]], "enclose nothing"),
        ([["cat", 4, 6, 4, 18]], "enclose nothing"),
        ([["cat", 4, 6, 50, 18]], "outside the picture"),
        ([["cat", float("nan"), 6, 8, 18]], "no number"),
        ([["cow", 4, 6, 8, 18]], "no training example"),
        ([["cat", 4, 6, 8]], "not of the form"),
    ],
)
def test_wrong_boxes_are_refused_in_a_sentence(boxes, words):
    kind = kinds.get("boxes").fit([{"size": [40, 30], "boxes": TRUE["b"]}], role="y")
    with pytest.raises(BadCell, match=words):
        kind.read({"size": [40, 30], "boxes": boxes})


def test_examples_without_any_box_are_refused():
    with pytest.raises(InputError, match="no training example has a box"):
        kinds.get("boxes").fit([{"size": [40, 30], "boxes": []}] * 5, role="y")


def test_boxes_follow_their_pictures():
    """A bright rectangle lies, after the move, where its box says."""
    cells, arrays = [], []
    generator = np.random.default_rng(0)
    for _ in range(16):
        left, top = generator.integers(20, 60, 2)
        array = np.zeros((100, 120, 3), dtype=np.uint8)
        array[top : top + 20, left : left + 30] = 255
        arrays.append(array)
        cells.append({"size": [120, 100], "boxes": [["it", left, top, left + 30, top + 20]]})
    y = kinds.get("boxes").fit(cells, role="y")
    x = kinds.get("image").fit(arrays, partner=type(y))
    assert x.located
    batch = x.batch(np.stack([x.read(one) for one in arrays]), torch.device("cpu"))
    moved, movement = x.move(batch, torch.Generator().manual_seed(0), 0)
    found = y.follow(y.batch([y.read(cell) for cell in cells], torch.device("cpu")), movement)
    checked = 0
    for picture, rows in zip(moved, found, strict=True):
        label, *corners = rows[0].tolist()
        if label < 0 or min(corners[:2]) == 0 or max(corners[2:]) == 1:
            continue
        rows_lit, columns_lit = np.where(picture.mean(0).numpy() > 0.5 * float(picture.mean(0).max()))
        height, width = picture.shape[1:]
        seen = [
            columns_lit.min() / width,
            rows_lit.min() / height,
            (columns_lit.max() + 1) / width,
            (rows_lit.max() + 1) / height,
        ]
        assert np.allclose(corners, seen, atol=0.02)
        checked += 1
    assert checked >= 8


def test_overlap_and_suppression():
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]])
    over, general = overlap(a[0], a)
    assert over.tolist() == pytest.approx([1.0, 4 / 4.2, 0.0])
    assert float(general[2]) == pytest.approx(-(36 - 5) / 36)
    sure = suppressed(a, torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3))
    assert float(sure[0]) == pytest.approx(0.9)
    assert float(sure[1]) < 0.2
    assert float(sure[2]) == pytest.approx(0.7)
    assert suppressed(a, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 0])).tolist() == pytest.approx(
        [0.9, 0.8, 0.7]
    )


def test_matching_takes_each_truth_once():
    box = [0.1, 0.1, 0.5, 0.5]
    answers, truths = np.empty(1, dtype=object), np.empty(1, dtype=object)
    answers[0], truths[0] = np.array([[0, 0.9, *box], [0, 0.8, *box]]), np.array([[0, *box]])
    sure, right, there = matched(answers, truths)
    assert (sure.tolist(), right.tolist(), there) == ([0.9, 0.8], [True, False], 1)
    assert scores.get("ap50")(answers, truths) == pytest.approx(1.0)


def digits_on_fields(n, seed):
    """Return grey fields of 64 × 64 with one to three of scikit-learn's handwritten zeros, ones and sevens, and their boxes."""
    digits = load_digits()
    generator = np.random.default_rng(seed)
    wanted = np.flatnonzero(np.isin(digits.target, [0, 1, 7]))
    fields, cells = [], []
    for _ in range(n):
        field, boxes = np.zeros((64, 64), dtype=np.uint8), []
        for column in generator.permutation(3)[: generator.integers(1, 4)]:
            index = generator.choice(wanted)
            left, top = 21 * int(column) + int(generator.integers(0, 4)), int(generator.integers(0, 46))
            field[top : top + 16, left : left + 16] = np.kron(digits.images[index] * 15, np.ones((2, 2))).astype(
                np.uint8
            )
            boxes.append([str(digits.target[index]), left, top, left + 16, top + 16])
        fields.append(field)
        cells.append({"size": [64, 64], "boxes": boxes})
    return list(zip(fields, cells, strict=True))


def test_finds_digits_it_never_saw(tmp_path):
    model = warmer.learn(digits_on_fields(240, 0), epochs=10, width=24)
    assert str(model.signature) == "image -> boxes"
    assert model.evidence["scores"]["ap50"] > 0.6
    assert model.evidence["scores"]["ap50"] > model.evidence["baselines"]["constant"]["scores"]["ap50"] + 0.3
    assert set(model.evidence["precision_recall"]) == {"0", "1", "7"}
    model.save(tmp_path / "m.safetensors")
    again = warmer.load(tmp_path / "m.safetensors")
    fields = digits_on_fields(8, 5)
    answers, same = model([field for field, _ in fields]), again([field for field, _ in fields])
    assert [one.value for one in answers] == [one.value for one in same]
    assert answers[0].picture.size == (320, 320)
    hit = []
    for answer, (_, cell) in zip(answers, fields, strict=True):
        true = torch.tensor([box[1:] for box in cell["boxes"]], dtype=torch.float64)
        found = torch.tensor([one["box"] for one in answer.value], dtype=torch.float64).view(-1, 4)
        hit.append(bool((overlap(found[:, None], true[None])[0] > 0.5).any()))
    assert np.mean(hit) > 0.5
    name, data = model.y.collected([answer])
    assert name == "coco.json"
    assert {one["category"] for one in json.loads(data)} <= {"0", "1", "7"}
    assert again.test(digits_on_fields(20, 7)).scores["ap50"] > 0.4


def test_predict_writes_boxes_drawn_and_as_coco(tmp_path, capsys):
    from warmer.cli.app import run

    golden = Path(__file__).parent / "golden" / "discs-1.safetensors"
    field = np.pad(np.full((5, 5), 255, np.uint8), ((4, 3), (1, 6)))
    Image.fromarray(field).save(tmp_path / "one.png")
    assert run(["predict", str(golden), str(tmp_path / "one.png"), "--json", "--out", str(tmp_path / "made")]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["value"][0]["label"] in ("left", "right")
    results = json.loads((tmp_path / "made" / "coco.json").read_text())
    assert [one["score"] for one in results] == [one["score"] for one in line["value"]]
    assert any(place.suffix == ".png" for place in (tmp_path / "made").iterdir())


def test_starts_from_a_network_that_has_learned_before(tmp_path):
    """All of a picture is kept, though that network was used to look at the middle of a square."""
    start = warmer.learn("digits", epochs=1, width=8, advice=False)
    start.save(tmp_path / "start.safetensors")
    wide = [(np.hstack([field, field]), {**cell, "size": [128, 64]}) for field, cell in digits_on_fields(60, 0)]
    model = warmer.learn(wide, start=tmp_path / "start.safetensors", epochs=1)
    assert (model.x.width, model.x.height) == (128, 64)
    assert model.x.located
    assert model.plan.batch == 8
    assert len(model.x.view(torch.zeros(1, 1, 64, 128))) == 1
