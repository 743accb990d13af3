"""Decisions of reviewers as an append-only log: nothing is overwritten, undo is one more line."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmdu_analysis.io.append import append_records
from mmdu_analysis.schema import DataError, Problem, short_path

LOG = "review.jsonl"
DECISIONS = ("accept", "edit", "reject")
_KINDS = (*DECISIONS, "undo")
Turn = tuple[str, int | None]
"""Dialogue and turn; None for the dialogue as a whole."""


def version_of(question: str, answer: str) -> str:
    """Return the fingerprint of a turn's texts: a decision counts for the texts that the reviewer saw."""
    return hashlib.sha256(f"{question}\x1f{answer}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Event:
    """One line of the log.

    Attributes
    ----------
    event : str
        Its id.
    reviewer : str
        Who decided.
    kind : {"accept", "edit", "reject", "undo"}
        The decision.
    dialog_id : str
        The dialogue.
    turn : int or None
        The turn; None decides about the whole dialogue.
    seen : str
        Version of the texts that the reviewer saw; of the texts that an edit makes.
    question, answer : str
        The new texts of an edit.
    versions : dict
        For a decision about a whole dialogue: turn to the version that the reviewer saw.
    undoes : str
        The event that is undone.
    time : str
        In UTC.
    """

    event: str
    reviewer: str
    kind: str
    dialog_id: str
    turn: int | None = None
    seen: str = ""
    question: str = ""
    answer: str = ""
    versions: Mapping[int, str] = field(default_factory=dict)
    undoes: str = ""
    time: str = ""

    def record(self) -> dict[str, Any]:
        """Return what a line of the log holds: the fields that are not empty."""
        return {name: value for name, value in self.__dict__.items() if value or name == "turn"}


def new_event(reviewer: str, kind: str, dialog_id: str, turn: int | None = None, **values: Any) -> Event:
    """Return an event with the current time and a new id."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Event(secrets.token_hex(8), reviewer, kind, dialog_id, turn, time=now, **values)


class ReviewLog:
    """The log of a folder of dialogues; any number of processes may read it and append to it.

    Parameters
    ----------
    folder : pathlib.Path
        From `write_dialogs`; the log is ``review.jsonl`` in it.

    Attributes
    ----------
    events : list of Event
        What has been read so far, in the order of the file.
    problems : list of Problem
        Lines that are not events. They stay in the file.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self.events: list[Event] = []
        self.problems: list[Problem] = []
        self._known: set[str] = set()
        self._read_to, self._lines = 0, 0
        self.refresh()

    def refresh(self) -> bool:
        """Read what any process appended since; return whether there was anything.

        A line without a line feed is still being written, or was truncated by a crash: it is read again
        later.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DataError(f"{short_path(self.path)}: can't be read ({error.strerror})") from None
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        before = len(self.events)
        for line in whole.split(b"\n")[:-1]:
            self._lines += 1
            self._take(line)
        return len(self.events) > before

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = _event(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            text = f"not a decision ({type(error).__name__}); the line is kept unchanged"
            self.problems.append(Problem(short_path(self.path), f"line {self._lines}", text))
            return
        if event.event not in self._known:
            self._known.add(event.event)
            self.events.append(event)

    def append(self, event: Event) -> None:
        """Write an event and synchronise it with the disk.

        Raises
        ------
        DataError
            If the disk is full or the file can't be written; the existing log stays unchanged.
        """
        append_records(self.path, [event.record()])
        self.refresh()

    def effective(self) -> list[Event]:
        """Return the valid decisions, without undone ones and without the undo events."""
        undone = {event.undoes for event in self.events if event.kind == "undo"}
        return [event for event in self.events if event.kind != "undo" and event.event not in undone]

    def last_of(self, reviewer: str) -> Event | None:
        """Return the last decision of a reviewer that counts; None if there is none left to undo."""
        own = [event for event in self.effective() if event.reviewer == reviewer]
        return own[-1] if own else None


def _event(record: Any) -> Event:
    """Validate a decoded line."""
    turn = record.get("turn")
    if turn is not None and type(turn) is not int:
        raise TypeError("turn")
    kind = record["kind"]
    if kind not in _KINDS:
        raise ValueError("kind")
    texts = {}
    for name in ("event", "reviewer", "dialog_id", "seen", "question", "answer", "undoes", "time"):
        texts[name] = record.get(name, "")
        if not isinstance(texts[name], str):
            raise TypeError(name)
    if not texts["event"] or not texts["reviewer"]:
        raise ValueError("event")
    versions = {int(number): str(version) for number, version in record.get("versions", {}).items()}
    return Event(kind=kind, turn=turn, versions=versions, **texts)


@dataclass(frozen=True)
class TurnState:
    """What reviewers have decided about one turn.

    Attributes
    ----------
    question, answer : str
        The present texts: those of the last edit.
    edited : bool
        Whether anybody edited them.
    decisions : dict
        Reviewer to accept, edit or reject, of the present texts. An edit accepts the texts that it made.
    outdated : tuple of str
        Reviewers who decided about texts that were edited since.
    last : dict
        Reviewer to the last decision, about any version of the texts.
    """

    question: str
    answer: str
    edited: bool
    decisions: dict[str, str]
    outdated: tuple[str, ...]
    last: dict[str, str]

    @property
    def version(self) -> str:
        """Fingerprint of the present texts."""
        return version_of(self.question, self.answer)

    def accepted(self, least: int) -> bool:
        """Return whether enough reviewers accept the present texts and nobody rejects them."""
        decisions = list(self.decisions.values())
        return "reject" not in decisions and len(decisions) >= least


def replay_turn(question: str, answer: str, number: int, events: Iterable[Event]) -> TurnState:
    """Apply decisions to one turn.

    Parameters
    ----------
    question, answer : str
        As the model wrote them.
    number : int
        The turn, from 1.
    events : iterable of Event
        Those of its dialogue that count, in order.

    Returns
    -------
    TurnState
        A decision about the whole dialogue counts for the turns that its reviewer has not decided about.
    """
    edited, own, whole = False, {}, {}
    for event in events:
        if event.turn is None:
            if number in event.versions:
                whole[event.reviewer] = (event.kind, event.versions[number])
        elif event.turn == number:
            own[event.reviewer] = (event.kind, event.seen)
            if event.kind == "edit":
                question, answer, edited = event.question, event.answer, True
    merged = whole | own
    version = version_of(question, answer)
    decisions = {reviewer: kind for reviewer, (kind, seen) in merged.items() if seen == version}
    outdated = tuple(sorted(set(merged) - set(decisions)))
    last = {reviewer: kind for reviewer, (kind, _) in merged.items()}
    return TurnState(question, answer, edited, decisions, outdated, last)
