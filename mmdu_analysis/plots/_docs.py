"""Docstrings of public plots: the drawing function's own, with the parameters that all plots share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_COMMON = """\
ax : matplotlib.axes.Axes, optional
    Axes to draw on, also of one's own grid; a new figure by default.
title : bool or str, default True
    Whether to write title and subtitle, or another title.
note : bool, default True
    Whether to write n, definitions and source below.
width, height : float, optional
    Size of a new figure in inches. Without a height, the texts add to it.
font_size : float, optional
    Size of labels in points, instead of the context's.
context : {"paper", "notebook", "slides"}, optional
    Sizes and looks; without it matplotlib's settings are used as they are."""

_AFTER = """\
Returns
-------
matplotlib.axes.Axes
    The Axes; those that hold the panels where there are several.

See Also
--------
mmdu_analysis.Study.numbers : Compute the frame.
mmdu_analysis.Study.plot : Compute and draw.

Examples
--------
>>> import mmdu_analysis as mmdu
>>> frame = mmdu.{study}.numbers("{name}")
>>> ax = mmdu.plots.{name}(frame, context="paper", width=3.3)"""

_FRAME = "frame : pandas.DataFrame\n    From ``Study.numbers``, or read from the CSV file of the figure."


def full_docstring(draw: Callable[..., Any], *, from_facts: bool) -> str:
    """Return the docstring of a public plot.

    Parameters
    ----------
    draw : callable
        The drawing function: its docstring has a summary and the section on its own parameters.
    from_facts : bool
        Whether the figure can be drawn without data; else the example uses the sample.

    Returns
    -------
    str
        In numpydoc's form.
    """
    own = inspect.getdoc(draw) or ""
    head, marker, tail = own.partition("\nParameters\n----------\n")
    parameters, *rest = re.split(r"\n\n(?=\w[^\n]*\n-{3,}\n)", tail, maxsplit=1)
    parts = [
        head.rstrip(),
        "",
        "Parameters\n----------",
        parameters.rstrip() if marker else _FRAME,
        _COMMON,
        "",
        _AFTER.format(study="Study()" if from_facts else "Study.sample()", name=draw.__name__),
    ]
    return "\n".join([*parts, *(f"\n{section.rstrip()}" for section in rest), ""])
