"""The prompts for writing dialogues: the package's own, or files that replace them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from mmdu_analysis.io import files
from mmdu_analysis.schema import DataError, short_path

OWN_PROMPTS = "mmdu-building-1"
"""Name and version of the package's own prompts; a change of their text is a new version."""
_NEEDED = {
    "facts": ("text",),
    "single": ("image", "facts", "n"),
    "multi": ("n_images", "facts", "questions", "n"),
    "again": ("reason",),
}
_FIELD = re.compile(r"\{(text|image|facts|n|n_images|questions|reason)\}")


@dataclass(frozen=True)
class Prompts:
    """The prompts of a run.

    Attributes
    ----------
    name : str
        The package's own with their version, or the folder's name.
    templates : dict
        ``facts``, ``single``, ``multi``, ``again``: texts with fields in braces.
    """

    name: str
    templates: dict[str, str]

    @property
    def sha256(self) -> str:
        """Fingerprint of all templates."""
        texts = "\x1f".join(self.templates[name] for name in sorted(self.templates))
        return hashlib.sha256(texts.encode()).hexdigest()

    def fill(self, name: str, values: Mapping[str, object]) -> str:
        """Fill in a template; braces in the values stay as they are.

        Parameters
        ----------
        name : str
            ``facts``, ``single``, ``multi`` or ``again``.
        values : mapping
            Field to value.

        Returns
        -------
        str
            The text for the model.
        """
        return _FIELD.sub(lambda match: str(values.get(match[1], match[0])), self.templates[name])


def load_prompts(folder: str | Path | None = None) -> Prompts:
    """Load the prompts for `write_dialogs`.

    Parameters
    ----------
    folder : str or path, optional
        With any of ``facts.txt``, ``single.txt``, ``multi.txt`` and ``again.txt``; missing ones are replaced
        by the package's own. By default all are the package's own.

    Returns
    -------
    Prompts
        Templates with their name.

    Raises
    ------
    DataError
        If the folder holds none of them, or a file lacks a field in braces that it needs.
    """
    own = package_files("mmdu_analysis.building").joinpath("prompts")
    templates = {name: own.joinpath(f"{name}.txt").read_text(encoding="utf-8") for name in _NEEDED}
    if folder is None:
        return Prompts(OWN_PROMPTS, templates)
    base = Path(folder).expanduser()
    present = [name for name in _NEEDED if (base / f"{name}.txt").is_file()]
    if not present:
        names = ", ".join(f"{name}.txt" for name in _NEEDED)
        raise DataError(f"{short_path(base)}: no prompts; expected a folder with one of {names}")
    for name in present:
        templates[name] = _read(base / f"{name}.txt", _NEEDED[name])
    return Prompts(base.resolve().name, templates)


def _read(file: Path, needed: tuple[str, ...]) -> str:
    try:
        text = files.read_bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{short_path(file)}: not UTF-8 text (byte {error.start})") from None
    missing = [f"{{{field}}}" for field in needed if f"{{{field}}}" not in text]
    if missing:
        raise DataError(f"{short_path(file)}: the prompt lacks {', '.join(missing)}")
    return text
