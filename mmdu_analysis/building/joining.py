"""Join question-answer pairs to one dialogue: introduce images, and name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

_NAME = re.compile(r"\bImage(\d{1,4})\b")


@dataclass(frozen=True)
class Pair:
    """A question and its answer.

    Attributes
    ----------
    question, answer : str
        Without placeholders; images are named as ``Image1``.
    origin : dict
        Their origin: ``items``, ``prompt``, ``model``, ``step``.
    """

    question: str
    answer: str
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> frozenset[int]:
        """Numbers of the images that question or answer name."""
        return named_images(self.question) | named_images(self.answer)


def named_images(text: str) -> frozenset[int]:
    """Return the numbers of the images that a text names as ``Image1``.

    Examples
    --------
    >>> from mmdu_analysis.building.joining import named_images
    >>> sorted(named_images("Compare Image2 with Image10."))
    [2, 10]
    """
    return frozenset(int(number) for number in _NAME.findall(text))


def shift_images(text: str, by: int) -> str:
    """Add a number to all image numbers of a text.

    Parameters
    ----------
    text : str
        With names such as ``Image1``.
    by : int
        Number of preceding images.

    Returns
    -------
    str
        The text with the new names.

    Notes
    -----
    Section 3.1 of the paper: dialogues are joined by shifting the numbers of the images.

    Examples
    --------
    >>> from mmdu_analysis.building.joining import shift_images
    >>> shift_images("Image1 is older than Image2.", 3)
    'Image4 is older than Image5.'
    """
    return _NAME.sub(lambda match: f"Image{int(match[1]) + by}", text)


def shift_pair(pair: Pair, by: int) -> Pair:
    """Return a pair with all image numbers shifted."""
    return replace(pair, question=shift_images(pair.question, by), answer=shift_images(pair.answer, by))


def order_pairs(singles: Sequence[Sequence[Pair]], multi: Sequence[Pair]) -> list[Pair]:
    """Order pairs so that each question comes once its images are shown.

    Parameters
    ----------
    singles : sequence of sequence of Pair
        The pairs about each single image, in the order of the images.
    multi : sequence of Pair
        Those about several images.

    Returns
    -------
    list of Pair
        The pairs about each image, followed by those about it and earlier images.
    """
    ordered: list[Pair] = []
    for image, pairs in enumerate(singles, 1):
        ordered += pairs
        ordered += [pair for pair in multi if max(pair.images) == image]
    return ordered


def introduce_images(pairs: Sequence[Pair]) -> tuple[list[str], int]:
    """Prefix each question with the images that it introduces.

    Parameters
    ----------
    pairs : sequence of Pair
        The turns of a dialogue, in order.

    Returns
    -------
    list of str
        The questions; a placeholder stands for the next image, so images come in the order of their numbers.
    int
        How many images are introduced.

    Examples
    --------
    >>> from mmdu_analysis.building.joining import Pair, introduce_images
    >>> introduce_images([Pair("What is in Image1?", "A bird in Image1.")])
    (['Image1: <ImageHere>. What is in Image1?'], 1)
    """
    questions, shown = [], 0
    for pair in pairs:
        needed = max(pair.images, default=0)
        labels = "".join(f"Image{number}: <ImageHere>. " for number in range(shown + 1, needed + 1))
        questions.append(labels + pair.question)
        shown = max(shown, needed)
    return questions, shown
