"""Read the folder that `write_dialogs` writes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.joining import Pair, named_images
from mmdu_analysis.io import files
from mmdu_analysis.schema import DataError, short_path

if TYPE_CHECKING:
    import pandas as pd

PICTURES = "mmdu_pics"
"""Folder of the pictures, named as in MMDU."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Written:
    """A dialogue as a model wrote it.

    Attributes
    ----------
    id : str
        Of the dialogue.
    pairs : tuple of Pair
        Its turns; turn 1 is the first.
    images : tuple of str
        Paths of its pictures, relative to the folder.
    items : tuple of dict
        The item of each picture.
    synthetic : bool
        Whether it is marked so.
    """

    id: str
    pairs: tuple[Pair, ...]
    images: tuple[str, ...]
    items: tuple[dict[str, str], ...]
    synthetic: bool


def picture_name(key: str, source: Path) -> str:
    """Return a safe file name for the picture of an item, unique for each item."""
    safe = _UNSAFE.sub("_", key).strip("._")[:80] or "item"
    if safe != key:
        safe += "-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return safe + source.suffix.lower()


def read_dialogs(folder: str | Path) -> list[Written]:
    """Read the complete dialogues of a folder.

    Parameters
    ----------
    folder : str or path
        From `write_dialogs`.

    Returns
    -------
    list of Written
        In natural order of their ids. Dialogues that are not complete are left out: `write_dialogs` reports
        them.

    Raises
    ------
    DataError
        If it is not such a folder, or a file is not one of `write_dialogs`.
    """
    base = Path(folder).expanduser()
    if not (base / "run.json").is_file():
        raise DataError(f"{short_path(base)}: no run.json; expected a folder of mmdu.building.write_dialogs")
    dialogs = []
    paths = [p for p in base.glob("*.json") if p.name != "run.json" and not p.name.startswith(".")]
    for path in sorted(paths, key=lambda path: files.natural_key(path.name)):
        try:
            record = files.decode_loosely(files.read_bytes(path))
            if "pairs" in record:
                dialogs.append(_written(record))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            text = f"{short_path(path)}: not a written dialogue ({type(error).__name__}: {error})"
            raise DataError(text) from None
    return dialogs


def _written(record: dict[str, Any]) -> Written:
    pairs = []
    for entry in record["pairs"]:
        origin = {name: value for name, value in entry.items() if name not in ("question", "answer")}
        ids = origin.get("items")
        origin["items"] = [str(key) for key in ids] if isinstance(ids, list) else []
        pairs.append(Pair(str(entry["question"]), str(entry["answer"]), origin))
    items = tuple({str(k): str(v) for k, v in item.items()} for item in record["items"])
    images = tuple(str(path) for path in record["image"])
    return Written(str(record["id"]), tuple(pairs), images, items, record.get("synthetic") is True)


def load_dialogs(folder: str | Path) -> pd.DataFrame:
    """Load written dialogues as a frame.

    Parameters
    ----------
    folder : str or path
        From `write_dialogs`.

    Returns
    -------
    pandas.DataFrame
        One row per turn: ``dialog_id``, ``turn``, ``question``, ``answer``, ``kind`` (``single image`` or
        ``multi image``), ``items`` (ids of the items that it is about, joined with ``, ``), ``prompt``,
        ``model``, ``synthetic``.
    """
    import pandas as pd

    rows = []
    for dialog in read_dialogs(folder):
        for turn, pair in enumerate(dialog.pairs, 1):
            kind = "multi image" if len(named_images(pair.question)) > 1 else "single image"
            origin = pair.origin
            items = ", ".join(map(str, origin.get("items", ())))
            row = (dialog.id, turn, pair.question, pair.answer, kind, items)
            rows.append((*row, origin.get("prompt", ""), origin.get("model", ""), dialog.synthetic))
    names = ["dialog_id", "turn", "question", "answer", "kind", "items", "prompt", "model", "synthetic"]
    frame = pd.DataFrame(rows, columns=names)
    texts = [name for name in names if name not in ("turn", "synthetic")]
    return frame.astype(dict.fromkeys(texts, "str") | {"turn": "int64", "synthetic": bool})
