"""Split JSON files of any size into records, block by block, without holding a file's texts.

A list of records and JSON Lines are cut at places that look like the border of two records (`file_blocks`);
decoding a block shows whether it holds whole records (`block_records`), since a wrong cut leaves something
unclosed. Where it doesn't, and for the rarer layouts, `exact_records` goes from record to record instead,
and steps over what is no JSON.
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
from mmdu_analysis.schema import DataError, short_path

BLOCK_SIZE = 8 << 20
"""Bytes that a block has about."""
_HEAD = 4 << 20
_LONGEST_RECORD = 256 << 20
_MOST_FAULTS = 1_000
_BLANK = b" \t\r\n"
_STRING = rb'"(?:[^"\\]|\\.){0,1000}"'
_FIRST_KEY = re.compile(rb"\[\s*\{\s*(%s)\s*:" % _STRING)
_FIRST_DICT_KEY = re.compile(rb"\{\s*%s\s*:\s*\{\s*(%s)\s*:" % (_STRING, _STRING))
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.){0,1000}")\s*:\s*')
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
    """A stretch of a file that seems to hold whole records.

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


def find_layout(path: Path) -> Layout:
    """Tell a list of records, a dict of records, JSON Lines and a single record by a file's beginning.

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


def _separator(key: re.Match[bytes] | None, before: bytes) -> re.Pattern[bytes] | None:
    if key is None:
        return None
    return re.compile(rb",\s*(?=%s\{\s*%s\s*:)" % (before, re.escape(key[1])))


def _is_object(line: bytes) -> bool:
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return isinstance(json.loads(line), dict)
    return False


def _is_single(body: bytes, whole: bool) -> bool:
    """Tell one record from a dict of records: by all its keys, or where it is long by the first."""
    if whole:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            table = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            objects = all(bytes(raw)[:1] in (b"{", b"[") for raw in table.values())
            return "conversations" in table or not objects
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
    with files.open_unpacked(path) as (stream, file):
        if stream is file:
            yield from _plain_blocks(path, stream, layout, separator, size)
            return
        for block in _packed_blocks(path, stream, layout, separator, size):
            yield block._replace(read=file.tell())


def _plain_blocks(
    path: Path, stream: BinaryIO, layout: Layout, separator: re.Pattern[bytes] | None, size: int
) -> Iterator[Block]:
    """Look for a separator behind every `size` bytes; the blocks' bytes themselves are read by who decodes."""
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
    pending, start, opens, damage = b"", layout.start, True, ""
    while True:
        try:
            chunk = files.read_part(stream, path, size)
        except DataError as error:
            chunk, damage = b"", str(error)
        if not chunk:
            break
        pending += chunk
        while found := separator.search(pending, size) if separator and len(pending) > size else None:
            yield Block(path, layout.name, start, start + found.start(), pending[: found.start()], opens)
            start, pending, opens = start + found.end(), pending[found.end() :], False
    yield Block(path, layout.name, start, start + len(pending), pending, opens, True, damage)


def read_block(block: Block) -> bytes | bytearray:
    """Give a block's bytes as JSON: a list in brackets, or lines."""
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


def json_records(path: Path) -> Iterator[RawRecord]:
    """Split a JSON file into its records, without decoding them.

    A list of records, a dict of records, one record alone, and JSON Lines are told apart by
    their content, not by the file's name.

    Parameters
    ----------
    path : pathlib.Path
        JSON or JSON Lines; plain, gzip or Zstandard.

    Yields
    ------
    RawRecord
        In the order of the file. What can't be split off has a `fault`.

    Raises
    ------
    DataError
        If the file is not JSON at all.
    """
    layout = find_layout(path)
    if layout.name == "one":
        yield RawRecord("one", 0, files.read_bytes(path))
        return
    if layout.name == "dict":
        yield from exact_records(path, layout)
        return
    number = 0
    for block in file_blocks(path, layout):
        try:
            records, count = block_records(block, number)
        except UnsplitError:
            yield from exact_records(path, layout, block.start, number)
            return
        yield from records
        number += count


def exact_records(path: Path, layout: Layout, start: int = 0, number: int = 0) -> Iterator[RawRecord]:
    """Go from record to record of a list or a dict, stepping over what is no JSON.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    layout : Layout
        ``list`` or ``dict``.
    start : int, optional
        Where to begin, in unpacked bytes: at a record, or at the file's beginning.
    number : int, default 0
        How many records stand before it.

    Yields
    ------
    RawRecord
        What is no JSON has a `fault`; the next record is looked for behind it.
    """
    with files.open_unpacked(path) as (stream, _):
        walk = _Walk(path, stream, layout, number)
        walk.pass_over(max(start, layout.start))
        yield from walk.records(inside=start > layout.start)


