"""Remember numbers that were measured on a file, for as long as the file doesn't change."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import numpy as np

_SMALLEST = 4 << 20  # a smaller file is measured as fast as its numbers are found
_FRESH_NS = 2_000_000_000
_VERSION = 1
"""To be raised whenever what is measured, or how, changes."""


def folder() -> Path:
    """Give the cache's folder: ``$MMDU_CACHE``, else the user's cache folder."""
    import os

    import platformdirs

    return Path(os.environ.get("MMDU_CACHE") or platformdirs.user_cache_path("mmdu_analysis"))


def stamp(path: Path) -> list[int] | None:
    """Tell a file's state: size, times of change and inode. None where it isn't worth or safe to remember.

    A file that was changed within the last two seconds could change again without its times showing it.
    """
    found = path.stat()
    if found.st_size < _SMALLEST or time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _FRESH_NS:
        return None
    return [_VERSION, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _entry(path: Path, what: str) -> Path:
    name = hashlib.sha256(f"{path.resolve()}\0{what}".encode("utf-8", "surrogateescape")).hexdigest()
    return folder() / f"{name[:40]}.npz"


def load(path: Path, what: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Give what is remembered of a file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    what : str
        What was measured, with its options.

    Returns
    -------
    tuple of (dict of numpy.ndarray, dict), or None
        As they were saved; None where nothing is known, the file has changed since, or the entry is damaged.
    """
    import numpy as np

    now = stamp(path)
    entry = _entry(path, what)
    if now is None or not entry.is_file():
        return None
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        with np.load(entry, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta.pop("stamp") == now:
            return arrays, meta
    return None


def save(
    path: Path, what: str, before: list[int] | None, arrays: dict[str, np.ndarray], meta: dict[str, Any]
) -> None:
    """Remember numbers of a file; a cache that can't be written is no fault.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    what : str
        What was measured, with its options.
    before : list of int or None
        `stamp` from before the measuring; where it isn't the same now, nothing is remembered.
    arrays : dict of str to numpy.ndarray
        The numbers.
    meta : dict
        What goes with them; JSON.
    """
    import numpy as np

    if before is None or before != stamp(path):
        return
    text = np.frombuffer(json.dumps(meta | {"stamp": before}).encode(), dtype=np.uint8)
    with (
        suppress(OSError, DataError),
        atomic_path(_entry(path, what)) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(file, **{**arrays, "meta": text})  # type: ignore[arg-type]
