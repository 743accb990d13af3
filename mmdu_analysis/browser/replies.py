"""Messages between the page and Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mmdu_analysis.browser.pictures import PagePictures
from mmdu_analysis.browser.texts import cut
from mmdu_analysis.schema import DataError, shorten

SIZES = {"mini": 96, "thumb": 360, "full": 1600}
"""Longest side of a picture in pixels."""


class Reply(NamedTuple):
    """A reply to the page.

    Attributes
    ----------
    content : dict
        JSON, with ``kind``.
    buffers : list of bytes
        The bytes of a picture.
    """

    content: dict[str, Any]
    buffers: list[bytes]


class Replies:
    """Methods that answer the messages of a page, one for each kind of message.

    Attributes
    ----------
    pictures : PagePictures
        The pictures that the page may ask for.
    """

    pictures: PagePictures

    def kinds(self) -> dict[str, Callable[[dict[str, Any]], Reply]]:
        """Return the method for each kind of message."""
        return {"picture": self._picture}

    def handle(self, message: Any) -> Reply:
        """Return the reply to one message; an invalid message gets a reply of ``kind: error``."""
        try:
            return self.kinds()[message["kind"]](message)
        except DataError as error:
            return Reply({"kind": "error", "text": shorten(str(error), 1_000)}, [])
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            text = f"a message could not be read ({type(error).__name__})"
            return Reply({"kind": "error", "text": text}, [])

    def _picture(self, message: dict[str, Any]) -> Reply:
        dialog_id, image = str(message["dialog_id"]), int(message["image"])
        size = str(message.get("size"))
        size = size if size in SIZES else "thumb"
        picture = self.pictures.get(dialog_id, image, SIZES[size])
        content = {
            "kind": "picture",
            "dialog_id": dialog_id,
            "image": image,
            "size": size,
            "mime": picture.mime,
            "problem": cut(picture.problem),
        }
        return Reply(content, [picture.data] if picture.data else [])
