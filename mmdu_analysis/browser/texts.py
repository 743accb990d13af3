"""Texts for the page: Markdown without raw markup, and word differences between two texts."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mmdu_analysis.schema import PLACEHOLDERS

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_TAGS = frozenset(
    "p br hr em strong s code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split()
)
_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_INTRODUCTION = re.compile(
    rf"(?:<?\bimage[ _-]?\d{{1,3}}>?\s?[:：]?\s?)?(?:{_PLACEHOLDER.pattern})[.,;]?", re.IGNORECASE
)
_PIECE = re.compile(r"\s*\S+")
MOST_CHARACTERS = 200_000
"""A longer text is cut, with a note."""
MOST_COMPARED = 20_000
"""Characters of each text that `word_differences` compares; the rest is left out, with a note."""


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return (
        MarkdownIt("commonmark", {"html": False})
        .enable(["table", "strikethrough"])
        .disable(["image", "link", "autolink"])
    )


@lru_cache(maxsize=2_000)
def render_markdown(text: str) -> str:
    """Render Markdown to inert HTML: no links, no pictures, no attributes, no raw HTML.

    Parameters
    ----------
    text : str
        From a file or a model; not trusted.

    Returns
    -------
    str
        HTML of a few harmless elements.
    """
    import nh3

    html = _parser().render(cut(text))
    return nh3.clean(html, tags=set(_TAGS), attributes={}, url_schemes=set(), link_rel=None)


def cut(
    text: str, most: int = MOST_CHARACTERS, note: str = " [... {:,} more characters are not shown]"
) -> str:
    """Return a text that can be sent and shown: valid Unicode, cut where it is too long.

    Parameters
    ----------
    text : str
        Any text.
    most : int, default `MOST_CHARACTERS`
        Characters that are kept.
    note : str
        What a cut text ends with; ``{}`` stands for the number of characters that are left out.

    Returns
    -------
    str
        Lone surrogates are replaced.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= most else text[:most] + note.format(len(text) - most)


def first_words(text: str, most: int = 90) -> str:
    """Return the beginning of a question on one line, without placeholders and the labels before them."""
    plain = _INTRODUCTION.sub(" ", cut(text, 4_000, ""))
    return cut(" ".join(plain.split()), most, "…")


def question_parts(question: str, first_image: int, numbers: list[int]) -> list[dict[str, object]]:
    """Split a question at its placeholders.

    Parameters
    ----------
    question : str
        The question.
    first_image : int
        Index (from 0), among the images of the dialogue, of the image of its first placeholder.
    numbers : list of int
        The images' numbers, in their order.

    Returns
    -------
    list of dict
        ``{"text": str}`` and ``{"image": int or None}`` in order; None if there are more placeholders than
        images.
    """
    parts: list[dict[str, object]] = []
    index, start = first_image, 0
    question = cut(question)
    for match in _PLACEHOLDER.finditer(question):
        parts.append({"text": question[start : match.start()]})
        parts.append({"image": numbers[index] if index < len(numbers) else None})
        index, start = index + 1, match.end()
    parts.append({"text": question[start:]})
    return [part for part in parts if part.get("text") != ""]


def word_differences(reference: str, answer: str) -> list[list[str]]:
    """Compare an answer with the reference word by word.

    Parameters
    ----------
    reference, answer : str
        The texts; the first `MOST_COMPARED` characters of each are compared.

    Returns
    -------
    list of [str, str]
        ``same``, ``new`` (only in the answer) or ``gone`` (only in the reference), and the text; these parts
        without ``gone`` make up the answer. ``note`` and a text come last where texts were cut.
    """
    from rapidfuzz.distance import LCSseq

    old, new = (_PIECE.findall(cut(text, MOST_COMPARED, "")) for text in (reference, answer))
    keys = [[piece.strip().lower() for piece in pieces] for pieces in (old, new)]
    parts: list[list[str]] = []
    for step in LCSseq.opcodes(*keys):
        gone, came = (
            "".join(old[step.src_start : step.src_end]),
            "".join(new[step.dest_start : step.dest_end]),
        )
        if step.tag == "equal":
            parts.append(["same", came])
            continue
        parts += [["gone", gone]] * bool(gone) + [["new", came]] * bool(came)
    if max(len(reference), len(answer)) > MOST_COMPARED:
        parts.append(["note", f"Only the first {MOST_COMPARED:,} characters of each text are compared."])
    return parts
