"""Rubrics: the dimensions that a judge scores, and their scale."""

from __future__ import annotations

import math
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdu_analysis.errors import DataError, short_path, shorten

LABEL = "Correct"
"""Dimension of a person's labels (0 wrong, 1 right), which every rubric accepts."""


@dataclass(frozen=True)
class Dimension:
    """A dimension that a judge scores.

    Attributes
    ----------
    name : str
        Full name, as in ``dimension`` columns.
    short : str
        Short name for narrow tables, such as ``VP``.
    aliases : tuple of str
        Other spellings that are accepted in judges' replies and files.
    """

    name: str
    short: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rubric:
    """The dimensions that a judge scores, and their scale.

    Attributes
    ----------
    name : str
        Name of the rubric.
    dimensions : tuple of Dimension
        In the order in which they are shown.
    scale : tuple of float
        Lowest and highest score, both included.
    overall : str or None
        Full name of the dimension that is the overall score; None if there is none.

    Examples
    --------
    >>> from mmdu_analysis import Rubric
    >>> Rubric.mmdu().full_name("VP")
    'Visual Perception'
    >>> Rubric.mmdu().to_percent(6.5)
    65.0
    """

    name: str
    dimensions: tuple[Dimension, ...]
    scale: tuple[float, float] = (0.0, 10.0)
    overall: str | None = None

    @staticmethod
    def mmdu() -> Rubric:
        """Return MMDU's rubric: six dimensions and the overall score, 0-10."""
        return MMDU

    @classmethod
    def from_file(cls, path: str | Path) -> Rubric:
        """Load a rubric from a TOML file.

        Parameters
        ----------
        path : str or path
            With ``name``, ``scale`` (two numbers), optionally ``overall``, and ``[[dimensions]]`` with
            ``name`` and optionally ``short`` and ``aliases``.

        Returns
        -------
        Rubric
            The rubric of the file.

        Raises
        ------
        DataError
            If the file can't be read or doesn't describe a rubric.
        """
        label = short_path(Path(path).expanduser())
        try:
            content = tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"{label}: not a readable TOML file ({shorten(str(error), 120)})") from None
        return _rubric_of(content, label)

    @property
    def names(self) -> tuple[str, ...]:
        """Full names of the dimensions, in order."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def short_names(self) -> dict[str, str]:
        """Full name to short name."""
        return {dimension.name: dimension.short for dimension in self.dimensions}

    def full_name(self, name: str) -> str:
        """Return the full name of a dimension given by its name, short name or alias.

        Parameters
        ----------
        name : str
            Any spelling; case, spaces, ``_`` and ``-`` are ignored.

        Returns
        -------
        str
            The full name; `LABEL` for a person's labels.

        Raises
        ------
        DataError
            If the rubric has no such dimension.
        """
        found = self._spellings().get(fold_name(name))
        if found is None:
            raise DataError(
                f"no dimension {name!r} in the rubric {self.name}; expected one of {self._listing()}"
            )
        return found

    def _spellings(self) -> dict[str, str]:
        spellings = {fold_name(LABEL): LABEL}
        for dimension in self.dimensions:
            for spelling in (dimension.name, dimension.short, *dimension.aliases):
                spellings[fold_name(spelling)] = dimension.name
        return spellings

    def _listing(self) -> str:
        return ", ".join(f"{d.name} ({d.short})" if d.short != d.name else d.name for d in self.dimensions)

    def order(self, dimensions: Iterable[str]) -> list[str]:
        """Return distinct dimensions in the order of the rubric, followed by others in alphabetical order.

        Parameters
        ----------
        dimensions : iterable of str
            Full names, such as a ``dimension`` column.

        Returns
        -------
        list of str
            Distinct names.
        """
        have = {str(name) for name in dimensions}
        known = [name for name in self.names if name in have]
        return known + sorted(have - set(known))

    def check(self, dimensions: Iterable[str]) -> None:
        """Validate that all dimensions belong to the rubric (or are a person's labels).

        Raises
        ------
        DataError
            If one does not: its scores would be on an unknown scale.
        """
        foreign = sorted({str(name) for name in dimensions} - {*self.names, LABEL})
        if foreign:
            raise DataError(
                f"the scores have dimensions {foreign[:5]} that the rubric {self.name} doesn't; expected "
                f"{self._listing()}; pass rubric=Rubric.from_file(...)"
            )

    def to_percent(self, score: Any) -> Any:
        """Convert scores from the scale of the rubric to points on 0-100.

        Parameters
        ----------
        score : float, numpy.ndarray or pandas.Series
            On `scale`.

        Returns
        -------
        float, numpy.ndarray or pandas.Series
            0 for the lowest score, 100 for the highest.
        """
        low, high = self.scale
        return (score - low) * (100.0 / (high - low))

    def contains(self, score: float) -> bool:
        """Return whether a number is on the scale."""
        return math.isfinite(score) and self.scale[0] <= score <= self.scale[1]


def fold_name(name: str) -> str:
    """Return a name without case, spaces and punctuation, for comparing spellings."""
    folded = unicodedata.normalize("NFKC", str(name)).casefold()
    return "".join(char for char in folded if char.isalnum())


def _rubric_of(content: dict[str, Any], label: str) -> Rubric:
    """Build a rubric from decoded TOML and validate it."""
    entries = content.get("dimensions")
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise DataError(f"{label}: got no [[dimensions]], expected at least one with a name")
    dimensions = tuple(_dimension_of(entry, label) for entry in entries)
    scale: Any = content.get("scale")
    numbers = isinstance(scale, list) and len(scale) == 2 and all(type(x) in (int, float) for x in scale)
    if not numbers or not (math.isfinite(scale[0]) and math.isfinite(scale[1]) and scale[0] < scale[1]):
        raise DataError(
            f"{label}: scale is {scale!r}, expected the lowest and the highest score, such as [1, 5]"
        )
    spellings: dict[str, str] = {}
    for dimension in dimensions:
        for spelling in {fold_name(s) for s in (dimension.name, dimension.short, *dimension.aliases)}:
            if not spelling or spellings.setdefault(spelling, dimension.name) != dimension.name:
                raise DataError(
                    f"{label}: two dimensions share a name, short name or alias ({dimension.name!r})"
                )
    rubric = Rubric(str(content.get("name", label)), dimensions, (float(scale[0]), float(scale[1])), None)
    overall = content.get("overall")
    if overall is None:
        return rubric
    return Rubric(rubric.name, dimensions, rubric.scale, rubric.full_name(str(overall)))


def _dimension_of(entry: dict[str, Any], label: str) -> Dimension:
    name, aliases = entry.get("name"), entry.get("aliases", [])
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{label}: a dimension has the name {name!r}, expected a text")
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise DataError(f"{label}: aliases of {name!r} are {aliases!r}, expected a list of texts")
    return Dimension(name.strip(), str(entry.get("short") or name).strip(), tuple(aliases))


MMDU = Rubric(
    "MMDU",
    (
        Dimension("Creativity", "C", ("创造性", "创造力", "创意")),
        Dimension("Richness", "R", ("丰富性", "丰富度")),
        Dimension("Visual Perception", "VP", ("视觉感知", "视觉感知能力")),
        Dimension("Logical Coherence", "LC", ("逻辑连贯性", "逻辑一致性")),
        Dimension("Answer Accuracy", "AA", ("答案准确性", "答案准确度", "回答准确性")),
        Dimension("Image Relationship Understanding", "IRU", ("图像关系理解", "图片关系理解")),
        Dimension("Overall Score", "Avg", ("Overall", "总分", "总体得分", "综合得分", "总体评分")),
    ),
    (0.0, 10.0),
    "Overall Score",
)
"""MMDU's rubric. Its overall score (short name ``Avg``) is a separate score of the judge, not the mean of the other six."""

DIMENSIONS = {dimension.short: dimension.name for dimension in MMDU.dimensions}
"""Short name to full name of MMDU's dimensions, in the order of the paper's Table 2."""
DIMENSION_NAMES = MMDU.names
SHORT_NAMES = MMDU.short_names
