"""Separate the thinking part of a model's reply from its answer."""

from __future__ import annotations

import re
from typing import NamedTuple

_TAG = r"(?:think|thinking|thought|thoughts|reasoning|seed:think)"
_OPEN = re.compile(
    rf"<{_TAG}\s{{0,9}}>|\[{_TAG}\]|\u25c1think\u25b7|<\|begin_of_(?:thought|thinking)\|>|<\|think\|>",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</{_TAG}\s{{0,9}}>|\[/{_TAG}\]|\u25c1/think\u25b7|<\|end_of_(?:thought|thinking)\|>|<\|/think\|>",
    re.IGNORECASE,
)
# Models that write channels (gpt-oss): the answer is what follows the marker of the final one.
_CHANNEL = re.compile(r"<\|channel\|>")
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,80}<\|message\|>")
_END = re.compile(r"\s*<\|(?:return|end|im_end|endoftext)\|>\s*$")
# The same for servers that remove the special tokens.
_BARE_CHANNELS = re.compile(r"^\s*analysis(?=[A-Z\s]).*assistantfinal", re.DOTALL)
_ANSWER = re.compile(r"^\s*<answer>(.*?)(?:</answer>\s*)?$", re.DOTALL | re.IGNORECASE)
_QUOTES = "`'\""


class SplitReply(NamedTuple):
    """A reply in two parts.

    Attributes
    ----------
    thinking : str
        The text before the answer, without the markers; empty if there is none.
    rest : str
        The answer. Empty if the reply ends inside the thinking.
    complete : bool
        False if the reply ends inside the thinking.
    """

    thinking: str
    rest: str
    complete: bool


def split_thinking(text: str) -> SplitReply:
    r"""Separate the thinking part of a model's reply from its answer.

    Parameters
    ----------
    text : str
        The whole reply.

    Returns
    -------
    SplitReply
        ``thinking``, ``rest`` and ``complete``. Everything up to the last closing marker is thinking, with or
        without an opening marker. Markers are ``<think>``, ``<thinking>``, ``<thought>`` and ``<reasoning>``,
        their forms with brackets or bars, and channels such as ``<|channel|>analysis``. A marker that is
        quoted (``"<think>"`` between quotation marks or backticks) is text.

    Examples
    --------
    >>> split_thinking("<think>A cat? A dog.</think>A dog.")
    SplitReply(thinking='A cat? A dog.', rest='A dog.', complete=True)
    >>> split_thinking("Two of them ...</think>\n\nThree.").rest
    'Three.'
    >>> split_thinking("<think>A cat? A")
    SplitReply(thinking='A cat? A', rest='', complete=False)
    """
    if _CHANNEL.search(text):
        return _split_channels(text)
    if bare := _BARE_CHANNELS.match(text):
        thinking = bare[0].strip().removeprefix("analysis").removesuffix("assistantfinal")
        return SplitReply(thinking.strip(), text[bare.end() :].strip(), True)
    closing = _last(_CLOSE, text)
    end = closing.end() if closing else 0
    opened = next((match for match in _OPEN.finditer(text, end) if not _is_quoted(text, match)), None)
    if opened:
        return SplitReply(_without_markers(text), "", False)
    if closing is None:
        return SplitReply("", text, True)
    rest = text[end:].strip()
    if answer := _ANSWER.match(rest):
        rest = answer[1].strip()
    return SplitReply(_without_markers(text[: closing.start()]), rest, True)


def _split_channels(text: str) -> SplitReply:
    """Split a reply that uses channels; without a final channel it ends inside its thinking part."""
    final = _last(_FINAL, text)
    if final is None:
        return SplitReply(_plain_channels(text), "", False)
    return SplitReply(_plain_channels(text[: final.start()]), _END.sub("", text[final.end() :]).strip(), True)


def _plain_channels(text: str) -> str:
    return " ".join(re.sub(r"<\|channel\|>\s*\w*|<\|\w+\|>(?:\s*assistant\b)?", " ", text).split())


def _without_markers(text: str) -> str:
    return _CLOSE.sub("", _OPEN.sub("", text)).strip()


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = [match for match in pattern.finditer(text) if not _is_quoted(text, match)]
    return found[-1] if found else None


def _is_quoted(text: str, match: re.Match[str]) -> bool:
    """Return whether a marker is between two equal quotation marks, as in a text about markers."""
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return bool(before) and before == after and before in _QUOTES
