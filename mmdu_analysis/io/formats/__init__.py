"""The formats of dialogues: one module each, which reads and writes its records.

JSON formats differ in the keys of their records only, which `formats.records` reads; `parquet` and `mmdu_tsv`
read other files. Each module states the source of its format.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mmdu_analysis.io import files
from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats import (
    internvl,
    llama_factory,
    llava,
    mantis,
    mmdu,
    ms_swift,
    openai_chat,
    parquet,
)
from mmdu_analysis.io.formats.records import Keys
from mmdu_analysis.io.formats.writing import not_files
from mmdu_analysis.io.sniff import PARQUET
from mmdu_analysis.schema import DataError, short_path

FormatName = Literal["mmdu", "llava", "llama-factory", "ms-swift", "openai", "internvl", "mantis", "parquet"]
"""Formats that can be written."""
InputFormat = Literal[FormatName, "mmdu-tsv"]


class Format(NamedTuple):
    """The reader and writer of a format.

    Attributes
    ----------
    write : callable
        Dialogue -> record.
    keys : Keys
        Of its records.
    suffixes : tuple of str
        Endings of file names; the first is the usual one.
    reject : callable
        Dialogue -> why the trainer would reject it, beyond what all trainers do; empty where it wouldn't.
    """

    write: Callable[[Dialog], dict[str, Any]]
    keys: Keys
    suffixes: tuple[str, ...]
    reject: Callable[[Dialog], str] = lambda _: ""


_JSON = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_LINES = (".jsonl", ".jsonl.gz")
FORMATS: dict[str, Format] = {
    "mmdu": Format(mmdu.write, Keys("conversations", "from"), _JSON),
    "llava": Format(llava.write, Keys("conversations", "from"), _JSON, not_files),
    "llama-factory": Format(llama_factory.write, Keys("messages", "role"), (".json", ".jsonl"), not_files),
    "ms-swift": Format(ms_swift.write, Keys("messages", "role"), _LINES),
    "openai": Format(openai_chat.write, Keys("messages", "role"), _LINES, openai_chat.reject),
    "internvl": Format(internvl.write, Keys("conversations", "from"), (".jsonl",), not_files),
    "mantis": Format(mantis.write, Keys("conversation", "role"), _JSON, not_files),
    "parquet": Format(parquet.write, Keys("messages", "role"), (".parquet",)),
}


def check_input_format(name: str | None) -> None:
    """Validate the name of a format to read.

    Raises
    ------
    DataError
        If there is no such format.
    """
    known = [*FORMATS, "mmdu-tsv"]
    if name is not None and name not in known:
        raise DataError(f"no format {name!r}; expected one of {', '.join(known)}")


def file_kind(path: Path) -> Literal["json", "table", "parquet"]:
    """Return the kind of a file: from its content if possible, otherwise from its name.

    Raises
    ------
    DataError
        If it is missing.
    """
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) == PARQUET:
                return "parquet"
    if path.name.lower().endswith(".parquet"):
        if not path.exists():
            raise DataError(f"{short_path(path)}: no such file; check the path")
        return "parquet"
    return "table" if files.has_suffix(path, files.TABLE_SUFFIXES) else "json"