class _Walk:
    """One walk over a stream: a window of text that grows until a record is whole.

    The window is decoded as Latin-1, so that a place in the text is the same place in the bytes.
    """

    def __init__(self, path: Path, stream: BinaryIO, layout: Layout, number: int) -> None:
        self.path, self.stream, self.layout, self.number = path, stream, layout, number
        self.text, self.at, self.damage, self.whole = "", 0, "", True
        self.decoder = json.JSONDecoder(strict=False)
        pattern = layout.separator.pattern.decode("latin-1") if layout.separator else None
        self.separator = re.compile(pattern) if pattern else None

    def pass_over(self, count: int) -> None:
        """Leave out the first bytes of the stream."""
        while count and (part := files.read_part(self.stream, self.path, min(count, _HEAD))):
            count -= len(part)

    def more(self) -> bool:
        """Drop what is done with, and read as much again as is waiting; False at the stream's end."""
        waiting = len(self.text) - self.at
        try:
            data = b"" if self.damage else files.read_part(self.stream, self.path, max(_HEAD, waiting))
        except DataError as error:
            data, self.damage = b"", str(error)
        self.text, self.at = self.text[self.at :] + data.decode("latin-1"), 0
        return bool(data)

    def peek(self) -> str:
        """Give the next character that isn't blank; empty at the stream's end."""
        while True:
            self.at = _NOT_BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def records(self, *, inside: bool) -> Iterator[RawRecord]:
        """Walk through the records, from the opening bracket or from `inside`."""
        closing = "]" if self.layout.name == "list" else "}"
        if not inside and self.peek():
            self.at += 1
        faults = 0
        while (char := self.peek()) not in ("", closing):
            record = self.one()
            self.whole = not record.fault
            faults += not self.whole
            if faults > _MOST_FAULTS:
                yield record._replace(fault="too much of the file is no JSON; the rest is left out")
                return
            yield record
            self.number += 1
            self.at += self.peek() == ","
        yield from self.end(char)

    def end(self, char: str) -> Iterator[RawRecord]:
        """Tell what is wrong at the end: damage, a missing bracket, something behind it."""
        if self.damage or (not char and self.whole):
            yield self.fault(self.damage or "the JSON is cut off before its end")
        self.at += len(char)
        if char and self.peek():
            yield self.fault(f"something stands behind the JSON's end: {self.text[self.at : self.at + 20]!r}")

    def fault(self, text: str) -> RawRecord:
        """Give a record that could not be split off."""
        return RawRecord(self.layout.name, self.number, b"", fault=text)

    def one(self) -> RawRecord:
        """Split the next record off, or step over what can't be."""
        while True:
            try:
                return self.split()
            except _NeedMoreError:
                if len(self.text) - self.at > _LONGEST_RECORD or not self.more():
                    return self.skip("the JSON is cut off before its end")
            except ValueError as error:
                return self.skip(str(error))

    def split(self) -> RawRecord:
        """Split the next record off.

        Raises
        ------
        _NeedMoreError
            If it isn't whole in the window.
        ValueError
            If it is no JSON.
        """
        start, key = self.at, None
        if self.layout.name == "dict":
            match = _KEY.match(self.text, self.at)
            if match is None:
                if len(self.text) - self.at < _LONGEST_KEY:
                    raise _NeedMoreError
                raise ValueError("no key stands before the record")
            key = _decoded(match[1])
            start = match.end()
        try:
            end = self.decoder.raw_decode(self.text, start)[1]
        except json.JSONDecodeError as error:
            if error.pos >= len(self.text) - 12 or error.msg.startswith("Unterminated string"):
                raise _NeedMoreError from None
            raise ValueError(
                f"not valid JSON ({error.msg}, byte {error.pos - start} of the record)"
            ) from None
        except RecursionError:
            raise ValueError("the JSON is nested too deeply to be a dialogue") from None
        if end == len(self.text) and self.text[end - 1] not in '}]"':
            raise _NeedMoreError  # a number may go on
        self.at = end
        return RawRecord(self.layout.name, self.number, self.text[start:end].encode("latin-1"), key)

    def skip(self, reason: str) -> RawRecord:
        """Step over what is no JSON, to the next place that looks like a record's beginning."""
        self.at += 1
        while True:
            found = self.separator.search(self.text, self.at) if self.separator else None
            if found:
                self.at = found.end()
                break
            self.at = max(self.at, len(self.text) - _LONGEST_KEY)
            if not self.more():
                self.at = len(self.text)
                break
        return self.fault(reason)


class _NeedMoreError(Exception):
    """The window ends before the record does."""


def _decoded(text: str) -> str:
    """Decode a JSON string that was read as Latin-1; what is no UTF-8 in it is replaced."""
    return str(json.loads(text.encode("latin-1").decode("utf-8", "replace"), strict=False))
