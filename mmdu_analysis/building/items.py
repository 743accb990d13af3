"""Items to build dialogues from: an image with its texts, its source and its licence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from mmdu_analysis.io import files
from mmdu_analysis.schema import DataError, Problem, problems_frame, report, short_path, shorten

if TYPE_CHECKING:
    import pandas as pd

ITEM_COLUMNS = ("id", "image", "title", "caption", "tags", "text", "source", "licence")
_WIT_COLUMNS = {
    "image": ("image_url",),
    "title": ("page_title",),
    "caption": ("caption_reference_description", "caption_attribution_description"),
    "tags": ("hierarchical_section_title",),
    "text": ("context_page_description", "context_section_description"),
    "source": ("page_url",),
}
"""Columns of the Wikipedia-based image text data set, the first one with a value is used."""


_URL = re.compile(r"https?://", re.IGNORECASE)


class _Row(NamedTuple):
    where: str
    cells: dict[str, Any] | None
    fault: str = ""


def load_items(
    path: str | Path,
    *,
    pictures: str | Path | None = None,
    strict: bool = False,
    return_problems: bool = False,
) -> Any:
    """Load items to build dialogues from.

    Parameters
    ----------
    path : str or path
        JSON Lines, a JSON list, CSV, TSV or Parquet with ``id``, ``image``, ``title``, ``caption``, ``tags``
        (a text or a list), ``text``, ``source``, ``licence``; all but ``image`` may be missing. A table like
        WIT (``page_title``, ``image_url``, ``caption_reference_description``, ``context_page_description``)
        is accepted too.
    pictures : str or path, optional
        Folder that the paths of images are relative to; by default the folder of the file. Pictures outside
        of it are not read. Where ``image`` is a URL, the file of that name is looked for: nothing is
        downloaded.
    strict : bool, default False
        Raise the first problem.
    return_problems : bool, default False
        Also return the problems, instead of warning.

    Returns
    -------
    pandas.DataFrame
        One row per item: the eight columns, all text (empty where a value is missing), ``folder`` (where
        image paths start) and ``synthetic``. Without ids the items are numbered.
    pandas.DataFrame
        With `return_problems`: ``file, where, dialog_id, turn, problem``. Rows without an image, with a
        repeated id or that can't be read are left out and listed.

    Raises
    ------
    DataError
        If the file can't be read or has no column for images.

    Warns
    -----
    ProblemWarning
        If rows were left out.

    See Also
    --------
    screen_items : Leave out items whose picture or texts are of no use.

    Examples
    --------
    >>> import tempfile
    >>> import mmdu_analysis as mmdu
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mmdu.building.write_sample_items(folder, n_clusters=2, per_cluster=3)
    ...     len(mmdu.building.load_items(path))
    6
    """
    import pandas as pd

    file = Path(path).expanduser()
    root = Path(pictures).expanduser().resolve() if pictures is not None else file.resolve().parent
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for row in _rows(file):
        fault = row.fault
        if row.cells is not None:
            item = _item(row.cells, len(rows) + 1)
            fault = _fault(item, seen)
            if not fault:
                seen.add(item["id"])
                rows.append(item)
        if fault:
            problems.append(Problem(short_path(file), row.where, fault))
    if not rows and not problems:
        raise DataError(f"{short_path(file)}: no items; expected at least one row with an image")
    frame = pd.DataFrame(rows, columns=[*ITEM_COLUMNS, "synthetic"])
    frame = frame.astype(dict.fromkeys(ITEM_COLUMNS, "str") | {"synthetic": bool})
    frame.insert(len(ITEM_COLUMNS), "folder", str(root))
    if return_problems:
        if strict:
            report(problems, strict=True, advice="")
        return frame, problems_frame(problems)
    report(problems, strict=strict, advice="load_items(..., return_problems=True)")
    return frame


def _rows(file: Path) -> Iterator[_Row]:
    """Read the rows of a file of any supported kind."""
    name = file.name.lower()
    if name.endswith(".parquet"):
        yield from _table_rows(_read_parquet(file), file)
    elif files.has_suffix(file, files.TABLE_SUFFIXES):
        yield from _table_rows(files.read_table(file), file)
    else:
        yield from _json_rows(file)


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd

    if not file.is_file():
        raise DataError(f"{short_path(file)}: no such file; check the path")
    try:
        return pd.read_parquet(file)
    except Exception as error:  # pyarrow has its own exceptions: the file is not what its name says
        raise DataError(f"{short_path(file)}: not a readable Parquet file ({error})") from None


def _table_rows(table: pd.DataFrame, file: Path) -> Iterator[_Row]:
    wanted = {"image", *_WIT_COLUMNS["image"]}
    if not wanted & set(table.columns):
        columns = list(table.columns)[:12]
        raise DataError(f"{short_path(file)}: got columns {columns}, expected image or image_url among them")
    for number, values in enumerate(table.to_dict("records"), 1):
        yield _Row(f"row {number}", {str(name): value for name, value in values.items()})


def _json_rows(file: Path) -> Iterator[_Row]:
    data = files.read_bytes(file)
    if data.lstrip()[:1] == b"[":
        try:
            records = files.decode_loosely(data)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{short_path(file)}: not valid JSON ({error})") from None
        for number, record in enumerate(records):
            yield _checked(f"$[{number}]", record)
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield _checked(f"line {number}", files.decode_loosely(line))
        except (ValueError, RecursionError) as error:
            yield _Row(f"line {number}", None, f"not valid JSON ({error})")


def _checked(where: str, record: Any) -> _Row:
    if isinstance(record, dict):
        return _Row(where, record)
    return _Row(where, None, f"got {type(record).__name__}, expected an object with an image")


def _item(values: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an item from a row in our own columns or in WIT's."""
    item: dict[str, Any] = {}
    for name in ITEM_COLUMNS:
        candidates = (name, *_WIT_COLUMNS.get(name, ()))
        texts = (_as_text(values.get(candidate)) for candidate in candidates)
        item[name] = next((text for text in texts if text), "")
    item["licence"] = item["licence"] or _as_text(values.get("license"))
    item["id"] = item["id"] or str(number)
    item["synthetic"] = values.get("synthetic") in (True, "true", "True", 1, "1")
    return item


def _as_text(value: Any) -> str:
    """Return a cell as one text; a list of tags is joined."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return ", ".join(_as_text(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).encode("utf-8", "replace").decode("utf-8").strip()


def _fault(item: dict[str, Any], seen: set[str]) -> str:
    if not item["image"]:
        return "no image"
    if item["id"] in seen:
        return f"the id {item['id']!r} is used by an earlier item; ids must be unique"
    return ""


def picture_path(item: Any) -> Path:
    """Return the path of an item's picture; only pictures inside its folder are read.

    Parameters
    ----------
    item : mapping
        With ``image`` and ``folder``. For a URL, the last part is the name of the downloaded file.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    DataError
        If the path leads outside of the folder.
    """
    image = str(item["image"])
    if _URL.match(image):
        image = unquote(urlsplit(image).path).rpartition("/")[2]
    folder = Path(item["folder"] or ".").resolve()
    try:
        path = (folder / image).resolve()
    except (OSError, ValueError):
        raise DataError(f"{shorten(image, 80)}: not the path of a file") from None
    if not image or not path.is_relative_to(folder):
        raise DataError(f"the picture {shorten(image, 80)} is outside of {short_path(folder)}")
    return path
