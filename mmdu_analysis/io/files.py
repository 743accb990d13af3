"""Reading files as people left them: gzip, JSON in four layouts, folders of JSON, tables."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mmdu_analysis.schema import DataError, short_path

JSON_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
TABLE_SUFFIXES = (".tsv", ".csv", ".xlsx", ".tsv.gz", ".csv.gz")


class RawRecord(NamedTuple):
    """One record of a file, still as bytes, with the place where it stands."""

    where: str
    key: str | None
    raw: bytes | msgspec.Raw


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Tell whether the file's name ends with one of `suffixes`, whatever the case."""
    return path.name.lower().endswith(suffixes)


def stem(path: Path) -> str:
    """Give a file's name without the suffixes that this package knows."""
    name = path.name
    for suffix in (*JSON_SUFFIXES, *TABLE_SUFFIXES, ".pkl"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unpacking gzip by its magic number, without the byte-order mark.

    Raises
    ------
    DataError
        If the file is missing, a folder, unreadable, empty, cut or not UTF-8.
    """
    name = short_path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{name}: got a folder, expected a file") from None
    except OSError as error:
        raise DataError(f"{name}: can't be read ({error.strerror or error})") from None
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise DataError(f"{name}: the gzip data is damaged or cut ({error}); fetch it again") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name}: got UTF-16 text, expected UTF-8; save it again as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError(f"{name}: the file is empty; expected JSON")
    return data


def json_records(path: Path) -> Iterator[RawRecord]:
    """Split a JSON file into its records, without decoding them.

    A list of records, a dict of records, one record alone, and JSON Lines are told apart by
    their content, not by the file's name.

    Parameters
    ----------
    path : pathlib.Path
        JSON or JSON Lines, plain or gzip.

    Yields
    ------
    RawRecord
        ``where`` is a JSON path (``$[17]``, ``$['64']``) or a line (``line 3``).

    Raises
    ------
    DataError
        If the file is not JSON at all.
    """
    data = read_bytes(path)
    first = data.lstrip()[:1]
    if first not in (b"[", b"{"):
        raise DataError(
            f"{short_path(path)}: got no JSON list or object (starts with {data[:12]!r}), expected one"
        )
    try:
        if first == b"[":
            items = msgspec.json.decode(data, type=list[msgspec.Raw])
            for number, raw in enumerate(items):
                yield RawRecord(f"$[{number}]", None, raw)
            return
        table = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lines = [] if first == b"[" else data.splitlines()
        if len(lines) > 1 and _is_json_object(lines[0]):
            yield from _line_records(lines)
            return
        raise DataError(f"{short_path(path)}: {_why_not_json(data, error)}; fetch or save it again") from None
    if "conversations" in table or not all(bytes(raw)[:1] in (b"{", b"[") for raw in table.values()):
        yield RawRecord("$", None, data)
        return
    for key, raw in table.items():
        yield RawRecord(f"$[{key!r}]", key, raw)


def _is_json_object(line: bytes) -> bool:
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        return True
    return False


def _line_records(lines: list[bytes]) -> Iterator[RawRecord]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield RawRecord(f"line {number}", None, line)


def _why_not_json(data: bytes, error: Exception) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return f"not UTF-8 text (byte {wrong.start})"
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply to be a dialogue"
    if "truncated" in str(error):
        return "the JSON is cut off before its end"
    return f"not valid JSON ({error})"


def decode_loosely(raw: bytes | msgspec.Raw) -> Any:
    """Decode JSON as Python's own writer leaves it, ``NaN`` included.

    Raises
    ------
    ValueError
        If it is not JSON in that wider sense either.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(bytes(raw))


def json_files(folder: Path) -> list[Path]:
    """List the JSON files in a folder and its sub-folders, in natural order of their names.

    Raises
    ------
    DataError
        If there is none.
    """
    if not folder.exists():
        raise DataError(f"{short_path(folder)}: no such folder; check the path")
    found = [path for path in folder.rglob("*") if has_suffix(path, JSON_SUFFIXES) and path.is_file()]
    if not found:
        raise DataError(f"{short_path(folder)}: a folder without any JSON file; expected one JSON a dialogue")
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``2`` before ``10``."""
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
        If the file is missing, or isn't the kind of table that its name says.
    """
    import pandas as pd

    name = short_path(path)
    if not path.is_file():
        raise DataError(f"{name}: no such file; check the path")
    try:
        if has_suffix(path, (".xlsx",)):
            return pd.read_excel(path, dtype=str, keep_default_na=False, engine="openpyxl")
        separator = "\t" if ".tsv" in path.name.lower() else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except Exception as error:  # each engine has its own exceptions: the file is not what its name says
        kind = path.suffix.lstrip(".")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name}: not a readable {kind} table ({reason})") from None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
