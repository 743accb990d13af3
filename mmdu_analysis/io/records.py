"""Split JSON files of any size into records, block by block, without loading the whole file.

A list of records and JSON Lines are split at positions that look like the border of two records
(`file_blocks`); decoding a block shows whether it contains complete records (`block_records`), since a wrong
split leaves brackets unclosed. For other blocks, and for the rarer layouts, `walk.exact_records` splits
record by record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.formats import FORMATS
from mmdu_analysis.io.formats.records import LIST, LISTS, Keys, find_keys
from mmdu_analysis.schema import DataError, short_path

BLOCK_SIZE = 4 << 20
"""Approximate size of a block in bytes."""
_MOST_KEPT = 16 << 20
_HEAD = 4 << 20
_BLANK = b" \t\r\n"
_STRING = rb'"(?:[^"\\]|\\.){0,1000}"'
_FIRST_KEY = re.compile(rb"\[\s*\{\s*(%s)\s*:" % _STRING)
_FIRST_DICT_KEY = re.compile(rb"\{\s*%s\s*:\s*\{\s*(%s)\s*:" % (_STRING, _STRING))
_LONGEST_KEY = 4_000
_NOT_BLANK = re.compile(r"[ \t\r\n]*")


class RawRecord(NamedTuple):
    """One record of a file, still as bytes.

    Attributes
    ----------
    layout : {"list", "dict", "lines", "one"}
        Layout of the file.
    number : int
        Number of preceding records (lines).
    raw : bytes or msgspec.Raw
        The record's JSON.
    key : str or None
        Its key in a dict of records.
    fault : str
        The reason if the record could not be split off.
    """

    layout: str
    number: int
    raw: bytes | msgspec.Raw
    key: str | None = None
    fault: str = ""

    @property
    def where(self) -> str:
        """JSON path (``$[17]``, ``$['64']``) or line (``line 3``)."""
        if self.layout == "lines":
            return f"line {self.number + 1}"
        if self.layout == "one":
            return "$"
        return f"$[{self.number if self.key is None else repr(self.key)}]"


class Block(NamedTuple):
    """A part of a file that seems to hold complete records.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    layout : {"list", "lines"}
        Layout of the file.
    start, stop : int
        Position in the decompressed file, in bytes.
    data : bytes or None
        The bytes; None if they are still to be read from the file.
    opens, closes : bool
        Whether it contains the brackets of the list.
    damage : str
        The reason if the file can't be decompressed any further.
    read : int
        Number of bytes read from the file on the disk.
    keys : Keys
        The keys of its records.
    number : int
        Records (lines) before it in the file; 0 if unused because records have ids.
    """

    path: Path
    layout: str
    start: int
    stop: int
    data: bytes | None = None
    opens: bool = False
    closes: bool = False
    damage: str = ""
    read: int = 0
    keys: Keys = Keys()
    number: int = 0


class UnsplitError(Exception):
    """A block that doesn't contain complete records."""


class Layout(NamedTuple):
    """The layout of a file, recognised from its beginning."""

    name: str
    """list, dict, lines or one."""
    start: int
    """Position of the JSON in bytes: after a byte-order mark."""
    separator: re.Pattern[bytes] | None
    """Matches the separator of two records: the comma after one, up to the beginning of the next."""
    keys: Keys = Keys()
    """The keys of the records."""


def find_layout(path: Path, input_format: str | None = None) -> Layout:
    """Return the layout of a file (a list, a dict, JSON Lines or a single record) and the keys of its records.

    Parameters
    ----------
    path : pathlib.Path
        JSON or JSON Lines; plain, gzip or Zstandard.
    input_format : str, optional
        A format of `FORMATS`; by default the keys are found in the file's beginning.

    Raises
    ------
    DataError
        If the file can't be read, or doesn't contain a JSON list or object.
    """
    with files.open_unpacked(path) as (stream, _):
        head = files.read_part(stream, path, _HEAD)
        whole = len(head) < _HEAD
    start = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{short_path(path)}: got UTF-16 text, expected UTF-8; save it again as UTF-8")
    body = head[start:].lstrip(_BLANK)
    layout = _layout(path, head, body, start, whole)
    keys = find_keys(body, _first_record(body, layout))
    if input_format is not None:
        keys = FORMATS[input_format].keys._replace(positional=keys.positional)
    return layout._replace(keys=keys)


