"""Append-only JSON Lines files that several processes write: notes, ratings, reviews."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmdu_analysis.io.locks import locked
from mmdu_analysis.schema import DataError, Problem, short_path


def append_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Append records to a JSON Lines file, under a lock and synchronised with the disk.

    The file is never rewritten: its mode, and a symbolic link that leads to it, stay as they are. An
    incomplete line of an interrupted process is terminated first, so that it does not damage the next line.

    Parameters
    ----------
    path : pathlib.Path
        The file; it is created with the first record.
    records : iterable of dict
        One line each.

    Raises
    ------
    DataError
        If the path is not a regular file, or can't be written.
    """
    # Escaped, so that no character of a text is read as the end of a line.
    data = b"".join(json.dumps(record, ensure_ascii=True).encode() + b"\n" for record in records)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_NONBLOCK: opening a FIFO would wait for a reader. O_BINARY: Windows would write each line end as two bytes.
        flags = (
            os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        handle = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise DataError(f"{short_path(path)}: not a regular file; expected a JSON Lines file")
            with locked(handle, path):
                _write(handle, data)
        finally:
            os.close(handle)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{short_path(path)}: can't be written ({reason}); nothing was saved") from None


def _write(handle: int, data: bytes) -> None:
    size = os.fstat(handle).st_size
    if size and _last_byte(handle, size) != b"\n":
        data = b"\n" + data
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)  # no partial line remains if the disk is full
        raise


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)


def read_records(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    """Read a JSON Lines file; only a line feed ends a line.

    Parameters
    ----------
    path : pathlib.Path
        The file; a missing file has no records.

    Returns
    -------
    tuple of (list of (int, dict), list of Problem)
        Records with their line numbers (from 1), and the lines that are not JSON objects.

    Raises
    ------
    DataError
        If the file can't be read.
    """
    try:
        if not path.exists():
            return [], []
        if not path.is_file():
            raise DataError(f"{short_path(path)}: can't be read, it is not a regular file; pass another path")
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise DataError(f"{short_path(path)}: can't be read ({error.strerror}); pass another path") from None
    records: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append((number, record))
        else:
            text = "not a JSON object; the line is kept unchanged"
            problems.append(Problem(short_path(path), f"line {number}", text))
    return records, problems
