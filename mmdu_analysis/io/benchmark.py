"""Load a benchmark: benchmark.json, mmdu-45k.json, MMDU.tsv, in every form in which they are met."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mmdu_analysis.io import files, pictures
from mmdu_analysis.io.records import Block, RawRecord, block_records, json_records, read_block
from mmdu_analysis.schema import (
    ASSISTANT_SPEAKERS,
    PLACEHOLDERS,
    USER_SPEAKERS,
    DataError,
    Problem,
    report,
    short_path,
)

if TYPE_CHECKING:
    import pandas as pd


class Part(msgspec.Struct, gc=False):
    """One piece of an answer in the form ``[{"text": ...}]``."""

    text: str = ""


class Message(msgspec.Struct, rename={"speaker": "from"}, gc=False):
    """One utterance of a dialogue."""

    speaker: str
    value: str | list[Part]


class Record(msgspec.Struct, gc=False):
    """One dialogue as the authors write it; other keys are allowed and ignored."""

    conversations: list[Message]
    id: int | str | None = None
    image: list[str] = []
    image_inds: list[int] | None = None
    synthetic: bool = False


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
    faults : list of tuple of str
        JSON path within the record, and what is wrong there.
    sizes : list of tuple of int or None
        Width and height in pixels where the record itself carries the picture.
    unplaced : bool
        True where the pictures come with the dialogue as a whole, not at placeholders.
    synthetic : bool
        True where the file marks the dialogue as made up, as those of the sample are.
    """

    dialog_id: str
    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    image_numbers: list[int] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    sizes: list[tuple[int, int] | None] = field(default_factory=list)
    unplaced: bool = False
    synthetic: bool = False

    def placed(self) -> list[tuple[int, int]]:
        """Give, for each turn, the placeholders in its question and the images shown so far."""
        total = len(self.images) if self.unplaced else 0
        result = []
        for question in self.questions:
            new = count_placeholders(question) if "<" in question else 0
            total += new
            result.append((new, min(total, len(self.images))))
        return result


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as three tidy frames, and what could not be used.

    Attributes
    ----------
    name : str
        What it is called on figures.
    synthetic : bool
        True for the made-up sample.
    dialogs : pandas.DataFrame
        One row a dialogue (index ``dialog_id``): ``n_turns``, ``n_images``.
    turns : pandas.DataFrame
        One row a question: ``dialog_id``, ``turn``, ``question``, ``answer`` (the reference, NA
        where empty), ``new_images``, ``images_so_far``.
    images : pandas.DataFrame
        One row an image of a dialogue: ``dialog_id``, ``image``, ``path``, ``first_turn``,
        ``width``, ``height`` (pixels; NA where the file isn't there).
    problems : tuple of Problem
        What could not be used as it stands.
    folder : pathlib.Path or None
        Where pictures are looked for.
    path : pathlib.Path or None
        What it was loaded from.
    """

    name: str
    synthetic: bool
    dialogs: pd.DataFrame
    turns: pd.DataFrame
    images: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    folder: Path | None = None
    path: Path | None = None

    def select(self, dialog_ids: Any) -> Benchmark:
        """Keep some dialogues.

        Parameters
        ----------
        dialog_ids : iterable of str
            Which; in their order.

        Returns
        -------
        Benchmark
            With the same name.

        Raises
        ------
        DataError
            If a dialogue isn't there.
        """
        wanted = [str(key) for key in dialog_ids]
        unknown = [key for key in wanted if key not in self.dialogs.index]
        if unknown:
            raise DataError(
                f"no dialogue {unknown[0]!r} in {self.name} ({len(unknown)} of {len(wanted)} unknown)"
            )

        def rows(frame: pd.DataFrame) -> pd.DataFrame:
            order = frame["dialog_id"].map({key: place for place, key in enumerate(wanted)})
            kept = frame.assign(_order=order).dropna(subset="_order").sort_values("_order", kind="stable")
            return kept.drop(columns="_order").reset_index(drop=True)

        return replace(
            self, dialogs=self.dialogs.loc[wanted], turns=rows(self.turns), images=rows(self.images)
        )

    def __repr__(self) -> str:
        mark = ", synthetic sample" if self.synthetic else ""
        return (
            f"Benchmark({self.name!r}: {len(self.dialogs)} dialogues, {len(self.turns)} turns, "
            f"{len(self.images)} images, {len(self.problems)} problems{mark})"
        )


def load_benchmark(source: str | Path | None = None, *, strict: bool = False) -> Benchmark:
    """Load a benchmark into frames.

    Parameters
    ----------
    source : str or path, optional
        A file (JSON list or dict of records, JSON Lines, gzip of each, VLMEvalKit's TSV), a folder
        that holds ``benchmark.json`` or one JSON a dialogue, or a name: ``"sample"``,
        ``"benchmark"``, ``"mmdu-45k"`` (from the hub's cache). By default ``$MMDU_DATA``, else the
        hub's cache, else the sample.
    strict : bool, default False
        Raise the first problem instead of collecting them.

    Returns
    -------
    Benchmark
        What could not be used stands in ``.problems``; one warning counts it.

    Raises
    ------
    DataError
        If there is no usable record, or with `strict` at the first problem.

    Examples
    --------
    >>> load_benchmark("sample")
    Benchmark('synthetic sample': 110 dialogues, 1645 turns, 421 images, 0 problems, synthetic sample)
    """
    found = resolve_source(source)
    if found is None:
        from mmdu_analysis.io.sample import sample_benchmark

        return sample_benchmark()
    problems: list[Problem] = []
    bench = _build(list(read_dialogs(found, problems)), found, problems)
    report(bench.problems, strict=strict, advice="bench.problems")
    return bench


def resolve_source(source: str | Path | None) -> Path | None:
    """Turn a name or path into a path; None stands for the sample.

    Raises
    ------
    DataError
        If a name's file is not in the hub's cache.
    """
    from mmdu_analysis.io.hub import cached

    if source is None:
        source = os.environ.get("MMDU_DATA") or cached("benchmark") or "sample"
    if source == "sample":
        return None
    if source in ("benchmark", "mmdu-45k") and not Path(source).exists():
        found = cached(str(source))
        if found is None:
            raise DataError(
                f"{source}: not in the hub's cache; fetch it with "
                f"'hf download laolao77/MMDU {source}.json --repo-type dataset', or give a path"
            )
        return found
    return Path(source).expanduser()


def read_dialogs(path: Path, problems: list[Problem]) -> Iterator[Dialog]:
    """Read the dialogues of a file or folder one by one.

    Parameters
    ----------
    path : pathlib.Path
        As `load_benchmark` takes it.
    problems : list of Problem
        Extended with what can't be used.

    Yields
    ------
    Dialog
        With its own faults already reported.
    """
    count = 0
    for file in benchmark_files(path):
        source = _tsv_dialogs if files.has_suffix(file, files.TABLE_SUFFIXES) else json_dialogs
        for where, dialog in source(file, problems):
            count += 1
            problems.extend(Problem(short_path(file), where + place, what) for place, what in dialog.faults)
            yield dialog
    if not count:
        hint = f"; the first fault: {problems[0]}" if problems else ""
        raise DataError(
            f"{short_path(path)}: no usable dialogue, expected records with 'conversations'{hint}"
        )


def benchmark_files(path: Path) -> list[Path]:
    """List the files of a path: itself, the known one in a folder, or all JSON files there."""
    if not path.is_dir():
        return [path]
    named = [
        path / name for name in ("benchmark.json", "mmdu-45k.json", "MMDU.tsv") if (path / name).is_file()
    ]
    return named[:1] or files.json_files(path)


def json_dialogs(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Dialog]]:
    """Decode the records of one JSON file; what can't be decoded goes to `problems`."""
    decoder = msgspec.json.Decoder(Record)
    for record in json_records(path):
        try:
            yield record.where, decode_dialog(decoder, record)
        except RecordError as error:
            problems.append(Problem(short_path(path), record.where + error.place, str(error)))


class RecordError(Exception):
    """A record that is no dialogue; `place` is the JSON path within it."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(text)
        self.place = place


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message, _, place = str(error).partition(" - at `$")
        raise RecordError(place.rstrip("`"), f"{message}; the record is left out") from None
    dialog_id = record.key if decoded.id is None else str(decoded.id)
    if dialog_id is None:
        raise RecordError("", "the record has no 'id'; it is left out")
    return _pair(decoded, dialog_id)


class Batch(NamedTuple):
    """The dialogues of one block of a file.

    Attributes
    ----------
    dialogs : list of Dialog
        Those that could be read.
    faults : list of tuple
        What could not be used: the record as `RawRecord` without its bytes, the JSON path within it, and
        what is wrong.
    places : int
        Records (lines) of the block, as `block_records` counts them.
    """

    dialogs: list[Dialog]
    faults: list[tuple[RawRecord, str, str]]
    places: int


def decode_block(block: Block) -> Batch:
    """Decode a block's records; each is a dialogue or a fault.

    Raises
    ------
    UnsplitError
        If the block doesn't hold whole records.
    """
    if block.layout == "list" and not block.damage:
        try:
            decoded = msgspec.json.decode(read_block(block), type=list[Record])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # one by one, to find which
        else:
            if all(record.id is not None for record in decoded):
                dialogs = [_pair(record, str(record.id)) for record in decoded]
                faults = [
                    (RawRecord("list", number, b""), place, text)
                    for number, dialog in enumerate(dialogs)
                    for place, text in dialog.faults
                ]
                return Batch(dialogs, faults, len(decoded))
    return decode_records(*block_records(block))


def decode_records(records: list[RawRecord], places: int) -> Batch:
    """Decode records one by one; `places` as in `Batch`."""
    decoder = msgspec.json.Decoder(Record)
    dialogs, faults = [], []
    for record in records:
        try:
            dialog = decode_dialog(decoder, record)
        except RecordError as error:
            faults.append((record._replace(raw=b""), error.place, str(error)))
            continue
        faults += [(record._replace(raw=b""), place, text) for place, text in dialog.faults]
        dialogs.append(dialog)
    return Batch(dialogs, faults, places)


def _joined(value: str | list[Part]) -> str:
    return value if isinstance(value, str) else "".join(part.text for part in value)


def _pair(record: Record, dialog_id: str) -> Dialog:
    """Pair a record's messages into turns; what has no place goes to the dialogue's faults."""
    dialog = Dialog(dialog_id, images=record.image, synthetic=record.synthetic)
    dialog.image_numbers = list(range(1, len(record.image) + 1))
    if record.image_inds is not None:
        if len(record.image_inds) == len(record.image):
            dialog.image_numbers = record.image_inds
        else:
            text = f"{len(record.image_inds)} numbers for {len(record.image)} images; they are ignored"
            dialog.faults.append((".image_inds", text))
    waiting = False
    for number, message in enumerate(record.conversations):
        speaker, value = message.speaker.lower(), message.value
        text = value if value.__class__ is str else _joined(value)
        if speaker in USER_SPEAKERS:
            if waiting:
                fault = "a question follows a question; the first has no answer"
                dialog.faults.append((f".conversations[{number}]", fault))
            dialog.questions.append(text)
            dialog.answers.append("")
            waiting = True
        elif waiting and speaker in ASSISTANT_SPEAKERS:
            dialog.answers[-1] = text
            waiting = False
        else:
            dialog.faults.append((f".conversations[{number}]", _why_left_out(message.speaker)))
    if not dialog.questions:
        dialog.faults.append((".conversations", "a dialogue without any question"))
    _check_placeholders(dialog, numbered=record.image_inds is not None)
    return dialog


def _why_left_out(speaker: str) -> str:
    if speaker.lower() in ASSISTANT_SPEAKERS:
        return "an answer without a question before it; it is left out"
    return f"speaker {speaker!r}, expected user/human or assistant/gpt/bot; the message is left out"


def count_placeholders(text: str) -> int:
    """Count the places in a text where a picture stands."""
    return sum(text.count(placeholder) for placeholder in PLACEHOLDERS)


def _check_placeholders(dialog: Dialog, *, numbered: bool) -> None:
    placed, listed = (
        sum(count_placeholders(text) for text in dialog.questions if "<" in text),
        len(dialog.images),
    )
    dialog.unplaced = placed == 0 or (numbered and placed != listed)
    if placed != listed and not numbered:
        text = f"{listed} images listed and {placed} placeholders in the questions; counted as they are"
        dialog.faults.append(("", text))


def _tsv_dialogs(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Dialog]]:
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
        dialog.sizes = [_encoded_size(text) for text in encoded] if len(encoded) == len(images) else []
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


def _build(dialogs: list[Dialog], path: Path, problems: list[Problem]) -> Benchmark:
    """Lay dialogues out as frames and look the pictures up."""
    name = short_path(path)
    kept: dict[str, Dialog] = {}
    for dialog in dialogs:
        if dialog.dialog_id in kept:
            problems.append(
                Problem(name, f"id {dialog.dialog_id!r}", "the id stands twice; the first is kept")
            )
        else:
            kept[dialog.dialog_id] = dialog
    folder = path if path.is_dir() else path.parent
    synthetic = any(dialog.synthetic for dialog in kept.values())
    bench = frames(list(kept.values()), name=files.stem(path), folder=folder, synthetic=synthetic)
    missing = int(bench.turns["answer"].isna().sum())
    if missing:
        text = f"{missing:,} of {len(bench.turns):,} references are empty; they are NA"
        problems.append(Problem(name, "", text))
    problems.extend(_missing_pictures(bench, name))
    return replace(bench, problems=tuple(problems), path=path)


def frames(dialogs: list[Dialog], *, name: str, folder: Path | None, synthetic: bool = False) -> Benchmark:
    """Lay dialogues out as the three frames of a `Benchmark`.

    Parameters
    ----------
    dialogs : list of Dialog
        With unique ids.
    name : str
        The benchmark's name.
    folder : pathlib.Path or None
        Where to look for pictures; None looks nowhere.
    synthetic : bool, default False
        Marks the sample.

    Returns
    -------
    Benchmark
        Without problems.
    """
    import pandas as pd

    index = pd.Index([dialog.dialog_id for dialog in dialogs], dtype="str", name="dialog_id")
    counts = {"n_turns": [len(d.questions) for d in dialogs], "n_images": [len(d.images) for d in dialogs]}
    turns = _turn_frame(dialogs)
    images = image_frame(dialogs, pictures.picture_roots(folder) if folder else [])
    return Benchmark(name, synthetic, pd.DataFrame(counts, index=index), turns, images, folder=folder)


def _turn_frame(dialogs: list[Dialog]) -> pd.DataFrame:
    import pandas as pd

    ids: list[str] = []
    numbers: list[int] = []
    questions: list[str] = []
    answers: list[str | None] = []
    new: list[int] = []
    shown: list[int] = []
    for dialog in dialogs:
        ids += [dialog.dialog_id] * len(dialog.questions)
        numbers += range(1, len(dialog.questions) + 1)
        questions += dialog.questions
        answers += [answer if answer.strip() else None for answer in dialog.answers]
        for count, so_far in dialog.placed():
            new.append(count)
            shown.append(so_far)
    return pd.DataFrame(
        {
            "dialog_id": pd.array(ids, dtype="str"),
            "turn": pd.array(numbers, dtype="int64"),
            "question": pd.array(questions, dtype="str"),
            "answer": pd.array(answers, dtype="str"),
            "new_images": pd.array(new, dtype="int64"),
            "images_so_far": pd.array(shown, dtype="int64"),
        }
    )


def _first_turns(dialog: Dialog) -> list[int | None]:
    if dialog.unplaced:
        return [None] * len(dialog.images)
    order = [turn for turn, q in enumerate(dialog.questions, 1) for _ in range(count_placeholders(q))]
    return [order[place] if place < len(order) else None for place in range(len(dialog.images))]


def image_frame(dialogs: list[Dialog], roots: list[Path]) -> pd.DataFrame:
    """Lay the dialogues' images out as a frame, with the sizes of those that lie under `roots`."""
    import pandas as pd

    rows: list[tuple[str, int, str, int | None, int | None, int | None]] = []
    for dialog in dialogs:
        firsts = _first_turns(dialog)
        for place, path in enumerate(dialog.images):
            size = dialog.sizes[place] if place < len(dialog.sizes) else None
            found = pictures.find_picture(roots, path) if roots and not size else None
            width, height = size or (pictures.picture_size(found) if found else None) or (None, None)
            rows.append((dialog.dialog_id, dialog.image_numbers[place], path, firsts[place], width, height))
    frame = pd.DataFrame(rows, columns=["dialog_id", "image", "path", "first_turn", "width", "height"])
    return frame.astype(
        {
            "dialog_id": "str",
            "image": "int64",
            "path": "str",
            "first_turn": "Int64",
            "width": "Int64",
            "height": "Int64",
        }
    )


def _missing_pictures(bench: Benchmark, name: str) -> list[Problem]:
    lost = bench.images.loc[bench.images["width"].isna()]
    if lost.empty:
        return []
    if len(lost) == len(bench.images):
        text = (
            f"none of the {len(lost)} pictures lies beside the file; unpack mmdu_pics.zip there to see them"
        )
        return [Problem(name, "", text)]
    return [
        Problem(
            name,
            f"dialogue {row.dialog_id}, image {row.image}",
            f"picture {row.path} is missing or unreadable",
        )
        for row in lost.itertuples()
    ]
