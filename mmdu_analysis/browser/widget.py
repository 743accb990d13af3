"""The browser in JupyterLab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from mmdu_analysis.browser.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

STATIC = Path(__file__).parent / "static"
DEFAULT_NOTES = "mmdu_notes.jsonl"


class DialogBrowser(anywidget.AnyWidget):
    """A widget that shows a benchmark's dialogues; made by `browse`.

    Attributes
    ----------
    selection : dict
        ``dialog_id`` and ``turn`` that are shown; can be observed.
    """

    _esm = STATIC / "browser.js"
    _css_text = traitlets.Unicode().tag(sync=True)
    selection = traitlets.Dict(read_only=True)

    def __init__(self, session: Session) -> None:
        super().__init__(_css_text=(STATIC / "browser.css").read_text(encoding="utf-8"))
        self._session = session
        self.set_trait("selection", dict(session.selection))
        self.on_msg(self._answer)

    def _answer(self, _: Any, message: Any, __: Any) -> None:
        reply = self._session.handle(message)
        content = reply.content
        if isinstance(message, dict) and "ticket" in message:
            content = content | {"ticket": message["ticket"]}
        self.set_trait("selection", dict(self._session.selection))
        self.send(content, reply.buffers)

    @property
    def filtered(self) -> pd.DataFrame:
        """The turns that the filters leave: ``dialog_id``, ``turn``, ``question``, and ``score`` if there is one."""
        return self._session.filtered()

    @property
    def notes(self) -> pd.DataFrame:
        """Tags and notes: ``dialog_id``, ``turn``, ``tags``, ``note``, ``time``."""
        return self._session.notes.frame()

    def open(self, dialog_id: str | None = None, turn: int | None = None) -> DialogBrowser:
        """Show a dialogue, at a turn.

        Parameters
        ----------
        dialog_id : str
            The dialogue. (Without it, this is ipywidgets' own ``open``, which connects the widget.)
        turn : int, optional
            1-based; by default the first that the filters leave.

        Returns
        -------
        DialogBrowser
            Itself, so that a notebook shows it.

        Raises
        ------
        DataError
            If there is no such dialogue or turn.
        """
        if dialog_id is None:
            super().open()
            return self
        self._session.select(str(dialog_id), turn)
        self.set_trait("selection", dict(self._session.selection))
        self.send(self._session.dialog())
        return self


def browse(
    bench: Benchmark,
    answers: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    *,
    where: pd.DataFrame | None = None,
    notes: str | Path | None = DEFAULT_NOTES,
) -> DialogBrowser:
    """Read dialogues as conversations, with models' answers and scores beside the references.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame, optional
        From `load_answers` and `load_scores`.
    where : pandas.DataFrame, optional
        Shows only its ``dialog_id``, or only its ``dialog_id`` and ``turn``: a frame such as `turns_behind`, or
        another browser's ``filtered``.
    notes : path or None, default "mmdu_notes.jsonl"
        JSON Lines file for tags and notes, made with the first one; None keeps them in memory.

    Returns
    -------
    DialogBrowser
        A widget: ``selection``, ``filtered``, ``notes``, ``open(dialog_id, turn)``.

    Raises
    ------
    DataError
        If a frame lacks its columns, or `where` leaves nothing.
    """
    return DialogBrowser(Session(bench, answers, scores, where, notes))
