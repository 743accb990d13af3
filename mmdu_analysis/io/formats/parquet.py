"""Hugging Face data sets as Parquet: ``images`` with their bytes, and ``messages``, ``conversations`` or ``texts``.

Source: huggingface.co/docs/datasets, "Image" feature (struct of ``bytes`` and ``path``);
huggingface.co/docs/trl, "Vision datasets"; ``texts`` (``user``, ``assistant``) as in
HuggingFaceM4/the_cauldron.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from mmdu_analysis.io.dialogs import Dialog, Fault
from mmdu_analysis.io.formats.records import LISTS, NOT_READ, Embedded, Keys, dialog_of, record_type
from mmdu_analysis.io.formats.writing import messages
from mmdu_analysis.schema import DataError, short_path, shorten

_BATCH = 64
_IMAGES = ("images", "image")
_IDS = ("id", "dialog_id", "index")


def count_groups(path: Path) -> int:
    """Return the number of row groups of a file.

    Raises
    ------
    DataError
        If the file is not a Parquet file.
    """
    return _open(path).num_row_groups


def read(path: Path, groups: tuple[int, int] | None = None) -> Iterator[tuple[str, Dialog | Fault]]:
    """Read the rows of a file, each with its position.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    groups : tuple of int, optional
        First row group and the one after the last; by default all.

    Yields
    ------
    tuple of (str, Dialog or Fault)
        Rows that are not dialogues are faults.

    Raises
    ------
    DataError
        If the file is damaged, or has no column of messages.
    """
    file = _open(path)
    first, last = groups or (0, file.num_row_groups)
    columns = file.schema_arrow.names
    talk = next((name for name in (*LISTS, "texts") if name in columns), None)
    if talk is None:
        expected = ", ".join((*LISTS, "texts"))
        raise DataError(f"{short_path(path)}: got columns {columns[:8]}, expected one of {expected}")
    wanted = [
        name for name in (talk, *_IMAGES, *_IDS, "system", "synthetic", "image_inds") if name in columns
    ]
    if first == 0 and not {*NOT_READ}.isdisjoint(columns):
        yield "", Fault("", "videos and audio are not read; they are left out")
    number = sum(file.metadata.row_group(group).num_rows for group in range(first))
    try:
        for batch in file.iter_batches(_BATCH, row_groups=range(first, last), columns=wanted):
            for row in batch.to_pylist():
                yield f"row {number}", _row_dialog(row, talk, number)
                number += 1
    except Exception as error:  # Arrow's own exceptions: a damaged page, a type without a Python equivalent
        reason = shorten(str(error) or type(error).__name__, 120)
        raise DataError(f"{short_path(path)}: row {number} can't be read ({reason})") from None


@lru_cache(maxsize=16)
def pictures_of(path: Path, _changed: int, dialog_id: str) -> list[bytes | None]:
    """Return the pictures of one dialogue that a file contains; empty if it has no such dialogue."""
    file = _open(path)
    named = next((name for name in _IDS if name in file.schema_arrow.names), None)
    number = 0
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        ids = file.read_row_group(group, columns=[named])[named].to_pylist() if named else []
        keys = [str(number + at if key is None else key) for at, key in enumerate(ids or [None] * size)]
        if dialog_id in keys:
            skip = keys.index(dialog_id)
            found = next(islice((dialog for _, dialog in read(path, (group, group + 1))), skip, None))
            return found.pictures if isinstance(found, Dialog) else []
        number += size
    return []


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True)
    except FileNotFoundError:
        raise DataError(f"{short_path(path)}: no such file; check the path") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = shorten(str(error), 120)
        raise DataError(
            f"{short_path(path)}: not a complete Parquet file ({reason}); fetch it again"
        ) from None


def _row_dialog(row: dict[str, Any], talk: str, number: int) -> Dialog | Fault:
    """Return the dialogue of a row, or what is wrong with it."""
    ids = next((row[name] for name in _IDS if row.get(name) is not None), None)
    keys, entries = _messages(talk, row.pop(talk))
    listed: Any = next((row.pop(name) for name in _IMAGES if row.get(name) is not None), [])
    images = listed if isinstance(listed, list) else [listed]
    fields = {name: row[name] for name in ("system", "synthetic", "image_inds") if row.get(name) is not None}
    try:
        pictures = [_picture(image) for image in images if image is not None]
        record = msgspec.convert({keys.talk: entries, "id": ids, **fields}, type=record_type(keys))
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        message, _, location = str(error).partition(" - at `$")
        return Fault(location.rstrip("`"), f"{shorten(message, 120)}; the row is left out")
    record.images = pictures
    return dialog_of(record, str(number) if ids is None else str(ids), keys)


def _messages(talk: str, entries: Any) -> tuple[Keys, Any]:
    """Return the keys of a row's messages, and the messages as records have them."""
    if talk == "texts" and isinstance(entries, list):
        pairs = [entry for entry in entries if isinstance(entry, dict)]
        messages = [
            {"role": role, "content": pair.get(role)} for pair in pairs for role in ("user", "assistant")
        ]
        return Keys("messages", "role", positional=True), messages
    named = next((entry for entry in entries or [] if isinstance(entry, dict)), {})
    keys = Keys(
        "messages" if talk == "texts" else talk, "from" if "from" in named else "role", positional=True
    )
    return keys, entries


def _picture(image: Any) -> Any:
    """Return a picture as records have it.

    Raises
    ------
    TypeError
        If it is not a picture.
    """
    if isinstance(image, str):
        return image
    if isinstance(image, bytes):
        return Embedded(None, image)
    if not isinstance(image, dict) or not isinstance(image.get("bytes"), bytes | None):
        raise TypeError(f"an image is a {type(image).__name__}, expected bytes, a path, or both in a struct")
    path = image.get("path")
    return Embedded(path if isinstance(path, str) and path else None, image.get("bytes"))


def schema() -> Any:
    """Return the Arrow schema that `batch` writes."""
    import pyarrow as pa

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.schema(
        [
            ("id", pa.string()),
            ("images", pa.list_(picture)),
            ("messages", pa.list_(message)),
            ("image_inds", pa.list_(pa.int64())),
            ("synthetic", pa.bool_()),
        ]
    )


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the row of a dialogue; `Dialog.pictures` hold the bytes of its pictures, if they are known."""
    plain = list(range(1, len(dialog.images) + 1))
    return {
        "id": dialog.dialog_id,
        "images": [
            {"bytes": b, "path": path or None} for b, path in zip(dialog.carried, dialog.images, strict=True)
        ],
        "messages": messages(dialog, ("role", "content"), ("user", "assistant"), "<image>", system="system"),
        "image_inds": None if dialog.image_numbers == plain else dialog.image_numbers,
        "synthetic": dialog.synthetic,
    }
