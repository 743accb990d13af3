"""One dialogue as a single page that works offline and without a server."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdu_analysis.browser.assets import script, style, text_of
from mmdu_analysis.browser.replies import SIZES
from mmdu_analysis.browser.session import Session
from mmdu_analysis.io.files import atomic_path


def export_page(session: Session, dialog_id: str, path: Path) -> None:
    """Write a dialogue with its pictures, answers and scores as one HTML file.

    Parameters
    ----------
    session : Session
        The benchmark with answers and scores.
    dialog_id : str
        Which dialogue.
    path : pathlib.Path
        File to write; it is written completely or not at all.

    Raises
    ------
    DataError
        If there is no such dialogue.
    """
    page = dialog_page(session, dialog_id)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def dialog_page(
    session: Session, dialog_id: str, *, side: int = SIZES["full"], links: Mapping[str, str] | None = None
) -> str:
    """Return a dialogue as an HTML page.

    Parameters
    ----------
    session : Session
        The benchmark with answers and scores.
    dialog_id : str
        Which dialogue.
    side : int, default 1600
        Longest side of its pictures, in pixels.
    links : mapping of str to str, optional
        Text and address of the links above the dialogue.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If there is no such dialogue.
    """
    session.select(dialog_id, None)
    data = _data(session, side)
    title = f"{data['start']['name']}, dialogue {data['dialog']['dialog_id']}"
    body = "".join(
        f'<a href="{html.escape(address)}">{html.escape(text)}</a> '
        for text, address in (links or {}).items()
    )
    body = f'<nav class="site">{body}</nav>' if body else ""
    return html_page(
        title,
        f'{body}<main id="browser"></main>',
        script() + text_of("page.js"),
        {"data": data, "style": style()},
        "img-src blob:",
    )


def html_page(title: str, body: str, code: str, data: Mapping[str, Any], sources: str) -> str:
    """Return an HTML page without external resources, with a content security policy that allows its own script only.

    Parameters
    ----------
    title : str
        Title, not yet escaped.
    body : str
        HTML.
    code : str
        The script.
    data : mapping of str to JSON value
        Data blocks of the page by id; the script reads them.
    sources : str
        Further directives of the policy.

    Returns
    -------
    str
    """
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; {sources}; "
        "base-uri 'none'; form-action 'none'"
    )
    blocks = "".join(
        f'<script type="application/json" id="{name}">{_json(value)}</script>\n'
        for name, value in data.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>{html.escape(title)}</title>\n'
        f"<style>{text_of('own.css')}</style>\n{blocks}"
        f'</head><body>{body}\n<script type="module">{code}</script></body></html>\n'
    )


def _json(value: Any) -> str:
    # No text in the data can end the script element or start another one.
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(session: Session, side: int) -> dict[str, Any]:
    """Return all replies that the page can request."""
    dialog = session.dialog() | {"line": None}  # it would reveal a folder of this machine
    start = session.handle({"kind": "start"}).content
    alone = {"alone": True, "n_dialogs": 1, "of": 1, "place": 0}
    focus, differences = {}, {}
    for turn in dialog["turns"]:
        answer = session.handle({"kind": "turn", "turn": turn["turn"]}).content
        focus[turn["turn"]] = answer["focus"]
        differences[turn["turn"]] = {
            one["model"]: session.handle({"kind": "differences", "model": one["model"]}).content["parts"]
            for one in answer["focus"]["answers"]
        }
    pictures = {}
    for image in dialog["images"]:
        picture = session.pictures.get(session.selection["dialog_id"], image["image"], side)
        data = base64.b64encode(picture.data).decode()
        pictures[image["image"]] = {"mime": picture.mime, "problem": picture.problem, "data": data}
    return {
        "start": start | alone,
        "dialog": dialog | alone,
        "focus": focus,
        "differences": differences,
        "pictures": pictures,
    }
