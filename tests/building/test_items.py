"""Items: every kind of file, what is reported, which pictures are left out."""

from __future__ import annotations

import json
import random

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from mmdu_analysis import building
from mmdu_analysis.building.sample import draw_picture
from mmdu_analysis.building.screening import measure_picture
from mmdu_analysis.io.scaled import MOST_PIXELS
from mmdu_analysis.schema import DataError, ProblemWarning

ROWS = [
    {"id": "a", "image": "a.png", "title": "A", "tags": ["x", "y"], "caption": "C", "licence": "CC0"},
    {"id": "b", "image": "b.png", "title": "B", "text": "T", "source": "S"},
]


def write(folder, name, rows):
    path = folder / name
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows))
    elif name.endswith(".parquet"):
        pd.DataFrame(rows).to_parquet(path)
    else:
        table = pd.DataFrame(rows).assign(tags=["x, y", ""])
        table.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    return path


@pytest.mark.parametrize("name", ["i.jsonl", "i.json", "i.csv", "i.tsv", "i.parquet"])
def test_every_kind_of_file_is_the_same_items(tmp_path, name):
    items, problems = building.load_items(write(tmp_path, name, ROWS), return_problems=True)
    assert problems.empty
    found = items[["id", "image", "title", "tags", "caption", "text", "licence"]].to_numpy().tolist()
    assert found == [["a", "a.png", "A", "x, y", "C", "", "CC0"], ["b", "b.png", "B", "", "", "T", ""]]
    assert set(items["folder"]) == {str(tmp_path.resolve())}
    assert not items["synthetic"].any()


def test_a_table_like_wit(tmp_path):
    columns = [
        "page_title",
        "image_url",
        "caption_reference_description",
        "context_page_description",
        "page_url",
    ]
    rows = [
        [
            "A bridge",
            "http://x.invalid/p/The%20bridge.jpg?w=1",
            "Old bridge",
            "It is old.",
            "http://w.invalid",
        ]
    ]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "w.tsv", sep="\t", index=False)
    [item] = building.load_items(tmp_path / "w.tsv").to_dict("records")
    assert (item["id"], item["title"], item["caption"]) == ("1", "A bridge", "Old bridge")
    assert (item["text"], item["source"]) == ("It is old.", "http://w.invalid")
    assert building.items.picture_path(item) == tmp_path.resolve() / "The bridge.jpg"


def test_rows_that_are_no_items_are_reported_with_their_place(tmp_path):
    lines = [
        json.dumps(ROWS[0]),
        "{",
        json.dumps([1]),
        json.dumps({"id": "c"}),
        json.dumps(ROWS[0]),
        json.dumps(ROWS[1]),
    ]
    (tmp_path / "i.jsonl").write_text("\n".join(lines))
    items, problems = building.load_items(tmp_path / "i.jsonl", return_problems=True)
    assert items["id"].tolist() == ["a", "b"]
    assert problems["where"].tolist() == ["line 2", "line 3", "line 4", "line 5"]
    assert problems["problem"].str.contains("JSON|list|no image|unique").all()
    with pytest.warns(ProblemWarning, match="4 problems"):
        building.load_items(tmp_path / "i.jsonl")
    with pytest.raises(DataError, match="line 2"):
        building.load_items(tmp_path / "i.jsonl", strict=True)


def test_a_table_without_images_is_refused(tmp_path):
    (tmp_path / "i.csv").write_text("id,caption\n1,x\n")
    with pytest.raises(DataError, match="expected image or image_url"):
        building.load_items(tmp_path / "i.csv")


@pytest.mark.parametrize("image", ["../secret.png", "/etc/hostname", "a/../../secret.png"])
def test_pictures_outside_of_the_folder_are_not_read(tmp_path, image):
    (tmp_path / "in").mkdir()
    draw_picture(1).save(tmp_path / "secret.png")
    path = write(tmp_path / "in", "i.jsonl", [{"id": "a", "image": image, "caption": "one two three"}])
    kept, problems = building.screen_items(building.load_items(path), return_problems=True)
    assert kept.empty
    assert "outside" in problems["problem"][0]
    allowed = building.load_items(path, pictures=tmp_path)
    assert len(building.screen_items(allowed, return_problems=True)[0]) == (image == "a/../../secret.png") * 0


