"""Entries of zip archives: the same as zipfile's, for archives of all kinds and for damaged ones."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis.io.zip_entries import read_directory, read_entry
from mmdu_analysis.io.zipped import ZippedFiles

names = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\\"), min_size=1, max_size=20
).filter(lambda name: not name.startswith("/"))
packings = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])


def check(path):
    """Compare all files with zipfile's."""
    with zipfile.ZipFile(path) as packed:
        infos = {info.orig_filename: info for info in packed.infolist() if not info.is_dir()}
        directory = read_directory(path)
        assert list(directory.records) == list(infos)
        for name, info in infos.items():
            assert read_entry(directory, name, 10_000_000) == packed.read(info)


@given(
    files=st.dictionaries(names, st.binary(max_size=200), max_size=8),
    packing=packings,
    comment=st.binary(max_size=50),
    before=st.binary(max_size=50),
)
def test_entries_are_those_of_zipfile(tmp_path_factory, files, packing, comment, before):
    if b"PK\5\6" in comment:
        return
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as packed:
        packed.mkdir("folder")
        packed.comment = comment
        for name, data in files.items():
            packed.writestr(name, data)
    path.write_bytes(before + path.read_bytes())
    check(path)


def test_large_archives(tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(70_000):
            packed.writestr(f"p/{number}.jpg", b"")
        with packed.open("big", "w", force_zip64=True) as out:
            out.write(b"x" * 1_000)
    directory = read_directory(path)
    assert len(directory.records) == 70_001
    assert read_entry(directory, "big", 10_000) == b"x" * 1_000
    # As if the first four GiB weren't zeros: sizes and offsets of 64 bits.
    data = bytearray(path.read_bytes())
    start = data.rindex(b"PK\1\2")
    size, (offset,) = 1_000, struct.unpack_from("<L", data, start + 42)
    record = data[start : start + 46 + 3]
    record[20:28], record[42:46], record[30:32] = b"\xff" * 8, b"\xff" * 4, struct.pack("<H", 28)
    record += struct.pack("<2H3Q", 1, 24, size, size, offset)
    first = data.index(b"PK\1\2")
    body = data[:start] + record
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(body) - first, first)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(body + end64 + locator + end)
    assert read_entry(read_directory(path), "big", 10_000) == b"x" * 1_000


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
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    try:
        assert read_directory(path).records == {}
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == []
    except zipfile.BadZipFile:
        pass
    assert ZippedFiles([path]).find("a.jpg") is None
