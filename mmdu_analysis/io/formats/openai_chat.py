"""OpenAI's chat format: JSON Lines of ``messages`` whose contents are texts or lists of texts and pictures.

Source: developers.openai.com/api/docs/guides/vision-fine-tuning, "Data format" and "Image data requirements"
(read in November 2026): pictures are web addresses or data URLs, in messages of the user only; at most 10 in
an example and 10 MB each; JPEG, PNG or WebP.
"""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats.writing import extras, identity, messages

PLACEHOLDER = "<image>"
_MOST_IMAGES = 10
_MOST_BYTES = 10_000_000
_KINDS = ("data:image/jpeg;", "data:image/png;", "data:image/webp;")


def write(dialog: Dialog) -> dict[str, Any]:
    """Return the record of a dialogue.

    Where placeholders and images don't match, the placeholders are kept in the texts and the images are
    listed separately, so that no image is bound to a wrong position.
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
    """Return a text as parts, with a picture for each placeholder."""
    first, *rest = text.split(PLACEHOLDER)
    parts: list[dict[str, Any]] = [{"type": "text", "text": first}] if first else []
    for piece in rest:
        parts.append({"type": "image_url", "image_url": {"url": next(images)}})
        parts += [{"type": "text", "text": piece}] if piece else []
    return parts


def reject(dialog: Dialog) -> str:
    """Return why fine-tuning at OpenAI would reject a dialogue whose pictures are placed; empty where it wouldn't."""
    if len(dialog.images) > _MOST_IMAGES:
        return f"{len(dialog.images)} images; OpenAI accepts at most {_MOST_IMAGES} in an example"
    for image in dialog.images:
        if not image.startswith(("http://", "https://", "data:")):
            return "a picture is a path; OpenAI accepts web addresses and data URLs: embed the pictures"
        if image.startswith("data:") and not image.startswith(_KINDS):
            return f"a picture is {image[5:].partition(';')[0]}; OpenAI accepts JPEG, PNG and WebP"
        if 0.75 * len(image) > _MOST_BYTES:
            return f"a picture has {0.75e-6 * len(image):.0f} MB; OpenAI accepts at most 10 MB"
    return ""
