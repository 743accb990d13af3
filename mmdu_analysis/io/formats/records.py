"""The structure of JSON records in all formats: the keys of their lists of messages, and the messages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from mmdu_analysis.io.dialogs import Dialog, Fault, Utterance, check_dialog, number_images, pair_messages
from mmdu_analysis.io.pictures import bytes_size
from mmdu_analysis.schema import ASSISTANT_SPEAKERS, USER_SPEAKERS

LISTS = ("conversations", "messages", "conversation")
LIST = re.compile(rb'(?<!\\)"(conversations|messages|conversation)"\s{0,99}:\s{0,99}\[')
_ID = re.compile(rb'[{,]\s{0,99}"id"\s{0,99}:')
_SPEAKER = re.compile(rb'(?<!\\)"(from|role)"\s{0,99}:')


_PICTURES = frozenset({"image", "image_url", "input_image"})
_TEXTS = frozenset({"text", "input_text", "output_text"})
NOT_READ = ("video", "videos", "audio", "audios")
_NOTHING = msgspec.Raw(b"null")


class Keys(NamedTuple):
    """The keys of a file's records: of the list of messages, and of each message's speaker and text.

    `positional` is True if records have no id; their position in the file is used instead.
    """

    talk: str = "conversations"
    speaker: str = "from"
    positional: bool = False

    @property
    def text(self) -> str:
        """Key of a message's text."""
        return "value" if self.speaker == "from" else "content"


class Url(msgspec.Struct, gc=False):
    """The address of a picture in OpenAI's form."""

    url: str


class Picture(msgspec.Struct, gc=False):
    """A picture in the form of Hugging Face data sets; its `bytes` are base64 in JSON."""

    path: str | None = None
    bytes: str | None = None


class Embedded(NamedTuple):
    """A picture whose bytes are in the file itself."""

    path: str | None
    bytes: bytes | None


class Part(msgspec.Struct, gc=False):
    """A piece of a message: a text or a picture."""

    type: str = "text"
    text: str | None = None
    image: str | Picture | None = None
    image_url: str | Url | None = None
    value: str | None = None
    url: str | None = None
    path: str | None = None


class Message(msgspec.Struct, gc=False):
    """One message, with any names of its keys."""

    speaker: str
    text: str | list[Part | str] | None = None
    turn: int | None = None


class Record(msgspec.Struct, gc=False):
    """One dialogue, with any names of its keys; other keys are allowed and ignored."""

    talk: list[Message | None]
    id: int | str | None = None
    image: str | list[str | Picture | None] | None = None
    images: str | list[str | Picture | None] | None = None
    image_inds: list[int] | None = None
    system: str | None = None
    synthetic: bool = False
    lost_images: list[int] | None = None
    video: msgspec.Raw = _NOTHING
    videos: msgspec.Raw = _NOTHING
    audio: msgspec.Raw = _NOTHING
    audios: msgspec.Raw = _NOTHING


@lru_cache
def record_type(keys: Keys) -> Any:
    """Return the type that decodes records with these keys; its instances have the attributes of `Record`."""
    message = msgspec.defstruct(
        "Message",
        [("speaker", str), ("text", str | list[Part | str] | None), ("turn", int | None, None)],
        rename={"speaker": keys.speaker, "text": keys.text},
        gc=False,
    )
    fields = [(f.name, f.type, f.default) for f in msgspec.structs.fields(Record)[1:]]
    messages: Any = list[message | None]  # type: ignore[valid-type]
    return msgspec.defstruct("Record", [("talk", messages), *fields], rename={"talk": keys.talk}, gc=False)


def find_keys(head: bytes, first: object) -> Keys:
    """Return the keys of a file's records.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    first : object
        Its first record, decoded; None if that is damaged or longer than the beginning.

    Returns
    -------
    Keys
        Those of MMDU by default.
    """
    found = LIST.search(head)
    talk = found[1].decode() if found else "conversations"
    near = _SPEAKER.search(head, found.end(), found.end() + 4_000) if found else None
    speaker = near[1].decode() if near else "from" if talk == "conversations" else "role"
    nameless = first is None or (isinstance(first, dict) and talk in first and first.get("id") is None)
    positional = nameless and _ID.search(head) is None  # if one record has an id, all need one
    return Keys(talk, speaker, positional)


