"""Pictures in zip archives: found by path or name, read without unpacking, also from damaged archives."""

from __future__ import annotations

import random
import zipfile

import pytest

from mmdu_analysis.io.zipped import ZippedFiles


def test_files_are_found_by_path_below_the_archive_or_by_a_unique_name(tmp_path):
    for name, files in {
        "1.zip": ("pics/a.jpg", "x/b.jpg", "y/b.jpg", "__MACOSX/c.jpg"),
        "2.zip": ("d.jpg",),
    }.items():
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            packed.mkdir("folder")
            for file in files:
                packed.writestr(file, f"{name} {file}")
    zipped = ZippedFiles([tmp_path / "1.zip", tmp_path / "missing.zip", tmp_path / "2.zip"])
    found = {
        path: zipped.read(*entry)[0].decode() if (entry := zipped.find(path)) else None
        for path in ("/mmdu_pics/pics/a.jpg", "a.jpg", "x/b.jpg", "b.jpg", "c.jpg", "z\\d.jpg", "folder", "")
    }
    assert found == {
        "/mmdu_pics/pics/a.jpg": "1.zip pics/a.jpg",
        "a.jpg": "1.zip pics/a.jpg",
        "x/b.jpg": "1.zip x/b.jpg",
        "b.jpg": None,
        "c.jpg": None,
        "z\\d.jpg": "2.zip d.jpg",
        "folder": None,
        "": None,
    }


def test_damaged_archives_are_refused_or_read_right(tmp_path):
    path = tmp_path / "a.zip"
    content = {f"p/{number}.bin": bytes([number]) * 300 for number in range(5)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in content.items():
            packed.writestr(name, data)
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(2_000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        zipped = ZippedFiles([path])
        for name, expected in content.items():
            found = zipped.find(name)
            if found is None:
                continue
            read, problem = zipped.read(*found)
            assert read == expected or (problem and not read)


def test_sizes_that_lie_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("mmdu_analysis.io.zipped.MOST_BYTES", 10_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(5_000_000))
        packed.writestr("small", b"x")
        packed.writestr("stored", random.Random(0).randbytes(20_000))
    zipped = ZippedFiles([path])
    for name in ("zeros", "stored"):
        data, problem = zipped.read(*zipped.find(name))
        assert (data, "larger than 10,000 bytes" in problem) == (b"", True)
    assert zipped.read(*zipped.find("small")) == (b"x", "")


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18])
def test_files_that_are_no_archives(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    assert ZippedFiles([tmp_path / "a.zip"]).find("a.jpg") is None
