"""One dialogue as a single page that needs no server and no web."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from mmdu_analysis.browser.session import SIZES, Session
from mmdu_analysis.io.files import atomic_path

STATIC = Path(__file__).parent / "static"


def export_page(session: Session, dialog_id: str, path: Path) -> None:
    """Write a dialogue with its pictures, answers and scores as one HTML file.

    Parameters
    ----------
    session : Session
        The benchmark with answers and scores.
    dialog_id : str
        Which dialogue.
    path : pathlib.Path
        Where to write; whole or not at all.

    Raises
    ------
    DataError
        If there is no such dialogue.
    """
    session.select(dialog_id, None)
    page = _page(_data(session))
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _data(session: Session) -> dict[str, Any]:
    """Collect every answer that the page can ask for."""
    dialog = session.dialog()
    start = session.handle({"kind": "start"}).content
    alone = {"n_dialogs": 1, "of": 1, "place": 0}
    row = {
        "dialog_id": dialog["dialog_id"],
        "turns": len(dialog["turns"]),
        "images": len(dialog["images"]),
        "tokens": sum(turn["question_tokens"] + turn["answer_tokens"] for turn in dialog["turns"]),
    }
    listed = {"kind": "list", "start": 0, "exact": True, "rows": [row], "n_turns": len(dialog["turns"])}
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
        picture = session.pictures.get(session.selection["dialog_id"], image["image"], SIZES["full"])
        data = base64.b64encode(picture.data).decode()
        pictures[image["image"]] = {"mime": picture.mime, "problem": picture.problem, "data": data}
    return {
        "start": start | alone,
        "dialog": dialog | alone,
        "list": listed | alone,
        "focus": focus,
        "differences": differences,
        "pictures": pictures,
    }


def _page(data: dict[str, Any]) -> str:
    script = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("browser.js", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src blob:"
    # No text in the data can end the script element or start another one.
    text = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    styles = {name: (STATIC / name).read_text(encoding="utf-8") for name in ("own.css", "browser.css")}
    title = html.escape(f"{data['start']['name']}, dialogue {data['dialog']['dialog_id']}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>{title}</title>\n'
        f"<style>{styles['own.css']}</style>\n"
        f'<script type="text/plain" id="style">{styles["browser.css"]}</script>\n'
        f'<script type="application/json" id="data">{text}</script>\n'
        f'</head><body><div id="browser"></div>\n<script type="module">{script}</script></body></html>\n'
    )
