"""Pictures of the page: from the data folder only, from archives, scaled."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pandas as pd
import pytest
from PIL import Image

from mmdu_analysis import load_benchmark
from mmdu_analysis.browser.pictures import PagePictures as Pictures
from mmdu_analysis.browser.replies import SIZES
from mmdu_analysis.schema import DataWarning

THUMB = SIZES["thumb"]


def record(key, paths, question="Image1: <ImageHere>. What?", answer="A bird."):
    talk = [{"from": "user", "value": question}, {"from": "assistant", "value": answer}]
    return {"id": key, "image": paths, "conversations": talk}


def test_pictures_only_from_the_data_folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    (data / "link.png").symlink_to(tmp_path / "secret.png")
    Image.new("RGB", (2000, 1000), "red").save(data / "webp.jpg", format="WEBP")
    (data / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    paths = [
        "../secret.png",
        str(tmp_path / "secret.png"),
        "link.png",
        "webp.jpg",
        "broken.png",
        "/mmdu_pics/none.jpg",
    ]
    (data / "benchmark.json").write_text(json.dumps([record(1, paths)]))
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(data / "benchmark.json"))
    for image in (1, 2, 3):
        found = pictures.get("1", image, THUMB)
        assert found.data == b""
        assert "leads outside" in found.problem
    shown = pictures.get("1", 4, THUMB)
    assert shown.mime == "image/jpeg"
    assert max(Image.open(io.BytesIO(shown.data)).size) == THUMB
    assert "not a readable picture" in pictures.get("1", 5, THUMB).problem
    assert "unpack the archive" in pictures.get("1", 6, THUMB).problem
    assert pictures.get("1", 7, THUMB).problem


def test_pictures_inside_a_table_say_so(tmp_path):
    picture = base64.b64encode(b"no picture").decode()
    row = {
        "index": ["0"],
        "image": [str([picture])],
        "question": ["['Image1: <ImageHere>. What?']"],
        "answer": ["['A bird.']"],
    }
    pd.DataFrame(row).to_csv(tmp_path / "MMDU.tsv", sep="\t", index=False)
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(tmp_path / "MMDU.tsv"))
    assert "inside MMDU.tsv" in pictures.get("0", 1, THUMB).problem


def test_a_picture_of_40_megapixels(tmp_path):
    Image.new("RGB", (8000, 5000), "navy").save(tmp_path / "big.jpg")
    (tmp_path / "b.json").write_text(json.dumps([record(1, ["big.jpg"])]))
    pictures = Pictures(load_benchmark(tmp_path / "b.json"))
    assert max(Image.open(io.BytesIO(pictures.get("1", 1, 1600).data)).size) == 1600


def test_the_real_pictures(real):
    pictures = Pictures(real)
    problems = [p for key in pictures.paths if (p := pictures.get(*key, THUMB).problem)]
    assert len(problems) == 4
    assert all("unpack the archive" in problem for problem in problems)


def test_pictures_in_an_archive_are_not_unpacked(tmp_path):
    red, blue = (io.BytesIO() for _ in range(2))
    Image.new("RGB", (800, 400), "red").save(red, "PNG")
    Image.new("RGB", (40, 400), "blue").save(blue, "JPEG")
    with zipfile.ZipFile(tmp_path / "mmdu_pics.zip", "w") as archive:
        archive.writestr("mmdu_pics/a.png", red.getvalue())
        archive.writestr("elsewhere/b.jpg", blue.getvalue())
        archive.writestr("one/same.png", red.getvalue())
        archive.writestr("two/same.png", blue.getvalue())
        archive.writestr("__MACOSX/mmdu_pics/._c.png", b"x")
        archive.writestr("mmdu_pics/broken.png", b"\x89PNG broken")
        archive.writestr("../../etc/evil.png", red.getvalue())
    paths = ["/mmdu_pics/a.png", "/mmdu_pics/b.jpg", "x/same.png", "two/same.png", "none.png", "broken.png"]
    (tmp_path / "benchmark.json").write_text(json.dumps([record(1, paths)]))
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(tmp_path / "benchmark.json"))
    found = [pictures.get("1", number, THUMB) for number in range(1, 7)]
    sizes = [Image.open(io.BytesIO(one.data)).size if one.data else None for one in found]
    assert sizes == [(360, 180), (36, 360), None, (36, 360), None, None]
    assert "unpack" in found[4].problem
    assert "not a readable picture" in found[5].problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark.json", "mmdu_pics.zip"]


def test_a_damaged_archive_is_a_problem_of_its_pictures(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    with zipfile.ZipFile(tmp_path / "cut.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\x89PNG" * 1_000)
    data = bytearray((tmp_path / "cut.zip").read_bytes())
    data[40:50] = b"\xff" * 10
    (tmp_path / "cut.zip").write_bytes(data)
    (tmp_path / "b.json").write_text(json.dumps([record(1, ["a.png"])]))
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(tmp_path / "b.json"))
    assert "cut.zip: not readable" in pictures.get("1", 1, THUMB).problem
