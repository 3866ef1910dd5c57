"""Bad input: a clear sentence, or the example left out and listed; never a traceback, never silence."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import warmer
from warmer import examples
from warmer.cli.app import run
from warmer.errors import InputError, NotAModel, RunFailed
from warmer.examples import _prepare
from warmer.kinds._contract import BadCell
from warmer.kinds._decoding import open_picture


def png(seed=0, size=(16, 16), mode="RGB"):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def noise(n):
    return np.random.default_rng(n).normal(size=n)


def folder(place, n=30, odd=()):
    """Write a folder of two class folders with `n` pictures each, and odd files among them."""
    for label in ("left", "right"):
        (place / label).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            (place / label / f"{index}.png").write_bytes(png(index + 1000 * (label == "left")))
    for name, data in odd:
        (place / "left" / name).write_bytes(data)
    return place


def prepared(source, **options):
    table = examples.open(str(source) if not isinstance(source, pd.DataFrame) else source)
    return _prepare.prepare(table, _prepare.decide(table, **options), options={})


def listed(found, name):
    reasons = [entry.reason for entry in found.ledger.entries if name in entry.example]
    assert reasons, f"{name} is not in the ledger: {found.ledger.entries}"
    return reasons[0]


def refused(capsys, *arguments):
    """Run a command that must fail with status 2 and one sentence; return the sentence."""
    assert run([str(a) for a in arguments]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    last = [line for line in err.splitlines() if line.startswith("warmer: ")]
    assert len(last) == 1
    return last[0]


# ---- tables ----


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b"a,b\n", "no row"),
        (b"a,b\n1,\n2,\n3,\n4,\n", "empty"),
        (b"a,b\n1,x\n2,x\n3,x\n4,x\n", "always"),
        (b"a,b,b\n1,2,3\n2,3,4\n", "two columns"),
    ],
    ids=["empty file", "header only", "y all missing", "y constant", "duplicated columns"],
)
def test_hopeless_tables(tmp_path, capsys, text, words):
    place = tmp_path / "table.csv"
    place.write_bytes(text)
    sentence = refused(capsys, "learn", place, "--y", "b", "--out", tmp_path / "m.safetensors")
    assert words in sentence
    assert "table.csv" in sentence or "`b`" in sentence
    assert not (tmp_path / "m.safetensors").exists()


def test_an_answer_that_is_always_the_same_picture():
    black = np.zeros((8, 8, 3), np.uint8)
    pairs = [(np.full((8, 8, 3), shade, np.uint8), black) for shade in range(40)]
    with pytest.raises(InputError, match="always the same array of 8 × 8 × 3 numbers; there is nothing"):
        warmer.learn(pairs, signature="image -> image")


def test_y_that_is_not_there(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("price,area\n1,2\n3,4\n")
    assert "did you mean `price`" in refused(capsys, "learn", tmp_path / "t.csv", "--y", "prise")


def test_a_mistyped_field_of_the_plan(capsys):
    assert "did you mean `epochs`" in refused(capsys, "learn", "iris", "--set", "epoch=3")
    assert "whole number" in refused(capsys, "learn", "iris", "--set", "batch=many")
    assert "no plan field `y`" in refused(capsys, "learn", "iris", "--set", "y=species")
    for name in ("checkpoint", "told"):
        given = ("compare", "iris", "--vary", "batch=8,16", "--set", f"{name}=x")
        assert f"no plan field `{name}`" in refused(capsys, *given)
    assert "`minutes` is at least 0, not nan" in refused(capsys, "learn", "iris", "--set", "minutes=nan")


def test_mixed_types_in_y():
    frame = pd.DataFrame({"a": noise(40), "y": [str(i) if i % 2 else i * 1.37 for i in range(40)]})
    frame["y"] = [f"x-ray {i} b" if i % 3 else v for i, v in enumerate(frame["y"])]
    with pytest.raises(InputError, match="different values"):
        prepared(frame, y=("y",))


def test_ragged_rows_are_listed(tmp_path):
    rows = [f"{i},{i % 2}" for i in range(50)]
    rows[7] = "7,0,9,9"
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows))
    found = prepared(tmp_path / "t.csv", y=("y",))
    assert found.ledger.left_out == 1
    assert len(found.sides) == 49


def test_a_quotation_mark_that_is_never_closed_swallows_one_row(tmp_path):
    rows = [f"{'ab'[i % 2]}{i},{i % 2}" for i in range(50)]
    rows[7] = '"seven,1'
    rows[20] = '"two\nlines",0'
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows))
    found = prepared(tmp_path / "t.csv", y=("y",))
    out = [(one.example, one.reason) for one in found.ledger.entries if one.action == "left out"]
    assert out == [("row 9", "opens a quotation mark that is never closed")]
    assert len(found.sides) == 49
    (tmp_path / "u.csv").write_text("a,y\n" + "\n".join(rows) + '\nlast,"1\n')
    found = prepared(tmp_path / "u.csv", y=("y",))
    assert found.ledger.left_out == 2
    assert len(found.sides) == 49


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path, end):
    (tmp_path / "t.csv").write_bytes(end.join(["a,y", *(f"{i},{i % 2}" for i in range(30))]).encode())
    table = examples.open(str(tmp_path / "t.csv"))
    assert table.columns["a"].tolist() == list(range(30))


def test_a_cell_may_be_as_long_as_a_book(tmp_path):
    rows = [f'"{"word " * 40_000}{i}\nend",{i % 2}' for i in range(3)]
    (tmp_path / "t.csv").write_text("text,y\n" + "\n".join(rows))
    table = examples.open(str(tmp_path / "t.csv"))
    assert [len(cell) for cell in table.columns["text"]] == [200_005] * 3


def test_marks_that_end_lines_may_lie_in_texts(tmp_path):
    mark = "\u2028"
    (tmp_path / "t.jsonl").write_text(
        "".join(f'{{"text": "a{mark}b\u0085{i}", "y": {i % 2}}}\n' for i in range(4)), encoding="utf-8"
    )
    assert examples.open(str(tmp_path / "t.jsonl")).columns["text"][3] == f"a{mark}b\u00853"
    (tmp_path / "t.csv").write_text("text,y\n" + "".join(f"a{mark}{i},{i % 2}\n" for i in range(4)), encoding="utf-8")
    assert examples.open(str(tmp_path / "t.csv")).columns["text"][3] == f"a{mark}3"


def test_commas_are_decimal_marks_where_semicolons_part_cells(tmp_path):
    (tmp_path / "t.csv").write_text("a;b;c;y\n" + "".join(f"{i},250;{i};{i},5 kg;x\n" for i in range(1, 9)) + "9;;;x\n")
    found = examples.open(str(tmp_path / "t.csv")).columns
    assert found["a"].tolist() == [*(i + 0.25 for i in range(1, 9)), 9]
    assert found["b"][:8].tolist() == list(range(1, 9))
    assert found["c"][0] == "1,5 kg"
    (tmp_path / "u.csv").write_text("a,y\n" + "".join(f'"{i},250",x\n' for i in range(1, 9)))
    assert examples.open(str(tmp_path / "u.csv")).columns["a"][0] == "1,250"


def test_other_encodings_are_read(tmp_path):
    text = "name,y\n" + "\n".join(f"{'Zoë' if i % 2 else 'Jürgen'},{i % 2}" for i in range(40))
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    table = examples.open(str(tmp_path / "t.csv"))
    assert set(table.columns["name"]) == {"Zoë", "Jürgen"}
    (tmp_path / "u.csv").write_bytes(text.encode("utf-16"))
    assert set(examples.open(str(tmp_path / "u.csv")).columns["name"]) == {"Zoë", "Jürgen"}


def test_a_thousand_columns(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 1000))
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(1000)])
    frame["y"] = (values[:, 0] > 0).astype(int)
    frame.to_csv(tmp_path / "wide.csv", index=False)
    model = warmer.learn(str(tmp_path / "wide.csv"), y="y", epochs=1)
    assert model.evidence["n"] > 0


def test_nan_and_infinity():
    frame = pd.DataFrame({"a": noise(60), "b": noise(60), "c": [*map(float, range(59)), np.inf], "y": noise(60)})
    frame.loc[3, "a"], frame.loc[4, "b"], frame.loc[5, "y"] = np.nan, np.inf, np.inf
    found = prepared(frame, y=("y",))
    assert "not a finite number" in listed(found, "row 6")
    assert not np.isinf(np.asarray(found.inputs.values, dtype=float)).any()


def test_one_class_only_and_a_class_with_one_example(tmp_path, capsys):
    frame = pd.DataFrame({"a": noise(40), "y": ["x"] * 20 + ["z"] * 19 + ["lonely"]})
    found = prepared(frame, y=("y",))
    assert "only example" in listed(found, "row 40")
    assert found.y.labels == ("x", "z")
    (tmp_path / "only").mkdir()
    for index in range(5):
        (tmp_path / "only" / f"{index}.png").write_bytes(png(index))
    assert "warmer:" in refused(capsys, "learn", tmp_path)


def test_an_impossible_value_names_its_row(tmp_path, capsys, iris_model):
    place = iris_model.save(tmp_path / "iris.safetensors")
    columns = iris_model.x_names
    frame = pd.DataFrame(np.ones((3, len(columns))), columns=columns).astype(object)
    frame.iloc[1, 0] = "banana"
    frame.drop(columns=columns[-1]).to_csv(tmp_path / "new.csv", index=False)
    assert run(["predict", str(place), str(tmp_path / "new.csv")]) == 0
    out, err = capsys.readouterr()
    assert f"column `{columns[-1]}` is not in" in err
    assert "row 2" in out
    assert "banana" in out
    assert len(out.splitlines()) == 3


def test_answers_to_a_table_keep_the_columns_that_tell_rows_apart(tmp_path, iris_model):
    place = iris_model.save(tmp_path / "iris.safetensors")
    frame = pd.DataFrame(np.ones((3, 4)), columns=iris_model.x_names).assign(plant=["p7", "p9", "p4"], value=[5, 6, 7])
    frame.to_csv(tmp_path / "new.csv", index=False)
    assert run(["predict", str(place), str(tmp_path / "new.csv"), "--out", str(tmp_path / "made")]) == 0
    found = pd.read_csv(tmp_path / "made" / "predictions.csv")
    assert found["plant"].tolist() == ["p7", "p9", "p4"]
    assert found["value (given)"].tolist() == [5, 6, 7]
    assert set(found["value"]) <= set(iris_model.y.labels)
    assert not set(iris_model.x_names) & set(found)


# ---- pictures ----


@pytest.mark.parametrize("form", ["csv", "jsonl", "ragged"])
def test_a_list_of_files_in_any_form(tmp_path, form):
    for k in range(30):
        (tmp_path / f"{k}.png").write_bytes(png(k))
    rows = [{"file_name": f"{k}.png", "mood": "ab"[k % 2]} for k in range(31)]
    if form == "jsonl":
        (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    else:
        lines = [",".join(row.values()) for row in rows]
        lines[4] += ",more" if form == "ragged" else ""
        (tmp_path / "metadata.csv").write_text("\n".join(["file_name,mood", *lines]))
    table = examples.open(str(tmp_path))
    assert list(table.columns) == ["file_name", "mood"]
    assert table.y == "mood"
    assert len(table) == (29 if form == "ragged" else 30)
    absent = [one.example for one in table.ledger.entries if "30.png" in one.reason]
    assert absent == ["metadata.jsonl row 31" if form == "jsonl" else "metadata.csv row 32"]


def test_an_empty_list_of_files_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(png(1))
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(InputError, match=r"metadata\.csv` is empty"):
        examples.open(str(tmp_path))


def odd_pictures():
    whole = png(5, (64, 64))
    cmyk, deep, animated, turned = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    picture = Image.open(io.BytesIO(png(6)))
    picture.convert("CMYK").save(cmyk, "JPEG")
    Image.fromarray(np.random.default_rng(0).integers(0, 65535, (16, 16)).astype(np.uint16)).save(deep, "PNG")
    picture.save(animated, "GIF", save_all=True, append_images=[picture.rotate(90)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(png(7, (20, 10)))).save(turned, "JPEG", exif=exif)
    return {
        "cut.png": (whole[: len(whole) // 2], "damaged"),
        "zero.png": (b"", "zero bytes"),
        "text.png": (b"this is no picture", "not a picture"),
        "dot.png": (png(8, (1, 1)), "only 1"),
        "cmyk.jpg": (cmyk.getvalue(), None),
        "deep.png": (deep.getvalue(), None),
        "moving.gif": (animated.getvalue(), None),
        "turned.jpg": (turned.getvalue(), None),
        "really-a-jpeg.png": (turned.getvalue(), None),
        "Ελληνικά 漢字 🐈.png": (png(9), None),
    }


def test_odd_pictures_are_read_or_listed(tmp_path):
    odd = odd_pictures()
    found = prepared(folder(tmp_path / "pets", odd=[(name, data) for name, (data, _) in odd.items()]))
    bad = {
        entry.example.rpartition("/")[2]: entry.reason for entry in found.ledger.entries if entry.action == "left out"
    }
    for name, (_, words) in odd.items():
        assert (name in bad) == (words is not None), (name, bad.get(name))
        assert words is None or words in bad[name]


def test_a_turned_photo_is_upright_and_a_bomb_is_refused():
    turned = Image.open(io.BytesIO(odd_pictures()["turned.jpg"][0]))
    assert turned.size == (20, 10)
    assert open_picture(odd_pictures()["turned.jpg"][0]).size == (10, 20)
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    with pytest.raises(BadCell, match=r"20,000 × 20,000|far too many pixels"):
        open_picture(huge.getvalue())


def test_unreadable_files_and_looping_links(tmp_path):
    place = folder(tmp_path / "pets")
    os.symlink(place, place / "left" / "loop")
    os.symlink(tmp_path / "nowhere.png", place / "left" / "dangling.png")
    found = prepared(place)
    assert len(found.table) == 60
    assert any("dangling" in entry.example or "loop" in entry.example for entry in found.ledger.entries)


def test_archives_that_climb_out_or_explode(tmp_path):
    place = folder(tmp_path / "pets")
    archive = tmp_path / "pets.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(place.rglob("*.png")):
            file.write(path, path.relative_to(place))
        file.writestr("../../left/evil.png", png(99))
        file.writestr("left/bomb.png", b"\0" * (600 * 2**20))
    found = prepared(archive)
    assert len(found.table) == 60
    assert listed(found, "evil.png")
    assert listed(found, "bomb.png")
    assert not (tmp_path.parent / "left").exists()


def test_a_tar_with_a_path_that_climbs_out(tmp_path):
    place = folder(tmp_path / "pets")
    with tarfile.open(tmp_path / "pets.tar.gz", "w:gz") as file:
        file.add(place, "pets")
        extra = tarfile.TarInfo("../left/evil.png")
        extra.size = len(png(98))
        file.addfile(extra, io.BytesIO(png(98)))
    found = prepared(tmp_path / "pets.tar.gz")
    assert len(found.table) == 60
    assert listed(found, "evil.png")


@pytest.mark.parametrize("what", ["empty", "missing", "damaged"])
def test_hopeless_sources(tmp_path, capsys, what):
    place = tmp_path / ("gone" if what == "missing" else "a")
    if what == "empty":
        place.mkdir()
    if what == "damaged":
        place = tmp_path / "a.zip"
        place.write_bytes(b"PK\x03\x04 no archive at all")
    assert place.name in refused(capsys, "learn", place)


# ---- writing ----


def test_a_read_only_folder_is_refused_before_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "nothing can be written" in refused(capsys, "learn", "iris", "--out", tmp_path / "m.safetensors")


def test_a_full_disk_leaves_the_old_model(tmp_path, iris_model, monkeypatch):
    place = iris_model.save(tmp_path / "iris.safetensors")
    before = place.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match="No space left"):
        iris_model.save(place)
    assert place.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["iris.safetensors"]


# ---- model files ----


def test_damaged_models_are_refused(tmp_path, iris_model):
    place = iris_model.save(tmp_path / "iris.safetensors")
    data = place.read_bytes()
    for name, changed in {
        "truncated": data[: len(data) // 2],
        "tampered": data[:-3] + bytes([data[-3] ^ 255]) + data[-2:],
        "other": b"hello",
        "empty": b"",
        "later": data.replace(b'\\"format\\": 1', b'\\"format\\": 9'),
    }.items():
        assert changed != data
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(NotAModel, match=name):
            warmer.load(tmp_path / name)


# ---- training ----


class Moody(torch.nn.Module):
    """An encoder that fails in the way it is told to, some times."""

    def __init__(self, fail, times):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Linear(4, 8)
        self.fail, self.times, self.calls = fail, times, 0

    def forward(self, x):
        found = self.body(x.nan_to_num())
        if self.training:
            self.calls += 1
            if self.calls > 8 and self.times > 0:
                self.times -= 1
                return self.fail(found)
        return found


def out_of_memory(found):
    raise torch.OutOfMemoryError("CPU out of memory: cannot allocate")


class Notes:
    """A listener that keeps the moments' notes."""

    def __init__(self):
        self.kept = []

    def recognised(self, *args): ...
    def planned(self, *args): ...
    def noted(self, *args): ...
    def judged(self, *args): ...
    def moment(self, moment):
        self.kept += [moment.note] if moment.note else []


def test_out_of_memory_halves_the_batch():
    notes = Notes()
    model = warmer.learn("iris", encoder=Moody(out_of_memory, 2), listener=notes, epochs=30, batch=32)
    assert [note.split()[-1] for note in notes.kept] == ["16", "8"]
    assert model.evidence["scores"]["accuracy"] > 0.5


def test_a_loss_that_is_not_a_number():
    notes = Notes()
    model = warmer.learn(
        "iris", encoder=Moody(lambda f: f * float("nan"), 2), listener=notes, epochs=60, learning_rate=0.02
    )
    assert len(notes.kept) == 2
    assert all("back to step" in note for note in notes.kept)
    assert model.evidence["scores"]["accuracy"] > 0.5
    with pytest.raises(RunFailed, match="third time"):
        warmer.learn("iris", encoder=Moody(lambda f: f * float("nan"), 99), epochs=20)
