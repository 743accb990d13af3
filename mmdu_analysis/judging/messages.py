"""Conversations in the chat protocol's form: texts, and pictures as data URLs at the positions of their placeholders."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from mmdu_analysis.io.frames import rows_by_dialog
from mmdu_analysis.io.scaled import Pictures
from mmdu_analysis.judging.reply import TurnError
from mmdu_analysis.schema import PLACEHOLDERS, DataError, shorten

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

IMAGE_SIDE = 1536
"""Longest side of a picture that is sent, in pixels, by default."""
MISSING_PICTURES = ("stop", "tell")
_PLACEHOLDER = re.compile("|".join(re.escape(text) for text in PLACEHOLDERS))


@dataclass(frozen=True)
class Dialogue:
    """One dialogue in the form that is sent to a model.

    Attributes
    ----------
    dialog_id : str
        Its id.
    questions : list of str
        With their placeholders.
    references : list of str or None
        None if missing.
    images : list of list of int
        The numbers of the images that each question shows first.
    paths : list of str
        Paths of all its pictures, as in the benchmark.
    """

    dialog_id: str
    questions: list[str]
    references: list[str | None]
    images: list[list[int]]
    paths: list[str]


def list_dialogues(bench: Benchmark, limit: int | None = None) -> list[Dialogue]:
    """Return the dialogues of a benchmark one by one.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    limit : int, optional
        Only the first `limit`.

    Returns
    -------
    list of Dialogue
        In the benchmark's order.

    Raises
    ------
    DataError
        If `limit` isn't positive.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit: got {limit}, expected 1 or more")
    ids = bench.dialogs.index[:limit]
    turns, images = rows_by_dialog(bench.turns, ids), rows_by_dialog(bench.images, ids)
    return [_dialogue(str(key), *rows) for key, *rows in zip(ids, turns, images, strict=True)]


def _dialogue(dialog_id: str, turns: list[Any], images: list[Any]) -> Dialogue:
    """Build a dialogue from its rows of the benchmark's frames."""
    import pandas as pd

    # If the file has no placeholders, all pictures are shown in the first turn.
    start = bool(turns) and turns[0].images_so_far > turns[0].new_images
    first = [int(start) if pd.isna(row.first_turn) else row.first_turn for row in images]
    return Dialogue(
        dialog_id,
        [row.question for row in turns],
        [row.answer if isinstance(row.answer, str) else None for row in turns],
        [[row.image for row, at in zip(images, first, strict=True) if at == turn.turn] for turn in turns],
        [row.path for row in images],
    )


def sent_images(bench: Benchmark, dialogues: Sequence[Dialogue]) -> pd.DataFrame:
    """List the pictures that are sent, each with the turn that shows it first.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    dialogues : sequence of Dialogue
        From `list_dialogues`.

    Returns
    -------
    pandas.DataFrame
        As ``bench.images``; pictures without a placeholder have the turn that they are sent with as
        ``first_turn``.
    """
    import pandas as pd

    rows = [
        (dialogue.dialog_id, image, turn)
        for dialogue in dialogues
        for turn, brought in enumerate(dialogue.images, 1)
        for image in brought
    ]
    sent = pd.DataFrame(rows, columns=["dialog_id", "image", "first_turn"]).astype(
        {"dialog_id": bench.images["dialog_id"].dtype, "image": "int64", "first_turn": "Int64"}
    )
    return sent.merge(bench.images.drop(columns="first_turn"), on=["dialog_id", "image"])


