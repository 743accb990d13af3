"""Which images a text asks about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_PLACEHOLDER = r"<(?:ImageHere|image)>"
_LABEL = re.compile(
    rf"[<\[(]?(?:images?|pictures?|photos?|图(?:片|像)?)[\s#_-]{{0,3}}\d{{1,3}}[>\])]?\s{{0,3}}[:：=-]?\s{{0,3}}{_PLACEHOLDER}",
    re.IGNORECASE,
)
_HERE = re.compile(_PLACEHOLDER, re.IGNORECASE)
_HEAD = r"(?:images?|pictures?|photos?|图(?:片|像)?)"
_NUMBER = r"(?<!\d)\d{1,3}(?![\dA-Za-z%]|[.:]\d)"
# A pattern that begins with a set of letters is searched several times as fast as one that ignores case:
# so the first letter is told in both cases, and what stands before it is looked at afterwards.
_FIRST = re.compile(
    r"(?P<head>[IiPp图](?<![A-Za-z].)(?:(?<=[Ii])(?i:mages?)|(?<=[Pp])(?i:ictures?|hotos?)|(?<=图)[片像]?))"
    rf"(?i:[\s_#-]{{0,3}}(?:no\.?|number|numbers)?\s{{0,2}}#?(?P<number>{_NUMBER}))",
    re.DOTALL,
)
_JOIN = r"(?:,|，|、|;|&|/|\band\b|\bor\b|\bas well as\b|和|与|及|跟|或)"
_SPAN = r"(?:\bto\b|\bthrough\b|\bthru\b|\buntil\b|-|–|—|~|～|至|到)"
_NEXT = re.compile(
    rf"[>\])]?(?P<join>(?:\s{{0,3}}(?:{_SPAN}|{_JOIN})){{1,2}})\s{{0,3}}(?:the\s)?"
    rf"(?P<head>[<\[(]?{_HEAD}[\s_#-]{{0,3}})?#?(?P<number>{_NUMBER})",
    re.IGNORECASE,
)
# "Image1, 3 birds": after one image, a bare number that counts something is no image.
_COUNTED = re.compile(
    r"\s+(?!is\b|was\b|has\b|does\b|shows\b|depicts\b|as\b|versus\b|vs\b)[a-z]+s\b|\s+(?:people|men|women|children)\b"
)
_ORDINAL = re.compile(
    r"第\s{0,2}(?P<first>\d{1,3}|[一二三四五六七八九十]{1,3})"
    r"(?P<more>(?:\s{0,2}[、,，和与及至到-]\s{0,2}第?\s{0,2}(?:\d{1,3}|[一二三四五六七八九十]{1,3})){0,40})\s{0,2}[张幅个](?:图|照片)"
)
_CHINESE = {char: number for number, char in enumerate("一二三四五六七八九", 1)}
_COMPARED = re.compile(r"\b(?:compar|contrast|relat|similar|next|closer|oppos)\w*\b[^.?!]*$", re.IGNORECASE)
# What follows most numbers, and begins no list: an end, a quote, or a word that isn't and, or, as, to, until ...
_NO_LIST = frozenset(
    ("", ".", "?", "!", "'", "\u2019", '"', ":", *(f" {letter}" for letter in "bcdefghijklmnpqrsvwxyz"))
)
_SPAN_SIGN = re.compile(_SPAN, re.IGNORECASE)
_LONGEST_RANGE = 200
_ALL_WORDS = ("images", "pictures", "photos", "photographs", "each", "every", "either", "图")
_ALL = re.compile(
    r"\b(?:images|pictures|photos|photographs)\b|\b(?:each|every|either)\s+(?:image|picture|photo|photograph)\b"
    r"|(?:这|那)(?:些|几张|两张)图|(?:所有|全部|各|每|两)(?:的|张|幅|个)?图|图(?:片|像)?(?:之间|中的)",
    re.IGNORECASE,
)


def image_references(text: str) -> tuple[int, ...]:
    """Find the images that a text asks about by number.

    Parameters
    ----------
    text : str
        A question, English or Chinese: ``Image1``, ``image #3``, ``<image-1>``, ``images 2, 3 and 5``,
        ``Images 1-3``, ``image 1 through image 6``, ``图1``, ``第3张图``.

    Returns
    -------
    tuple of int
        1-based image numbers, sorted, each once. The label of a placeholder
        (``Image1: <ImageHere>.``) introduces an image and is not a reference to it.

    Examples
    --------
    >>> image_references("Image1: <ImageHere>. Image2: <ImageHere>. Describe Image2.")
    (2,)
    >>> image_references("Compare images 2, 3 and 5 with image 7 to image 9.")
    (2, 3, 5, 7, 8, 9)
    """
    return tuple(sorted(_references(_without_labels(text))))


def _without_labels(text: str) -> str:
    """Take the placeholders out, each with the label that introduces it."""
    return _HERE.sub(" ", _LABEL.sub(" ", text)) if "<" in text else text


def _references(plain: str, enough: frozenset[int] | None = None) -> set[int]:
    """Find the numbers in a text without labels; with `enough` only until two of those are found."""
    found: set[int] = set()
    match = _FIRST.search(plain)
    while match is not None:
        end = _add_list(plain, match, found)
        if enough is not None and len(found & enough) > 1:
            return found
        match = _FIRST.search(plain, end)
    if "第" in plain:
        for match in _ORDINAL.finditer(plain):
            found.update(_ordinals(match))
    found.discard(0)
    return found


def _add_list(text: str, match: re.Match[str], result: set[int]) -> int:
    """Follow a list or range from its first image; adds the numbers and gives where the list ends."""
    head, number = match.groups()
    last, end, plural = int(number), match.end(), head[-1] in "sS"
    if text[end : end + 1] in _NO_LIST or text[end : end + 2] in _NO_LIST:
        result.add(last)
        return end
    found = {last}
    while (step := _NEXT.match(text, end)) is not None:
        number, bare = int(step["number"]), step["head"] is None
        if bare and not plural and not _continues(text, step):
            break
        span = _SPAN_SIGN.search(step["join"])
        # "compare image 1 to image 5" names two images, "image 1 to image 5" five.
        pair = (
            span is not None
            and span[0].lower() == "to"
            and len(found) == 1
            and not bare
            and _COMPARED.search(text[max(0, match.start() - 120) : match.start()]) is not None
        )
        if span and not pair and last < number <= last + _LONGEST_RANGE:
            found.update(range(last, number + 1))
        found.add(number)
        last, end = number, step.end()
    result |= found
    return end


def _continues(text: str, step: re.Match[str]) -> bool:
    """Tell "Image 3 and 4" and "image 1, 2 and 3" from "Image1, 3 birds"."""
    if _COUNTED.match(text, step.end()):
        return False
    if step["join"].strip() in (",", "，"):
        return _NEXT.match(text, step.end()) is not None
    return True


def _ordinals(match: re.Match[str]) -> set[int]:
    numbers = [_chinese_number(part) for part in re.findall(r"\d+|[一二三四五六七八九十]+", match[0])]
    if (
        len(numbers) == 2
        and re.search("[至到-]", match["more"])
        and 0 < numbers[1] - numbers[0] <= _LONGEST_RANGE
    ):
        return set(range(numbers[0], numbers[1] + 1))
    return set(numbers)


def _chinese_number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (_CHINESE.get(tens, 1) * 10 if ten else 0) + _CHINESE.get(ones, 0)


def names_all_images(text: str) -> bool:
    """Tell whether a text speaks of the images as a whole: ``all the images``, ``these images``."""
    return _names_all(_without_labels(text))


def _names_all(plain: str) -> bool:
    lower = plain.lower()
    return any(word in lower for word in _ALL_WORDS) and _ALL.search(plain) is not None


def turn_images(question: str, have: list[int], images_so_far: int) -> tuple[list[int], int]:
    """Give the images of a dialogue that one question is about.

    Parameters
    ----------
    question : str
        The question.
    have : list of int
        Numbers of the dialogue's images, in their order.
    images_so_far : int
        How many of them were shown up to this turn.

    Returns
    -------
    tuple of (list of int, int)
        The numbers, and how many references are to images that the dialogue doesn't have.
    """
    plain = _without_labels(question)
    named = _references(plain)
    if not named and _names_all(plain):
        return sorted(have[:images_so_far]), 0
    known = sorted(named.intersection(have))
    return known, len(named) - len(known)


def count_turn_images(question: str, have: frozenset[int], images_so_far: int) -> int:
    """Count the images that one question is about, up to two: what tells its kind, faster than `turn_images`.

    Parameters
    ----------
    question : str
        The question.
    have : frozenset of int
        Numbers of the dialogue's images.
    images_so_far : int
        How many of them were shown up to this turn.

    Returns
    -------
    int
        0, 1, or 2 for two and more.
    """
    plain = _without_labels(question)
    named = _references(plain, have)
    if not named:
        return min(2, images_so_far) if _names_all(plain) else 0
    return min(2, len(named & have))


def question_images(bench: Benchmark) -> pd.DataFrame:
    """List the images that each turn is about.

    Numbers named in the question count; a question that names none but speaks of the images as a
    whole is about all shown so far.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.

    Returns
    -------
    pandas.DataFrame
        One row an image that a turn is about: ``dialog_id``, ``turn``, ``image``. A turn about no
        image has no row. ``attrs["unknown"]`` counts references to images that the dialogue doesn't
        have; they are left out.
    """
    import pandas as pd

    numbers = bench.images.groupby("dialog_id", sort=False)["image"].agg(list).to_dict()
    rows: list[tuple[str, int, int]] = []
    unknown = 0
    for turn in bench.turns[["dialog_id", "turn", "question", "images_so_far"]].itertuples(index=False):
        known, left_out = turn_images(turn.question, numbers.get(turn.dialog_id, []), turn.images_so_far)
        unknown += left_out
        rows += [(turn.dialog_id, turn.turn, image) for image in known]
    frame = pd.DataFrame(rows, columns=["dialog_id", "turn", "image"])
    frame = frame.astype({"dialog_id": "str", "turn": "int64", "image": "int64"})
    frame.attrs["unknown"] = unknown
    return frame
