"""Handling of pictures when a data set is converted: kept as listed, copied, linked or embedded."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Literal, NamedTuple

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.files import TEMPORARY
from mmdu_analysis.io.pictures import (
    PictureNames,
    data_url_bytes,
    find_picture,
    is_url,
    names_of,
    why_no_picture,
)
from mmdu_analysis.schema import shorten

PictureMode = Literal["keep", "copy", "link", "embed"]
_KINDS = {
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"\x89PNG": ("png", "image/png"),
    b"GIF8": ("gif", "image/gif"),
    b"RIFF": ("webp", "image/webp"),
    b"BM": ("bmp", "image/bmp"),
    b"II*\x00": ("tif", "image/tiff"),
    b"MM\x00*": ("tif", "image/tiff"),
}


class Placing(NamedTuple):
    """The handling of pictures.

    Attributes
    ----------
    mode : {"keep", "copy", "link", "embed"}
        What to do with the pictures.
    folder : pathlib.Path
        Folder of copies and links.
    base : pathlib.Path
        Folder of the written file, from which listed paths start.
    bytes_apart : bool
        True if the format stores the bytes next to the path (Parquet) instead of a data URL.
    """

    mode: PictureMode
    folder: Path
    base: Path
    bytes_apart: bool


class Lost(NamedTuple):
    """What whoever reads the written records will not find: pictures, answers and placeholders.

    Attributes
    ----------
    missing : int
        Those that were not found. Web addresses are not fetched and not counted as missing.
    elsewhere : int
        Those that are kept as listed, and are not at their paths as seen from the written file.
    unanswered : int
        Turns with an empty answer.
    unmatched : int
        Dialogues whose placeholders don't match their pictures.
    why : str
        The first picture that was not found, and the reason.
    """

    missing: int = 0
    elsewhere: int = 0
    unanswered: int = 0
    unmatched: int = 0
    why: str = ""

    def plus(self, other: Lost) -> Lost:
        """Return the sums of both."""
        return Lost(
            self.missing + other.missing,
            self.elsewhere + other.elsewhere,
            self.unanswered + other.unanswered,
            self.unmatched + other.unmatched,
            self.why or other.why,
        )


def place_pictures(dialog: Dialog, names: PictureNames, placing: Placing) -> Lost:
    """Place the pictures of a dialogue, and list their new paths.

    Parameters
    ----------
    dialog : Dialog
        Its `images` are replaced by the paths of the written record, its `pictures` by the embedded bytes.
    names : PictureNames
        Finds the files.
    placing : Placing
        What to do.

    Returns
    -------
    Lost
        Numbers of pictures and answers that a reader of the record will not find.
    """
    missing, elsewhere, why = 0, 0, ""
    moved = placing.mode == "keep" and bool(names.roots) and names.roots[0] != placing.base
    paths: list[str] = []
    held: list[bytes | None] = []
    for path, inside in zip(dialog.images, dialog.carried, strict=True):
        file = None if inside else (find_picture(names.roots, path) if names.may_exist(path) else None)
        data = inside or data_url_bytes(path)
        if not (file or data or is_url(path)):
            missing += 1
            why = why or _why(path, names)
        elsewhere += moved and file is not None and not _is_reached(path, placing.base)
        new, bytes_ = _place(path, file, data, placing)
        paths.append(new)
        held.append(bytes_)
    dialog.images, dialog.pictures = paths, held
    return Lost(missing, elsewhere, sum(not answer.strip() for answer in dialog.answers), why=why)


def _why(path: str, names: PictureNames) -> str:
    """Return a picture that was not found with the reason; sub-folders that don't list its name are not searched."""
    roots = names.roots if names.may_exist(path) else names.roots[:1]
    return f"{shorten(path, 80)}: {why_no_picture(roots, path)}"


def _is_reached(path: str, base: Path) -> bool:
    """Return whether a listed path leads to a picture from the folder of the written file."""
    if os.path.isabs(path) and os.path.isfile(path):  # no folder is joined to an absolute path
        return True
    names = names_of(base)
    return names.may_exist(path) and find_picture(names.roots, path) is not None


def _place(path: str, file: Path | None, data: bytes | None, placing: Placing) -> tuple[str, bytes | None]:
    """Place one picture; return the path to list and the bytes to embed."""
    if placing.mode == "embed":
        content = data or (file.read_bytes() if file else None)
        if content is None or placing.bytes_apart:
            return ("" if path.startswith("data:") and content else path), content
        return f"data:{_kind(content)[1]};base64,{base64.b64encode(content).decode()}", None
    if file is not None and placing.mode in ("copy", "link"):
        return _listed(_write(placing, _target(file, placing), file, None), placing), None
    if data and (placing.mode in ("copy", "link") or not path.startswith("data:")):
        name = f"{hashlib.sha256(data).hexdigest()[:24]}.{_kind(data)[0]}"
        return _listed(_write(placing, placing.folder / name, None, data), placing), None
    return path, None


def _target(file: Path, placing: Placing) -> Path:
    """Return the target of a file; distinct files have distinct targets."""
    digest = hashlib.sha256(str(file.parent.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return placing.folder / digest / file.name


def _write(placing: Placing, target: Path, file: Path | None, data: bytes | None) -> Path:
    """Write a picture if there is none yet, completely or not at all."""
    if target.exists() and (file is None or target.stat().st_size == file.stat().st_size):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}{TEMPORARY}")
    try:
        if data is not None:
            temporary.write_bytes(data)
        elif file is not None and placing.mode == "link":
            _link(file, temporary)
        elif file is not None:
            shutil.copyfile(file, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _link(file: Path, target: Path) -> None:
    """Create a hard link to a file, or a symbolic link if the file is on another disk."""
    try:
        os.link(file.resolve(), target)
    except OSError:
        os.symlink(file.resolve(), target)


def _listed(target: Path, placing: Placing) -> str:
    return target.relative_to(placing.base).as_posix()


def _kind(data: bytes) -> tuple[str, str]:
    """Return the ending and the media type of a picture."""
    return next(
        (kind for magic, kind in _KINDS.items() if data.startswith(magic)),
        ("bin", "application/octet-stream"),
    )
