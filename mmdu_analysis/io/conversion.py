"""Write dialogues in a trainer's format: batch by batch on all cores, completely or not at all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.dialogs import Dialog, count_placeholders
from mmdu_analysis.io.export import open_records
from mmdu_analysis.io.formats import FORMATS, internvl, llama_factory, parquet
from mmdu_analysis.io.frames import image_sizes
from mmdu_analysis.io.pictures import PictureNames, bytes_size, is_url, names_of
from mmdu_analysis.io.placing import Lost, Placing, place_pictures
from mmdu_analysis.schema import PLACEHOLDERS, DataError, Problem, short_path, shorten

_ROWS = 64
_TAKEN = "the id is that of an earlier dialogue, which is left out"
Limit = Callable[[list[Dialog], Path], list[str]]
"""Returns for each dialogue the reason why it is too long, or an empty text."""


@dataclass(frozen=True)
class Recipe:
    """The conversion of a batch of dialogues; can be pickled.

    Attributes
    ----------
    to : str
        Format to write.
    placing : Placing
        Handling of the pictures.
    scratch : pathlib.Path
        Folder for the parts, which are joined later.
    lines : bool
        Whether each record is a line.
    folder : pathlib.Path or None
        Folder of the pictures; by default that of the file.
    wanted : frozenset of str or None
        Ids to keep; None keeps all.
    check : bool
        Whether dialogues that a trainer would reject are left out.
    limit : callable or None
        Finds dialogues that are too long.
    """

    to: str
    placing: Placing
    scratch: Path
    lines: bool
    folder: Path | None = None
    wanted: frozenset[str] | None = None
    check: bool = False
    limit: Limit | None = None


class Written(NamedTuple):
    """A batch of dialogues in a scratch file.

    Attributes
    ----------
    path : pathlib.Path
        Records one after another, or a Parquet file.
    ids : list of str
        Of the records, in their order.
    sizes : list of int
        Bytes of each JSON record.
    rejected : list of tuple of str
        Ids and reasons.
    lost : Lost
        Pictures that were not found, or are not where the file lists them, and empty answers.
    """

    path: Path
    ids: list[str]
    sizes: list[int]
    rejected: list[tuple[str, str]]
    lost: Lost = Lost()


def write_part(dialogs: list[Dialog], path: Path, recipe: Recipe) -> Written:
    """Write a batch of dialogues of a file into a scratch file; this function runs in worker processes."""
    kept = [d for d in dialogs if recipe.wanted is None or d.dialog_id in recipe.wanted]
    folder = recipe.folder or path.parent
    long = recipe.limit(kept, path) if recipe.limit else [""] * len(kept)
    part = recipe.scratch / f"{uuid.uuid4().hex}{files.TEMPORARY}"
    written = Written(part, [], [], [])
    lost, refused = Lost(), set[str]()

    def ready() -> Iterator[Dialog]:
        nonlocal lost
        for dialog, reason in zip(kept, long, strict=True):
            reason = reason or (find_fault(dialog) if recipe.check else "")
            reason = _TAKEN if dialog.dialog_id in refused else reason
            if not reason:
                unreadable = _unreadable(dialog, names_of(folder)) if recipe.check else ""
                here = _prepare(dialog, folder, recipe)
                if recipe.check and here.missing:
                    reason = f"{here.missing} of its pictures are missing, the first: {here.why}"
                elif recipe.check:
                    reason = FORMATS[recipe.to].reject(dialog) or unreadable
                lost = lost if reason else lost.plus(here)
            if reason:
                refused.add(dialog.dialog_id)
                written.rejected.append((dialog.dialog_id, reason))
            else:
                yield dialog

    if recipe.to == "parquet":
        _write_rows(ready(), written)
    else:
        _write_records(ready(), written, recipe)
    return written._replace(lost=lost)


def _unreadable(dialog: Dialog, names: PictureNames) -> str:
    """Return which pictures of a dialogue can't be read; web addresses are not fetched."""
    paths = [
        path
        for path, data in zip(dialog.images, dialog.carried, strict=True)
        if not is_url(path) and (bytes_size(data) if data else names.size(path)) is None
    ]
    return f"{len(paths)} of its pictures can't be read, the first: {shorten(paths[0], 80)}" if paths else ""


def _prepare(dialog: Dialog, folder: Path, recipe: Recipe) -> Lost:
    """Place the pictures of a dialogue, with their sizes where the format lists them; return which are lost."""
    names = names_of(folder)
    if recipe.to == "internvl":
        dialog.sizes = image_sizes(dialog, names)
    unmatched = recipe.to != "mmdu" and _count_placed(dialog) != len(dialog.images)
    return place_pictures(dialog, names, recipe.placing)._replace(unmatched=int(unmatched))


