"""One dialogue, and the pairing of the messages of a record into turns, for all formats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mmdu_analysis.schema import ASSISTANT_SPEAKERS, PLACEHOLDERS, USER_SPEAKERS, Problem

SYSTEM_SPEAKERS = frozenset({"system", "developer"})
MOST_IMAGE_NUMBER = 1_000_000
_QUESTIONS_HEAD = re.compile(r"^[#*\s]{0,8}questions?\s{0,3}:", re.IGNORECASE | re.MULTILINE)
_NUMBERED = re.compile(r"^\s{0,8}(?:Q?\d{1,2}[.):]|[-*])\s[^\n]{0,2000}[?？]\s{0,8}$", re.MULTILINE)


_AS_THEY_ARE = "; both are kept unchanged"


class Fault(NamedTuple):
    """What is wrong in a record: the JSON path within it, a description, and the turn if it concerns one."""

    place: str
    problem: str
    turn: int | None = None


@dataclass
class Dialog:
    """One dialogue, its messages paired into turns.

    Attributes
    ----------
    dialog_id : str
        The record's ``id``, or its position in a file whose records have none.
    questions, answers : list of str
        One per turn; a missing answer is ``""``.
    images : list of str
        Picture paths, in the order in which placeholders bind to them.
    image_numbers : list of int
        The numbers by which texts refer to the pictures.
    faults : list of Fault
        What is wrong in the record.
    sizes : list of tuple of int or None
        Width and height in pixels if the record contains the pictures.
    pictures : list of bytes or None
        The pictures if the record contains them.
    unplaced : bool
        True where the pictures belong to the dialogue as a whole, not to placeholders.
    synthetic : bool
        True where the record is marked synthetic.
    number_id : bool
        True where the record's id is a number.
    positional : bool
        True where the record has no id, and its position is used.
    speakers : tuple of str
        The record's names of the user and the assistant.
    stated_turns : list of int or None
        The turn of each question if the file states it, as `mmdu answer` does, or if an earlier turn is left
        out. None if a turn is its position.
    system : str
        The system message; empty where there is none.
    lost_images : list of int
        For each answer the number of pictures that the model was not sent, as `mmdu answer` states it; may be
        empty.
    """

    dialog_id: str
    questions: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    image_numbers: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sizes: list[tuple[int, int] | None] = field(default_factory=list)
    pictures: list[bytes | None] = field(default_factory=list)
    unplaced: bool = False
    synthetic: bool = False
    number_id: bool = False
    positional: bool = False
    speakers: tuple[str, str] = ("user", "assistant")
    stated_turns: list[int] | None = None
    system: str = ""
    lost_images: list[int] = field(default_factory=list)

    @cached_property
    def placeholders(self) -> list[int]:
        """Placeholders in each question."""
        return [count_placeholders(question) if "<" in question else 0 for question in self.questions]

    @property
    def carried(self) -> list[bytes | None]:
        """The picture of each path if the record contains it, otherwise None."""
        return self.pictures or [None] * len(self.images)

    @property
    def turns(self) -> Sequence[int]:
        """The number of each turn: 1, 2, ... if none is missing."""
        return self.stated_turns or range(1, len(self.questions) + 1)

    def placed(self) -> list[tuple[int, int]]:
        """Return, for each turn, the placeholders in its question and the images shown so far."""
        total, most = len(self.images) if self.unplaced else 0, len(self.images)
        result = []
        for new in self.placeholders:
            total += new
            result.append((new, total if total < most else most))
        return result


class Utterance(NamedTuple):
    """One message of a record: its speaker, its text, and the turn that it states.

    The text is None if it is null; the speaker is empty if the whole message is null.
    """

    speaker: str
    text: str | None
    turn: int | None = None


def count_placeholders(text: str) -> int:
    """Return the number of pictures in a text."""
    return sum(text.count(placeholder) for placeholder in PLACEHOLDERS)


def number_images(dialog: Dialog, numbers: Sequence[int] | None) -> None:
    """Set the numbers by which texts refer to the pictures: as the record states them, else 1, 2, ..."""
    dialog.image_numbers = list(range(1, len(dialog.images) + 1))
    if numbers is None:
        return
    if len(numbers) != len(dialog.images):
        text = f"{len(numbers)} numbers for {len(dialog.images)} images; they are ignored"
    elif len(set(numbers)) < len(numbers) or not all(0 <= n <= MOST_IMAGE_NUMBER for n in numbers):
        text = f"image numbers that repeat or are not between 0 and {MOST_IMAGE_NUMBER:,}; they are ignored"
    else:
        dialog.image_numbers = list(numbers)
        return
    dialog.faults.append(Fault(".image_inds", text))


def pair_messages(messages: Sequence[Utterance], dialog: Dialog, json_path: str) -> None:
    """Pair messages into the turns of a dialogue; messages that belong to no turn become faults.

    Parameters
    ----------
    messages : sequence of Utterance
        In their order.
    dialog : Dialog
        Receives questions, answers, the system message, stated turns and faults.
    json_path : str
        JSON path of the list of messages within the record.
    """
    state = _Pairing(dialog)
    for number, message in enumerate(messages):
        text = state.take(message)
        if text:
            turn = state.position or None
            dialog.faults.append(Fault(f"{json_path}[{number}]", text, turn))
    if _rise(state.stated):
        dialog.stated_turns = state.stated
        return
    if any(state.stated):
        text = "the stated turns are not whole numbers that rise from answer to answer; positions are used"
        dialog.faults.append(Fault(json_path, text))
    if state.positions != list(range(1, len(dialog.questions) + 1)):
        dialog.stated_turns = state.positions


class _Pairing:
    """The turns of a dialogue so far; `position` counts its questions, including those left out."""

    def __init__(self, dialog: Dialog) -> None:
        self.dialog, self.position, self.positions, self.stated = dialog, 0, list[int](), list[int]()
        self.waiting = self.dropping = False

    def take(self, message: Utterance) -> str:
        """Add one message; return what is wrong with it."""
        speaker = message.speaker.lower()
        if not speaker:  # the whole message is null: it is taken as the expected one
            return self.answer(message) if self.waiting or self.dropping else self.ask(None)
        if speaker in USER_SPEAKERS:
            return self.ask(message.text)
        if speaker in ASSISTANT_SPEAKERS:
            return self.answer(message)
        if speaker not in SYSTEM_SPEAKERS:
            named = f"speaker {message.speaker[:40]!r}"
            return f"{named}, expected user/human or assistant/gpt/bot; the message is left out"
        if self.position or self.dialog.system:
            return "a second or late system message; it is left out"
        self.dialog.system = message.text or ""
        return ""

    def ask(self, text: str | None) -> str:
        """Start a turn with a question."""
        followed, self.waiting, self.dropping = self.waiting, text is not None, text is None
        self.position += 1
        if text is None:
            return "the message is null; its turn is left out"
        self.dialog.questions.append(text)
        self.dialog.answers.append("")
        self.positions.append(self.position)
        self.stated.append(0)
        return "a question follows a question; the first has no answer" if followed else ""

    def answer(self, message: Utterance) -> str:
        """Complete a turn with its answer."""
        if self.dropping:  # the answer to a null question
            self.dropping = False
            return ""
        if not self.waiting:
            fault = (
                "an answer follows an answer" if self.position else "an answer without a preceding question"
            )
            return f"{fault}; it is left out"
        self.waiting = False
        if message.text is None:
            for column in (self.dialog.questions, self.dialog.answers, self.positions, self.stated):
                column.pop()
            return "the message is null; its turn is left out"
        self.dialog.answers[-1], self.stated[-1] = message.text, message.turn or 0
        return ""


def _rise(turns: list[int]) -> bool:
    """Return whether every turn has a stated number, in strictly increasing order."""
    rising = all(before < after for before, after in zip([0, *turns], turns, strict=False))
    return bool(turns) and rising and turns[-1] < 1 << 31


def check_dialog(dialog: Dialog, json_path: str, *, numbered: bool = False) -> None:
    """Add the faults of a dialogue as a whole: no question, questions in one turn, placeholders.

    Parameters
    ----------
    dialog : Dialog
        With its turns and images.
    json_path : str
        JSON path of the list of messages within the record.
    numbered : bool, default False
        True where the record numbers its images: placeholders need not be in the text.
    """
    if not dialog.questions:
        dialog.faults.append(Fault(json_path, "a dialogue without any question"))
    for turn, question in enumerate(dialog.questions, 1):
        if "\n" in question and (count := count_questions(question)) > 1:
            text = f"{count} questions in one turn, which has one answer; counted as one turn"
            dialog.faults.append(Fault(json_path, text, dialog.turns[turn - 1]))
    placed, listed = sum(dialog.placeholders), len(dialog.images)
    dialog.unplaced = placed == 0 or (numbered and placed != listed)
    if placed != listed and not numbered:
        text = f"{listed} images listed and {placed} placeholders in the questions{_AS_THEY_ARE}"
        dialog.faults.append(Fault("", text))


def is_about_images(problem: Problem) -> bool:
    """Return whether a problem is that placeholders and images don't match."""
    return problem.problem.endswith(_AS_THEY_ARE)


def count_questions(text: str) -> int:
    r"""Return how many questions a text lists: numbered or bulleted lines that end in a question mark.

    Parameters
    ----------
    text : str
        One message of a user.

    Returns
    -------
    int
        0 where the text holds no list of questions.

    Examples
    --------
    >>> count_questions("### Questions:\n1. What is shown?\n2. Who made it?")
    2
    >>> count_questions("What is shown?")
    0
    """
    lines = len(_NUMBERED.findall(text[:50_000]))
    return lines if lines >= 3 or (lines == 2 and _QUESTIONS_HEAD.search(text)) else 0
