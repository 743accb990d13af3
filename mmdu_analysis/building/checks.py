"""Check the reply of a model: pairs of the requested form, about images that exist and were shown."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from itertools import islice
from typing import Any

from mmdu_analysis.building.joining import named_images
from mmdu_analysis.io.thinking import split_thinking
from mmdu_analysis.schema import PLACEHOLDERS
from mmdu_analysis.stats.references import image_references

_PLACEHOLDER = re.compile(
    "|".join([*map(re.escape, PLACEHOLDERS), r"<\s*/?\s*(?:image|img)[\w\s-]*>", r"\[\s*image\s*\]"]),
    re.IGNORECASE,
)
_MOST_FACTS = 20
_MOST_STARTS = 100
"""Maximum number of brackets at which a list is searched; bounds the time for a reply that consists of brackets."""


class ReplyError(ValueError):
    """A reply that can't be used; the message is the reason, which is sent to the model."""


def read_facts(text: str) -> list[str]:
    """Read a list of facts from a reply.

    Parameters
    ----------
    text : str
        The reply.

    Returns
    -------
    list of str
        At least one, at most 20.

    Raises
    ------
    ReplyError
        If the reply is not a list of texts.
    """
    facts = _json_list(text)
    if not all(isinstance(fact, str) and fact.strip() for fact in facts):
        raise ReplyError("it is not a JSON list of strings that are not empty")
    return [" ".join(fact.split()) for fact in facts[:_MOST_FACTS]]


def read_pairs(
    text: str, n: int, *, image: int | None = None, n_images: int, before: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Read question-answer pairs from a reply, and check them.

    Parameters
    ----------
    text : str
        The reply.
    n : int
        Number of requested pairs; further ones are dropped.
    image : int, optional
        The image that all pairs must be about; by default each question must name at least two.
    n_images : int
        Images of the dialogue.
    before : collection of str
        Questions that were asked before.

    Returns
    -------
    list of (str, str)
        Questions and answers.

    Raises
    ------
    ReplyError
        With the reason, if a rule is broken.
    """
    pairs = [_pair(entry, number) for number, entry in enumerate(_json_list(text), 1)]
    if len(pairs) < n:
        raise ReplyError(f"it has {len(pairs)} pairs, expected {n}")
    seen = {_folded(question) for question in before}
    for number, (question, answer) in enumerate(pairs[:n], 1):
        fault = check_pair(question, answer, image=image, n_images=n_images)
        if not fault and _folded(question) in seen:
            fault = "the question was asked before"
        if fault:
            raise ReplyError(f"pair {number}: {fault}")
        seen.add(_folded(question))
    return pairs[:n]


def check_pair(question: str, answer: str, *, image: int | None = None, n_images: int, least: int = 2) -> str:
    """Check one question and its answer.

    Parameters
    ----------
    question, answer : str
        The texts.
    image : int, optional
        The only image that they may name, and the question must.
    n_images : int
        Images that they may name.
    least : int, default 2
        Images that a question must name, where no `image` is given.

    Returns
    -------
    str
        What is wrong; empty if nothing is.
    """
    for name, text in (("question", question), ("answer", answer)):
        if not text.strip():
            return f"the {name} is empty"
        if found := _PLACEHOLDER.search(text):
            return f"the {name} has a placeholder ({found[0]}); name images as Image1"
        named = named_images(text)
        if named != set(image_references(text)):
            return f"the {name} names images in another way than Image1, Image2; lists and ranges are not allowed"
        allowed = {image} if image is not None else set(range(1, n_images + 1))
        if extra := sorted(named - allowed):
            shown = f"only Image{image}" if image is not None else f"Image1 to Image{n_images}"
            return f"the {name} names Image{extra[0]}, which was not shown ({shown} may be named)"
    asked = named_images(question)
    if image is not None and not asked:
        return f"the question does not name Image{image}"
    if image is None and len(asked) < least:
        return f"the question names {len(asked)} images, expected {least} or more"
    return ""


def _json_list(text: str) -> list[Any]:
    """Find the list in a reply: after the thinking, in a code fence, within prose, or in an object."""
    body = split_thinking(text).rest
    decoder = json.JSONDecoder(strict=False)
    for match in islice(re.finditer(r"[\[{]", body), _MOST_STARTS):
        try:
            value, _ = decoder.raw_decode(body, match.start())
        except ValueError:
            continue
        except RecursionError:
            break
        if isinstance(value, dict):
            value = next((part for part in value.values() if isinstance(part, list)), [])
        if isinstance(value, list) and value:
            return value
    raise ReplyError("it has no JSON list, or a list that is not complete")


def _pair(entry: Any, number: int) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise ReplyError(f"pair {number} is not an object with question and answer")
    question, answer = entry.get("question"), entry.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str):
        raise ReplyError(f"pair {number} is not an object with the texts question and answer")
    return question.strip(), answer.strip()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
