"""Errors and warnings of the package, and texts that fit one line."""

from __future__ import annotations

import unicodedata
from pathlib import Path

MAX_MESSAGE = 300
"""Maximum length of a message of the package, in characters."""


class DataError(ValueError):
    """A file, a frame or an argument that can't be used; the message says what to do."""


class NotAvailable(DataError):
    """A result that needs data which the study doesn't have; the message names what is missing."""


class DataWarning(UserWarning):
    """Base class of the warnings of this package."""


class ProblemWarning(DataWarning):
    """A part of a file could not be used and is listed in the problems."""


class ComparabilityWarning(DataWarning):
    """Numbers that differ in judge, turns or origin are pooled or compared."""


class CoverageWarning(DataWarning):
    """A result rests on a part of the data only, or on few dialogues."""


def shorten(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return a text on one line, without control characters and cut to a length.

    Parameters
    ----------
    text : str
        Any text, also from a file or a server.
    limit : int, default 300
        Characters that are kept at most.

    Returns
    -------
    str
        A cut text ends in ``...``.
    """
    visible = (" " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char for char in text)
    line = " ".join("".join(visible).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def short_path(path: Path | str) -> str:
    """Return a path relative to the working directory if it is inside it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