def find_fault(dialog: Dialog) -> str:
    """Return why a trainer would reject a dialogue; empty where it wouldn't.

    Parameters
    ----------
    dialog : Dialog
        The dialogue.

    Returns
    -------
    str
        The first fault found: a message of an unexpected speaker, placeholders that don't match the images,
        an empty message.
    """
    if dialog.faults:
        return dialog.faults[0].problem
    placed = _count_placed(dialog)
    if placed != len(dialog.images):
        return f"{len(dialog.images)} images and {placed} placeholders"
    for turn, (question, answer) in enumerate(zip(dialog.questions, dialog.answers, strict=True), 1):
        if not _without_placeholders(question).strip():
            return f"turn {turn}: the question has no text"
        if not answer.strip():
            return f"turn {turn}: the answer is empty"
    return ""


def _count_placed(dialog: Dialog) -> int:
    return sum(dialog.placeholders) + sum(map(count_placeholders, dialog.answers))


def _without_placeholders(text: str) -> str:
    for placeholder in PLACEHOLDERS:
        text = text.replace(placeholder, "")
    return text


def _write_records(dialogs: Iterable[Dialog], written: Written, recipe: Recipe) -> None:
    write, between = FORMATS[recipe.to].write, b"\n" if recipe.lines else b",\n"
    encoder = msgspec.json.Encoder()
    with written.path.open("wb") as out:
        for dialog in dialogs:
            raw = encoder.encode(write(dialog))
            out.write(between + raw if written.ids else raw)
            written.ids.append(dialog.dialog_id)
            written.sizes.append(len(raw))


def _write_rows(dialogs: Iterable[Dialog], written: Written) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = parquet.schema()
    with pq.ParquetWriter(written.path, schema, compression="zstd") as out:
        rows: list[dict[str, Any]] = []
        for dialog in dialogs:
            written.ids.append(dialog.dialog_id)
            rows.append(parquet.write(dialog))
            if len(rows) == _ROWS:
                out.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        if rows:
            out.write_table(pa.Table.from_pylist(rows, schema))


class Totals:
    """Counts of written and rejected records."""

    def __init__(self, name: str) -> None:
        self.name, self.seen, self.refused, self.lost = name, set[str](), set[str](), Lost()
        self.problems: list[Problem] = []

    def take(self, part: Written) -> list[bool]:
        """Count a part; return for each of its records whether no earlier dialogue has its id."""
        self.lost = self.lost.plus(part.lost)
        self.problems += [Problem(self.name, "", f"left out: {why}", key) for key, why in part.rejected]
        first = []
        for key in part.ids:
            first.append(key not in self.seen and key not in self.refused)
            if first[-1]:
                self.seen.add(key)
                continue
            kept = "the id is duplicated; the first dialogue is kept"
            text = kept if key in self.seen else f"left out: {_TAKEN}"
            self.problems.append(Problem(self.name, "", text, key))
        self.refused.update(key for key, _ in part.rejected)
        return first


@contextmanager
def open_output(path: Path, to: str, totals: Totals) -> Iterator[Callable[[Written], None]]:
    """Open the file to write; yield an object that receives the parts in order.

    Raises
    ------
    DataError
        If the name doesn't fit the format, or the file can't be written.
    """
    if to == "parquet":
        with _parquet_output(path, totals) as take:
            yield take
        return
    with open_records(path) as out:

        def add(part: Written) -> None:
            first = totals.take(part)
            with part.path.open("rb") as source:
                if all(first) and first:
                    out.write(source.read())
                else:
                    for size, new in zip(part.sizes, first, strict=True):
                        raw = source.read(size)
                        source.read(len(out.between))
                        if new:
                            out.write(raw)
            part.path.unlink()

        yield add


@contextmanager
def _parquet_output(path: Path, totals: Totals) -> Iterator[Callable[[Written], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_dir():
        raise DataError(f"{short_path(path)}: got a folder, expected a file to write")
    with (
        files.atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, parquet.schema(), compression="zstd") as out,
    ):

        def add(part: Written) -> None:
            first = totals.take(part)
            source = pq.ParquetFile(part.path)
            at = 0
            for group in range(source.num_row_groups):
                table = source.read_row_group(group)
                out.write_table(table.filter(pa.array(first[at : at + len(table)], pa.bool_())))
                at += len(table)
            source.close()
            part.path.unlink()

        yield add


def write_sidecar(path: Path, to: str, length: int) -> Path | None:
    """Write the additional file that a trainer needs: LLaMA-Factory's ``dataset_info.json``, InternVL's meta file.

    Parameters
    ----------
    path : pathlib.Path
        The written file.
    to : str
        Its format.
    length : int
        Its number of dialogues.

    Returns
    -------
    pathlib.Path or None
        The file; None where the format needs none.

    Raises
    ------
    DataError
        If an existing ``dataset_info.json`` isn't a JSON object; its entries of other data sets are kept.
    """
    name = files.stem(path)
    if to == "internvl":
        side = path.with_name(f"{name}.meta.json")
        content = internvl.meta(name, str(path.resolve()), str(path.parent.resolve()), length)
    elif to == "llama-factory":
        side = path.with_name("dataset_info.json")
        content = _known_entries(side) | {name: llama_factory.dataset_info(path.name)}
    else:
        return None
    with files.atomic_path(side) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return side


def _known_entries(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise DataError(
            f"{short_path(path)}: not a JSON object, which LLaMA-Factory expects; rename or remove it"
        )
    return found
