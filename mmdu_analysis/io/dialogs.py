"""Decode one dialogue after another: from JSON records and from the rows of VLMEvalKit's table."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.records import (
    Block,
    RawRecord,
    UnsplitError,
    block_records,
    exact_records,
    file_blocks,
    find_layout,
    json_records,
    read_block,
)
from mmdu_analysis.schema import (
    ASSISTANT_SPEAKERS,
    PLACEHOLDERS,
    USER_SPEAKERS,
    DataError,
    Problem,
    short_path,
)


class Part(msgspec.Struct, gc=False):
    """One piece of an answer in the form ``[{"text": ...}]``."""

    text: str = ""


class Message(msgspec.Struct, rename={"speaker": "from"}, gc=False):
    """One utterance of a dialogue."""

    speaker: str
    value: str | list[Part]
    turn: int | None = None


class Record(msgspec.Struct, gc=False):
    """One dialogue as the authors write it; other keys are allowed and ignored."""

    conversations: list[Message]
    id: int | str | None = None
    image: list[str] = []
    image_inds: list[int] | None = None
    synthetic: bool = False


class Fault(NamedTuple):
    """What is wrong in a record: the JSON path within it, a description, and the turn if it concerns one."""

    place: str
    problem: str
    turn: int | None = None


@dataclass
class Dialog:
    """One dialogue, its messages paired into turns.

    Attributes
    ----------
    dialog_id : str
        The record's ``id``.
    questions, answers : list of str
        One each turn; an answer is ``""`` where there is none.
    images : list of str
        Picture paths, in the order in which placeholders bind to them.
    image_numbers : list of int
        The numbers by which texts call the pictures.
    faults : list of Fault
        What is wrong in the record.
    sizes : list of tuple of int or None
        Width and height in pixels where the record itself carries the picture.
    unplaced : bool
        True where the pictures come with the dialogue as a whole, not at placeholders.
    synthetic : bool
        True where the file marks the dialogue as made up, as those of the sample are.
    number_id : bool
        True where the record's id is a number.
    speakers : tuple of str
        What the file calls the user and the assistant.
    stated_turns : list of int or None
        Each question's turn where the answers' file says so, as `mmdu answer` writes it: turns that failed are
        absent. None where a turn is its place.
    """

    dialog_id: str
    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    image_numbers: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sizes: list[tuple[int, int] | None] = field(default_factory=list)
    unplaced: bool = False
    synthetic: bool = False
    number_id: bool = False
    speakers: tuple[str, str] = ("user", "assistant")
    stated_turns: list[int] | None = None

    @cached_property
    def placeholders(self) -> list[int]:
        """Placeholders in each question."""
        return [count_placeholders(question) if "<" in question else 0 for question in self.questions]

    def placed(self) -> list[tuple[int, int]]:
        """Give, for each turn, the placeholders in its question and the images shown so far."""
        total, most = len(self.images) if self.unplaced else 0, len(self.images)
        result = []
        for new in self.placeholders:
            total += new
            result.append((new, total if total < most else most))
        return result


def json_dialogs(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Dialog]]:
    """Decode the records of one JSON file, each with its place; what can't be decoded goes to `problems`."""
    layout, number = find_layout(path), 0
    if layout.name not in ("list", "lines"):
        yield from _one_by_one(path, json_records(path), problems)
        return
    for block in file_blocks(path, layout):
        whole = _whole_block(block)
        if whole is not None:
            yield from (
                (RawRecord("list", number + at, b"").where, dialog) for at, dialog in enumerate(whole)
            )
            number += len(whole)
            continue
        try:
            records, places = block_records(block, number)
        except UnsplitError:
            yield from _one_by_one(path, exact_records(path, layout, block.start, number), problems)
            return
        yield from _one_by_one(path, records, problems)
        number += places


def _one_by_one(
    path: Path, records: Iterable[RawRecord], problems: list[Problem]
) -> Iterator[tuple[str, Dialog]]:
    for record, found in _decoded(records):
        if isinstance(found, RecordError):
            problems.append(
                Problem(short_path(path), record.where + found.place, str(found), found.dialog_id)
            )
        else:
            yield record.where, found


def _decoded(records: Iterable[RawRecord]) -> Iterator[tuple[RawRecord, Dialog | RecordError]]:
    """Decode records one after another; one that is no dialogue comes with its error."""
    decoder = msgspec.json.Decoder(Record)
    for record in records:
        try:
            yield record, decode_dialog(decoder, record)
        except RecordError as error:
            yield record, error


class RecordError(Exception):
    """A record that is no dialogue; `place` is the JSON path within it, `dialog_id` its id if it is known."""

    def __init__(self, place: str, text: str, dialog_id: str | None = None) -> None:
        super().__init__(text)
        self.place, self.dialog_id = place, dialog_id


