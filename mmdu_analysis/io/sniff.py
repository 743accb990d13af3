"""Recognise the content of a file by its first bytes if it doesn't match its suffix, and describe what to do."""

from __future__ import annotations

from mmdu_analysis.schema import shorten

HEAD = 512
"""Number of bytes that are read."""

PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
_LFS = b"version https://git-lfs.github.com/spec/"
_HTML = (b"<!doctype html", b"<html", b"<head", b"<!doctype", b"<?xml")
_MAGIC = {
    PARQUET: "a Parquet file; load it as a data set, or write its columns as JSON or CSV first",
    ZIP: "a zip archive (or an Excel sheet); unpack it and name the file inside",
    b"PK\x05\x06": "an empty zip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF file",
    b"\x89HDF": "an HDF5 file; write its texts as JSON first",
    b"7z\xbc\xaf": "a 7z archive; unpack it and name the file inside",
    b"Rar!": "a rar archive; unpack it and name the file inside",
    b"BZh": "a bzip2 file; unpack it, or pack it with gzip or Zstandard",
    b"\xfd7zXZ": "an xz file; unpack it, or pack it with gzip or Zstandard",
    b"ARROW1": "an Arrow file; write it as Parquet or JSON first",
    b"SQLite format 3": "an SQLite data base",
}


def describe_content(head: bytes, expected: str = "JSON") -> str:
    """Describe a file that can't be read as a text format, by its first bytes.

    Parameters
    ----------
    head : bytes
        The first bytes of the file, unpacked; `HEAD` are enough.
    expected : str, default "JSON"
        What was expected, for the message.

    Returns
    -------
    str
        What the file is and what to do; empty if it may be `expected`.

    Examples
    --------
    >>> describe_content(b"<!DOCTYPE html><title>404</title>")
    'got an HTML page (404), expected JSON; the download failed, fetch the file again'
    >>> describe_content(b'[{"id": 1}]')
    ''
    """
    if head.startswith(_LFS):
        return (
            f"got a Git LFS pointer, expected {expected}; fetch the data itself with 'git lfs pull', or download "
            "the file from where the repository is hosted"
        )
    found = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), "")
    if found:
        return f"got {found}, expected {expected}" if ";" not in found else _with_expected(found, expected)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()
    if start.startswith(_HTML):
        title = _title(head)
        page = f"an HTML page ({title})" if title else "an HTML page"
        return f"got {page}, expected {expected}; the download failed, fetch the file again"
    return ""


def _with_expected(found: str, expected: str) -> str:
    what, _, advice = found.partition("; ")
    return f"got {what}, expected {expected}; {advice}"


def _title(head: bytes) -> str:
    text = head.decode("utf-8", "replace")
    _, found, rest = text.partition("<title>")
    return shorten(rest.partition("<")[0], 60) if found else ""
