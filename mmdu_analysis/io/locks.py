"""Exclusive locks on files, which end with the process at the latest."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmdu_analysis.schema import DataError, short_path

LOCK = ".lock"
"""Name of the file that is locked for a whole folder."""
_WAIT = 10.0  # seconds until a lock of another process is reported
_FAR = 1 << 30


@contextmanager
def locked(handle: int, path: Path) -> Iterator[None]:
    """Hold the exclusive lock of an open file.

    Parameters
    ----------
    handle : int
        Its descriptor.
    path : pathlib.Path
        What is locked, for the message.

    Raises
    ------
    DataError
        If another process holds it for ten seconds.
    """
    refused = f"{short_path(path)}: another process holds its lock; end it and try again"
    try:
        import fcntl
    except ImportError:
        with _locked_on_windows(handle, refused):
            yield
        return
    deadline = time.monotonic() + _WAIT
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        if time.monotonic() > deadline:
            raise DataError(refused)
        time.sleep(0.005)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def _locked_on_windows(handle: int, refused: str) -> Iterator[None]:
    """Lock a byte far behind the file's end: what is locked there, no other process can read."""
    import msvcrt

    def lock(mode: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, mode, 1)  # type: ignore[attr-defined]

    try:
        lock(msvcrt.LK_LOCK)  # type: ignore[attr-defined]
    except OSError:  # after ten attempts, one a second
        raise DataError(refused) from None
    try:
        yield
    finally:
        lock(msvcrt.LK_UNLCK)  # type: ignore[attr-defined]


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make a folder if there is none, and hold its lock.

    Raises
    ------
    DataError
        If it can't be written into, or another process holds the lock for ten seconds.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(folder / LOCK, flags, 0o666)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{short_path(folder)}: can't be written ({reason}); nothing was changed") from None
    try:
        with locked(handle, folder):
            yield
    finally:
        os.close(handle)