def has_dialogs(path: Path) -> bool:
    """Return whether a JSON file seems to hold dialogues, from its beginning."""
    with suppress(DataError), files.open_unpacked(path) as (stream, _):
        return LIST.search(files.read_part(stream, path, _LONGEST_KEY)) is not None
    return False


def _layout(path: Path, head: bytes, body: bytes, start: int, whole: bool) -> Layout:
    if whole and not body:
        raise DataError(f"{short_path(path)}: the file is empty; expected JSON")
    if body[:1] not in (b"[", b"{"):
        raise DataError(
            f"{short_path(path)}: expected a JSON list or object, got text that starts with {head[:12]!r}"
        )
    if body[:1] == b"[":
        key = _FIRST_KEY.match(body)
        return Layout("list", start, _separator(key, b""))
    if _has_lines(body, whole):
        return Layout("lines", start, None)
    if _is_single(body, whole):
        return Layout("one", start, None)
    return Layout("dict", start, _separator(_FIRST_DICT_KEY.match(body), _STRING + rb"\s*:\s*"))


def _first_record(body: bytes, layout: Layout) -> object:
    """Decode the first record of a file; None if that fails."""
    with suppress(ValueError, RecursionError):
        if layout.name == "lines":
            return json.loads(body.partition(b"\n")[0])
        text = body.decode("latin-1")
        at = 0 if layout.name == "one" else _NOT_BLANK.match(text, 1).end()  # type: ignore[union-attr]
        if layout.name == "dict":
            return None  # the keys of the dict are the ids
        return json.JSONDecoder(strict=False).raw_decode(text, at)[0]
    return None


def _separator(key: re.Match[bytes] | None, before: bytes) -> re.Pattern[bytes] | None:
    if key is None:
        return None
    return re.compile(rb",\s*(?=%s\{\s*%s\s*:)" % (before, re.escape(key[1])))


def _has_lines(body: bytes, whole: bool) -> bool:
    """Return whether a file is JSON Lines, also where its first line is damaged or longer than the head."""
    first, *following = body.split(b"\n", 4)
    if not following:
        return not whole and _is_single(body, whole)
    if (not whole or any(map(bytes.strip, following))) and _object(first) is not None:
        return True
    return any(not {*LISTS}.isdisjoint(_object(line) or ()) for line in following)


