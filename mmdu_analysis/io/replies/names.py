"""Recognise the dimensions of a rubric in the spellings of language models."""

from __future__ import annotations

import re
from functools import lru_cache

from mmdu_analysis.schema import Rubric, fold_name

_SUFFIXES = ("scores", "score", "rating", "评分", "得分", "分数", "分")
_SUFFIX = r"(?:[\s_-]{0,2}(?:scores?|rating|评分|得分|分数))?"
SCORE_WORDS = ("score", "rating", "value", "grade", "points", "评分", "得分", "分数", "分值")
"""Keys and column names of a score that is given next to its dimension."""


class Names:
    """The spellings of a rubric's dimensions.

    Parameters
    ----------
    rubric : Rubric
        Names, aliases and (as whole keys only) short names are recognised.

    Attributes
    ----------
    mention : re.Pattern
        Matches any name or alias within a text, with a suffix such as ``score``.
    """

    def __init__(self, rubric: Rubric) -> None:
        self._keys: dict[str, str] = {}
        spellings: dict[str, str] = {}
        for dimension in rubric.dimensions:
            for spelling in (dimension.name, *dimension.aliases):
                spellings[spelling] = dimension.name
            if dimension.name != rubric.overall:
                self._keys[fold_name(dimension.short)] = dimension.name
        self._keys |= {fold_name(spelling): name for spelling, name in spellings.items()}
        if len(rubric.dimensions) == 1:
            spellings |= dict.fromkeys(("Score", "Rating", "评分", "得分"), rubric.names[0])
            self._keys |= {fold_name(word): rubric.names[0] for word in SCORE_WORDS if word != "value"}
        ordered = sorted(spellings, key=len, reverse=True)
        self.mention = re.compile(
            rf"(?<![A-Za-z])(?:{'|'.join(_pattern(s) for s in ordered)}){_SUFFIX}(?![A-Za-z])", re.IGNORECASE
        )
        # A word that begins a longer name, such as "Overall", is also an ordinary word: it counts as a label
        # only.
        self.weak = {
            fold_name(s) for s, name in spellings.items()
            if fold_name(name) != fold_name(s) and fold_name(name).startswith(fold_name(s))
        }  # fmt: skip

    def of_key(self, key: object) -> str | None:
        """Return the dimension that a whole key, cell or label names, or None."""
        folded = fold_name(str(key)[:200]).lstrip("0123456789")
        if folded in self._keys:
            return self._keys[folded]
        for suffix in _SUFFIXES:
            if folded.endswith(suffix) and folded[: -len(suffix)] in self._keys:
                return self._keys[folded[: -len(suffix)]]
        return None


def _pattern(spelling: str) -> str:
    """Return a pattern for a name in words, camelCase or snake_case."""
    words = [word for word in re.split(r"[\s_-]+", spelling.strip()) if word]
    return r"[\s_-]{0,2}".join(re.escape(word) for word in words)


@lru_cache(maxsize=32)
def names_of(rubric: Rubric) -> Names:
    """Return the spellings of a rubric, computed once."""
    return Names(rubric)
