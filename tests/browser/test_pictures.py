"""Pictures of the page: from the data folder only, from archives, scaled."""

from __future__ import annotations

import base64
import io
import json

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
    assert "unpack mmdu_pics.zip" in pictures.get("1", 6, THUMB).problem
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
    assert all("unpack mmdu_pics.zip" in problem for problem in problems)
