"""Decode JSON records to dialogues: a block at once if possible, otherwise record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import local
from typing import NamedTuple

import msgspec

from mmdu_analysis.io.dialogs import Dialog, Fault
from mmdu_analysis.io.formats.records import Keys, dialog_of, record_type
from mmdu_analysis.io.records import Block, RawRecord, block_records, read_block
from mmdu_analysis.schema import Problem, short_path, shorten


class _Memory(local):
    """The memory of a thread into which blocks are read."""

    def __init__(self) -> None:
        self.block = bytearray()


_MEMORY = _Memory()


class Place(NamedTuple):
    """A fault with its record; `record` has no bytes."""

    record: RawRecord
    fault: Fault
    dialog_id: str | None = None


class Batch(NamedTuple):
    """The dialogues of a part of a file.

    Attributes
    ----------
    dialogs : list of Dialog
        Those that could be read.
    faults : list of Place
        What could not be used, numbered within the part.
    places : int
        Records (lines) of the part, as `block_records` counts them.
    """

    dialogs: list[Dialog]
    faults: list[Place]
    places: int


class RecordError(Exception):
    """A record that is not a dialogue; `place` is the JSON path within it, `dialog_id` its id if it is known."""

    def __init__(self, json_path: str, text: str, dialog_id: str | None = None) -> None:
        super().__init__(text)
        self.place, self.dialog_id = json_path, dialog_id


class _Id(msgspec.Struct, gc=False):
    id: int | str | None = None


def record_id(raw: bytes | msgspec.Raw) -> int | str | None:
    """Return the id of a record; None if it has none.

    Raises
    ------
    msgspec.DecodeError, UnicodeDecodeError, RecursionError
        If the record is not JSON, or its id is neither a number nor a text.
    """
    return msgspec.json.decode(raw, type=_Id).id


def decode_block(block: Block) -> Batch:
    """Decode the records of a block; each is a dialogue or a fault.

    Raises
    ------
    UnsplitError
        If the block doesn't hold complete records.
    """
    whole = _whole_block(block)
    if whole is None:
        records, places = block_records(block)
        return decode_records(records, places, block.keys, block.number)
    faults = [
        Place(RawRecord("list", number, b""), fault, dialog.dialog_id)
        for number, dialog in enumerate(whole)
        for fault in dialog.faults
    ]
    return Batch(whole, faults, len(whole))


def _whole_block(block: Block) -> list[Dialog] | None:
    """Decode a block of a list at once; None if that fails, and the records must be decoded one by one."""
    if block.layout != "list" or block.damage:
        return None
    try:
        data = read_block(block, _MEMORY.block)
        decoded = msgspec.json.decode(data, type=list[record_type(block.keys)])  # type: ignore[misc]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if block.keys.positional:
        ids = [str(block.number + at) if r.id is None else str(r.id) for at, r in enumerate(decoded)]
    elif any(record.id is None for record in decoded):
        return None
    else:
        ids = [str(record.id) for record in decoded]
    return [dialog_of(record, key, block.keys) for record, key in zip(decoded, ids, strict=True)]


def decode_records(records: Iterable[RawRecord], places: int, keys: Keys, base: int = 0) -> Batch:
    """Decode records one by one.

    Parameters
    ----------
    records : iterable of RawRecord
        Numbered within their part of the file.
    places : int
        As in `Batch`.
    keys : Keys
        Of the file.
    base : int, default 0
        Records of the file before the part; used if positions are ids.
    """
    dialogs: list[Dialog] = []
    faults: list[Place] = []
    for record in records:
        position = record._replace(raw=b"")
        try:
            dialog = decode_dialog(record, keys, base)
        except RecordError as error:
            faults.append(Place(position, Fault(error.place, str(error)), error.dialog_id))
        else:
            faults += [Place(position, fault, dialog.dialog_id) for fault in dialog.faults]
            dialogs.append(dialog)
    return Batch(dialogs, faults, places)


def decode_dialog(record: RawRecord, keys: Keys, base: int = 0) -> Dialog:
    """Decode one record.

    Raises
    ------
    RecordError
        If it is not a dialogue.
    """
    if record.fault:
        raise RecordError("", record.fault)
    try:
        decoded = msgspec.json.decode(record.raw, type=record_type(keys))
    except UnicodeDecodeError as error:
        raise RecordError("", f"not UTF-8 text (byte {error.start}); the record is left out") from None
    except (msgspec.DecodeError, RecursionError) as error:
        message, _, location = str(error).partition(" - at `$")
        text = f"{shorten(message, 150)}; the record is left out"
        raise RecordError(location.rstrip("`"), text, record.key or _known_id(record.raw)) from None
    if decoded.id is not None:
        return dialog_of(decoded, str(decoded.id), keys)
    if record.key is None and not keys.positional:
        raise RecordError("", "the record has no 'id'; it is left out")
    return dialog_of(decoded, str(base + record.number) if record.key is None else record.key, keys)


def _known_id(raw: bytes | msgspec.Raw) -> str | None:
    """Return the id of a record that is not a dialogue, for the report."""
    try:
        found = record_id(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else shorten(str(found), 60)


def fault_problems(path: Path, faults: Iterable[Place], base: int) -> Iterator[Problem]:
    """Yield faults as problems with their positions in the file; `base` records precede the part."""
    name = short_path(path)
    for record, fault, dialog_id in faults:
        where = record._replace(number=record.number + base).where
        yield Problem(name, where + fault.place, fault.problem, dialog_id, fault.turn)
