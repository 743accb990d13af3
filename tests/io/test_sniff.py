"""Files that are not what their name says: the error says what they are and what to do."""

from __future__ import annotations

import io
import zipfile

import pandas as pd
import pytest
from builders import SHARED

from mmdu_analysis import DataError, load_answers, load_benchmark, load_scores
from mmdu_analysis.io import files
from mmdu_analysis.io.archives import unzip
from mmdu_analysis.io.sniff import describe_content


def packed(names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 148459281\n"
CONTENTS = {
    "lfs": (LFS, "Git LFS pointer.*git lfs pull"),
    "html": (
        b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title>",
        "HTML page.*404.*fetch the file again",
    ),
    "html with a mark": (b"\xef\xbb\xbf  <html lang='en'>", "HTML page"),
    "zip": (packed(["a.json"]), "zip archive.*unpack it"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "xz": (b"\xfd7zXZ\x00", "xz file"),
}


@pytest.mark.parametrize("case", CONTENTS)
@pytest.mark.parametrize("name", ["data.json", "data.tsv", "data.csv"])
@pytest.mark.parametrize("load", [load_benchmark, load_answers, load_scores], ids=lambda load: load.__name__)
def test_what_a_file_is_stands_in_the_error(tmp_path, case, name, load):
    data, message = CONTENTS[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 400


def test_json_is_nothing_else():
    for text in (b"[]", b'{"a": 1}', b" \n[1]", b"", b"\xef\xbb\xbf[1]", b'"<html>"'):
        assert describe_content(text) == ""


def test_the_shared_pointer():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    with pytest.raises(DataError, match="Git LFS pointer, expected a table; fetch"):
        load_benchmark(SHARED / "cases" / "files" / "MMDU.tsv")


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/a.json",
        "__MACOSX/a.json",
        "x/.git/a.json",
        "Thumbs.db/a.json",
        "__MACOSX/._a.json",
    ],
)
def test_files_of_systems_are_no_data(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("[]")
    (tmp_path / "good.json").write_text("[]")
    assert [path.name for path in files.json_files(tmp_path)] == ["good.json"]


def test_a_sheet_gives_its_cells_as_text(tmp_path):
    frame = pd.DataFrame({"index": [1, 2], "x": [1.5, None], "text": ["a\nb", "=1"]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    table = files.read_table(tmp_path / "t.xlsx")
    assert table.to_numpy().tolist() == [["1", "1.5", "a\nb"], ["2", "", ""]]


def test_a_sheet_that_is_too_large_is_refused(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active["XFD1048576"] = "far away"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match="more than 200,000 rows or 1,000 columns"):
        files.read_table(tmp_path / "t.xlsx")


def test_a_sheet_that_unpacks_to_too_many_bytes_is_not_opened(tmp_path, monkeypatch):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["x" * 30_000])
    book.save(tmp_path / "t.xlsx")
    assert files.read_table(tmp_path / "t.xlsx").columns.tolist() == ["x" * 30_000]
    monkeypatch.setattr(files, "_MOST_SHEET_BYTES", 20_000)
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(DataError, match=r"bytes unpacked, expected at most 20,000"):
        files.read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize("name", [".", "./", "a/..", "/", "..", "   "])
def test_a_zip_entry_without_a_name_is_refused(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(packed([name]))
    try:
        unzip(tmp_path / "a.zip", tmp_path / "out")
    except DataError as error:
        assert "not unpacked" in str(error)  # noqa: PT017 - an entry that is a folder is skipped
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} <= {".a.zip.unpacked"}
