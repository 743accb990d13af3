"""InternVL's format: JSON Lines as LLaVA's, with a list of images and their sizes, and a meta file beside it.

Source: internvl.readthedocs.io, "Chat Data Format"; github.com/OpenGVLab/InternVL, internvl_chat/internvl/train
(commit 2410d1d): ``LazySupervisedDataset`` reads plain files whose names end in ``jsonl`` and joins each path to the
``root`` of the meta file; ``preprocess_internvl2_5`` binds images to ``<image>`` in human messages only. System messages
need this conversation style (``internvl2_5``); the older ones know two speakers only.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue; `Dialog.sizes` hold the sizes of its pictures."""
    record = identity(dialog)
    if dialog.images:
        sizes = dialog.sizes or [None] * len(dialog.images)
        record["image"] = dialog.images
        record["width_list"] = [size[0] if size else None for size in sizes]
        record["height_list"] = [size[1] if size else None for size in sizes]
    talk = messages(dialog, ("from", "value"), ("human", "gpt"), "<image>", system="system")
    return record | {"conversations": talk} | extras(dialog)


def meta(name: str, annotation: str, root: str, length: int) -> dict[str, Any]:
    """Return the meta file that names the data for the trainer."""
    entry = {
        "root": root,
        "annotation": annotation,
        "data_augment": False,
        "repeat_time": 1,
        "length": length,
    }
    return {name: entry}
