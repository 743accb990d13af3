"""Split JSON files of any size into records, block by block, without holding a file's texts.

A list of records and JSON Lines are cut at places that look like the border of two records (`file_blocks`);
decoding a block shows whether it holds whole records (`block_records`), since a wrong cut leaves something
unclosed. Where it doesn't, and for the rarer layouts, `walk.exact_records` goes from record to record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.formats import FORMATS
from mmdu_analysis.io.formats.records import LISTS, Keys, find_keys
from mmdu_analysis.schema import DataError, short_path

BLOCK_SIZE = 3 << 20
"""Bytes that a block has about."""
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
        What the file is.
    number : int
        How many records (lines) stand before it.
    raw : bytes or msgspec.Raw
        The record's JSON.
    key : str or None
        Its key in a dict of records.
    fault : str
        Why there are no bytes, where the record could not be split off.
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
        What the file is.
    start, stop : int
        Where it stands in the unpacked file, in bytes.
    data : bytes or None
        The stretch itself; None where it is to be read from the file.
    opens, closes : bool
        Whether it holds the list's own brackets.
    damage : str
        Why the file can't be unpacked any further, where that is so.
    read : int
        How far the file on the disk has been read, in bytes.
    keys : Keys
        The keys of its records.
    number : int
        Records (lines) before it in the file; 0 where that doesn't matter, since records have ids.
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
    """A block doesn't hold whole records."""


class Layout(NamedTuple):
    """How a file holds its records, as its beginning shows."""

    name: str
    """list, dict, lines or one."""
    start: int
    """Where the JSON begins, in bytes: behind a byte-order mark."""
    separator: re.Pattern[bytes] | None
    """Matches between two records: the comma behind one, up to the beginning of the next."""
    keys: Keys = Keys()
    """The keys of the records."""


def find_layout(path: Path, input_format: str | None = None) -> Layout:
    """Return how a file holds its records: as a list, a dict, JSON Lines or a single one, and with which keys.

    Parameters
    ----------
    path : pathlib.Path
        JSON or JSON Lines; plain, gzip or Zstandard.
    input_format : str, optional
        A format of `FORMATS`; by default the keys are found in the file's beginning.

    Raises
    ------
    DataError
        If the file can't be read, or holds no JSON list or object.
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


def _layout(path: Path, head: bytes, body: bytes, start: int, whole: bool) -> Layout:
    if whole and not body:
        raise DataError(f"{short_path(path)}: the file is empty; expected JSON")
    if body[:1] not in (b"[", b"{"):
        raise DataError(
            f"{short_path(path)}: got no JSON list or object (starts with {head[:12]!r}), expected one"
        )
    if body[:1] == b"[":
        key = _FIRST_KEY.match(body)
        return Layout("list", start, _separator(key, b""))
    line, newline, rest = body.partition(b"\n")
    if newline and (rest.strip() or not whole) and _is_object(line):
        return Layout("lines", start, None)
    if _is_single(body, whole):
        return Layout("one", start, None)
    return Layout("dict", start, _separator(_FIRST_DICT_KEY.match(body), _STRING + rb"\s*:\s*"))


def _first_record(body: bytes, layout: Layout) -> object:
    """Decode the first record of a file; None where that fails."""
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


def _is_object(line: bytes) -> bool:
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return isinstance(json.loads(line), dict)
    return False


def _is_single(body: bytes, whole: bool) -> bool:
    """Return whether a file is one record, not a dict of records: by all its keys, or where it is long by the first."""
    if whole:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            table = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            objects = all(bytes(raw)[:1] in (b"{", b"[") for raw in table.values())
            return not {*LISTS}.isdisjoint(table) or not objects
    return re.match(rb"\{\s*%s\s*:\s*\{" % _STRING, body) is None


def file_blocks(path: Path, layout: Layout, size: int | None = None) -> Iterator[Block]:
    """Cut a list or JSON Lines into blocks, without decoding anything.

    Parameters
    ----------
    path : pathlib.Path
        The file: plain, gzip or Zstandard.
    layout : Layout
        From `find_layout`; ``list`` or ``lines``.
    size : int, optional
        Bytes that a block has about; by default `BLOCK_SIZE`.

    Yields
    ------
    Block
        In the order of the file; together they hold every byte but the separators.

    Raises
    ------
    DataError
        Where a packed file is damaged, after the blocks before that place.
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
    """Return how many records (lines) a block has; 0 where it must be split record by record."""
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
    """Find the first separator behind `start`, reading ever larger windows."""
    window = 1 << 18
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
        searched = max(0, len(pending) - _LONGEST_KEY)  # what was looked at isn't looked at again
    yield Block(path, layout.name, start, start + len(pending), pending, opens, True, damage)


def read_block(block: Block) -> bytes | bytearray:
    """Return the bytes of a block as JSON: a list in brackets, or lines."""
    whole = block.layout == "lines"
    before, after = b"" if whole or block.opens else b"[", b"" if whole or block.closes else b"]"
    if block.data is not None:
        return before + block.data + after
    size = block.stop - block.start
    with block.path.open("rb") as file:
        file.seek(block.start)
        if whole:
            return file.read(size)
        data = bytearray(
            len(before) + size + len(after)
        )  # filled in place: copies cost half as much as reading
        end = len(before) + file.readinto(memoryview(data)[len(before) : len(before) + size])
    data[: len(before)], data[end:] = before, after
    return data


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
        The records in their order, and how many records (lines, blank ones too) the block has.

    Raises
    ------
    UnsplitError
        If the block doesn't hold whole records.
    """
    data = read_block(block)
    if block.layout == "lines":
        lines = bytes(data).split(b"\n")
        found = [
            RawRecord("lines", number + offset, line) for offset, line in enumerate(lines) if line.strip()
        ]
        count = len(lines)
    else:
        try:
            items = msgspec.json.decode(data, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnsplitError from None
        found = [RawRecord("list", number + at, raw) for at, raw in enumerate(items)]
        count = len(items)
    if block.damage:
        found.append(RawRecord(block.layout, number + count, b"", fault=block.damage))
    return found, count
