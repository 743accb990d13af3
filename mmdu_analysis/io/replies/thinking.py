"""Separate the thinking part of a model's text from the reply."""

from __future__ import annotations

import re

_TAG = r"(?:think|thinking|thought|thoughts|reasoning)"
_CLOSE = re.compile(
    rf"</{_TAG}\s{{0,9}}>|\[/{_TAG}\]|◁/think▷|<\|channel\|>\s{{0,9}}final\s{{0,9}}<\|message\|>|<\|end_of_thinking\|>",
    re.IGNORECASE,
)
_OPEN = re.compile(
    rf"<{_TAG}\s{{0,9}}>|\[{_TAG}\]|◁think▷|<\|channel\|>|<\|begin_of_thinking\|>", re.IGNORECASE
)
_MARK = re.compile(r"<\|(?:end|return|im_end|eot_id|endoftext)\|>\s*$")


def split_thinking(text: str) -> tuple[str, str | None]:
    """Separate a model's thinking from its reply.

    Parameters
    ----------
    text : str
        The whole text. The opening tag may be missing; everything up to the last closing tag is thinking.

    Returns
    -------
    tuple of (str, str or None)
        The thinking without its tags (empty if there is none), and the reply; None if the text ends inside
        the thinking.

    Examples
    --------
    >>> split_thinking("<think>Two cats.</think>Two.")
    ('Two cats.', 'Two.')
    >>> split_thinking("<think>Two cats")
    ('Two cats', None)
    """
    end = 0
    before = ""
    for close in _CLOSE.finditer(text):
        before, end = text[: close.start()], close.end()
    rest = text[end:]
    opened = _OPEN.search(rest)
    thinking = _OPEN.sub("", _CLOSE.sub("", before)).strip()
    if opened:
        unfinished = _OPEN.sub("", rest[opened.end() :]).strip()
        return "\n".join(part for part in (thinking, unfinished) if part), None
    return thinking, (_MARK.sub("", rest) if end else rest).strip() if end else rest
