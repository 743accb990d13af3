"""Convert dialogues to tidy frames, batch by batch, so that the texts of a large file are in memory only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.io import pictures
from mmdu_analysis.io.dialogs import Dialog

if TYPE_CHECKING:
    import pandas as pd

_BATCH = 2_000


class Columns(NamedTuple):
    """A batch of dialogues as Arrow arrays: one dict per frame."""

    dialogs: dict[str, Any]
    turns: dict[str, Any]
    images: dict[str, Any]


class Frames(NamedTuple):
    """The frames of a `Benchmark`.

    Attributes
    ----------
    dialogs, turns, images : pandas.DataFrame
        As in `Benchmark`.
    forms : pandas.DataFrame
        One row per dialogue (index ``dialog_id``), its form in the file: ``number_id`` (the id is a number),
        ``user``, ``assistant`` (the speakers' names).
    twice : list of str
        Duplicated ids; the first dialogue is kept.
    """

    dialogs: pd.DataFrame
    turns: pd.DataFrame
    images: pd.DataFrame
    forms: pd.DataFrame
    twice: list[str]


def columns(dialogs: list[Dialog], names: pictures.PictureNames) -> Columns:
    """Convert dialogues to Arrow arrays, with the sizes of the pictures that `names` finds."""
    return Columns(_dialog_columns(dialogs), _turn_columns(dialogs), _image_columns(dialogs, names))


def save_columns(part: Columns, path: Path) -> None:
    """Write the columns of dialogues as Arrow streams, one after the other."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file:
        for arrays in part:
            batch = pa.RecordBatch.from_pydict(arrays)
            with pa.ipc.new_stream(file, batch.schema) as stream:
                stream.write_batch(batch)


def map_columns(path: Path) -> Columns:
    """Map a file of `save_columns` into memory, and unlink it; its data exist as long as the map."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        batches = []
        for _ in range(3):
            with pa.ipc.open_stream(file) as stream:
                batches += stream  # one; it must be read to its end for the next to be found
    path.unlink()
    dialogs, turns, images = (dict(zip(batch.schema.names, batch.columns, strict=True)) for batch in batches)
    return Columns(dialogs, turns, images)


def frames(parts: Iterable[Columns]) -> Frames:
    """Join batches as frames.

    Parameters
    ----------
    parts : iterable of Columns
        In the order of the dialogues.

    Returns
    -------
    Frames
        If an id is duplicated, the first dialogue is kept.
    """
    import numpy as np

    found = list(parts) or [columns([], pictures.PictureNames([]))]
    dialogs = _joined([part.dialogs for part in found])
    turns, images = _joined([part.turns for part in found]), _joined([part.images for part in found])
    twice = dialogs["dialog_id"].duplicated().to_numpy()
    if twice.any():
        turns = turns.loc[~np.repeat(twice, dialogs["n_turns"])].reset_index(drop=True)
        images = images.loc[~np.repeat(twice, dialogs["n_images"])].reset_index(drop=True)
    kept = dialogs.loc[~twice].set_index("dialog_id")
    return Frames(
        kept[["n_turns", "n_images", "system", "synthetic"]].copy(),
        turns,
        images,
        kept[["number_id", "user", "assistant"]].copy(),
        dialogs.loc[twice, "dialog_id"].tolist(),
    )


def image_frame(dialogs: list[Dialog], folder: Path) -> pd.DataFrame:
    """Return the images of dialogues as a frame, with the sizes of those that are in `folder`."""
    return _joined([_image_columns(dialogs, pictures.names_of(folder))])


def rows_by_dialog(frame: pd.DataFrame, ids: pd.Index) -> Iterator[list[Any]]:
    """Yield the rows of each dialogue without indexing each one separately, which is slow on long columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``dialog_id``, in any order.
    ids : pandas.Index
        The dialogues wanted.

    Yields
    ------
    list of namedtuple
        One list per dialogue of `ids`, in their order: its rows in the order of `frame`, as from
        ``itertuples``.
    """
    import numpy as np

    places = ids.get_indexer(frame["dialog_id"])
    if (places < 0).any():
        frame, places = frame.loc[places >= 0], places[places >= 0]
    if (np.diff(places) < 0).any():
        order = np.argsort(places, kind="stable")
        frame, places = frame.iloc[order], places[order]
    borders = np.searchsorted(places, np.arange(len(ids) + 1)).tolist()
    for first in range(0, len(ids), _BATCH):
        part = borders[first : first + _BATCH + 1]
        rows = list(frame.iloc[part[0] : part[-1]].itertuples(index=False))
        for start, stop in pairwise(part):
            yield rows[start - part[0] : stop - part[0]]


def _joined(parts: list[dict[str, Any]]) -> pd.DataFrame:
    """Join batches of Arrow arrays as the columns of a frame."""
    import pandas as pd
    import pyarrow as pa

    result = {}
    for name, first in parts[0].items():
        whole = pa.chunked_array([part[name] for part in parts])
        if pa.types.is_large_string(first.type):
            result[name] = pd.array(whole, dtype="str")
        elif name in ("first_turn", "width", "height"):
            result[name] = pd.array(whole.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get))
        else:
            result[name] = whole.to_numpy()  # numbers and booleans without gaps
    return pd.DataFrame(result)


def _texts(values: list[str] | list[str | None]) -> Any:
    import pyarrow as pa

    return pa.array(values, type=pa.large_string())


def _numbers(values: list[int] | list[int | None]) -> Any:
    import pyarrow as pa

    return pa.array(values, type=pa.int64())


def _booleans(values: list[bool]) -> Any:
    import pyarrow as pa

    return pa.array(values, type=pa.bool_())


def _dialog_columns(dialogs: list[Dialog]) -> dict[str, Any]:

    return {
        "dialog_id": _texts([dialog.dialog_id for dialog in dialogs]),
        "n_turns": _numbers([len(dialog.questions) for dialog in dialogs]),
        "n_images": _numbers([len(dialog.images) for dialog in dialogs]),
        "system": _texts([dialog.system or None for dialog in dialogs]),
        "synthetic": _booleans([dialog.synthetic for dialog in dialogs]),
        "number_id": _booleans([dialog.number_id for dialog in dialogs]),
        "user": _texts([dialog.speakers[0] for dialog in dialogs]),
        "assistant": _texts([dialog.speakers[1] for dialog in dialogs]),
    }


def _turn_columns(dialogs: list[Dialog]) -> dict[str, Any]:
    placed = [pair for dialog in dialogs for pair in dialog.placed()]
    answers = [answer if answer.strip() else None for dialog in dialogs for answer in dialog.answers]
    return {
        "dialog_id": _texts([dialog.dialog_id for dialog in dialogs for _ in dialog.questions]),
        "turn": _numbers([turn for dialog in dialogs for turn in dialog.turns]),
        "question": _texts([question for dialog in dialogs for question in dialog.questions]),
        "answer": _texts(answers),
        "new_images": _numbers([new for new, _ in placed]),
        "images_so_far": _numbers([so_far for _, so_far in placed]),
        "synthetic": _booleans([dialog.synthetic for dialog in dialogs for _ in dialog.questions]),
    }


def _image_columns(dialogs: list[Dialog], names: pictures.PictureNames) -> dict[str, Any]:
    sizes = [size for dialog in dialogs for size in image_sizes(dialog, names)]
    return {
        "dialog_id": _texts([dialog.dialog_id for dialog in dialogs for _ in dialog.images]),
        "image": _numbers([number for dialog in dialogs for number in dialog.image_numbers]),
        "path": _texts([path for dialog in dialogs for path in dialog.images]),
        "first_turn": _numbers([turn for dialog in dialogs for turn in _first_turns(dialog)]),
        "width": _numbers([size[0] if size else None for size in sizes]),
        "height": _numbers([size[1] if size else None for size in sizes]),
    }


def image_sizes(dialog: Dialog, names: pictures.PictureNames) -> list[tuple[int, int] | None]:
    """Return the sizes of the pictures of a dialogue, from the record or the files; None if unknown."""
    carried = dialog.sizes or [None] * len(dialog.images)
    return [size or names.size(path) for size, path in zip(carried, dialog.images, strict=True)]


def _first_turns(dialog: Dialog) -> list[int | None]:
    if dialog.unplaced:
        return [None] * len(dialog.images)
    order = [turn for turn, (new, _) in zip(dialog.turns, dialog.placed(), strict=True) for _ in range(new)]
    return [order[number] if number < len(order) else None for number in range(len(dialog.images))]
