"""The browser in JupyterLab."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from mmdu_analysis.browser.assets import script, style
from mmdu_analysis.browser.inputs import read_inputs
from mmdu_analysis.browser.rating import RatingSession
from mmdu_analysis.browser.session import Session
from mmdu_analysis.browser.still import still_html
from mmdu_analysis.schema import DataError, Rubric, problems_frame, report

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.browser.replies import Replies
    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.study import Study

DEFAULT_NOTES = "mmdu_notes.jsonl"
DEFAULT_RATINGS = "mmdu_ratings.jsonl"


class PageWidget(anywidget.AnyWidget):
    """A widget whose page talks to `Replies`."""

    _esm = script()
    _css_text = traitlets.Unicode().tag(sync=True)
    _key = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: Replies) -> None:
        super().__init__(_css_text=style(), _key=secrets.token_hex(8))
        self._session: Any = session
        self.on_msg(self._answer)

    def _answer(self, _: Any, message: Any, __: Any) -> None:
        reply = self._session.handle(message)
        content = reply.content
        if isinstance(message, dict) and "ticket" in message:
            content = content | {"ticket": message["ticket"]}
        self.send(content, reply.buffers)
        self._handled()

    def _handled(self) -> None:
        """Update the widget after a message was answered."""


def display_with_still(widget: Any, still: str) -> None:
    """Display HTML for readers without a kernel, and a widget, which hides the HTML if a kernel is running."""
    from IPython.display import HTML, display

    bundle = widget._repr_mimebundle_()
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    display(HTML(still))
    display(data, metadata=metadata, raw=True)


class DialogBrowser(PageWidget):
    """A widget that shows the dialogues of a benchmark; returned by `browse`.

    Attributes
    ----------
    selection : dict
        ``dialog_id`` and ``turn`` that are shown; can be observed.
    """

    selection = traitlets.Dict(read_only=True)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.set_trait("selection", dict(session.selection))

    def _handled(self) -> None:
        self.set_trait("selection", dict(self._session.selection))

    def __repr__(self) -> str:
        session = self._session
        return (
            f"DialogBrowser({session.benchmark.name!r}, {len(session.order):,} dialogues, {self.selection})"
        )

    def _ipython_display_(self) -> None:
        """Display a still picture, which the live widget hides, and the widget."""
        display_with_still(self, still_html(self._session, self._key))

    @property
    def filtered(self) -> pd.DataFrame:
        """The turns that meet the filters: ``dialog_id``, ``turn``, ``question``, and ``score`` if there is one."""
        return self._session.filtered()

    @property
    def notes(self) -> pd.DataFrame:
        """Tags and notes: ``dialog_id``, ``turn``, ``tags``, ``note``, ``time``."""
        return self._session.notes.frame()

    def link(self) -> str:
        """Return the open turn and the filters as a link.

        Returns
        -------
        str
            For ``browse(..., link=...)`` and, after ``#``, for the address of ``mmdu browse``.
        """
        return self._session.link()

    def narrow(self, turns: pd.DataFrame | None) -> DialogBrowser:
        """Show only some turns, in addition to the filters.

        Parameters
        ----------
        turns : pandas.DataFrame or None
            ``dialog_id`` and ``turn``; None shows all again.

        Returns
        -------
        DialogBrowser
            Itself.
        """
        self._session.narrow(turns)
        self.set_trait("selection", dict(self._session.selection))
        self.send({"kind": "changed"})
        return self

    def open(self, dialog_id: str | None = None, turn: int | None = None) -> DialogBrowser:
        """Show a dialogue, at a turn.

        Parameters
        ----------
        dialog_id : str
            The dialogue. (Without it, this is the ``open`` of ipywidgets, which connects the widget.)
        turn : int, optional
            1-based; by default the first that meets the filters.

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


class RatingBrowser(PageWidget):
    """A widget in which a person rates answers; returned by ``browse(rate=True)``."""

    def __repr__(self) -> str:
        return f"RatingBrowser({self._session.rater!r}, {self.progress})"

    @property
    def progress(self) -> dict[str, int]:
        """Turns that are rated, and turns of the plan: ``done``, ``of``."""
        return self._session.progress()

    @property
    def problems(self) -> pd.DataFrame:
        """Rows of the plan that have no answer, counted, and lines of the log that are not ratings."""
        return problems_frame(self._session.problems)


def browse(
    benchmark: Study | Benchmark | str | Path,
    answers: pd.DataFrame | str | Path | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    *,
    where: pd.DataFrame | None = None,
    link: str = "",
    notes: str | Path | None = DEFAULT_NOTES,
    dimension: str | None = None,
    rate: bool = False,
    rater: str = "",
    plan: pd.DataFrame | None = None,
    ratings: str | Path = DEFAULT_RATINGS,
    seed: int = 0,
    rubric: Rubric | None = None,
) -> DialogBrowser | RatingBrowser:
    """Read dialogues as conversations, with models' answers and scores next to the references.

    Parameters
    ----------
    benchmark : Study, Benchmark, path or name
        The dialogues; a study brings its answers, scores and rubric.
    answers, scores : pandas.DataFrame or path, optional
        From `load_answers` and `load_scores`, or what these take.
    where : pandas.DataFrame, optional
        Shows only its ``dialog_id``, or only its ``dialog_id`` and ``turn``, in its order; with one ``model``
        its scores: a frame such as `turns_where` and `turns_behind` return, or another browser's
        ``filtered``.
    link : str, optional
        State that ``view.link()`` returned.
    notes : path or None, default "mmdu_notes.jsonl"
        JSON Lines file for tags and notes, created with the first one; None keeps them in memory.
    dimension : str, optional
        The score of the list and the filters; by default the overall score, or the only dimension.
    rate : bool, default False
        Rate the answers instead: the dimensions of the rubric by keys, names of models hidden.
    rater : str, optional
        Name of the person who rates; required with `rate`.
    plan : pandas.DataFrame, optional
        ``dialog_id`` and ``turn`` (and ``model``, ``rater``) to rate; by default every turn with an answer.
    ratings : path, default "mmdu_ratings.jsonl"
        Log of the ratings, see `mmdu_analysis.io.ratings_log`; the rating is resumed from it.
    seed : int, default 0
        Of the order of the models at each turn.
    rubric : Rubric, optional
        Of the scores; by default the study's, or MMDU's.

    Returns
    -------
    DialogBrowser or RatingBrowser
        A widget: ``selection``, ``filtered``, ``notes``, ``link()``, ``open(dialog_id, turn)``.

    Raises
    ------
    DataError
        If a frame lacks its columns, or `where` selects no turn.

    See Also
    --------
    turns_where : Turns at which one model is wrong and another one is right.
    turns_behind : Turns behind a point of a figure.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> view = mmdu.browse(mmdu.load_benchmark("sample"), notes=None)
    >>> view.selection
    {'dialog_id': '0', 'turn': 1}
    """
    found = read_inputs(benchmark, answers, scores, rubric)
    if rate:
        if found.answers is None:
            raise DataError("rating needs answers; pass answers=, or a study with answers")
        rating = RatingSession(
            found.benchmark,
            found.answers,
            rater=rater,
            path=ratings,
            plan=plan,
            seed=seed,
            rubric=found.rubric,
        )
        report(rating.problems, strict=False, advice="browse(..., rate=True).problems")
        return RatingBrowser(rating)
    session = Session(found.benchmark, found.answers, found.scores, where, notes, found.rubric, dimension)
    if link:
        session.follow(link)
    return DialogBrowser(session)