def _object(line: bytes) -> dict[str, Any] | None:
    """Decode a line that holds a JSON object; None if it doesn't."""
    with suppress(RecursionError, ValueError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None


def _is_single(body: bytes, whole: bool) -> bool:
    """Return whether a file is one record and not a dict of records: by all its keys, or for long files by the first."""
    if whole:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            table = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            objects = all(bytes(raw)[:1] in (b"{", b"[") for raw in table.values())
            return not {*LISTS}.isdisjoint(table) or not objects
    return re.match(rb"\{\s*%s\s*:\s*\{" % _STRING, body) is None


def file_blocks(path: Path, layout: Layout, size: int | None = None) -> Iterator[Block]:
    """Split a list or JSON Lines into blocks, without decoding.

    Parameters
    ----------
    path : pathlib.Path
        The file: plain, gzip or Zstandard.
    layout : Layout
        From `find_layout`; ``list`` or ``lines``.
    size : int, optional
        Approximate size of a block in bytes; by default `BLOCK_SIZE`.

    Yields
    ------
    Block
        In the order of the file; together they contain every byte except the separators.

    Raises
    ------
    DataError
        If a compressed file is damaged, after the blocks before that position.
    """
    size = size or BLOCK_SIZE
    separator = re.compile(rb"\n") if layout.name == "lines" else layout.separator
    number = 0
    with files.open_unpacked(path) as (stream, file):
        plain = stream is file
        make = _plain_blocks if plain else _packed_blocks
        for found in make(path, stream, layout, separator, size):
            block = (
                found._replace(keys=layout.keys)
                if plain
                else found._replace(keys=layout.keys, read=file.tell())
            )
            if layout.keys.positional:
                block = block._replace(number=number)
                number += _count_places(block)
            yield block


def _count_places(block: Block) -> int:
    """Return the number of records (lines) of a block; 0 if it must be split record by record."""
    data = read_block(block)
    if block.layout == "lines":
        return bytes(data).count(b"\n") + 1
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(msgspec.json.decode(data, type=list[msgspec.Raw]))
    return 0


def _plain_blocks(
    path: Path, stream: BinaryIO, layout: Layout, separator: re.Pattern[bytes] | None, size: int
) -> Iterator[Block]:
    """Find a separator after every `size` bytes; the bytes of the blocks are read when they are decoded."""
    start, end, opens = layout.start, os.fstat(stream.fileno()).st_size, True
    while True:
        found = _find_from(stream, separator, start + size, end) if separator else None
        stop, following = found or (end, end)
        yield Block(path, layout.name, start, stop, None, opens, found is None, read=stop)
        if found is None:
            return
        start, opens = following, False


def _find_from(
    stream: BinaryIO, separator: re.Pattern[bytes], start: int, end: int
) -> tuple[int, int] | None:
    """Find the first separator after `start`, reading increasingly large windows."""
    window = 1 << 16
    while start < end:
        stream.seek(start)
        found = separator.search(stream.read(window))
        if found:
            return start + found.start(), start + found.end()
        if start + window >= end:
            return None
        window *= 2
    return None


def _packed_blocks(
    path: Path, stream: BinaryIO, layout: Layout, separator: re.Pattern[bytes] | None, size: int
) -> Iterator[Block]:
    files.read_part(stream, path, layout.start)
    pending, start, opens, damage, searched = b"", layout.start, True, "", 0
    while True:
        try:
            chunk = files.read_part(stream, path, size)
        except DataError as error:
            chunk, damage = b"", str(error)
        if not chunk:
            break
        pending += chunk
        while (
            found := separator.search(pending, max(size, searched))
            if separator and len(pending) > size
            else None
        ):
            yield Block(path, layout.name, start, start + found.start(), pending[: found.start()], opens)
            start, pending, opens, searched = start + found.end(), pending[found.end() :], False, 0
        searched = max(0, len(pending) - _LONGEST_KEY)  # don't search the same text again
    yield Block(path, layout.name, start, start + len(pending), pending, opens, True, damage)


def read_block(block: Block, memory: bytearray | None = None) -> bytes | memoryview:
    """Return the bytes of a block as JSON: a list in brackets, or lines.

    Parameters
    ----------
    block : Block
        From `file_blocks`.
    memory : bytearray, optional
        Extended as needed and used for the result, which is valid until its next use: a third of the time of
        reading into new memory. Longer blocks than usual get memory of their own.
    """
    whole = block.layout == "lines"
    before, after = b"" if whole or block.opens else b"[", b"" if whole or block.closes else b"]"
    if block.data is not None:
        return before + block.data + after
    size = len(before) + block.stop - block.start
    memory = bytearray() if memory is None or size > _MOST_KEPT else memory
    if len(memory) < size + 1:
        memory += bytes(size + 1 - len(memory))
    view = memoryview(memory)
    with block.path.open("rb") as file:
        file.seek(block.start)
        end = len(before) + file.readinto(view[len(before) : size])
    view[: len(before)], view[end : end + len(after)] = before, after
    return view[: end + len(after)]


def block_records(block: Block, number: int = 0) -> tuple[list[RawRecord], int]:
    """Split a block into its records.

    Parameters
    ----------
    block : Block
        From `file_blocks`.
    number : int, default 0
        How many records (lines) stand before it in the file.

    Returns
    -------
    tuple of (list of RawRecord, int)
        The records in their order, and the number of records (lines, including blank ones) of the block.

    Raises
    ------
    UnsplitError
        If the block doesn't contain complete records.
    """
    data = read_block(block)
    if block.layout == "lines":
        lines = bytes(data).split(b"\n")
        records = [
            RawRecord("lines", number + offset, line) for offset, line in enumerate(lines) if line.strip()
        ]
        count = len(lines)
    else:
        try:
            items = msgspec.json.decode(data, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnsplitError from None
        records = [RawRecord("list", number + at, raw) for at, raw in enumerate(items)]
        count = len(items)
    if block.damage:
        records.append(RawRecord(block.layout, number + count, b"", fault=block.damage))
    return records, count
