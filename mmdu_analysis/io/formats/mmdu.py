"""MMDU's own format: ``image`` as a list, ``conversations`` with ``from`` and ``value``, ``<ImageHere>``."""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue."""
    talk = messages(dialog, ("from", "value"), dialog.speakers, "<ImageHere>", system="system")
    if dialog.stated_turns:
        for turn, message in zip(dialog.stated_turns, talk[bool(dialog.system) + 1 :: 2], strict=True):
            message["turn"] = turn
    return {**identity(dialog), "image": dialog.images, "conversations": talk, **extras(dialog)}
