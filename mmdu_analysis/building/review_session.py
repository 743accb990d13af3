"""The session of one reviewer, which answers the review page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mmdu_analysis.building.review import Review, check_reviewer
from mmdu_analysis.building.review_log import Event
from mmdu_analysis.io.pictures import find_picture
from mmdu_analysis.io.scaled import load_picture
from mmdu_analysis.schema import DataError, shorten

_SIDE = 1_200
_ITEM_FIELDS = ("id", "title", "caption", "tags", "text", "source", "licence")


class Reply(NamedTuple):
    """An answer to the page.

    Attributes
    ----------
    content : dict
        Values that can be serialised as JSON.
    buffers : tuple of bytes
        Pictures.
    """

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


class ReviewSession:
    """One window of a reviewer.

    Parameters
    ----------
    review : Review
        Shared by all windows of the server.
    reviewer : str
        Name of the reviewer.
    """

    def __init__(self, review: Review, reviewer: str) -> None:
        self.review, self.reviewer = review, check_reviewer(reviewer)
        self._seen = -1

    def handle(self, message: Any) -> Reply:
        """Return the reply to a message of the page; a request that fails has its reason in ``error``."""
        actions = {
            "start": self._start,
            "open": self._open,
            "picture": self._picture,
            "decide": self._decide,
            "whole": self._decide_whole,
            "undo": self._undo,
            "refresh": self._refresh,
        }
        kind = message.get("kind") if isinstance(message, dict) else None
        if not isinstance(kind, str) or kind not in actions:
            return Reply({"kind": "error", "error": "not a message of the review page"})
        try:
            return actions[kind](message)
        except DataError as error:
            return Reply({"kind": "error", "error": shorten(str(error))})
        except (KeyError, TypeError, ValueError, AttributeError):
            return Reply({"kind": "error", "error": "a message that is not complete"})

    def _start(self, _message: dict[str, Any]) -> Reply:
        self.review.log.refresh()
        synthetic = any(dialog.synthetic for dialog in self.review.dialogs.values())
        return Reply(self._overview() | {"kind": "start", "reviewer": self.reviewer, "synthetic": synthetic})

    def _overview(self) -> dict[str, Any]:
        """Return the list of dialogues with their state, and the progress."""
        rows = []
        decided = total = 0
        for key, events in self.review.events().items():
            states = self.review.turns(key, events)
            whole = self.review.whole(key, events)
            mine = sum(self.reviewer in state.decisions for state in states)
            done = len(states) if whole.get(self.reviewer) == "reject" else mine
            decided, total = decided + done, total + len(states)
            rejected = any(kind == "reject" for kind in whole.values())
            accepted = [sum(state.accepted(least) for state in states) for least in (1, 2)]
            row = {"id": key, "turns": len(states), "decided": done, "rejected": rejected}
            rows.append(row | {"accepted_once": accepted[0], "accepted_twice": accepted[1]})
        self._seen = len(self.review.log.events)
        return {"dialogs": rows, "decided": decided, "turns": total}

    def _dialog(self, dialog_id: str, **values: Any) -> Reply:
        dialog = self.review.dialogs.get(dialog_id)
        if dialog is None:
            raise DataError(f"no dialogue {dialog_id!r}")
        events = self.review.events()[dialog_id]
        turns = []
        for number, state in enumerate(self.review.turns(dialog_id, events), 1):
            turn = {
                "turn": number,
                "question": state.question,
                "answer": state.answer,
                "version": state.version,
            }
            turn |= {"edited": state.edited, "decisions": state.decisions, "outdated": list(state.outdated)}
            turns.append(turn | {"items": dialog.pairs[number - 1].origin.get("items", [])})
        items = [
            {"image": number, **{name: item.get(name, "") for name in _ITEM_FIELDS}}
            for number, item in enumerate(dialog.items[: len(dialog.images)], 1)
        ]
        content = {
            "id": dialog_id,
            "talk": turns,
            "items": items,
            "whole": self.review.whole(dialog_id, events),
        }
        return Reply(self._overview() | content | {"kind": "dialog"} | values)

    def _open(self, message: dict[str, Any]) -> Reply:
        self.review.log.refresh()
        return self._dialog(str(message["dialog"]))

    def _picture(self, message: dict[str, Any]) -> Reply:
        dialog = self.review.dialogs[str(message["dialog"])]
        number = int(message["image"])
        content = {"kind": "picture", "dialog": dialog.id, "image": number}
        if not 1 <= number <= len(dialog.images):
            raise DataError(f"no image {number} in dialogue {dialog.id!r}")
        found = find_picture([Path(self.review.folder)], dialog.images[number - 1])
        if found is None:
            return Reply(content | {"problem": "the picture is missing"})
        picture = load_picture(found, _SIDE)
        if picture.problem:
            return Reply(content | {"problem": picture.problem})
        return Reply(content | {"mime": picture.mime}, (picture.data,))

    def _decide(self, message: dict[str, Any]) -> Reply:
        kind = message["decision"]
        if kind not in ("accept", "edit", "reject"):
            raise DataError(f"no decision {kind!r}")
        texts = {name: str(message.get(name, "")) for name in ("question", "answer")}
        dialog_id, turn = str(message["dialog"]), int(message["turn"])
        event = self.review.decide(self.reviewer, kind, dialog_id, turn, str(message["seen"]), **texts)
        return self._dialog(dialog_id, done=_brief(event))

    def _decide_whole(self, message: dict[str, Any]) -> Reply:
        versions = {int(number): str(version) for number, version in message["versions"].items()}
        dialog_id = str(message["dialog"])
        event = self.review.decide_whole(self.reviewer, str(message["decision"]), dialog_id, versions)
        return self._dialog(dialog_id, done=_brief(event))

    def _undo(self, message: dict[str, Any]) -> Reply:
        event = self.review.undo(self.reviewer)
        if event is None:
            return Reply({"kind": "error", "error": "nothing to undo"})
        known = event.dialog_id in self.review.dialogs
        dialog_id = event.dialog_id if known else str(message["dialog"])
        return self._dialog(dialog_id, undone=_brief(event))

    def _refresh(self, message: dict[str, Any]) -> Reply:
        """Return the dialogue again if there were decisions since the last reply."""
        self.review.log.refresh()
        if len(self.review.log.events) == self._seen:
            return Reply({"kind": "same"})
        return self._dialog(str(message["dialog"]), refreshed=True)


def _brief(event: Event) -> dict[str, Any]:
    return {"decision": event.kind, "dialog": event.dialog_id, "turn": event.turn}
