"""References to images in texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

# All patterns are for texts in lower case: ignoring case in the search takes twice as long.
_HERE = re.compile("<(?:imagehere|image)>")
_HEAD = r"(?:images?|pictures?|photos?|图(?:片|像)?)"
_PLURALS = ("images", "pictures", "photos")
_LABEL = re.compile(rf"[<\[(]?{_HEAD}[\s#_-]{{0,3}}\d{{1,3}}[>\])]?\s{{0,3}}[:：=-]?\s{{0,3}}\Z")
_LONGEST_LABEL = 23
_NUMBER = r"(?<!\d)\d{1,3}(?![\da-z%]|[.:]\d)"
# The second group is the text in which a list may continue with a bare number, or a range: it ends before a
# word that excludes it, the end of the sentence, and the next "image", "picture" or "图".
_FIRST_NUMBER = (
    rf"[\s_#-]{{0,3}}(?:no\.?|number|numbers)?\s{{0,2}}#?({_NUMBER})"
    r"(?=((?!,? [b-np-sv-z])[^.?!:'\"ip图]{0,40}?(?:\d|to|thr|until|[-–—~～至到])|))"
)
_FIRST = re.compile(rf"(?<![a-z]){_HEAD}{_FIRST_NUMBER}")
# A pattern that begins with letters is three times as fast as one that begins with alternatives.
_FIRST_IMAGE = re.compile(rf"image(?<![a-z]image)s?{_FIRST_NUMBER}")
_JOIN = r"(?:,|，|、|;|&|/|\band\b|\bor\b|\bas well as\b|和|与|及|跟|或)"
_SPAN = r"(?:\bto\b|\bthrough\b|\bthru\b|\buntil\b|-|–|—|~|～|至|到)"
_NEXT = re.compile(
    rf"[>\])]?(?P<join>(?:\s{{0,3}}(?:{_SPAN}|{_JOIN})){{1,2}})\s{{0,3}}(?:the\s)?"
    rf"(?P<head>[<\[(]?{_HEAD}[\s_#-]{{0,3}})?#?(?P<number>{_NUMBER})"
)
# "Image1, 3 birds": after one image, a bare number that counts something is not an image.
_COUNTED = re.compile(
    r"\s+(?!is\b|was\b|has\b|does\b|shows\b|depicts\b|as\b|versus\b|vs\b)[a-z]+s\b|\s+(?:people|men|women|children)\b"
)
_ORDINAL = re.compile(
    r"第\s{0,2}(?P<first>\d{1,3}|[一二三四五六七八九十]{1,3})"
    r"(?P<more>(?:\s{0,2}[、,，和与及至到-]\s{0,2}第?\s{0,2}(?:\d{1,3}|[一二三四五六七八九十]{1,3})){0,40})\s{0,2}[张幅个](?:图|照片)"
)
_CHINESE = {char: number for number, char in enumerate("一二三四五六七八九", 1)}
_COMPARED = re.compile(r"\b(?:compar|contrast|relat|similar|next|closer|oppos)\w*\b[^.?!]*$")
_SPAN_SIGN = re.compile(_SPAN)
_LONGEST_RANGE = 200
_ALL_WORDS = ("images", "pictures", "photos", "photographs", "each", "every", "either", "图")
_ALL = re.compile(
    r"\b(?:images|pictures|photos|photographs)\b|\b(?:each|every|either)\s+(?:image|picture|photo|photograph)\b"
    r"|(?:这|那)(?:些|几张|两张)图|(?:所有|全部|各|每|两)(?:的|张|幅|个)?图|图(?:片|像)?(?:之间|中的)"
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
        1-based image numbers, sorted and distinct. The label of a placeholder
        (``Image1: <ImageHere>.``) introduces an image and is not a reference to it.

    Examples
    --------
    >>> image_references("Image1: <ImageHere>. Image2: <ImageHere>. Describe Image2.")
    (2,)
    >>> image_references("Compare images 2, 3 and 5 with images 7 to 9.")
    (2, 3, 5, 7, 8, 9)
    """
    return tuple(sorted(_references(_plain(text))))


def _plain(text: str) -> str:
    """Return a text in lower case, without placeholders and the labels that introduce them."""
    text = text.lower()
    if "<" not in text:
        return text
    *before, rest = _HERE.split(text)
    return " ".join([*map(_without_label, before), rest])


def _without_label(text: str) -> str:
    """Remove the label at the end of a text, which was before a placeholder."""
    label = _label(text)
    return text[: label.start()] if label else text


def _label(text: str) -> re.Match[str] | None:
    return _LABEL.search(text, max(0, len(text) - _LONGEST_LABEL))


def _first_pattern(plain: str) -> re.Pattern[str]:
    """Return the pattern of the first image of each list: nearly all texts use only the word "image"."""
    return _FIRST if "图" in plain or "photo" in plain or "picture" in plain else _FIRST_IMAGE


