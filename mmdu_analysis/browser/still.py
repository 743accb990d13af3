"""A still picture of the open dialogue as HTML, for notebooks that are read without a kernel."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.texts import cut, first_words, question_parts
from mmdu_analysis.browser.views import answer_text, draw_answers
from mmdu_analysis.schema import SYNTHETIC_LABEL

if TYPE_CHECKING:
    from mmdu_analysis.browser.session import Session

_SIDE = 200  # pixels
_MOST_IMAGES = 12
_MOST_CHARACTERS = 4_000
# No style sheet: notebook viewers remove it. No text or background colours: it is shown in light and dark
# themes.
_BOX = "border:1px solid #888;padding:6px 10px;max-width:1000px;font-family:sans-serif;font-size:13px"
_CELL = "border:1px solid #888;padding:4px 8px;vertical-align:top;text-align:left;white-space:pre-wrap"


def still_html(session: Session, key: str = "") -> str:
    """Return the selected turn with its images, answers and scores as HTML without scripts and links.

    Parameters
    ----------
    session : Session
        The browser.
    key : str, optional
        Added to the class, so that a live widget can hide its own still picture.

    Returns
    -------
    str
        All texts are escaped; pictures are data URLs.
    """
    selection = session.selection
    mark = f" · <strong>{SYNTHETIC_LABEL}</strong>" if session.synthetic else ""
    title = f"{escape(cut(session.benchmark.name, 200, '…'))} · dialogue {escape(cut(selection['dialog_id'], 200, '…'))}"
    start, stop = session.index.rows.span(selection["dialog_id"])
    body = "<p>This dialogue has no turns.</p>"
    if stop > start:
        body = _turn(session, start + selection["turn"] - 1) + _questions(session, start, stop)
    return (
        f'<div class="mmdu-still mmdu-still-{escape(key)}" style="{_BOX}"><p><b>{title}</b> · turn '
        f"{selection['turn']} of {stop - start}{mark}<br><small>Still picture of the dialogue browser; run the cell to "
        f"use it.</small></p>{body}</div>"
    )


def _turn(session: Session, row: int) -> str:
    turn = session.index.turns.iloc[row]
    reference = turn["answer"] if isinstance(turn["answer"], str) else None
    columns = [] if reference is None else [("reference", "", reference)]
    for answer in draw_answers(session.index, row):
        scores = [
            f"{bar['name']} {bar['text']}" + (f" ({judge['judge']})" if number == 0 else "")
            for judge in answer["scores"]
            for number, bar in enumerate(judge["bars"])
            if bar["score"] is not None
        ]
        text = answer_text(session.index, row, answer["model"]) or "no answer"
        columns.append((answer["model"], ", ".join(scores), text))
    heads = "".join(
        f'<th style="{_CELL}">{_text(name)}<br><small>{_text(s)}</small></th>' for name, s, _ in columns
    )
    cells = "".join(f'<td style="{_CELL}">{_text(text)}</td>' for _, _, text in columns)
    table = f"<table><tr>{heads}</tr><tr>{cells}</tr></table>" if columns else ""
    parts = question_parts(
        turn["question"], int(turn["images_so_far"] - turn["new_images"]), _numbers(session)
    )
    text = "".join(str(part.get("text") or f"[Image{part.get('image')}]") for part in parts)
    question = f'<p style="white-space:pre-wrap"><b>{_text(text)}</b></p>'
    return _images(session, int(turn["images_so_far"])) + question + table


def _numbers(session: Session) -> list[int]:
    return session.index.rows.images(session.selection["dialog_id"])["image"].tolist()


def _images(session: Session, so_far: int) -> str:
    dialog_id = session.selection["dialog_id"]
    numbers = _numbers(session)[:so_far]
    shown: list[str] = []
    for number in numbers[:_MOST_IMAGES]:
        picture = session.pictures.get(dialog_id, number, _SIDE)
        if picture.data:
            data = base64.b64encode(picture.data).decode()
            shown.append(
                f'<img alt="Image{number}" title="Image{number}" src="data:{picture.mime};base64,{data}">'
            )
        else:
            shown.append(f"<code>Image{number}: {_text(picture.problem)}</code>")
    more = f" and {len(numbers) - _MOST_IMAGES} more images" if len(numbers) > _MOST_IMAGES else ""
    return f"<p>{' '.join(shown)}{more}</p>"


def _questions(session: Session, start: int, stop: int) -> str:
    questions = session.index.turns["question"].iloc[start:stop]
    items: list[Any] = [f"<li>{escape(first_words(text, 160))}</li>" for text in questions]
    return f"<details><summary>All {stop - start} questions</summary><ol>{''.join(items)}</ol></details>"


def _text(text: str) -> str:
    return escape(cut(str(text), _MOST_CHARACTERS))
