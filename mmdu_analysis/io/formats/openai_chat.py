"""OpenAI's chat format: JSON Lines of ``messages`` whose contents are texts or lists of texts and pictures.

Source: platform.openai.com/docs/guides/vision and .../fine-tuning, "Vision fine-tuning".
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages

PLACEHOLDER = "<image>"


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue.

    Where placeholders and images don't match, the placeholders stay in the texts and the images are listed apart:
    nothing is lost, and nothing is bound to a wrong place.
    """
    talk = messages(dialog, ("role", "content"), ("user", "assistant"), PLACEHOLDER, system="system")
    record = {**identity(dialog), "messages": talk}
    if sum(dialog.placeholders) != len(dialog.images):
        return record | {"images": dialog.images} | extras(dialog)
    left = iter(dialog.images)
    for message in talk:
        if message["role"] == "user" and PLACEHOLDER in message["content"]:
            message["content"] = _parts(message["content"], left)
    return record | extras(dialog)


def _parts(text: str, images: Any) -> list[dict[str, Any]]:
    """Return a text as parts, a picture in place of each placeholder."""
    first, *rest = text.split(PLACEHOLDER)
    parts: list[dict[str, Any]] = [{"type": "text", "text": first}] if first else []
    for piece in rest:
        parts.append({"type": "image_url", "image_url": {"url": next(images)}})
        parts += [{"type": "text", "text": piece}] if piece else []
    return parts
