"""Public plots: ``mmdu.plots.NAME(frame, *, ax=None, ...)`` draws a frame and returns its Axes.

Each function is a registered figure: ``mmdu.Study().numbers(NAME)`` returns the frame that it takes.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return the plot function of a figure."""
    from mmdu_analysis.registry import all_figures

    if name.startswith("_"):
        raise AttributeError(name)
    found = all_figures().get(name)
    if found is None:
        raise AttributeError(f"mmdu_analysis.plots has no figure {name!r}; see mmdu.Study().available()")
    return found.draw


def __dir__() -> list[str]:
    """List the names of all figures."""
    from mmdu_analysis.registry import all_figures

    return sorted(all_figures())
