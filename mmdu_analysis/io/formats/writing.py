"""Common parts of the writers of all formats: placeholders, messages, and keys that only this package reads."""

from __future__ import annotations

from typing import Any

from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.schema import PLACEHOLDERS


def respell(text: str, placeholder: str) -> str:
    """Return a text with one spelling of all placeholders, otherwise unchanged."""
    if "<" in text:
        for spelling in PLACEHOLDERS:
            text = text.replace(spelling, placeholder)
    return text


def messages(
    dialog: Dialog,
    names: tuple[str, str],
    speakers: tuple[str, str],
    placeholder: str,
    *,
    system: str | None = None,
) -> list[dict[str, Any]]:
    """Return the messages of a dialogue.

    Parameters
    ----------
    dialog : Dialog
        The dialogue.
    names : tuple of str
        Keys of a message's speaker and text.
    speakers : tuple of str
        Names of the user and the assistant.
    placeholder : str
        Spelling of a placeholder.
    system : str, optional
        Name of the speaker of the system message; by default it isn't among the messages.
    """
    speaker, text = names
    talk = [{speaker: system, text: dialog.system}] if system and dialog.system else []
    for question, answer in zip(dialog.questions, dialog.answers, strict=True):
        talk.append({speaker: speakers[0], text: respell(question, placeholder)})
        talk.append({speaker: speakers[1], text: respell(answer, placeholder)})
    return talk


def not_files(dialog: Dialog) -> str:
    """Return why a trainer that opens pictures as files would reject a dialogue; empty where it wouldn't."""
    for image in dialog.images:
        if image.startswith("data:"):
            return "a picture is a data URL, and the trainer opens files only: copy the pictures"
        if image.startswith(("http://", "https://")):
            return "a picture is a web address, and the trainer opens files only: download it"
    return ""


def identity(dialog: Dialog) -> dict[str, Any]:
    """Return the id of a dialogue with the type that it has in its record."""
    return {"id": int(dialog.dialog_id) if dialog.number_id else dialog.dialog_id}


def extras(dialog: Dialog) -> dict[str, Any]:
    """Return the keys that a record needs to load as the same dialogue again: image numbers, the mark of the sample."""
    found: dict[str, Any] = {}
    if dialog.image_numbers != list(range(1, len(dialog.images) + 1)):
        found["image_inds"] = dialog.image_numbers
    return found | ({"synthetic": True} if dialog.synthetic else {})