def decode_dialog(decoder: msgspec.json.Decoder[Record], record: RawRecord) -> Dialog:
    """Decode one record.

    Raises
    ------
    RecordError
        If it is no dialogue.
    """
    if record.fault:
        raise RecordError("", record.fault)
    try:
        decoded = decoder.decode(record.raw)
    except UnicodeDecodeError as error:
        raise RecordError("", f"not UTF-8 text (byte {error.start}); the record is left out") from None
    except (msgspec.DecodeError, RecursionError) as error:
        message, _, place = str(error).partition(" - at `$")
        text = f"{message}; the record is left out"
        raise RecordError(place.rstrip("`"), text, record.key or _id_alone(record.raw)) from None
    dialog_id = record.key if decoded.id is None else str(decoded.id)
    if dialog_id is None:
        raise RecordError("", "the record has no 'id'; it is left out")
    return _pair(decoded, dialog_id)


class _Key(msgspec.Struct, gc=False):
    id: int | str | None = None


def _id_alone(raw: bytes | msgspec.Raw) -> str | None:
    """Return the id of a record that is no dialogue, for the report; None where it has none."""
    try:
        found = msgspec.json.decode(raw, type=_Key).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else str(found)


class Place(NamedTuple):
    """A fault with the record that it is in: `record` has no bytes."""

    record: RawRecord
    fault: Fault
    dialog_id: str | None


class Batch(NamedTuple):
    """The dialogues of one block of a file.

    Attributes
    ----------
    dialogs : list of Dialog
        Those that could be read.
    faults : list of Place
        What could not be used.
    places : int
        Records (lines) of the block, as `block_records` counts them.
    """

    dialogs: list[Dialog]
    faults: list[Place]
    places: int


def fault_problems(path: Path, faults: list[Place], base: int) -> list[Problem]:
    """Return a block's faults with their places in the file, of which `base` records (lines) stand before it."""
    name = short_path(path)
    return [
        Problem(
            name,
            record._replace(number=record.number + base).where + fault.place,
            fault.problem,
            dialog_id,
            fault.turn,
        )
        for record, fault, dialog_id in faults
    ]


def decode_block(block: Block) -> Batch:
    """Decode a block's records; each is a dialogue or a fault.

    Raises
    ------
    UnsplitError
        If the block doesn't hold whole records.
    """
    whole = _whole_block(block)
    if whole is None:
        return decode_records(*block_records(block))
    faults = [
        Place(RawRecord("list", number, b""), fault, dialog.dialog_id)
        for number, dialog in enumerate(whole)
        for fault in dialog.faults
    ]
    return Batch(whole, faults, len(whole))


def _whole_block(block: Block) -> list[Dialog] | None:
    """Decode a block of a list in one go; None where that fails, to be looked at record by record."""
    if block.layout != "list" or block.damage:
        return None
    try:
        decoded = msgspec.json.decode(read_block(block), type=list[Record])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if any(record.id is None for record in decoded):
        return None
    return [_pair(record, str(record.id)) for record in decoded]


def decode_records(records: list[RawRecord], places: int) -> Batch:
    """Decode records one by one; `places` as in `Batch`."""
    dialogs: list[Dialog] = []
    faults: list[Place] = []
    for record, found in _decoded(records):
        place_only = record._replace(raw=b"")
        if isinstance(found, RecordError):
            faults.append(Place(place_only, Fault(found.place, str(found)), found.dialog_id))
        else:
            faults += [Place(place_only, fault, found.dialog_id) for fault in found.faults]
            dialogs.append(found)
    return Batch(dialogs, faults, places)


def _joined(value: str | list[Part]) -> str:
    return value if isinstance(value, str) else "".join(part.text for part in value)


def _pair(record: Record, dialog_id: str) -> Dialog:
    """Pair a record's messages into turns; what has no place goes to the dialogue's faults."""
    dialog = Dialog(dialog_id, images=record.image, synthetic=record.synthetic)
    dialog.number_id = isinstance(record.id, int)
    dialog.speakers = _speakers(record.conversations)
    dialog.image_numbers = list(range(1, len(record.image) + 1))
    if record.image_inds is not None:
        if len(record.image_inds) == len(record.image):
            dialog.image_numbers = record.image_inds
        else:
            text = f"{len(record.image_inds)} numbers for {len(record.image)} images; they are ignored"
            dialog.faults.append(Fault(".image_inds", text))
    if not _take_turns(record.conversations, dialog):
        _pair_one_by_one(record.conversations, dialog)
    if not dialog.questions:
        dialog.faults.append(Fault(".conversations", "a dialogue without any question"))
    if record.conversations and record.conversations[-1].turn is not None:
        dialog.stated_turns = _stated_turns(record.conversations, len(dialog.questions))
    _check_placeholders(dialog, numbered=record.image_inds is not None)
    return dialog