def _references(plain: str) -> set[int]:
    """Find the numbers in a plain text."""
    found: set[int] = set()
    first = _first_pattern(plain)
    match = first.search(plain)
    while match is not None:
        match = first.search(plain, _add_list(plain, match, found))
    if "第" in plain:
        for match in _ORDINAL.finditer(plain):
            found.update(_ordinals(match))
    found.discard(0)
    return found


def _add_list(text: str, match: re.Match[str], result: set[int]) -> int:
    """Follow a list or range from its first image; add the numbers and return where the list ends."""
    last, end, plural = int(match[1]), match.end(), match[0].startswith(_PLURALS)
    found = {last}
    while (step := _NEXT.match(text, end)) is not None:
        number, bare = int(step["number"]), step["head"] is None
        if bare and not plural and not _continues(text, step):
            break
        span = _SPAN_SIGN.search(step["join"])
        # "compare image 1 to image 5" names two images, "image 1 to image 5" five.
        pair = (
            span is not None
            and span[0] == "to"
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
    """Return whether a list continues: "Image 3 and 4" and "image 1, 2 and 3", but not "Image1, 3 birds"."""
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


def _names_all(plain: str) -> bool:
    return any(word in plain for word in _ALL_WORDS) and _ALL.search(plain) is not None


def turn_images(question: str, have: list[int], images_so_far: int) -> tuple[list[int], int]:
    """Return the images of a dialogue that one question is about.

    Parameters
    ----------
    question : str
        The question.
    have : list of int
        Numbers of the dialogue's images, in their order.
    images_so_far : int
        Number of images shown up to this turn.

    Returns
    -------
    tuple of (list of int, int)
        The numbers, and the number of references to images that the dialogue doesn't have.
    """
    plain = _plain(question)
    named = _references(plain)
    if not named and _names_all(plain):
        return sorted(have[:images_so_far]), 0
    if not named:
        shown = have[:images_so_far]
        return sorted(shown[len(shown) - _introduced(question, len(shown)) :]), 0
    known = sorted(named.intersection(have))
    return known, len(named) - len(known)


def count_turn_images(question: str, have: frozenset[int], images_so_far: int) -> int:
    """Count the images that one question is about, up to two, which determines its kind; faster than `turn_images`.

    Parameters
    ----------
    question : str
        The question.
    have : frozenset of int
        Numbers of the dialogue's images.
    images_so_far : int
        Number of images shown up to this turn.

    Returns
    -------
    int
        0, 1, or 2 for two and more.
    """
    plain = _plain(question)
    named: set[int] = set()
    for number, continued in _first_pattern(plain).findall(plain):
        if continued:
            named = _references(plain)
            break
        named.add(int(number))
    if "第" in plain:
        named = _references(plain)
    named.discard(0)
    if named:
        count = len(named & have)
    else:
        count = images_so_far if _names_all(plain) else _introduced(question, images_so_far)
    return count if count < 2 else 2


def _introduced(question: str, images_so_far: int) -> int:
    """Return how many images a question introduces by placeholders; 0 where a label names one of them."""
    *before, _ = _HERE.split(question.lower()) if "<" in question else [""]
    return 0 if any(map(_label, before)) else min(len(before), images_so_far)


def question_images(benchmark: Benchmark) -> pd.DataFrame:
    """List the images that each turn is about.

    A question is about the images that it names by number; a question without numbers that mentions the
    images as a whole is about all images shown so far, and one that names none about those that it introduces
    without a label.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.

    Returns
    -------
    pandas.DataFrame
        One row per image that a turn is about: ``dialog_id``, ``turn``, ``image``. A turn about no
        image has no row. References to images that the dialogue doesn't have are left out.
    """
    rows, images = images_by_row(benchmark)
    keys = benchmark.turns[["dialog_id", "turn"]].iloc[rows].reset_index(drop=True)
    return keys.assign(image=images).astype({"dialog_id": "str", "turn": "int64", "image": "int64"})


def images_by_row(benchmark: Benchmark) -> tuple[np.ndarray, np.ndarray]:
    """Return the images that each turn is about, as `question_images`.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.

    Returns
    -------
    tuple of numpy.ndarray
        Positions in ``benchmark.turns``, rising, and numbers of images, shape ``(n_references,)``.
    """
    import numpy as np

    numbers = benchmark.images.groupby("dialog_id", sort=False)["image"].agg(list).to_dict()
    columns = (benchmark.turns[name].tolist() for name in ("dialog_id", "question", "images_so_far"))
    counts, images = list[int](), list[int]()
    for dialog_id, question, so_far in zip(*columns, strict=True):
        known, _ = turn_images(question, numbers.get(dialog_id, []), so_far)
        counts.append(len(known))
        images += known
    return np.repeat(np.arange(len(counts)), counts), np.array(images, dtype=np.int64)
