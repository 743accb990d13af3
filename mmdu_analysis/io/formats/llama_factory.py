"""LLaMA-Factory's format (sharegpt): ``messages`` with ``role`` and ``content``, ``images``.

Source: data/README.md and src/llamafactory/data/mm_plugin.py, github.com/hiyouga/LLaMA-Factory: the number of
``<image>`` must equal the number of images; user and assistant take turns. src/llamafactory/data/loader.py refuses
packed files.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue."""
    talk = messages(dialog, ("role", "content"), ("user", "assistant"), "<image>", system="system")
    return {**identity(dialog), "messages": talk, "images": dialog.images, **extras(dialog)}


def dataset_info(file_name: str) -> dict[str, Any]:
    """Return the entry of ``dataset_info.json`` that describes a file."""
    return {
        "file_name": file_name,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