def dialog_of(record: Record, dialog_id: str, keys: Keys) -> Dialog:
    """Return the dialogue of a decoded record.

    Parameters
    ----------
    record : Record
        From the type of `record_type`.
    dialog_id : str
        Its id.
    keys : Keys
        Of the file.
    """
    listed = record.image if record.image is not None else record.images
    images: list[Any] = ([listed] if listed else []) if isinstance(listed, str) else (listed or [])
    dialog = Dialog(dialog_id, synthetic=record.synthetic, number_id=isinstance(record.id, int))
    dialog.positional = keys.positional and record.id is None
    dialog.speakers = _speakers(record.talk)
    dialog.system = record.system or ""
    dialog.lost_images = record.lost_images or []
    if not _take_turns(record.talk, dialog):
        inside: list[Any] = []
        talk = [
            _utterance(message, inside, dialog, f".{keys.talk}[{at}]")
            for at, message in enumerate(record.talk)
        ]
        pair_messages(talk, dialog, f".{keys.talk}")
        images = images or inside
    for name in NOT_READ:
        found = getattr(record, name)
        if found is not _NOTHING and bytes(found) not in (b"null", b"[]", b'""'):
            dialog.faults.append(Fault(f".{name}", "videos and audio are not read; they are left out"))
    _take_images(images, dialog)
    number_images(dialog, record.image_inds)
    check_dialog(dialog, f".{keys.talk}", numbered=record.image_inds is not None)
    return dialog


def _take_turns(messages: Sequence[Message | None], dialog: Dialog) -> bool:
    """Pair messages that are texts of alternating speakers, the usual case, several times as fast as `pair_messages`."""
    if None in messages:
        return False
    speakers = [message.speaker for message in messages]  # type: ignore[union-attr]
    texts = [message.text for message in messages]  # type: ignore[union-attr]
    if speakers != [*dialog.speakers] * (len(messages) // 2) or set(map(type, texts)) != {str}:
        return False
    if messages[-1].turn is not None:  # type: ignore[union-attr]
        return False
    dialog.questions, dialog.answers = texts[::2], texts[1::2]  # type: ignore[assignment]
    return True


def _speakers(messages: Sequence[Message | None]) -> tuple[str, str]:
    """Return the record's names of the user and the assistant."""
    if len(messages) > 1 and messages[0] and messages[1]:
        user, assistant = messages[0].speaker, messages[1].speaker
        if user in USER_SPEAKERS and assistant in ASSISTANT_SPEAKERS:
            return user, assistant
    names = [message.speaker for message in messages if message]
    user = next((name for name in names if name.lower() in USER_SPEAKERS), "user")
    return user, next((name for name in names if name.lower() in ASSISTANT_SPEAKERS), "assistant")


def _utterance(message: Message | None, images: list[Any], dialog: Dialog, json_path: str) -> Utterance:
    """Return a message as one text, and add the pictures in its parts to `images`, other media to the faults."""
    if message is None:
        return Utterance("", None)
    if message.text is None or isinstance(message.text, str):
        return Utterance(message.speaker, message.text, message.turn)
    pieces = []
    for part in message.text:
        if isinstance(part, str):
            pieces.append(part)
        elif part.image_url is not None or part.image is not None or part.type in _PICTURES:
            pieces.append("<image>")
            images += _pictures_of(part)
        else:
            pieces.append(part.text or part.value or "")
            if not pieces[-1] and part.type not in _TEXTS:
                text = f"a part of type {part.type[:40]!r}, expected text or image; it is left out"
                dialog.faults.append(Fault(json_path, text))
    return Utterance(message.speaker, "".join(pieces), message.turn)


def _pictures_of(part: Part) -> list[str | Picture]:
    """Return the picture of a part; empty where the part only marks its position (TRL), and the record lists it."""
    if part.image_url is not None:
        return [part.image_url if isinstance(part.image_url, str) else part.image_url.url]
    found = part.image or part.value or part.url or part.path
    return [found] if found else []


def _take_images(images: list[Any], dialog: Dialog) -> None:
    """List the pictures of a record, with their bytes if it contains them."""
    if set(map(type, images)) <= {str} and "" not in images:
        dialog.images = images
        return
    for number, image in enumerate(images):
        if isinstance(image, Picture | Embedded):
            data = picture_bytes(image.bytes)
            path = image.path or f"embedded/{dialog.dialog_id}/{number + 1}"
            if data is not None:
                dialog.pictures += [None] * (len(dialog.images) - len(dialog.pictures)) + [data]
            dialog.images.append(path)
        elif image:
            dialog.images.append(image)
    if dialog.pictures:
        dialog.pictures += [None] * (len(dialog.images) - len(dialog.pictures))
        dialog.sizes = [bytes_size(data) if data else None for data in dialog.pictures]


def picture_bytes(data: str | bytes | None) -> bytes | None:
    """Return the bytes of a picture, stored as base64 in JSON; None if they are not valid base64."""
    if data is None or isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return None
