"""Find the pictures of a data set on the disk, and read their sizes from their headers."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

from mmdu_analysis.schema import DataError, short_path, shorten

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are opened; Pillow supports more, some of which start other programs."""
_MOST_ENTRIES = (
    300_000  # of the folder and its sub-folders; a larger one, such as a home folder, is not searched
)
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://")


def picture_roots(folder: Path) -> list[Path]:
    """List the folders that picture paths may be relative to: the folder itself, and its sub-folders.

    Archives are unpacked next to the JSON file or one level deeper.
    """
    try:
        children = sorted(e.path for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []
    return [folder, *map(Path, children)]


def picture_source(given: str | Path) -> Path:
    """Return the folder or the zip archive of pictures at a path.

    Raises
    ------
    DataError
        If there is none.
    """
    folder = Path(given).expanduser()
    if not folder.is_dir() and not (folder.suffix.lower() == ".zip" and folder.is_file()):
        raise DataError(f"{short_path(folder)}: no such folder or zip archive of pictures; check the path")
    return folder


def is_url(path: str) -> bool:
    """Return whether a listed path is an address on the web, or another address with a scheme."""
    return _URL.match(path) is not None


def data_url_bytes(path: str) -> bytes | None:
    """Return the bytes of a data URL; None if the path is not a valid one."""
    if not path.startswith("data:"):
        return None
    head, comma, body = path.partition(",")
    if not comma:
        return None
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        return None


class PictureNames:
    """The names of the pictures on the disk: every folder is listed once.

    Checking each of 135,000 missing pictures would otherwise take half a million file system calls.
    """

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        self.listed: dict[str, frozenset[str]] = {}

    def may_exist(self, path: str) -> bool:
        """Return whether `find_picture` can succeed, with the roots and the letter case of the disk."""
        clean = path.replace("\\", "/")
        parent, _, name = clean.strip("/").rpartition("/")
        folders = [f"{root}/{parent}" for root in self.roots]
        if clean.startswith("/"):
            folders.append(clean.rpartition("/")[0])
        return any(name in self._names(folder) for folder in folders)

    def size(self, path: str) -> tuple[int, int] | None:
        """Return width and height in pixels; None where the file is missing or is not a picture."""
        if path.startswith("data:"):
            data = data_url_bytes(path)
            return bytes_size(data) if data else None
        found = find_picture(self.roots, path) if self.may_exist(path) else None
        return picture_size(found) if found else None

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self.listed:
            try:
                self.listed[folder] = frozenset(os.listdir(folder))
            except (OSError, ValueError):  # no such folder, or an invalid name
                self.listed[folder] = frozenset()
        return self.listed[folder]


@lru_cache(maxsize=64)
def names_of(folder: Path) -> PictureNames:
    """Return the pictures of a folder, whose sub-folders are listed once per process."""
    return PictureNames(picture_roots(folder))


def find_picture(roots: list[Path], path: str) -> Path | None:
    """Find a picture by its path, unchanged or relative to one of `roots`.

    Parameters
    ----------
    roots : list of pathlib.Path
        From `picture_roots`; nothing outside of the first one is found.
    path : str
        As the data set lists it, such as ``/mmdu_pics/x.jpg``.

    Returns
    -------
    pathlib.Path or None
        None where there is no such file, where two unpacked archives have one, where it lies outside of the
        first root, or where the path is an address on the web.
    """
    if is_url(path) or path.startswith("data:") or "\0" in path or not roots:
        return None
    relative = PurePosixPath(path.replace("\\", "/").lstrip("/"))
    if ".." in relative.parts or not relative.name:
        return None
    boundary = roots[0].resolve()
    as_it_is = _inside(Path(path), boundary) if path.startswith("/") else None
    found = as_it_is or _inside(roots[0] / relative, boundary)
    if found:
        return found
    if len(relative.parts) < 2:  # a name alone is ambiguous
        return None
    below = [file for root in roots[1:] if (file := _inside(root / relative, boundary))]
    return below[0] if len(below) == 1 else None


def _inside(candidate: Path, boundary: Path) -> Path | None:
    """Return a file after resolving links if it is inside a folder, else None."""
    try:
        if candidate.is_file() and candidate.resolve().is_relative_to(boundary):
            return candidate
    except (OSError, ValueError):  # a name too long for the file system
        pass
    return None


def find_by_name(folder: Path, listed: Iterable[str], missing: Iterable[str]) -> dict[str, Path]:
    """Find pictures by their file name alone, where the name is unambiguous.

    Parameters
    ----------
    folder : pathlib.Path
        Searched with its sub-folders; links and hidden folders are excluded.
    listed : iterable of str
        All picture paths of the data set.
    missing : iterable of str
        Those that `find_picture` doesn't find.

    Returns
    -------
    dict of str to pathlib.Path
        Only paths whose file name is unique among the listed paths and among the files.
    """
    names = Counter(_name(path) for path in set(listed) if not path.startswith("data:"))
    wanted = {
        _name(path): path
        for path in set(missing)
        if names[_name(path)] == 1 and ".." not in path and not is_url(path) and not path.startswith("data:")
    }
    wanted.pop("", None)
    if not wanted:
        return {}
    found: dict[str, list[Path]] = {}
    entries = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        entries += len(files)
        if entries > _MOST_ENTRIES:
            return {}
        for name in wanted.keys() & set(files):
            found.setdefault(name, []).append(Path(parent, name))
    boundary = folder.resolve()
    return {wanted[name]: p[0] for name, p in found.items() if len(p) == 1 and _inside(p[0], boundary)}


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def why_no_picture(roots: list[Path], path: str) -> str:
    """Return the reason why a picture isn't found.

    Parameters
    ----------
    roots : list of pathlib.Path
        From `picture_roots`.
    path : str
        As the data set lists it.

    Returns
    -------
    str
        One line: what is wrong, and what to do.
    """
    if path.startswith("data:"):
        return "the data URL holds no readable picture"
    if is_url(path):
        return "it is an address on the web, which is not fetched; download it and list the file's path"
    if not roots:
        return "no folder of pictures is known"
    relative = PurePosixPath(path.replace("\\", "/").lstrip("/"))
    boundary = roots[0].resolve()
    if relative.parts and relative.parts[0].endswith(".tsv"):
        return f"it is inside {shorten(relative.parts[0], 60)}; convert the file to show it"
    outside = ".." in relative.parts
    with suppress(OSError, ValueError):
        candidates = [root / relative for root in roots] + [Path(path)] * path.startswith("/")
        outside |= any(c.is_file() and not c.resolve().is_relative_to(boundary) for c in candidates)
    if outside:
        return f"the path or a link leads outside of {boundary.name}/ and is not followed; name the folder of the pictures"
    return f"not found; unpack the archive of the pictures into {boundary.name}/"


def bytes_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a picture in memory; None where it is not a picture."""
    return picture_size(io.BytesIO(data))


def picture_size(path: Path | io.BytesIO) -> tuple[int, int] | None:
    """Read width and height in pixels from the header of a picture, ignoring its suffix.

    Returns
    -------
    tuple of int, or None
        None if the file is not a picture of `PICTURE_FORMATS`.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing is decompressed here
            with Image.open(path, formats=PICTURE_FORMATS) as picture:
                return picture.size
    except Exception:  # a damaged file can raise any exception in a decoder
        return None
