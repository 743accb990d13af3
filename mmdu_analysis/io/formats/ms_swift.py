"""ms-swift's format: JSON Lines of ``messages`` and ``images``.

Source: swift.readthedocs.io, "Custom Dataset", and swift/llm/dataset, github.com/modelscope/ms-swift.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue; one without images has no key ``images``."""
    talk = messages(dialog, ("role", "content"), ("user", "assistant"), "<image>", system="system")
    images = {"images": dialog.images} if dialog.images else {}
    return {**identity(dialog), "messages": talk, **images, **extras(dialog)}
