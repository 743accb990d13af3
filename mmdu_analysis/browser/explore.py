"""A chart that is linked with the browser: a selection filters the dialogues, the open dialogue is marked."""

from __future__ import annotations

import base64
from contextlib import suppress
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from mmdu_analysis.browser.charts import chart_of, shown_points
from mmdu_analysis.browser.inputs import read_inputs
from mmdu_analysis.browser.session import Session
from mmdu_analysis.browser.still import still_html
from mmdu_analysis.browser.widget import DEFAULT_NOTES, DialogBrowser, display_with_still
from mmdu_analysis.schema import DataError, NotAvailable, Rubric
from mmdu_analysis.stats.explore_points import Exploration, Points, explore_points

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.study import Study

_MOST_MARKS = 20


@lru_cache(maxsize=1)
def _offline_chart() -> Any:
    """Return altair's chart widget with its scripts included, so that it works offline."""
    try:
        import altair
        import vl_convert  # noqa: F401 - holds the scripts
    except ImportError:
        raise NotAvailable("linked charts need altair; pip install 'mmdu-analysis[explore]'") from None

    class OfflineChart(altair.JupyterChart):
        """A chart whose scripts come from vl-convert."""

    OfflineChart.enable_offline()
    return OfflineChart


class Explorer(ipywidgets.VBox):
    """A chart above the dialogue browser; returned by `explore`.

    Attributes
    ----------
    chart : altair.JupyterChart
        Drag in it to filter the browser by the area, click to open a point, double-click to clear.
    view : DialogBrowser
        The browser.
    points : pandas.DataFrame
        The points of the chart, see `Points`.
    """

    def __init__(self, session: Session, points: Points, title: str) -> None:
        self._spec = chart_of(points, title)
        self.chart = _offline_chart()(self._spec, debounce_wait=80, embed_options={"actions": False})
        self.view = DialogBrowser(session)
        self.points = points.frame
        self._shown = shown_points(points)
        self._selected = points.frame
        super().__init__([self.chart, self.view])
        self.chart.selections.observe(self._on_brush, "brush")
        if "pick" in self.chart.selections.trait_names():
            self.chart.selections.observe(self._on_pick, "pick")
        self.view.observe(self._on_select, "selection")
        self._mark()

    def __repr__(self) -> str:
        return f"Explorer({len(self.points):,} points, {len(self._selected):,} selected)"

    @property
    def filtered(self) -> pd.DataFrame:
        """The points of the selection in the chart; all points if nothing is selected."""
        return self._selected.reset_index(drop=True)

    def select(self, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None) -> Explorer:
        """Select an area of the chart from Python.

        Parameters
        ----------
        x, y : tuple of two float, optional
            Lowest and highest value; None means no limit.

        Returns
        -------
        Explorer
            Itself.
        """
        shown = self._shown
        for column, limits in (("x", x), ("y", y)):
            if limits is not None:
                shown = shown.loc[shown[column].between(*sorted(limits))]
        self._narrow(self.points.loc[shown.index], whole=x is None and y is None)
        return self

    def _narrow(self, frame: pd.DataFrame, *, whole: bool) -> None:
        self._selected = frame
        if whole:
            self.view.narrow(None)
        elif frame["turn"].isna().any():  # dialogues: all of their turns
            turns = self.view._session.index.turns[["dialog_id", "turn"]]
            self.view.narrow(turns.loc[turns["dialog_id"].isin(frame["dialog_id"])])
        else:
            self.view.narrow(frame[["dialog_id", "turn"]])

    def _on_brush(self, change: Any) -> None:
        value = change["new"].value or {}
        ends = {name: [float(end) for end in value[name]] for name in ("x", "y") if value.get(name)}
        limits = {name: (min(both), max(both)) for name, both in ends.items()}
        self.select(limits.get("x"), limits.get("y"))

    def _on_pick(self, change: Any) -> None:
        for point in change["new"].value or []:
            row = self.points.iloc[int(point["id"])]
            with suppress(DataError):
                self.view.open(row["dialog_id"], None if row.isna()["turn"] else int(row["turn"]))
            return

    def _on_select(self, _: Any) -> None:
        self._mark()

    def _mark(self) -> None:
        """Mark the points of the open turn, or of its dialogue."""
        selection = self.view.selection
        frame = self._shown
        same_turn = frame["turn"].isna() | (frame["turn"] == selection["turn"]).fillna(False)
        is_open = (frame["dialog_id"] == selection["dialog_id"]) & same_turn
        marked = frame.loc[is_open, ["x", "y"]].head(_MOST_MARKS)
        self.chart.params.here = [{"x": float(x), "y": float(y)} for x, y in marked.to_numpy()]

    def _ipython_display_(self) -> None:
        """Display a still picture, which the live widget hides, and the widget."""
        still = f"{self._still_chart()}{still_html(self.view._session)}"
        display_with_still(self, f'<div class="mmdu-still-{escape(self.view._key)}">{still}</div>')

    def _still_chart(self) -> str:
        import vl_convert

        picture = vl_convert.vegalite_to_png(self._spec.to_dict(), scale=1.5)
        data = base64.b64encode(picture).decode()
        # White: the labels of the picture are dark in both themes.
        return f'<img alt="chart" style="background:#ffffff;width:860px;max-width:100%" src="data:image/png;base64,{data}">'


def explore(
    benchmark: Study | Benchmark | str | Path,
    name: Exploration = "context",
    *,
    answers: pd.DataFrame | str | Path | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    models: tuple[str, str] | None = None,
    dimension: str | None = None,
    notes: str | Path | None = DEFAULT_NOTES,
    rubric: Rubric | None = None,
) -> Explorer:
    """Explore a chart that is linked with the dialogue browser: a selection in one is shown in the other.

    Parameters
    ----------
    benchmark : Study, Benchmark, path or name
        The dialogues; a study brings its answers, scores and rubric.
    name : {"context", "turn", "answer_length", "n_images", "distance", "models", "topics", "length"}
        Name of the chart, see `mmdu_analysis.stats.explore_points.explore_points`.
    answers, scores : pandas.DataFrame or path, optional
        From `load_answers` and `load_scores`, or what these take.
    models : tuple of two str, optional
        For ``models``; by default the first two.
    dimension : str, optional
        By default the overall score.
    notes : path or None, default "mmdu_notes.jsonl"
        As in `browse`.
    rubric : Rubric, optional
        Of the scores.

    Returns
    -------
    Explorer
        A widget with ``chart``, ``view`` and ``filtered``, the points of the selection.

    Raises
    ------
    NotAvailable
        If altair is not installed, or the chart needs scores or answers that aren't given.

    See Also
    --------
    browse : The browser alone.
    turns_where : The turns that meet conditions, as a frame.
    """
    found = read_inputs(benchmark, answers, scores, rubric)
    _offline_chart()
    options: dict[str, Any] = {"models": models, "dimension": dimension, "rubric": found.rubric}
    points = explore_points(found.benchmark, found.answers, found.scores, name, **options)
    if points.frame.empty:
        raise NotAvailable(
            f"the chart {name!r} has no point: no score is of a turn of {found.benchmark.name}"
        )
    session = Session(found.benchmark, found.answers, found.scores, None, notes, found.rubric, dimension)
    return Explorer(session, points, found.benchmark.name)
