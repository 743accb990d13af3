"""The state of a review: decisions, reviewers, and their agreement."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.checks import check_pair
from mmdu_analysis.building.joining import named_images
from mmdu_analysis.building.review_log import Event, ReviewLog, TurnState, new_event, replay_turn, version_of
from mmdu_analysis.building.written import Written, read_dialogs
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 20_000
_LONGEST_NAME = 60


class Review:
    """A folder of dialogues under review.

    Parameters
    ----------
    folder : str or path
        From `write_dialogs`.

    Attributes
    ----------
    dialogs : dict
        Id to `Written`, in order.
    log : ReviewLog
        The decisions.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.dialogs: dict[str, Written] = {dialog.id: dialog for dialog in read_dialogs(self.folder)}
        if not self.dialogs:
            raise DataError(f"{self.folder}: no complete dialogue; run the writing again")
        self.log = ReviewLog(self.folder)

    def events(self) -> dict[str, list[Event]]:
        """Return the decisions that count, by dialogue."""
        found: dict[str, list[Event]] = {key: [] for key in self.dialogs}
        for event in self.log.effective():
            if event.dialog_id in found:
                found[event.dialog_id].append(event)
        return found

    def turns(self, dialog_id: str, events: list[Event] | None = None) -> list[TurnState]:
        """Return the state of each turn of a dialogue."""
        found = self.events()[dialog_id] if events is None else events
        whole = [event for event in found if event.turn is None]
        own: dict[int, list[Event]] = {}
        for event in found:
            if event.turn is not None:
                own.setdefault(event.turn, []).append(event)
        pairs = enumerate(self.dialogs[dialog_id].pairs, 1)
        return [replay_turn(p.question, p.answer, n, whole + own.get(n, [])) for n, p in pairs]

    def whole(self, dialog_id: str, events: list[Event] | None = None) -> dict[str, str]:
        """Return each reviewer's last decision about the dialogue as a whole."""
        found = self.events()[dialog_id] if events is None else events
        return {event.reviewer: event.kind for event in found if event.turn is None}

    def decide(
        self,
        reviewer: str,
        kind: str,
        dialog_id: str,
        turn: int,
        seen: str,
        question: str = "",
        answer: str = "",
    ) -> Event:
        """Record a decision about a turn.

        Parameters
        ----------
        reviewer : str
            Who decides.
        kind : {"accept", "edit", "reject"}
            The decision.
        dialog_id : str
            The dialogue.
        turn : int
            From 1.
        seen : str
            Version of the texts that the reviewer saw.
        question, answer : str
            The new texts of an edit.

        Returns
        -------
        Event
            The event as written to the log.

        Raises
        ------
        DataError
            If the texts were changed by somebody else since, or an edit breaks a rule of `write_dialogs`.
        """
        self.log.refresh()
        state = self._state(dialog_id, turn)
        if state.version != seen:
            raise DataError("another reviewer has edited this turn; read the new text first")
        if kind == "edit":
            question, answer = question.strip(), answer.strip()
            if (question, answer) == (state.question, state.answer):
                kind = "accept"
            else:
                self._check_edit(dialog_id, question, answer)
                seen = version_of(question, answer)
        if kind != "edit":
            question = answer = ""
        event = new_event(reviewer, kind, dialog_id, turn, seen=seen, question=question, answer=answer)
        self.log.append(event)
        return event

    def _state(self, dialog_id: str, turn: int) -> TurnState:
        if dialog_id not in self.dialogs or not 1 <= turn <= len(self.dialogs[dialog_id].pairs):
            raise DataError(f"no turn {turn} in dialogue {dialog_id!r}")
        return self.turns(dialog_id)[turn - 1]

    def _check_edit(self, dialog_id: str, question: str, answer: str) -> None:
        if max(len(question), len(answer)) > _LONGEST:
            raise DataError(f"a text has more than {_LONGEST:,} characters")
        fault = check_pair(question, answer, n_images=len(self.dialogs[dialog_id].images), least=1)
        if fault:
            raise DataError(f"the edit was not kept: {fault}")

    def decide_whole(self, reviewer: str, kind: str, dialog_id: str, versions: Mapping[int, str]) -> Event:
        """Record a decision about a whole dialogue, for the texts that the reviewer saw.

        Parameters
        ----------
        reviewer : str
            Who decides.
        kind : {"accept", "reject"}
            Accepting counts for the turns that the reviewer has not decided about; rejecting leaves the
            dialogue out.
        dialog_id : str
            The dialogue.
        versions : mapping
            Turn to the version that was shown.

        Returns
        -------
        Event
            The event as written to the log.
        """
        if dialog_id not in self.dialogs or kind not in ("accept", "reject"):
            raise DataError(f"no decision {kind!r} about a dialogue {dialog_id!r}")
        known = {
            number: versions[number]
            for number in range(1, len(self.turns(dialog_id)) + 1)
            if number in versions
        }
        event = new_event(reviewer, kind, dialog_id, None, versions=known)
        self.log.append(event)
        return event

    def undo(self, reviewer: str) -> Event | None:
        """Undo the last decision of a reviewer that counts; return it, or None if there is none."""
        self.log.refresh()
        last = self.log.last_of(reviewer)
        if last is not None:
            self.log.append(new_event(reviewer, "undo", last.dialog_id, last.turn, undoes=last.event))
        return last

    def table(self) -> pd.DataFrame:
        """Return all decisions as a frame.

        Returns
        -------
        pandas.DataFrame
            One row per reviewer and turn: ``dialog_id``, ``turn``, ``reviewer``, ``decision`` (the last one),
            ``current`` (whether it is about the present texts), ``synthetic``.
        """
        import pandas as pd

        rows = []
        for key, events in self.events().items():
            for number, state in enumerate(self.turns(key, events), 1):
                for reviewer, decision in sorted(state.last.items()):
                    current = reviewer in state.decisions
                    rows.append((key, number, reviewer, decision, current, self.dialogs[key].synthetic))
        names = ["dialog_id", "turn", "reviewer", "decision", "current", "synthetic"]
        return pd.DataFrame(rows, columns=names).astype({"turn": "int64", "current": bool, "synthetic": bool})