class Gallery:
    """The pictures of the current dialogues as parts of a message, each encoded once.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    side : int
        Maximum length of the longest side, in pixels. Smaller files are sent unchanged.
    tell : bool
        Whether a missing picture is replaced by a sentence.
    """

    def __init__(self, bench: Benchmark, side: int, *, tell: bool) -> None:
        self._pictures, self._side, self._tell = Pictures(bench), side, tell
        self._parts: dict[str, dict[int, Any]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def load(self, dialog_id: str, images: Sequence[int]) -> dict[int, Any]:
        """Read pictures and scale them, each once.

        Parameters
        ----------
        dialog_id : str
            The dialogue.
        images : sequence of int
            Numbers of the required images.

        Returns
        -------
        dict
            Image number -> part of a message.

        Raises
        ------
        TurnError
            If one isn't a readable picture, unless a sentence is sent instead.
        """
        with self._locks.setdefault(dialog_id, threading.Lock()):
            parts = self._parts.setdefault(dialog_id, {})
            for image in images:
                if image not in parts:
                    parts[image] = self._encode(dialog_id, image)
            return parts

    def drop(self, dialog_id: str) -> None:
        """Release the pictures of a completed dialogue."""
        self._parts.pop(dialog_id, None)

    def _encode(self, dialog_id: str, image: int) -> Any:
        picture = self._pictures.get(dialog_id, image, self._side, keep=True)
        if picture.problem and not self._tell:
            raise TurnError(f"image {image}: {picture.problem}")
        if picture.problem:
            return _text(f"[Image{image} is not available]")
        url = f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"
        return msgspec.Raw(msgspec.json.encode({"type": "image_url", "image_url": {"url": url}}))


def question_content(
    question: str,
    images: Sequence[int],
    picture: Callable[[int], Any],
    before: Sequence[int] = (),
) -> str | list[Any]:
    """Replace the placeholders of a question by its pictures.

    Parameters
    ----------
    question : str
        With its placeholders.
    images : sequence of int
        The images that it shows first. If there are more than placeholders, as in a file that lists pictures
        without placeholders, the first ones come before the text, with their names.
    picture : callable
        Image number -> part of a message.
    before : sequence of int
        Other images that come first, with their names.

    Returns
    -------
    str or list
        The message's content; a text where there is no picture.
    """
    texts = _PLACEHOLDER.split(question)
    n_leading = max(0, len(images) - len(texts) + 1)
    pieces: list[Any] = []
    for image in [*before, *images[:n_leading]]:
        pieces += [_text(f"Image{image}: "), picture(image), _text("\n")]
    placed = iter(images[n_leading:])
    for position, text in enumerate(texts):
        pieces += [picture(image) for image in islice(placed, 1 if position else 0)]
        pieces.append(_text(text))
    parts = _joined(pieces)
    return parts[0]["text"] if len(parts) == 1 and isinstance(parts[0], dict) else parts


def _joined(pieces: list[Any]) -> list[Any]:
    """Join consecutive texts and drop empty ones."""
    parts: list[Any] = []
    for piece in pieces:
        if isinstance(piece, dict) and parts and isinstance(parts[-1], dict):
            parts[-1] = _text(parts[-1]["text"] + piece["text"])
        elif piece != _text(""):
            parts.append(piece)
    return parts or [_text("")]


def left_out(image: int) -> dict[str, str]:
    """Return the sentence that replaces a picture that is no longer sent."""
    return _text(f"[Image{image} is no longer shown]")


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def message(role: str, content: str | Sequence[Any]) -> msgspec.Raw:
    """Encode a message once; conversations send it again with every turn."""
    return msgspec.Raw(msgspec.json.encode({"role": role, "content": content}))


def check_pictures(bench: Benchmark, dialogues: Sequence[Dialogue], rule: str) -> int:
    """Validate that no picture is missing, unless a sentence is to be sent instead.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    dialogues : sequence of Dialogue
        The dialogues of the run.
    rule : {"stop", "tell"}
        ``tell``: a sentence replaces a missing picture.

    Returns
    -------
    int
        Number of missing pictures.

    Raises
    ------
    DataError
        With ``stop``, if any is missing.
    """
    sent = sent_images(bench, dialogues)
    lost = sent.loc[sent["width"].isna()]
    if len(lost) and rule == "stop":
        first = lost.iloc[0]
        raise DataError(
            f"{bench.name}: {len(lost)} of {len(sent)} pictures are missing, the first: dialogue "
            f"{first['dialog_id']}, image {first['image']} ({shorten(str(first['path']), 80)}); unpack mmdu_pics.zip beside "
            "the file, or send a sentence instead of each (missing_pictures='tell')"
        )
    return len(lost)
