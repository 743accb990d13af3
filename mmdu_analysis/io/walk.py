"""Split a JSON file record by record, skipping text that is not JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mmdu_analysis.io import files
from mmdu_analysis.io.records import (
    Layout,
    RawRecord,
    UnsplitError,
    block_records,
    file_blocks,
    find_layout,
)
from mmdu_analysis.schema import DataError

_WINDOW = 4 << 20
_LONGEST_RECORD = 256 << 20
_LONGEST_KEY = 4_000
_MOST_FAULTS = 1_000
_MOST_WASTE = 256 << 20
"""Maximum number of characters that are decoded without success before the rest of the file is left out."""
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.){0,1000}")\s*:\s*')
_NOT_BLANK = re.compile(r"[ \t\r\n]*")


def json_records(path: Path, input_format: str | None = None) -> Iterator[RawRecord]:
    """Split a JSON file into its records, without decoding them.

    A list of records, a dict of records, a single record and JSON Lines are distinguished by
    their content, not by the name of the file.

    Parameters
    ----------
    path : pathlib.Path
        JSON or JSON Lines; plain, gzip or Zstandard.

    Yields
    ------
    RawRecord
        In the order of the file. Text that can't be split off has a `fault`.

    Raises
    ------
    DataError
        If the file is not JSON.
    """
    layout = find_layout(path, input_format)
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
    """Split a list or a dict record by record, skipping text that is not JSON.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    layout : Layout
        ``list`` or ``dict``.
    start : int, optional
        Start position in decompressed bytes: at a record, or at the beginning of the file.
    number : int, default 0
        Number of preceding records.

    Yields
    ------
    RawRecord
        Text that is not JSON has a `fault`; the next record is searched after it.
    """
    with files.open_unpacked(path) as (stream, _):
        walk = _Walk(path, stream, layout, number)
        walk.pass_over(max(start, layout.start))
        yield from walk.records(inside=start > layout.start)


class _Walk:
    """One walk over a stream: a window of text that grows until it contains a complete record.

    The window is decoded as Latin-1, so that positions in the text equal positions in the bytes.
    """

    def __init__(self, path: Path, stream: BinaryIO, layout: Layout, number: int) -> None:
        self.path, self.stream, self.layout, self.number = path, stream, layout, number
        self.text, self.at, self.damage, self.whole = "", 0, "", True
        self.decoder = json.JSONDecoder(strict=False)
        self.wasted = 0
        pattern = layout.separator.pattern.decode("latin-1") if layout.separator else None
        self.separator = re.compile(pattern) if pattern else None

    def pass_over(self, count: int) -> None:
        """Skip the first bytes of the stream."""
        while count and (part := files.read_part(self.stream, self.path, min(count, _WINDOW))):
            count -= len(part)

    def more(self) -> bool:
        """Drop the processed text, and read as many bytes as are left in the window; False at the end of the stream."""
        waiting = len(self.text) - self.at
        try:
            data = b"" if self.damage else files.read_part(self.stream, self.path, max(_WINDOW, waiting))
        except DataError as error:
            data, self.damage = b"", str(error)
        self.text, self.at = self.text[self.at :] + data.decode("latin-1"), 0
        return bool(data)

    def peek(self) -> str:
        """Return the next character that isn't blank; empty at the end of the stream."""
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
            if faults > _MOST_FAULTS or self.wasted > _MOST_WASTE:
                yield record._replace(fault="too much of the file is not JSON; the rest is left out")
                return
            yield record
            self.number += 1
            self.at += self.peek() == ","
        yield from self.end(char)

    def end(self, char: str) -> Iterator[RawRecord]:
        """Yield the faults at the end: damage, a missing bracket, text after it."""
        if self.damage or (not char and self.whole):
            yield self.fault(self.damage or "the JSON ends before its closing bracket")
        self.at += len(char)
        if char and self.peek():
            yield self.fault(
                f"there is text after the end of the JSON: {self.text[self.at : self.at + 20]!r}"
            )

    def fault(self, text: str) -> RawRecord:
        """Return a record that could not be split off."""
        return RawRecord(self.layout.name, self.number, b"", fault=text)

    def one(self) -> RawRecord:
        """Split the next record off, or skip it."""
        while True:
            try:
                return self.split()
            except _NeedMoreError:
                if len(self.text) - self.at > _LONGEST_RECORD or not self.more():
                    self.wasted += len(self.text) - self.at  # decoded to the end of the file without success
                    return self.skip("the JSON ends before its closing bracket")
            except ValueError as error:
                return self.skip(str(error))

    def split(self) -> RawRecord:
        """Split the next record off.

        Raises
        ------
        _NeedMoreError
            If the window doesn't contain it completely.
        ValueError
            If it is not JSON.
        """
        start, key = self.at, None
        if self.layout.name == "dict":
            match = _KEY.match(self.text, self.at)
            if match is None:
                if len(self.text) - self.at < _LONGEST_KEY:
                    raise _NeedMoreError
                raise ValueError("the record has no key")
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
            raise _NeedMoreError  # a number may continue
        self.at = end
        return RawRecord(self.layout.name, self.number, self.text[start:end].encode("latin-1"), key)

    def skip(self, reason: str) -> RawRecord:
        """Skip text that is not JSON, up to the next position that looks like the beginning of a record."""
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
    """The window ends before the record."""


def _decoded(text: str) -> str:
    """Decode a JSON string that was read as Latin-1; invalid UTF-8 is replaced."""
    return str(json.loads(text.encode("latin-1").decode("utf-8", "replace"), strict=False))