@pytest.fixture
def pictures(tmp_path):
    good = draw_picture(1)
    good.save(tmp_path / "good.png")
    good.convert("RGB").resize((200, 200)).save(tmp_path / "twin.jpg", quality=60)
    draw_picture(2).save(tmp_path / "other.png")
    good.filter(ImageFilter.GaussianBlur(12)).save(tmp_path / "blurred.png")
    draw_picture(3).resize((100, 300)).save(tmp_path / "narrow.png")
    draw_picture(4).save(tmp_path / "short.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "text.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    names = ["good.png", "twin.jpg", "other.png", "blurred.png", "narrow.png", "short.png", "broken.png"]
    names += ["text.jpg", "gone.png"]
    rows = [
        {"id": f"{n}-{name}", "image": name, "caption": "three words here"} for n, name in enumerate(names)
    ]
    rows[5]["caption"] = "one"
    return write(tmp_path, "i.jsonl", rows)


def test_pictures_of_no_use_are_left_out_with_the_reason(pictures):
    items = building.load_items(pictures)
    kept, problems = building.screen_items(items, return_problems=True)
    assert kept["image"].tolist() == ["good.png", "other.png"]
    assert len(kept) + len(problems) == len(items)
    reasons = dict(zip(problems["file"].str.rpartition("/")[2], problems["problem"], strict=True))
    for name, word in {
        "twin.jpg": "duplicate of that of item 0-good.png", "blurred.png": "blurred", "narrow.png": "100 x 300",
        "short.png": "1 words", "broken.png": "not a readable", "text.jpg": "not a readable", "gone.png": "missing",
    }.items():  # fmt: skip
        assert word in reasons[name], name


@pytest.mark.parametrize(
    "data", [b"P6 2 2 255\n" + bytes(12), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"]
)
def test_no_other_format_is_decoded_whatever_the_name(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    assert "not a readable picture" in measure_picture(tmp_path / "a.jpg").problem


def test_a_bomb_is_not_decoded_and_a_large_photograph_is(tmp_path):
    side = int(MOST_PIXELS**0.5) + 100
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert measure_picture(tmp_path / "bomb.png").problem == f"{side} x {side} pixels are too many to be read"
    Image.new("L", (side, side)).save(tmp_path / "photograph.jpg")
    facts = measure_picture(tmp_path / "photograph.jpg")
    assert (facts.problem, facts.width, facts.height) == ("", side, side)


def test_the_order_of_items_does_not_change_what_is_kept(pictures):
    items = building.load_items(pictures)
    expected = set(building.screen_items(items, return_problems=True)[0]["id"])
    for seed in range(3):
        mixed = items.sample(frac=1, random_state=seed)
        kept, _ = building.screen_items(mixed, return_problems=True)
        assert set(kept["id"]) == expected
        assert kept["id"].tolist() == [key for key in mixed["id"] if key in expected]


def test_sharpness_is_the_variance_of_the_laplacian(tmp_path):
    """Against the five-point stencil written out by hand."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (150, 170)).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "x.png")
    padded = np.pad(grey.astype(float), 1, mode="symmetric")
    middle = padded[1:-1, 1:-1]
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * middle
    facts = measure_picture(tmp_path / "x.png")
    assert facts.sharpness == pytest.approx(laplacian.var(), rel=1e-9)
    assert (facts.width, facts.height) == (170, 150)


def test_near_fingerprints_are_found_like_by_comparing_all():
    from mmdu_analysis.building.screening import _Fingerprints

    rng = random.Random(3)
    for most in range(4):
        seen, kept = _Fingerprints(most), []
        for number in range(300):
            value = rng.getrandbits(64)
            if kept and rng.random() < 0.6:
                value = rng.choice(kept)[1]
                for bit in rng.sample(range(64), rng.randint(0, 5)):
                    value ^= 1 << bit
            near = {key for key, other in kept if (other ^ value).bit_count() <= most}
            found = seen.add(str(number), value)
            assert (found in near) if near else (found == "")
            if not found:
                kept.append((str(number), value))
