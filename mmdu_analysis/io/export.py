"""Write a benchmark in the authors' form, and copy a part of a file as it stands."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from mmdu_analysis.io import files
from mmdu_analysis.io.decode import record_id
from mmdu_analysis.io.formats import file_kind
from mmdu_analysis.io.frames import rows_by_dialog
from mmdu_analysis.io.records import find_layout
from mmdu_analysis.io.walk import json_records
from mmdu_analysis.schema import DataError, short_path

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark


def write_json(bench: Benchmark, path: Path) -> None:
    """Write a benchmark's frames in the authors' form; what `Benchmark.to_json` does."""
    with _writing(path) as out:
        out.write_all(msgspec.json.encode(record) for record in _records(bench))


def _records(bench: Benchmark) -> Iterator[dict[str, Any]]:
    """Put the dialogues together again."""
    ids = bench.dialogs.index
    turns, images = rows_by_dialog(bench.turns, ids), rows_by_dialog(bench.images, ids)
    forms = bench.forms.reindex(ids).itertuples() if bench.forms is not None else repeat(None)
    marks = bench.dialogs["synthetic"].tolist()
    for key, asked, shown, form, synthetic in zip(ids, turns, images, forms, marks, strict=False):
        user, assistant = (form.user, form.assistant) if form else ("user", "assistant")
        record: dict[str, Any] = {"id": int(key) if form and form.number_id else key}
        record["image"] = [row.path for row in shown]
        numbers = [row.image for row in shown]
        if numbers != list(range(1, len(numbers) + 1)):
            record["image_inds"] = numbers
        record["conversations"] = [
            {"from": speaker, "value": text if isinstance(text, str) else ""}
            for row in asked
            for speaker, text in ((user, row.question), (assistant, row.answer))
        ]
        yield record | ({"synthetic": True} if synthetic else {})


class _Writer:
    """Records behind one another: as one JSON list, or each on a line."""

    def __init__(self, stream: BinaryIO, lines: bool) -> None:
        self.stream, self.lines, self.count = stream, lines, 0

    def write_all(self, records: Iterable[bytes]) -> None:
        self.stream.write(b"" if self.lines else b"[")
        for raw in records:
            self.stream.write((b"" if self.lines else b",\n" if self.count else b"\n") + raw)
            self.stream.write(b"\n" if self.lines else b"")
            self.count += 1
        self.stream.write(b"" if self.lines else b"\n]\n")


@contextmanager
def _writing(path: Path) -> Iterator[_Writer]:
    """Open a file to be written whole or not at all; its name says whether lines, and whether gzip."""
    name = path.name.lower()
    if not name.endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz")):
        raise DataError(
            f"{short_path(path)}: expected a name that ends with .json or .jsonl, with .gz or not"
        )
    if path.is_dir():
        raise DataError(f"{short_path(path)}: got a folder, expected a file to write")
    with files.atomic_path(path) as temporary:
        if name.endswith(".gz"):
            with temporary.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                yield _Writer(cast("BinaryIO", packed), ".jsonl" in name)
        else:
            with temporary.open("wb") as raw:
                yield _Writer(raw, ".jsonl" in name)


def write_subset(sources: Sequence[Path], dialog_ids: Iterable[str], path: Path) -> int:
    """Copy some dialogues out of JSON files, byte for byte, without holding the others.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Files, read one after another.
    dialog_ids : iterable of str
        Which to keep. Of two with one id the first is.
    path : pathlib.Path
        What to write: a JSON list, or with ``.jsonl`` one record a line; ``.gz`` packs it.

    Returns
    -------
    int
        How many were written.
    """
    refuse_own_input(sources, path)
    with _writing(path) as out:
        out.write_all(_chosen(sources, set(dialog_ids), lines=out.lines))
        return out.count


def refuse_own_input(sources: Iterable[Path], path: Path) -> None:
    """Validate that a file to write isn't one of those that are read.

    Raises
    ------
    DataError
        If it is, under whatever name.
    """
    if path.exists() and any(source.exists() and source.samefile(path) for source in sources):
        raise DataError(f"{short_path(path)}: is the file that is read; name another file to write")


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
                key = str(record.number)
            if key in wanted:
                wanted.discard(key)
                yield _with_id(bytes(record.raw), found, key, lines)


def _with_id(raw: bytes, found: int | str | None, key: str, lines: bool) -> bytes:
    """Give a record as it stands; one that only its key named gets that as its id."""
    if found is None:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        fields.pop("id", None)
        return msgspec.json.encode({"id": key, **fields})
    if lines and (b"\n" in raw or b"\r" in raw):
        return msgspec.json.format(raw, indent=-1)
    return raw
