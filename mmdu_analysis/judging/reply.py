"""Parse the reply of a server: text, thinking part, finish reason and token usage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from mmdu_analysis.io.files import decode_loosely
from mmdu_analysis.io.thinking import split_thinking

_MAX_TOKENS = 1 << 50


class Usage(NamedTuple):
    """Tokens of one reply or of many.

    Attributes
    ----------
    prompt : int
        Tokens that the model read.
    completion : int
        Tokens that it wrote, including its thinking part.
    """

    prompt: int = 0
    completion: int = 0

    def plus(self, other: Sequence[int]) -> Usage:
        """Return the sum of two counts."""
        return Usage(self.prompt + other[0], self.completion + other[1])


def read_usage(value: Any) -> Usage:
    """Read a pair of token counts from a file or a server's reply.

    Parameters
    ----------
    value : object
        A list of two numbers, or a mapping with ``prompt_tokens`` and ``completion_tokens``.

    Returns
    -------
    Usage
        Invalid counts are read as 0, so that a reply is not lost because of them.
    """
    if isinstance(value, dict):
        value = [value.get("prompt_tokens"), value.get("completion_tokens")]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return Usage()
    return Usage(*(int(part) if _is_count(part) else 0 for part in value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MAX_TOKENS


class TurnError(Exception):
    """A turn without a usable reply; the run continues without it.

    Parameters
    ----------
    text : str
        The reason.
    usage : Usage
        Token usage of the received replies.
    thinking : str
        The thinking part, if the reply consists only of it.
    """

    def __init__(self, text: str, usage: Usage = Usage(), thinking: str = "") -> None:  # noqa: B008 - immutable
        super().__init__(text)
        self.usage, self.thinking = usage, thinking


class TooLongError(TurnError):
    """The server reports that the request is too long."""


class Completion(msgspec.Struct):
    """The reply of a server.

    Attributes
    ----------
    text : str
        The reply, without the thinking.
    thinking : str
        The thinking part, from the text or from the field of the protocol.
    finish_reason : str or None
        Why it ends, such as ``stop`` or ``length``.
    usage : Usage
        Counts of the server; 0 if it sends none.
    complete : bool
        False if the reply ends inside the thinking.
    marked : bool
        Whether the thinking was in the text, between markers.
    """

    text: str
    thinking: str = ""
    finish_reason: str | None = None
    usage: Usage = Usage()
    complete: bool = True
    marked: bool = False


class _Reply(msgspec.Struct):
    choices: list[Any] = []
    usage: Any = None
    error: Any = None


def read_completion(raw: str) -> Completion:
    """Read a chat completion.

    Parameters
    ----------
    raw : str
        The response's body.

    Returns
    -------
    Completion
        An empty reply is also a completion; the text of a refusal is the reply.

    Raises
    ------
    TurnError
        If it isn't one; the exception has the token usage.
    """
    try:
        reply = msgspec.convert(decode_loosely(raw.encode("utf-8", "surrogatepass")), _Reply)
    except (ValueError, RecursionError) as error:
        raise TurnError(f"an invalid reply ({error})") from None
    usage = read_usage(reply.usage)
    if not reply.choices:
        details = "" if reply.error is None else f": {_message_of(reply.error)}"
        raise TurnError(f"a reply without choices{details}", usage)
    choice = reply.choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise TurnError("an invalid reply (no message in it)", usage)
    ending = choice.get("finish_reason")
    text, thought = _parts(message.get("content"))
    if text is None:
        text = message["refusal"] if isinstance(message.get("refusal"), str) else None
    thought = thought or _field_of_thinking(message)
    if text is None and not thought:
        raise TurnError(f"a reply without text (finish_reason {ending!r})", usage)
    return _completion(text or "", thought, ending if isinstance(ending, str) else None, usage)


def _message_of(error: Any) -> str:
    """Return the text of an error that was sent instead of a reply."""
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else json.dumps(error, ensure_ascii=False, default=str)


def _completion(text: str, thought: str, ending: str | None, usage: Usage) -> Completion:
    """Separate text and thinking part; a reply without other text ended inside its thinking part."""
    split = split_thinking(_whole_characters(text))
    thinking = "\n".join(part for part in (_whole_characters(thought), split.thinking) if part)
    complete = split.complete and not (thinking and not split.rest.strip())
    return Completion(split.rest, thinking, ending, usage, complete, bool(split.thinking))


def _parts(content: Any) -> tuple[str | None, str]:
    """Return the text and the thinking of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return None, ""
    text, thought = [], []
    for part in content:
        if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            inner = part.get("thinking", part.get("text"))
            thought.append(inner if isinstance(inner, str) else _parts(inner)[0] or "")
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text.append(part["text"])
    return "".join(text) if text or not thought else None, "".join(thought)


def _field_of_thinking(message: dict[str, Any]) -> str:
    texts = (message.get(name) for name in ("reasoning_content", "reasoning", "thinking"))
    return next((value for value in texts if isinstance(value, str) and value.strip()), "")


def _whole_characters(text: str) -> str:
    """Replace lone surrogates, which UTF-8 can't encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