def check_reviewer(name: str) -> str:
    """Validate the name of a reviewer.

    Raises
    ------
    DataError
        If it is empty, very long, or has control characters.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise DataError(f"reviewer: got {name[:80]!r}, expected a name of up to {_LONGEST_NAME} characters")
    return name


def reviewer_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the agreement of each pair of reviewers.

    Parameters
    ----------
    table : pandas.DataFrame
        From `Review.table`.

    Returns
    -------
    pandas.DataFrame
        ``reviewer_a``, ``reviewer_b``, ``n_turns`` (that both decided about), ``agreement`` (percent with the
        same decision: keep as it is, edit, reject), ``kappa`` (Cohen's; NaN where both always decide the
        same), ``synthetic``.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("1", 1, "A", "accept"), ("1", 1, "B", "accept"), ("1", 2, "A", "reject"), ("1", 2, "B", "accept")]
    >>> table = pd.DataFrame(rows, columns=["dialog_id", "turn", "reviewer", "decision"])
    >>> reviewer_agreement(table)[["n_turns", "agreement", "kappa"]].iloc[0].tolist()
    [2.0, 50.0, 0.0]
    """
    import pandas as pd

    wide = table.pivot_table(
        index=["dialog_id", "turn"], columns="reviewer", values="decision", aggfunc="last"
    )
    rows: list[dict[str, Any]] = []
    synthetic = bool(table["synthetic"].any()) if "synthetic" in table else False
    for first, second in combinations(sorted(wide.columns), 2):
        both = wide[[first, second]].dropna()
        a, b = both[first], both[second]
        observed = float((a == b).mean()) if len(both) else float("nan")
        shares_a, shares_b = a.value_counts(normalize=True), b.value_counts(normalize=True)
        chance = float((shares_a * shares_b).fillna(0).sum())
        kappa = (observed - chance) / (1 - chance) if chance < 1 else float("nan")
        row = {"reviewer_a": first, "reviewer_b": second, "n_turns": len(both), "agreement": 100 * observed}
        rows.append(row | {"kappa": kappa, "synthetic": synthetic})
    names = ["reviewer_a", "reviewer_b", "n_turns", "agreement", "kappa", "synthetic"]
    return pd.DataFrame(rows, columns=names).astype({"n_turns": "int64", "synthetic": bool})


def is_multi(question: str) -> bool:
    """Return whether a question names several images."""
    return len(named_images(question)) > 1
