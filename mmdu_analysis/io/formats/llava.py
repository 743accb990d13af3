"""LLaVA's format: ``image`` as a path or a list of paths, ``conversations`` of ``human`` and ``gpt``.

Source: LLaVA, docs/Finetune_Custom_Data.md and llava/train/train.py, github.com/haotian-liu/LLaVA.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue; one without images has no key ``image``."""
    record = identity(dialog)
    if dialog.images:
        record["image"] = dialog.images[0] if len(dialog.images) == 1 else dialog.images
    record["conversations"] = messages(dialog, ("from", "value"), ("human", "gpt"), "<image>")
    if dialog.system:  # the trainer supports two speakers only
        record["system"] = dialog.system
    return record | extras(dialog)
