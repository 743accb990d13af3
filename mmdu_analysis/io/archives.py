"""Unpack an untrusted zip archive: regular files only, only inside the target, within limits."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mmdu_analysis.schema import DataError, short_path


class Limits(NamedTuple):
    """Limits on the content of an archive.

    Attributes
    ----------
    files : int
        Entries.
    size : int
        Bytes of all files, unpacked.
    ratio : float
        Unpacked bytes for each of the archive; pictures hardly shrink.
    """

    files: int = 500_000
    size: int = 200 << 30
    ratio: float = 50.0


LIMITS = Limits()
_PIECE = 1 << 20
_ROOM = 1 << 20  # below this size the ratio isn't checked: a small archive may consist of text


def unzip(archive: str | Path, folder: str | Path, limits: Limits = LIMITS) -> Path:
    """Unpack a zip archive.

    Parameters
    ----------
    archive : str or path
        The archive.
    folder : str or path
        Target of the files; existing files of the same names are replaced.
    limits : Limits, optional
        Larger archives are refused.

    Returns
    -------
    pathlib.Path
        `folder`. An archive that was unpacked there before, and hasn't changed, is not unpacked again.

    Raises
    ------
    DataError
        Before anything is written: if it is not a zip archive, contains links, devices, encrypted files or
        paths outside of the folder, exceeds a limit, or the disk is too small. Also if it is damaged.

    Notes
    -----
    All files are unpacked into a temporary folder next to the target and moved when they are complete;
    temporary folders of a killed run are removed by the next one.
    """
    archive, folder = Path(archive).expanduser(), Path(folder).expanduser()
    name = short_path(archive)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{short_path(folder)}: got a file, expected a folder to unpack into")
    mark = folder / f".{archive.name}.unpacked"
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            _check(entries, archive, limits)
            state = [archive.stat().st_size, len(entries), sum(entry.CRC for entry in entries)]
            if _read_mark(mark) == state:
                return folder
            _check_room(entries, folder, name)
            _unpack(packed, entries, folder, folder / f".{archive.name}.unpacking")
    except FileNotFoundError:
        raise DataError(f"{name}: no such archive; check the path") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{name}: not a complete zip archive ({error}); download it again") from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: can't be unpacked ({reason}); no partial file was left") from None
    mark.write_text(json.dumps(state), encoding="utf-8")
    return folder


def _read_mark(mark: Path) -> list[int] | None:
    try:
        found: list[int] = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _check(entries: list[zipfile.ZipInfo], archive: Path, limits: Limits) -> None:
    """Validate the list of files of an archive before anything is written."""
    name, size = short_path(archive), sum(entry.file_size for entry in entries)
    packed = archive.stat().st_size
    if len(entries) > limits.files:
        raise DataError(f"{name}: {len(entries):,} files, expected at most {limits.files:,}; not unpacked")
    if size > limits.size:
        raise DataError(f"{name}: {size:,} bytes unpacked, expected at most {limits.size:,}; not unpacked")
    if size > _ROOM and size > limits.ratio * packed:
        raise DataError(
            f"{name}: {size:,} bytes out of {packed:,}, more than {limits.ratio:g} times as many as "
            "packed (a zip bomb); not unpacked"
        )
    for entry in entries:
        wrong = _what_is_wrong(entry)
        if wrong:
            raise DataError(f"{name}: {entry.filename[:80]!r} {wrong}; not unpacked")


def _what_is_wrong(entry: zipfile.ZipInfo) -> str:
    path, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device, expected a regular file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in "".join(path.parts[:1]):
        return "leads outside of the folder"
    if not path.parts or not path.name.strip(". ") or any(ord(char) < 32 for char in entry.filename):
        return "is not a file name"
    return ""


def _check_room(entries: list[zipfile.ZipInfo], folder: Path, name: str) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    size, free = sum(entry.file_size for entry in entries), shutil.disk_usage(existing).free
    if size > free:
        raise DataError(f"{name}: {size:,} bytes unpacked, but only {free:,} are free on the disk; free some")


def _unpack(packed: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, staging: Path) -> None:
    from tqdm import tqdm

    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    size = sum(entry.file_size for entry in entries)
    try:
        with tqdm(total=size, unit="B", unit_scale=True, desc="unpacking", disable=None) as bar:
            for entry in entries:
                target = staging / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as source, target.open("xb") as out:
                    while piece := source.read(_PIECE):
                        out.write(piece)
                        bar.update(len(piece))
        _move(staging, folder, (PurePosixPath(entry.filename) for entry in entries))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move(staging: Path, folder: Path, paths: Iterable[PurePosixPath]) -> None:
    """Move complete folders if they don't exist yet, otherwise file by file."""
    boundary = folder.resolve()
    for child in sorted(staging.iterdir()):
        if not (folder / child.name).exists() and not (folder / child.name).is_symlink():
            os.replace(child, folder / child.name)
    for path in paths:
        if (staging / path).exists():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.parent.resolve().is_relative_to(boundary):
                raise DataError(f"{short_path(target)}: a link leads outside of the folder; remove it")
            os.replace(staging / path, target)
