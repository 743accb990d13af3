"""The registry of figures: what each shows and needs, and how its numbers are computed and drawn."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd

Facts = Literal["always", "benchmark", "answers", "scores", "never"]
"""When a figure is drawn from the published and measured facts.

``always``; or if the study has no ``benchmark``, no ``answers`` or no ``scores``; or ``never``: it needs the
user's data, and without any it is shown as a demonstration on the synthetic sample.
"""


@dataclass(frozen=True)
class Figure:
    """A registered figure.

    Attributes
    ----------
    name : str
        Its name, and the name of its function in `mmdu_analysis.plots`.
    caption : str
        What it shows: a full sentence.
    paper : str
        The corresponding table or figure of the paper; empty if there is none.
    facts : {"always", "benchmark", "answers", "scores", "never"}
        Condition for drawing it from facts, see `Facts`.
    needs : tuple of str
        Keys of `mmdu_analysis.study.REQUIREMENTS` that the study must meet if the figure isn't drawn from
        facts.
    packages : tuple of str
        Optional packages by import name.
    notebook : str
        Stem of the notebook that shows it.
    module : str
        Module of its function.
    numbers : callable
        ``study -> frame``.
    draw : callable
        ``(frame, *, ax=None, ...) -> Axes``.
    """

    name: str
    caption: str
    paper: str
    facts: Facts
    needs: tuple[str, ...]
    packages: tuple[str, ...]
    notebook: str
    module: str
    numbers: Callable[[Any], pd.DataFrame]
    draw: Callable[..., Any]

    def missing_package(self) -> str | None:
        """Return the first optional package that isn't installed, or None."""
        return next((name for name in self.packages if importlib.util.find_spec(name) is None), None)


_figures: dict[str, Figure] = {}


def register(figure: Figure) -> None:
    """Register a figure; called by the decorator of `mmdu_analysis.plots`.

    Raises
    ------
    ValueError
        If another module has registered the name.
    """
    other = _figures.get(figure.name)
    if other is not None and other.module != figure.module:
        raise ValueError(f"two figures are called {figure.name!r}: in {other.module} and {figure.module}")
    _figures[figure.name] = figure


def all_figures() -> dict[str, Figure]:
    """Return all figures by name, in the order of their notebooks and modules.

    The modules of ``mmdu_analysis.plots`` are imported here by name, so that a new file is found without
    another change. The registry itself is a layer below the plots and imports none of them.

    Returns
    -------
    dict of str to Figure
        Every registered figure.
    """
    package = importlib.import_module("mmdu_analysis.plots")
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        if not module.startswith("_"):
            importlib.import_module(f"mmdu_analysis.plots.{module}")
    return dict(sorted(_figures.items(), key=lambda item: item[1].notebook))


def find_figures(names: Iterable[str] | None = None) -> list[Figure]:
    """Return the figures of some names, or all.

    Parameters
    ----------
    names : iterable of str, optional
        Names of figures; all by default.

    Returns
    -------
    list of Figure
        In the order of the names.

    Raises
    ------
    DataError
        If there is no figure of a name, or no name.
    """
    known = all_figures()
    wanted = list(known if names is None else names)
    if not wanted:
        raise DataError("no name of a figure was given; expected at least one, or None for all figures")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise DataError(f"no figure {unknown[0]!r}; expected one of {', '.join(sorted(known))}")
    return [known[name] for name in wanted]
