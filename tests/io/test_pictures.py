"""Pictures: found by their own folders, never a wrong one; decoded within limits."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import zipfile

import numpy as np
import pytest
from builders import SHARED, record
from PIL import Image

from mmdu_analysis import load_benchmark
from mmdu_analysis.io import scaled
from mmdu_analysis.io.pictures import find_by_name, find_picture, picture_roots, picture_size
from mmdu_analysis.io.scaled import MOST_PIXELS, Pictures, load_picture, scale_bytes

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")


def picture(path, size=(4, 3), form="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path, form)
    return path


def encoded(size=(4, 3), form="PNG", mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, form)
    return buffer.getvalue()


def load(folder, *paths):
    places = "<ImageHere>" * len(paths)
    talk = [{"from": "user", "value": f"{places}What?"}, {"from": "assistant", "value": "This."}]
    (folder / "b.json").write_text(json.dumps([{"id": 1, "image": list(paths), "conversations": talk}]))
    return load_benchmark(folder / "b.json")


FOUND = {
    "as listed": ("pics/a.png", "pics/a.png"),
    "with a slash": ("/pics/a.png", "pics/a.png"),
    "with backslashes": ("pics\\a.png", "pics/a.png"),
    "below an archive": ("/pics/a.png", "archive/pics/a.png"),
    "by its name alone": ("somewhere/else/a.png", "deep/er/folder/a.png"),
    "a bare name": ("a.png", "pics/a.png"),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_picture_is_found(tmp_path, case):
    listed, there = FOUND[case]
    picture(tmp_path / there)
    bench = load(tmp_path, listed)
    assert bench.images[["width", "height"]].to_numpy().tolist() == [[4, 3]]
    assert Pictures(bench).find(listed) == tmp_path / there
    by_name = bench.problems["problem"].str.contains("found by their file name alone")
    assert by_name.any() == (case in ("by its name alone", "a bare name"))
    assert len(bench.problems) == by_name.sum()


NOT_FOUND = {
    "another folder has the name": (["cats/1.png", "dogs/1.png"], ["dogs/1.png"], [False, True]),
    "two files have the name": (["cats/1.png"], ["dogs/1.png", "birds/1.png"], [False]),
    "a URL": (["https://example.org/birds/2.png"], ["birds/2.png", "2.png"], [False]),
    "another scheme": (["s3://bucket/pics/a.png"], ["pics/a.png", "bucket/pics/a.png"], [False]),
    "two archives have the path": (["pics/a.png"], ["x/pics/a.png", "y/pics/a.png"], [False]),
    "outside": (["../a.png", "/etc/../a.png"], ["x/a.png"], [False, False]),
    "hidden": (["pics/a.png"], [".trash/pics/a.png"], [False]),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_never_a_picture_from_another_place(tmp_path, case):
    listed, there, expected = NOT_FOUND[case]
    for path in there:
        picture(tmp_path / path)
    bench = load(tmp_path, *listed)
    assert bench.images["width"].notna().tolist() == expected
    pictures = Pictures(bench)
    assert [pictures.find(path) is not None for path in listed] == expected
    assert [not pictures.get("1", n + 1, 64).problem for n in range(len(listed))] == expected


def test_the_shared_case_of_one_name():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    bench = load_benchmark(SHARED / "cases" / "same_name" / "train.json")
    assert len(bench.images) == 3
    assert bench.images["width"].notna().tolist() == [False, True, False]
    assert bench.problems["problem"].str.contains("address on the web").sum() == 1


def test_an_absolute_path_inside_the_folder_is_followed_as_it_is(tmp_path):
    inside, outside = picture(tmp_path / "data" / "p" / "a.png"), picture(tmp_path / "b.png")
    roots = picture_roots(tmp_path / "data")
    assert find_picture(roots, str(inside)) == inside
    assert find_picture(roots, str(outside)) is None
    (tmp_path / "data" / "link.png").symlink_to(outside)
    assert find_picture(roots, "link.png") is None
    assert find_by_name(tmp_path / "data", ["x/link.png"], ["x/link.png"]) == {}


def test_data_urls_show_and_count(tmp_path):
    good = "data:image/png;base64," + base64.b64encode(encoded()).decode()
    bench = load(tmp_path, good, "data:image/png;base64,AAAA", "data:,")
    assert len(bench.images) == 3
    assert bench.images["width"].notna().tolist() == [True, False, False]
    assert Pictures(bench).get("1", 1, 64).mime == "image/jpeg"
    assert Pictures(bench).get("1", 2, 64).problem
    assert bench.problems["problem"].str.len().max() <= 300


def test_no_message_is_longer_than_a_line():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    with pytest.warns(UserWarning, match="data URL") as caught:
        bench = load_benchmark(SHARED / "cases" / "files" / "data_url.json")
    assert all("\n" not in str(w.message) and len(str(w.message)) < 500 for w in caught)
    assert bench.problems["problem"].str.len().max() <= 300
    assert len(bench.images) == 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_that_are_read(tmp_path, form):
    path = picture(tmp_path / "a.jpg", (7, 5), form)
    assert picture_size(path) == (7, 5)
    assert scale_bytes(path.read_bytes(), 64).problem == ""


OTHERS = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n",
    "ppm": b"P6 2 2 255\n" + bytes(12),
    "tga": bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 24, 0]) + bytes(12),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_are_no_pictures(tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(OTHERS[kind])
    assert picture_size(tmp_path / "a.jpg") is None
    assert Pictures(load(tmp_path, "a.jpg")).get("1", 1, 64).problem


def test_sixteen_bits_of_grey_are_scaled_not_clipped():
    values = np.linspace(0, 65_535, 64 * 64).astype(np.uint16).reshape(64, 64)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    shown = np.asarray(
        Image.open(io.BytesIO(scale_bytes(buffer.getvalue(), 64).data)).convert("L"), dtype=int
    )
    assert abs(shown - values // 257).max() <= 6  # JPEG
    assert 100 < shown.mean() < 155


def test_a_bomb_is_refused_and_a_large_photograph_is_not():
    side = int(MOST_PIXELS**0.5) + 100
    bomb = encoded((side, side), mode="1")
    assert "too many" in scale_bytes(bomb, 512).problem
    photograph = encoded((side, side), "JPEG", "L")  # decoded at an eighth
    assert scale_bytes(photograph, 512).problem == ""


def test_a_header_of_too_many_pixels_is_refused_also_where_a_fraction_is_decoded(monkeypatch):
    data = encoded((4_000, 4_000), "JPEG", "L")
    assert scale_bytes(data, 64).problem == ""
    monkeypatch.setattr(scaled, "_MOST_HEADER_PIXELS", 15_999_999)
    assert scale_bytes(data, 64).problem == "4,000 x 4,000 pixels are too many"


@pytest.mark.parametrize("address", ["http://host/a.png", "file://host/a.png", "s3://host/a.png"])
def test_an_address_is_never_a_file_of_this_machine(tmp_path, address):
    scheme, _, rest = address.partition("://")
    picture(tmp_path / f"{scheme}:" / rest)
    assert find_picture(picture_roots(tmp_path), address) is None
    bench = load(tmp_path, address)
    assert bench.images["width"].isna().all()
    assert "address on the web" in Pictures(bench).get("1", 1, 64).problem


def test_a_file_is_kept_as_it_is_only_within_the_size(tmp_path):
    small = picture(tmp_path / "small.png", (30, 20))
    large = picture(tmp_path / "large.png", (300, 200))
    assert load_picture(small, 100, keep=True).data == small.read_bytes()
    scaled_down = load_picture(large, 100, keep=True)
    assert Image.open(io.BytesIO(scaled_down.data)).size == (100, 67)
    side = int(MOST_PIXELS**0.5) + 100
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert "too many" in load_picture(tmp_path / "bomb.png", 1_536, keep=True).problem


def test_one_picture_is_decoded_at_a_time(monkeypatch):
    running, most = 0, 0

    def slow(picture, side):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1

    monkeypatch.setattr("mmdu_analysis.io.scaled._encode", slow)
    threads = [threading.Thread(target=scale_bytes, args=(encoded(), 64)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_pictures_inside_a_parquet_file_are_shown():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    bench = load_benchmark(SHARED / "cases" / "formats" / "train-00000-of-00001.parquet")
    (row,) = bench.images.query("dialog_id == '1'").itertuples()
    found = Pictures(bench)._embedded("1", row.image)
    assert Image.open(io.BytesIO(found)).size == (8, 6)


def test_a_record_keeps_its_pictures_as_text_null_or_nothing(tmp_path):
    made = [record(n) for n in range(4)]
    made[0]["image"], made[1]["image"], made[2]["image"] = "one.png", None, ["", None]
    del made[3]["image"]
    (tmp_path / "b.json").write_text(json.dumps(made))
    bench = load_benchmark(tmp_path / "b.json")
    assert bench.dialogs["n_images"].tolist() == [1, 0, 0, 0]
    assert bench.images["path"].tolist() == ["one.png"]


def test_pictures_in_a_named_archive_are_not_missing(tmp_path):
    talk = [{"from": "user", "value": "<image><image> Alike?"}, {"from": "assistant", "value": "Yes."}]
    entry = {"id": 1, "image": ["/pics/a.png", "/pics/b.png"], "conversations": talk}
    (tmp_path / "d.json").write_text(json.dumps([entry]), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "P.ZIP", "w") as archive:
        archive.writestr("pics/a.png", b"any")
    bench = load_benchmark(tmp_path / "d.json", picture_folder=tmp_path / "P.ZIP")
    assert bench.problems["problem"].str.contains("b.png is missing").tolist() == [True]
