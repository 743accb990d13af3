"""Find a dialogue's pictures on the disk, and read their size from the header only."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath


def picture_roots(folder: Path) -> list[Path]:
    """List the folders that a benchmark's picture paths may start from.

    The archive is met unpacked beside the JSON or one level deeper.
    """
    try:
        children = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []
    return [folder, *map(Path, children)]


class PictureNames:
    """Tell quickly which pictures can't be there: every folder is listed once.

    A benchmark of 135,000 pictures that aren't at hand would otherwise cost half a million looks at the disk.
    """

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        self.listed: dict[str, frozenset[str]] = {}

    def may_exist(self, path: str) -> bool:
        """Tell whether `find_picture` can succeed, roots and letter case as they are on the disk."""
        parent, _, name = path.replace("\\", "/").strip("/").rpartition("/")
        return any(
            name in self._names(folder) for root in self.roots for folder in (f"{root}/{parent}", str(root))
        )

    def size(self, path: str) -> tuple[int, int] | None:
        """Give width and height in pixels; None where the picture isn't there, or is none."""
        found = find_picture(self.roots, path) if self.may_exist(path) else None
        return picture_size(found) if found else None

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self.listed:
            try:
                self.listed[folder] = frozenset(os.listdir(folder))
            except (OSError, ValueError):  # no such folder; a name that can't be one
                self.listed[folder] = frozenset()
        return self.listed[folder]


@lru_cache(maxsize=64)
def names_of(folder: Path) -> PictureNames:
    """Return the pictures of a folder, whose sub-folders are listed once in a process."""
    return PictureNames(picture_roots(folder))


def find_picture(roots: list[Path], path: str) -> Path | None:
    """Find a picture under one of `roots`.

    Parameters
    ----------
    roots : list of pathlib.Path
        From `picture_roots`.
    path : str
        As the benchmark gives it, such as ``/mmdu_pics/x.jpg``.

    Returns
    -------
    pathlib.Path or None
        None where there is no such file, or where it lies outside of the first root.
    """
    relative = PurePosixPath(path.replace("\\", "/").lstrip("/"))
    if ".." in relative.parts or "\0" in path or not relative.name or not roots:
        return None
    boundary = roots[0].resolve()
    for root in roots:
        for tail in (relative, relative.name):
            found = root / tail
            try:
                if found.is_file() and found.resolve().is_relative_to(boundary):
                    return found
            except OSError:  # a name too long for the file system
                return None
    return None


def why_no_picture(roots: list[Path], path: str) -> str:
    """Say in words why `find_picture` gives none.

    Parameters
    ----------
    roots : list of pathlib.Path
        From `picture_roots`.
    path : str
        As the benchmark gives it.

    Returns
    -------
    str
        One line: what is wrong, and what to do.
    """
    if not roots:
        return "no folder of pictures is known"
    relative = PurePosixPath(path.replace("\\", "/").lstrip("/"))
    boundary = roots[0].resolve()
    if relative.parts and relative.parts[0].endswith(".tsv"):
        return (
            f"it is inside {relative.parts[0]} and isn't shown; load benchmark.json with its pictures instead"
        )
    outside = ".." in relative.parts
    with suppress(OSError, ValueError):
        candidates = [Path(path), *(root / tail for root in roots for tail in (relative, relative.name))]
        outside |= any(
            c.is_absolute() and c.is_file() and not c.resolve().is_relative_to(boundary) for c in candidates
        )
    if outside:
        return f"the path leads outside of {boundary.name}/ and is not followed"
    return f"not found; unpack mmdu_pics.zip of laolao77/MMDU into {boundary.name}/"


def bytes_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a picture that is in memory; None where it is none."""
    return picture_size(io.BytesIO(data))


def picture_size(path: Path | io.BytesIO) -> tuple[int, int] | None:
    """Read width and height in pixels from a picture's header, whatever its name says.

    Returns
    -------
    tuple of int, or None
        None where the file is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is decompressed here
            with Image.open(path) as picture:
                return picture.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError):
        return None
