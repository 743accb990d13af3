"""Mantis' format: ``images`` and ``conversation`` with ``role`` and ``content``.

Source: huggingface.co/datasets/TIGER-Lab/Mantis-Instruct and github.com/TIGER-AI-Lab/Mantis.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue."""
    talk = messages(dialog, ("role", "content"), ("user", "assistant"), "<image>", system="system")
    return {**identity(dialog), "images": dialog.images, "conversation": talk, **extras(dialog)}
