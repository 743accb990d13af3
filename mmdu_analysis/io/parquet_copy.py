"""Keep a loaded benchmark as Parquet files, and load it from there within a second."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io import files
from mmdu_analysis.io.locks import LOCK, locked_folder
from mmdu_analysis.schema import (
    DIALOG_COLUMNS,
    IMAGE_COLUMNS,
    PROBLEM_COLUMNS,
    TURN_COLUMNS,
    DataError,
    require_columns,
    short_path,
    shorten,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.io.stream import Progress

META = "benchmark.meta.json"
_COLUMNS = {
    "dialogs": (*DIALOG_COLUMNS, "system", "synthetic"),
    "turns": (*TURN_COLUMNS, "synthetic"),
    "images": IMAGE_COLUMNS,
    "problems": PROBLEM_COLUMNS,
    "forms": ("number_id", "user", "assistant"),
}
_TYPES = {
    **dict.fromkeys(("n_turns", "n_images", "turn", "new_images", "images_so_far", "image"), "int64"),
    **dict.fromkeys(("first_turn", "width", "height"), "Int64"),
    **dict.fromkeys(("synthetic", "number_id"), "bool"),
}
_PART = re.compile(rf"({'|'.join(_COLUMNS)})-[0-9a-f]{{32}}\.parquet")


def write_parquet(benchmark: Benchmark, folder: Path) -> None:
    """Write the frames of a benchmark; see `Benchmark.to_parquet`.

    Raises
    ------
    DataError
        If `folder` is a file, holds other files, can't be written into, or is locked by another process.

    Notes
    -----
    The new files have new names; the last step replaces the one file that names them, and only then are the
    old ones removed, with what killed processes left. Whenever it is interrupted, the folder loads as the old
    copy or as the new one. Two processes that write into one folder do so one after the other.
    """
    _check_folder(folder)
    with locked_folder(folder):
        names = _write_parts(benchmark, folder)
        origin = str(benchmark.folder.resolve()) if benchmark.folder else None
        with files.atomic_path(folder / META) as temporary:
            content = {"name": benchmark.name, "pictures_were_in": origin, "files": names}
            temporary.write_text(json.dumps(content), encoding="utf-8")
        for path in folder.iterdir():
            if _is_part(path.name) and path.name not in names.values():
                path.unlink(missing_ok=True)


def _write_parts(benchmark: Benchmark, folder: Path) -> dict[str, str]:
    """Write each frame to a file with a new name; return the names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    token = uuid.uuid4().hex
    names: dict[str, str] = {}
    for part in _COLUMNS:
        frame = getattr(benchmark, part)
        if frame is None:
            continue
        names[part] = f"{part}-{token}.parquet"
        with files.atomic_path(folder / names[part]) as temporary:
            pq.write_table(
                pa.Table.from_pandas(frame),
                temporary,
                compression="lz4",  # twice the size of zstd, but read twice as fast
                use_dictionary=[c for c in ("dialog_id", "path", "file") if c in frame] or False,
                row_group_size=50_000,
            )
    return names


def _is_part(name: str) -> bool:
    """Return whether a file is one that this writes besides `META`, or what a killed process left of it."""
    return bool(_PART.fullmatch(name)) or (name.startswith(".") and name.endswith(files.TEMPORARY))


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{short_path(folder)}: got a file, expected a folder to write into")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    others = sorted(name for name in names if name not in (META, LOCK) and not _is_part(name))
    if others:
        raise DataError(
            f"{short_path(folder)}: holds other files ({others[0]}); name a new or an empty folder"
        )


def is_copy(path: Path) -> bool:
    """Return whether a path is a folder of `write_parquet`."""
    return (path / META).is_file()


def read_parquet(
    folder: Path, *, references: bool = True, progress: Progress | None = None
) -> dict[str, Any]:
    """Read the fields of a `Benchmark` from a folder of `write_parquet`.

    Parameters
    ----------
    folder : pathlib.Path
        The copy.
    references : bool, default True
        Read the references, nine tenths of the bytes; otherwise they are NA.
    progress : Progress, optional
        Gets the bytes that were read.

    Returns
    -------
    dict of str
        Field names and values. ``folder`` is the copy itself: other folders named in the copy are ignored.

    Raises
    ------
    DataError
        If a file is damaged or missing, or lacks a column.
    """
    name = short_path(folder)
    try:
        content = json.loads((folder / META).read_text(encoding="utf-8"))
        parts = {part: str(file) for part, file in dict(content["files"]).items() if part in _COLUMNS}
        if not {"dialogs", "turns", "images", "problems"} <= set(parts):
            raise ValueError(f"it names only {sorted(parts)}")
        fields: dict[str, Any] = {
            part: _read_part(folder, part, file, references, progress) for part, file in parts.items()
        }
    except DataError:
        raise
    except (
        Exception
    ) as error:  # Arrow and pandas have their own exceptions: a damaged file, an unexpected column
        reason = shorten(str(error) or type(error).__name__, 120)
        text = f"{name}: not a complete Parquet copy of a benchmark ({reason}); write it again"
        raise DataError(text) from None
    return fields | {
        "name": shorten(str(content.get("name", folder.name)), 100),
        "folder": folder,
        "path": folder,
    }


def _read_part(
    folder: Path, part: str, file: str, references: bool, progress: Progress | None
) -> pd.DataFrame:
    import pandas as pd

    if not _PART.fullmatch(file):
        raise ValueError(f"{file[:40]!r} is not a file of a copy")
    if part == "turns":
        frame = _read_turns(folder / file, references, progress)
    else:
        frame = pd.read_parquet(folder / file)
        if progress is not None:
            progress.update((folder / file).stat().st_size)
    require_columns(frame, _COLUMNS[part], f"{short_path(folder)}: {part}")
    if part in ("dialogs", "forms"):
        frame.index = frame.index.astype("str").rename("dialog_id")
    types = {c: _TYPES.get(c, "str") for c in _COLUMNS[part]} | (
        {"turn": "Int64"} if part == "problems" else {}
    )
    for column, kind in types.items():
        whole = pd.api.types.is_bool_dtype if kind == "bool" else pd.api.types.is_integer_dtype
        if kind != "str" and not whole(frame[column].dtype):
            raise ValueError(f"{column} is {frame[column].dtype}, expected {kind}")
    return frame.astype(types)


def _read_turns(path: Path, references: bool, progress: Progress | None) -> pd.DataFrame:
    """Read the turns, one row group after another, so that the reader can be told of it and can end it."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    groups, counted = [], list[int]()
    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if references or name != "answer"]
        for number in range(file.num_row_groups):
            groups.append(file.read_row_group(number, columns=names))
            if progress is not None:
                counted.append(_packed_size(file.metadata.row_group(number)))
                progress.update(counted[-1])
        if progress is not None:
            progress.update(path.stat().st_size - sum(counted))
        empty = file.schema_arrow.empty_table().select(names)
    table = pa.concat_tables(groups) if groups else empty
    frame = table.to_pandas(types_mapper={pa.large_string(): pd.StringDtype(na_value=float("nan"))}.get)
    if not references:
        frame["answer"] = pd.array(pa.nulls(len(frame), pa.large_string()), dtype="str")
    return frame


def _packed_size(group: Any) -> int:
    return sum(group.column(number).total_compressed_size for number in range(group.num_columns))
