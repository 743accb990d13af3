"""Reading and writing files: plain or compressed, folders of JSON, tables; a file is written completely or not at all."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from mmdu_analysis.io.sniff import HEAD, describe_content
from mmdu_analysis.schema import DataError, short_path

_PIECE = 1 << 18
MOST_ROWS, MOST_COLUMNS = 200_000, 1_000
_MOST_SHEET_BYTES = 1 << 30
_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
JSON_SUFFIXES = tuple(kind + packed for kind in (".json", ".jsonl") for packed in ("", ".gz", ".zst"))
TEMPORARY = ".tmp"
"""Suffix of files that are being written."""
TABLE_SUFFIXES = (".tsv", ".csv", ".xlsx", ".tsv.gz", ".csv.gz")


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether the file's name ends with one of `suffixes`, ignoring case."""
    return path.name.lower().endswith(suffixes)


def stem(path: Path) -> str:
    """Return a file's name without the suffixes that this package knows."""
    name = path.name
    for suffix in (*JSON_SUFFIXES, *TABLE_SUFFIXES, ".pkl"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def open_bytes(path: Path) -> BinaryIO:
    """Open a file without decompression.

    Raises
    ------
    DataError
        If the file is missing, a folder or unreadable.
    """
    name = short_path(path)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{name}: got a folder, expected a file") from None
    except (OSError, ValueError) as error:  # no permission; a NUL in the name
        raise DataError(f"{name}: can't be read ({getattr(error, 'strerror', None) or error})") from None
    return file


@contextmanager
def open_unpacked(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a text file; gzip and Zstandard are recognised by their magic numbers and decompressed.

    Yields
    ------
    tuple of (file, file)
        The stream, to be read with `read_part`, and the file on the disk: the same object if it isn't
        compressed.

    Raises
    ------
    DataError
        If the file is missing, a folder, unreadable, or not text, such as a Git LFS pointer.
    """
    name = short_path(path)
    with open_bytes(path) as file:
        magic = file.read(HEAD)
        file.seek(0)
        if wrong := describe_content(magic, "a table" if has_suffix(path, TABLE_SUFFIXES) else "JSON"):
            raise DataError(f"{name}: {wrong}")
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(file) as unpacked:
                yield cast("BinaryIO", unpacked), file
        elif magic[:4] == b"\x28\xb5\x2f\xfd":
            import pyarrow as pa

            with pa.input_stream(file, compression="zstd") as unpacked:
                yield unpacked, file
        else:
            yield file, file


def read_part(stream: BinaryIO, path: Path, size: int = -1) -> bytes:
    """Read from a stream of `open_unpacked`.

    Parameters
    ----------
    stream : file
        The stream.
    path : pathlib.Path
        Its file, for the message.
    size : int, default -1
        Number of bytes; data before a damaged position is returned first. By default the whole file or
        nothing.

    Raises
    ------
    DataError
        If the compressed data is damaged or truncated here, or the disk fails.
    """
    parts: list[bytes] = []
    left = size
    while left:
        try:
            part = stream.read() if size < 0 else stream.read(min(left, _PIECE))
        except (OSError, EOFError, zlib.error) as error:
            if parts and size > 0:
                break
            text = (
                f"{short_path(path)}: the compressed data is damaged or truncated ({error}); fetch it again"
            )
            raise DataError(text) from None
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_bytes(path: Path) -> bytes:
    """Read a whole file, decompressed, without the byte-order mark.

    Raises
    ------
    DataError
        If the file is missing, a folder, unreadable, empty, truncated or UTF-16.
    """
    name = short_path(path)
    with open_unpacked(path) as (stream, _):
        data = read_part(stream, path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name}: got UTF-16 text, expected UTF-8; save it again as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError(f"{name}: the file is empty; expected JSON")
    return data


def decode_loosely(raw: bytes | msgspec.Raw) -> Any:
    """Decode JSON as written by Python's `json`, which allows ``NaN``.

    Raises
    ------
    ValueError
        If it is not such JSON.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(bytes(raw))


def json_files(folder: Path) -> list[Path]:
    """List the JSON files in a folder and its sub-folders, in natural order of their names.

    Files that only describe the data beside them are left out.

    Raises
    ------
    DataError
        If there is none.
    """
    if not folder.exists():
        raise DataError(f"{short_path(folder)}: no such folder; check the path")
    json_paths = find_json(folder)
    if not json_paths:
        raise DataError(
            f"{short_path(folder)}: a folder without any JSON file; expected one JSON per dialogue"
        )
    data = [path for path in json_paths if not _is_sidecar(path)] or json_paths
    return sorted(data, key=lambda path: natural_key(str(path.relative_to(folder))))


def find_json(folder: Path) -> list[Path]:
    """List the JSON files in a folder and its sub-folders, in any order."""
    return [
        path
        for path in folder.rglob("*")
        if has_suffix(path, JSON_SUFFIXES) and path.is_file() and not is_hidden(path.relative_to(folder))
    ]


def _is_sidecar(path: Path) -> bool:
    """Return whether a file describes data: of LLaMA-Factory, of InternVL (beside a ``.jsonl``), of a run and its review."""
    if path.name in ("dataset_info.json", "run.json"):
        return True
    name = path.name.removesuffix(".meta.json")
    described = "run.json" if name == "review.jsonl" else "" if name == path.name else f"{name}.jsonl"
    return bool(described) and path.with_name(described).is_file()


def is_hidden(path: Path) -> bool:
    """Return whether a file is ignored by all loaders.

    Parameters
    ----------
    path : pathlib.Path
        Relative to the folder that the user named.

    Returns
    -------
    bool
        True for names that begin with a dot (such as ``.ipynb_checkpoints``, or a temporary file that a
        killed command left), for files that operating systems and archivers add (``__MACOSX``,
        ``Thumbs.db``), and for files inside such folders.
    """
    return any(part.startswith(".") or part.casefold() in _SYSTEM_NAMES for part in path.parts)


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that orders ``2`` before ``10``."""
    parts: list[str] = [""]
    for char in text:
        same = parts[-1][-1:].isdecimal() == char.isdecimal()
        parts = [*parts[:-1], parts[-1] + char] if same else [*parts, char]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def read_table(path: Path) -> Any:
    """Read a TSV, CSV or Excel sheet with every cell as text, empty cells as ``""``.

    Returns
    -------
    pandas.DataFrame
        All columns of dtype ``str``.

    Raises
    ------
    DataError
        If the file is missing, or isn't the kind of table that its suffix says.
    """
    import pandas as pd

    name = short_path(path)
    if not path.is_file():
        raise DataError(f"{name}: no such file; check the path")
    try:
        if has_suffix(path, (".xlsx",)):
            return read_sheet(path)
        with open_unpacked(path) as (stream, _):  # binary files are described there
            head = read_part(stream, path, _PIECE).partition(b"\n")[0]
        separator = _separator(head, "\t" if ".tsv" in path.name.lower() else ",")
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except DataError:
        raise
    except (
        Exception
    ) as error:  # each engine has its own exceptions; they mean that the content doesn't match the suffix
        kind = path.suffix.lstrip(".")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name}: not a readable {kind} table ({reason})") from None


def _separator(head: bytes, usual: str) -> str:
    """Return the separator of the columns of a header line; spreadsheets also write ``;`` and tabs into .csv."""
    counts = {separator: head.count(separator.encode()) for separator in (usual, ";", "\t", ",")}
    return usual if counts[usual] else max(counts, key=lambda separator: counts[separator])


def read_sheet(path: Path) -> Any:
    """Read the first sheet of an Excel file with every cell as text, within limits.

    Raises
    ------
    DataError
        If it isn't an Excel file, another sheet has the same columns, or it has more than `MOST_ROWS` rows, `MOST_COLUMNS` columns or unpacked
        bytes.
    """
    import zipfile

    import openpyxl
    import pandas as pd

    name = short_path(path)
    with path.open("rb") as file:
        wrong = describe_content(file.read(HEAD), "an Excel sheet")
    if wrong and "zip archive" not in wrong:  # an Excel file is a zip archive
        raise DataError(f"{name}: {wrong}")
    with zipfile.ZipFile(path) as packed:
        size = sum(entry.file_size for entry in packed.infolist())
    if size > _MOST_SHEET_BYTES:
        raise DataError(f"{name}: {size:,} bytes unpacked, expected at most {_MOST_SHEET_BYTES:,}")
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows: list[list[str]] = []
    for row in book.worksheets[0].iter_rows(values_only=True):
        if len(rows) > MOST_ROWS or len(row) > MOST_COLUMNS:
            raise DataError(
                f"{name}: more than {MOST_ROWS:,} rows or {MOST_COLUMNS:,} columns; save only the filled cells"
            )
        rows.append([_cell_text(value) for value in row])
    first = rows[0] if rows else []
    same = [
        sheet.title
        for sheet in book.worksheets[1:]
        if any(first)
        and first == [_cell_text(v) for v in next(sheet.iter_rows(max_row=1, values_only=True), ())]
    ]
    book.close()
    if same:
        raise DataError(
            f"{name}: {len(same) + 1} sheets have the same columns, expected one; join them, or save each as a file"
        )
    while rows and not any(rows[-1]):
        rows.pop()
    head, *body = rows or [[]]
    filled = [row[: len(head)] + [""] * (len(head) - len(row)) for row in body]
    return pd.DataFrame(filled, columns=head, dtype="str")


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Return a temporary path beside `path` that replaces it when the block ends without an error.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.

    Yields
    ------
    pathlib.Path
        A hidden file whose name ends in ``.tmp``, independent of the suffix of `path`, so that a file left by
        a killed process is never read as data.

    Raises
    ------
    DataError
        If the disk is full, or the folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=TEMPORARY)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{short_path(path)}: can't be written ({reason}); nothing was changed") from None


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
