"""Show figures, tables and sentences in a notebook, or the reason why the study doesn't support them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.escape import escape_markdown
from mmdu_analysis.io.tables import render_table
from mmdu_analysis.schema import NotAvailable

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

_DPI = 144
_STYLE = "border-left:3px solid #999;padding-left:8px;color:#666"


@dataclass(frozen=True)
class Missing:
    """A note that replaces a result that the study doesn't support.

    Attributes
    ----------
    reason : str
        What is missing, and how to provide it.
    """

    reason: str

    def __repr__(self) -> str:
        return f"Not available: {self.reason}"

    def _repr_html_(self) -> str:
        return f'<p style="{_STYLE}">Not available: {escape(self.reason)}</p>'


@dataclass(frozen=True)
class Shown:
    """A table or a sentence as a notebook shows it.

    Attributes
    ----------
    html : str
        For notebooks; texts of data are escaped.
    text : str
        For terminals.
    """

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def figure(study: Study, name: str, **options: Any) -> Any:
    """Return a figure for the end of a notebook cell, at the size and font of notebooks.

    Parameters
    ----------
    study : Study
        The data.
    name : str
        As in ``study.available()``.
    **options
        Keywords of the plot.

    Returns
    -------
    matplotlib.figure.Figure or Missing
        The figure, or the reason why there is none.
    """
    import matplotlib.pyplot as plt

    try:
        drawn: Any = study.plot(name, **({"context": "notebook"} | options)).figure
    except NotAvailable as error:
        return Missing(str(error))
    plt.close(drawn)  # otherwise the notebook displays it twice
    drawn.set_dpi(_DPI)
    return drawn


def table(
    frame: pd.DataFrame | Callable[[], pd.DataFrame],
    columns: Sequence[str] | None = None,
    *,
    digits: int = 1,
    rows: int | None = None,
) -> Shown | Missing:
    """Return a table for people: no running index, no NaN, p-values such as ``<0.001``.

    Parameters
    ----------
    frame : pandas.DataFrame or callable
        The table, or a function that returns it and may raise `NotAvailable`.
    columns : sequence of str, optional
        Columns to show; by default all.
    digits : int, default 1
        Decimals.
    rows : int, optional
        Rows at most.

    Returns
    -------
    Shown or Missing
        The table, or the reason why there is none.
    """
    try:
        found = frame() if callable(frame) else frame
    except NotAvailable as error:
        return Missing(str(error))
    if columns is not None:
        marks = [name for name in ("synthetic",) if name in found and name not in columns]
        found = found[[*columns, *marks]]
    found = found if rows is None else found.head(rows)
    return Shown(render_table(found, "html", digits=digits), render_table(found, "markdown", digits=digits))


def text(template: str, **values: Any) -> Shown:
    """Return a sentence with numbers from code.

    Parameters
    ----------
    template : str
        With fields such as ``{gap:.1f}``, and ``**`` around bold text.
    **values
        The fields; texts are escaped.

    Returns
    -------
    Shown
        A paragraph.
    """
    safe = {key: escape_markdown(value) if isinstance(value, str) else value for key, value in values.items()}
    from markdown_it import MarkdownIt

    filled = template.format(**safe)
    return Shown(MarkdownIt("commonmark", {"html": False}).render(filled), filled)
