"""Folders of texts, one a category."""

from __future__ import annotations

import json
from pathlib import Path

import warmer
from warmer import examples
from warmer.cli.app import run


def test_class_folders_of_texts(tmp_path, capsys):
    for side, count in (("train", 40), ("test", 10)):
        for k in range(count):
            place = tmp_path / "reviews" / side / ("good" if k % 2 else "bad") / f"{k}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(
                f"a {'fine and lovely' if k % 2 else 'dull and dreary'} film, number {k}\n", encoding="utf-8"
            )
    (tmp_path / "reviews" / "README.txt").write_text("a note")
    (tmp_path / "reviews" / "train" / "list.txt").write_text("another")
    (tmp_path / "reviews" / "train" / "good" / "1.txt").write_bytes("a fine café".encode("cp1252"))
    (tmp_path / "reviews" / "train" / "bad" / "0.txt").write_bytes(b"")
    table = examples.open(tmp_path / "reviews")
    assert list(table.columns) == ["text", "category", "split"]
    assert set(table.columns["category"]) == {"good", "bad"}
    told = {Path(entry.example).name: (entry.reason, entry.action) for entry in table.ledger.entries}
    assert told["README.txt"][1] == told["list.txt"][1] == told["0.txt"][1] == "left out"
    assert told["1.txt"] == ("is not UTF-8; it was read as Windows-1252 (Western Europe)", "kept")
    model = warmer.learn(tmp_path / "reviews", epochs=4, advice=False)
    assert model.evidence["scores"]["accuracy"] == 1
    place = model.save(tmp_path / "m.safetensors")
    capsys.readouterr()
    assert run(["predict", str(place), str(tmp_path / "reviews" / "test" / "good"), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["value"] for answer in answers] == ["good"] * 5
    (tmp_path / "new.txt").write_text("a fine and lovely film\nfine and lovely", encoding="utf-8")
    (tmp_path / "table.txt").write_text("text\ndull and dreary\nlovely and fine\n", encoding="utf-8")
    assert run(["predict", str(place), str(tmp_path / "new.txt"), str(tmp_path / "table.txt"), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["value"] for answer in answers] == ["good", "bad", "good"]
    (tmp_path / "lines.text").write_text("dull and dreary\n\nfine and lovely\n", encoding="utf-8")
    assert run(["predict", str(place), str(tmp_path / "lines.text"), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["value"], answer["input"].rpartition("/")[2]) for answer in answers] == [
        ("bad", "lines.text line 1"),
        ("good", "lines.text line 3"),
    ]
    (tmp_path / "empty.txt").touch()
    assert run(["predict", str(place), str(tmp_path / "empty.txt"), str(tmp_path / "new.txt")]) == 0
    out, err = capsys.readouterr()
    assert "empty.txt is empty" in err
    assert len(out.splitlines()) == 1
    assert run(["predict", str(place), str(tmp_path / "empty.txt")]) == 2
    assert "no input could be read" in capsys.readouterr().err


def newsgroups(folder):
    """Write what posts look like: files that are called by a number."""
    for k in range(40):
        place = folder / ("space" if k % 2 else "hockey") / f"{5000 + k}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"Subject: {'orbits' if k % 2 else 'goals'}\n\nnumber {k}, sends Zoë\n", encoding="latin-1")
    return folder


def test_class_folders_of_texts_without_an_ending(tmp_path):
    place = newsgroups(tmp_path / "news")
    (place / "list.py").write_text("a note")
    table = examples.open(place)
    assert list(table.columns) == ["text", "category"]
    assert len(table) == 40
    assert table.columns["text"][0].startswith("Subject: ")
    assert "Zoë" in table.columns["text"][0]
    assert [entry.example for entry in table.ledger.entries if entry.action == "left out"] == [str(place / "list.py")]


def test_files_without_an_ending_that_are_no_texts_stay_files(tmp_path):
    for k in range(40):
        place = tmp_path / "shades" / ("dark" if k < 20 else "bright") / f"{k}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"P5 4 4 255\n" + bytes([6 * k] * 16))
    assert list(examples.open(tmp_path / "shades").columns) == ["file", "category"]
