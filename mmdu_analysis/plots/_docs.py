"""Docstrings of public plots: that of the drawing function, with the common parameters of all plots."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_COMMON = """\
ax : matplotlib.axes.Axes, optional
    Axes to draw on; a new figure by default. In Axes that are smaller than the plot needs at matplotlib's font size,
    the font size is reduced, to at least 6 points.
title : bool or str, default True
    Whether to write title and subtitle, or another title.
note : bool, optional
    Whether to write n, definitions and source below: by default on a new figure, and not on given Axes. The subtitle
    is left out with the note where given Axes are low.
width, height : float, optional
    Size of a new figure in inches. Without a height, the height is increased to fit the texts. Without both, figures
    for slides have 13.33 x 7.5 inches, or are larger in the same shape where a plot has many rows.
font_size : float, optional
    Size of labels in points; by default that of the context.
context : {"paper", "notebook", "slides"}, optional
    Sizes and styles; by default matplotlib's settings are used unchanged."""

_AFTER = """\
Returns
-------
matplotlib.axes.Axes
    The Axes; for several panels, the Axes that contain them.

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
