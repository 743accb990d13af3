"""Write a benchmark in the authors' form, and copy a part of a file unchanged."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.decode import record_id
from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats import file_kind, mmdu
from mmdu_analysis.io.frames import rows_by_dialog
from mmdu_analysis.io.records import find_layout
from mmdu_analysis.io.walk import json_records
from mmdu_analysis.schema import DataError, short_path

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark

JSON_NAMES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


def write_json(benchmark: Benchmark, path: Path) -> None:
    """Write the frames of a benchmark in the authors' form; see `Benchmark.to_json`."""
    with open_records(path) as out:
        out.write_all(msgspec.json.encode(mmdu.write(dialog)) for dialog in benchmark_dialogs(benchmark))


def benchmark_dialogs(benchmark: Benchmark) -> Iterator[Dialog]:
    """Join the frames of a benchmark to dialogues again, in their order."""
    ids = benchmark.dialogs.index
    turns, images = rows_by_dialog(benchmark.turns, ids), rows_by_dialog(benchmark.images, ids)
    forms = benchmark.forms.reindex(ids).itertuples() if benchmark.forms is not None else repeat(None)
    abouts = benchmark.dialogs.reindex(columns=["system", "synthetic"]).itertuples()
    for row, asked, shown, form in zip(abouts, turns, images, forms, strict=False):
        dialog = Dialog(str(row.Index), synthetic=row.synthetic is True)
        dialog.questions = [row.question for row in asked]
        dialog.answers = [row.answer if isinstance(row.answer, str) else "" for row in asked]
        dialog.images, dialog.image_numbers = [row.path for row in shown], [row.image for row in shown]
        dialog.system = row.system if isinstance(row.system, str) else ""
        numbers = [row.turn for row in asked]
        dialog.stated_turns = None if numbers == list(range(1, len(numbers) + 1)) else numbers
        if form:
            dialog.number_id = bool(form.number_id) and dialog.dialog_id.lstrip("-").isdecimal()
            dialog.speakers = (form.user, form.assistant)
        yield dialog


class RecordWriter:
    """Write records one after another: as one JSON list, or as lines."""

    def __init__(self, stream: BinaryIO, lines: bool) -> None:
        self.stream, self.lines, self.count = stream, lines, 0

    @property
    def between(self) -> bytes:
        """The separator between two records."""
        return b"\n" if self.lines else b",\n"

    def write(self, raw: bytes) -> None:
        """Write one record, or several joined with `between`."""
        self.stream.write((self.between if self.count else b"" if self.lines else b"[\n") + raw)
        self.count += 1

    def close(self) -> None:
        """Write the end."""
        empty = b"" if self.lines else b"[\n]\n"
        self.stream.write((b"\n" if self.lines else b"\n]\n") if self.count else empty)

    def write_all(self, records: Iterable[bytes]) -> None:
        """Write all records."""
        for raw in records:
            self.write(raw)


@contextmanager
def open_records(path: Path) -> Iterator[RecordWriter]:
    """Open a file that is written completely or not at all; its suffix decides whether it is JSON Lines and compressed.

    Raises
    ------
    DataError
        If the name has none of the suffixes in `JSON_NAMES`, or is the name of a folder.
    """
    name = path.name.lower()
    if not name.endswith(JSON_NAMES):
        raise DataError(
            f"{short_path(path)}: expected a name that ends with .json, .jsonl, .json.gz or .jsonl.gz"
        )
    if path.is_dir():
        raise DataError(f"{short_path(path)}: got a folder, expected a file to write")
    with files.atomic_path(path) as temporary, temporary.open("wb") as raw:
        if name.endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                writer = RecordWriter(cast("BinaryIO", packed), ".jsonl" in name)
                yield writer
                writer.close()
        else:
            writer = RecordWriter(raw, ".jsonl" in name)
            yield writer
            writer.close()


def write_subset(sources: Sequence[Path], dialog_ids: Iterable[str], path: Path) -> int:
    """Copy selected dialogues of JSON files byte for byte, without loading the others into memory.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Files, read one after another.
    dialog_ids : iterable of str
        Ids to keep. If an id is duplicated, the first dialogue is kept.
    path : pathlib.Path
        The file to write: a JSON list, or with ``.jsonl`` one record per line; ``.gz`` compresses it.

    Returns
    -------
    int
        Number of written dialogues.

    Raises
    ------
    DataError
        If `path` is one of the sources, or a source isn't JSON.
    """
    refuse_own_input(sources, path)
    with open_records(path) as out:
        out.write_all(_chosen(sources, set(dialog_ids), lines=out.lines))
        return out.count


def refuse_own_input(sources: Iterable[Path], path: Path) -> None:
    """Validate that a file to write isn't one of the input files.

    Raises
    ------
    DataError
        If it is, also through a link or another spelling of the path.
    """
    if path.exists() and any(source.exists() and source.samefile(path) for source in sources):
        raise DataError(f"{short_path(path)}: is an input file; name another file to write")


def _chosen(sources: Sequence[Path], wanted: set[str], *, lines: bool) -> Iterator[bytes]:
    for source in sources:
        if file_kind(source) != "json":
            raise DataError(f"{short_path(source)}: got a table, expected JSON; convert it instead")
        positional = find_layout(source).keys.positional
        for record in json_records(source):
            if record.fault:
                continue
            try:
                found = record_id(record.raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            key = record.key if found is None else str(found)
            if key is None and positional:
                key = f"{files.stem(source)}-{record.number}" if len(sources) > 1 else str(record.number)
            if key in wanted:
                wanted.discard(key)
                yield _with_id(bytes(record.raw), found, key, lines)


def _with_id(raw: bytes, found: int | str | None, key: str, lines: bool) -> bytes:
    """Return a record unchanged; if its id is its key or position, the id is added to the record."""
    if found is None:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        fields.pop("id", None)
        return msgspec.json.encode({"id": key, **fields})
    if lines and (b"\n" in raw or b"\r" in raw):
        return msgspec.json.format(raw, indent=-1)
    return raw
