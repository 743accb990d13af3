"""Open files of a run's folder: never through a link, and regular files only."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from mmdu_analysis.io.files import TEMPORARY
from mmdu_analysis.schema import DataError, short_path, shorten

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
_MOST_BYTES = 200
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def check_names(dialog_ids: Iterable[str], taken: frozenset[str] = frozenset({"run"})) -> None:
    """Validate that the id of each dialogue is a valid and unique file name on all common file systems.

    Parameters
    ----------
    dialog_ids : iterable of str
        Ids of a run, without repetition.
    taken : frozenset of str
        Names of other files of the run.

    Raises
    ------
    DataError
        For an id that is a path, hidden, reserved, too long or has control characters; and for two ids that
        differ only in case or Unicode normalisation.
    """
    seen: dict[str, str] = {}
    for name in dialog_ids:
        if problem := _fault_of_name(name, taken):
            raise DataError(f"dialogue id {shorten(name, 80)!r} can't be the name of a file ({problem})")
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
        if seen.setdefault(folded, name) != name:
            raise DataError(
                f"dialogue ids {shorten(seen[folded], 80)!r} and {shorten(name, 80)!r} differ in case or Unicode form only "
                "and would be the same file on many systems; rename one"
            )


def _fault_of_name(name: str, taken: frozenset[str]) -> str:
    """Return the fault of a name, or an empty text."""
    folded = name.casefold()
    if not name.strip() or folded in taken or name.startswith(".") or name[-1] in ". ":
        return "empty, hidden, used by the run itself, or ends in a dot or space"
    if any(sign in '/\\:*?"<>|' or unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name):
        return "it has a character that is not allowed in file names"
    if folded.split(".")[0].strip() in _RESERVED:
        return "a reserved name on Windows"
    if len(name.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        return f"longer than {_MOST_BYTES} bytes"
    return ""


def check_folder(folder: Path) -> list[str]:
    """Validate that a run's folder has no links and no special files, and list its files.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; its own path may contain links.

    Returns
    -------
    list of str
        Names of its files, sorted.

    Raises
    ------
    DataError
        If there is a symbolic link, a pipe or a device.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                continue
            if not entry.is_file(follow_symlinks=False):
                kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
                raise DataError(
                    f"{short_path(folder)}: {shorten(entry.name, 80)!r} is {kind}; runs write regular files only, so remove it"
                )
            names.append(entry.name)
    return sorted(names)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a killed run; requires the lock of the folder."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(TEMPORARY):
            path.unlink(missing_ok=True)


def read_regular(path: Path) -> bytes | None:
    """Read a file of the run's folder.

    Returns
    -------
    bytes or None
        None if there is no such file.

    Raises
    ------
    DataError
        If it is a link or not a regular file, or can't be read.
    """
    try:
        with _open(path, os.O_RDONLY) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{short_path(path)}: can't be read ({error.strerror})") from None


def open_lines(path: Path) -> BinaryIO:
    """Open a file of lines for appending; an incomplete last line of a crashed run is terminated first.

    Raises
    ------
    OSError
        If it is a link, not a regular file, or can't be written.
    """
    file = _open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


def _open(path: Path, flags: int) -> BinaryIO:
    try:
        if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # Windows
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        number = os.open(path, flags | _NO_FOLLOW, 0o666)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: a link or not a regular file?") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(0, "not a regular file")
    return os.fdopen(
        number, "rb" if flags == os.O_RDONLY else "r+b", buffering=-1 if flags == os.O_RDONLY else 0
    )