def _take_turns(messages: list[Message], dialog: Dialog) -> bool:
    """Pair messages that are texts and whose speakers take turns, as nearly all do: several times as fast."""
    speakers = [message.speaker for message in messages]
    texts = [message.value for message in messages]
    pairs = len(messages) // 2
    if speakers != [*dialog.speakers] * pairs or set(map(type, texts)) != {str}:
        return False
    dialog.questions, dialog.answers = texts[::2], texts[1::2]  # type: ignore[assignment]
    return True


def _pair_one_by_one(messages: list[Message], dialog: Dialog) -> None:
    waiting = False
    for number, message in enumerate(messages):
        speaker, text = message.speaker.lower(), _joined(message.value)
        if speaker in USER_SPEAKERS:
            if waiting:
                fault = "a question follows a question; the first has no answer"
                dialog.faults.append(Fault(f".conversations[{number}]", fault, len(dialog.questions)))
            dialog.questions.append(text)
            dialog.answers.append("")
            waiting = True
        elif waiting and speaker in ASSISTANT_SPEAKERS:
            dialog.answers[-1] = text
            waiting = False
        else:
            dialog.faults.append(Fault(f".conversations[{number}]", _why_left_out(message.speaker)))


def _stated_turns(messages: list[Message], n_questions: int) -> list[int] | None:
    """Give the turns that the answers state; None unless each does, once and rising."""
    turns = [m.turn or 0 for m in messages if m.speaker.lower() in ASSISTANT_SPEAKERS]
    rising = all(before < after for before, after in zip([0, *turns], turns, strict=False))
    return turns if len(turns) == n_questions and rising else None


def _speakers(messages: list[Message]) -> tuple[str, str]:
    """Give the names of the first two speakers, as far as they are a user and an assistant."""
    user, assistant = (messages[0].speaker, messages[1].speaker) if len(messages) > 1 else ("user", "")
    if (user, assistant) == ("user", "assistant"):
        return user, assistant
    return (
        user if user.lower() in USER_SPEAKERS else "user",
        assistant if assistant.lower() in ASSISTANT_SPEAKERS else "assistant",
    )


def _why_left_out(speaker: str) -> str:
    if speaker.lower() in ASSISTANT_SPEAKERS:
        return "an answer without a question before it; it is left out"
    return f"speaker {speaker!r}, expected user/human or assistant/gpt/bot; the message is left out"


def count_placeholders(text: str) -> int:
    """Count the places in a text where a picture stands."""
    return sum(text.count(placeholder) for placeholder in PLACEHOLDERS)


def _check_placeholders(dialog: Dialog, *, numbered: bool) -> None:
    placed, listed = sum(dialog.placeholders), len(dialog.images)
    dialog.unplaced = placed == 0 or (numbered and placed != listed)
    if placed != listed and not numbered:
        text = f"{listed} images listed and {placed} placeholders in the questions; counted as they are"
        dialog.faults.append(Fault("", text))


def tsv_dialogs(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Dialog]]:
    """Read VLMEvalKit's table: one row a dialogue, cells that hold Python lists as literals."""
    table = files.read_table(path)
    name = short_path(path)
    if "question" not in table or not {"index", "id"} & set(table.columns):
        raise DataError(
            f"{name}: got columns {list(table.columns)[:8]}, expected VLMEvalKit's index, image, question, answer"
        )
    for number, row in enumerate(table.to_dict("records"), 2):
        where = f"row {number}"
        try:
            questions = literal_list(row["question"])
            answers = literal_list(row.get("answer", "")) or [""] * len(questions)
            paths = literal_list(row.get("image_path", ""))
            encoded = literal_list(row.get("image", ""))
        except ValueError as error:
            problems.append(Problem(name, where, f"{error}; the row is left out"))
            continue
        if len(answers) != len(questions):
            text = f"{len(questions)} questions and {len(answers)} answers; the row is left out"
            problems.append(Problem(name, where, text))
            continue
        dialog_id = row.get("index") or row.get("id")
        images = paths or [f"{path.name}/{dialog_id}/{place}" for place in range(1, len(encoded) + 1)]
        dialog = Dialog(str(dialog_id), questions, answers, images, list(range(1, len(images) + 1)))
        if encoded and len(encoded) == len(images):
            dialog.sizes = [_encoded_size(text) for text in encoded]
        _check_placeholders(dialog, numbered=False)
        yield where, dialog


def literal_list(cell: str) -> list[str]:
    """Read a Python list of strings from a table cell, without executing anything.

    Raises
    ------
    ValueError
        If the cell is not such a literal.
    """
    if not cell.strip():
        return []
    if not cell.lstrip().startswith("["):
        return [cell]
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"a cell that is no Python list: {cell[:40]!r}") from None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"a cell that is no list of texts: {cell[:40]!r}")
    return value


def _encoded_size(text: str) -> tuple[int, int] | None:
    import base64
    import binascii
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError):
        return None
