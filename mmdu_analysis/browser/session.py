"""The messages of the page and the replies to them: the browser independent of how it is displayed.

The widget in JupyterLab, the browser's own server and the exported page all use a `Session`: it receives a
message and returns a message and bytes. Texts are sent as text, never as markup, except for Markdown that was
rendered and cleaned here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.filters import FIELDS, ORDERS, Filters, from_link, to_link
from mmdu_analysis.browser.finding import Index
from mmdu_analysis.browser.notes import TAGS, Notes
from mmdu_analysis.browser.pictures import PagePictures
from mmdu_analysis.browser.replies import SIZES, Replies, Reply
from mmdu_analysis.browser.texts import cut, word_differences
from mmdu_analysis.browser.views import answer_text, draw_answers, draw_images, draw_turns, list_rows
from mmdu_analysis.schema import MMDU, QUESTION_KINDS, SYNTHETIC_LABEL, DataError, Rubric

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

__all__ = ["SIZES", "Reply", "Session"]

_MOST_ROWS = 200
LOADING = "the references are being loaded"


class Session(Replies):
    """A reader's position in a benchmark: filters, selection, notes.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame, optional
        From `load_answers` and `load_scores`.
    where : pandas.DataFrame, optional
        Keeps only its dialogues, or turns; see `Given`.
    notes : path, optional
        File for tags and notes; None keeps them in memory.
    rubric : Rubric, default MMDU
        Of the scores.
    dimension : str, optional
        The score of the list and the filters; by default the overall score.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        answers: pd.DataFrame | None = None,
        scores: pd.DataFrame | None = None,
        where: pd.DataFrame | None = None,
        notes: str | Path | None = None,
        rubric: Rubric = MMDU,
        dimension: str | None = None,
    ) -> None:
        self._begin(Index(benchmark, answers, scores, where, rubric, dimension), notes)

    @classmethod
    def of(cls, index: Index, notes: str | Path | None = None) -> Session:
        """Return a session of turns that are indexed already."""
        session = cls.__new__(cls)
        session._begin(index, notes)
        return session

    def _begin(self, index: Index, notes: str | Path | None) -> None:
        self.index, self.benchmark = index, index.rows.benchmark
        self.pictures = PagePictures(self.benchmark)
        self.notes = Notes(notes, self.benchmark.name)
        self.synthetic = index.synthetic
        given = index.given
        self._within: Any = None
        self.selection: dict[str, Any] = {}
        model = given.model if given and given.model in self.index.models else ""
        self.filters = Filters(model=model, order="given" if given else "file")
        self.mask, self.order = self.index.find(self.filters)
        if given:
            self.select(*given.first)
        else:
            self.select(str(self.index.ids[self.order[0]]), None)

    def complete(self, index: Index) -> None:
        """Continue with the same dialogues and their references, which were still to be loaded."""
        before, self.index, self.benchmark = self.index, index, index.rows.benchmark
        if before.ids.tolist() != index.ids.tolist() or before.n_turns.tolist() != index.n_turns.tolist():
            self.mask, self.order = index.find(Filters())  # the file was written anew meanwhile
            self.select(str(index.ids[self.order[0]]), None)
        self.filter(self.filters)

    # --- the reader's position

    def select(self, dialog_id: str, turn: int | None) -> None:
        """Go to a turn; by default the first turn of the dialogue that meets the filters.

        Raises
        ------
        DataError
            If there is no such dialogue or turn.
        """
        import numpy as np

        start, stop = self.index.rows.span(dialog_id)
        if turn is None:
            hits = np.flatnonzero(self.mask[start:stop])
            turn = int(hits[0]) + 1 if len(hits) else min(1, stop - start)
        if not 0 <= turn <= stop - start or (turn == 0 and stop > start):
            raise DataError(f"dialogue {dialog_id!r} has turns 1 to {stop - start}, got {turn}")
        self.selection = {"dialog_id": str(dialog_id), "turn": int(turn)}

    def filter(self, filters: Filters) -> None:
        """Apply filters; the selection moves to the first match, unless the selected turn matches and the order is unchanged.

        Raises
        ------
        DataError
            If the filters need texts that are still to be loaded, or hold an expression that can't be read.
        """
        if not self.index.whole and filters.needs_texts():
            raise DataError(f"{LOADING}; the search is applied once they are loaded")
        tagged = self.notes.tagged(filters.tag) if filters.tag else ()
        mask, order = self.index.find(filters, tagged, self._within)
        reordered = filters.order != self.filters.order
        self.filters, self.mask, self.order = filters, mask, order
        row = self._row()
        if len(order) and (reordered or self._place() < 0 or (row is not None and not mask[row])):
            self.select(str(self.index.ids[order[0]]), None)

    def narrow(self, turns: pd.DataFrame | None) -> None:
        """Keep only some turns, such as a selection in a chart, in addition to the filters.

        Parameters
        ----------
        turns : pandas.DataFrame or None
            ``dialog_id`` and ``turn``; None keeps all.
        """
        import numpy as np

        if turns is None:
            self._within = None
        else:
            rows = self.index.rows.of(turns)
            self._within = np.zeros(len(self.index.turns), dtype=bool)
            self._within[rows[rows >= 0]] = True
        self.filter(self.filters)

    def filtered(self) -> pd.DataFrame:
        """Return the turns that meet the filters, dialogues in the order of the list.

        Returns
        -------
        pandas.DataFrame
            ``dialog_id``, ``turn``, ``question``, ``synthetic``, and ``score`` (0-100) where there are
            scores.
        """
        import numpy as np

        index = self.index
        spans = [np.arange(index.starts[p], index.starts[p + 1]) for p in self.order]
        rows = np.concatenate(spans) if spans else np.zeros(0, dtype=int)
        rows = rows[self.mask[rows]]
        frame = index.turns.iloc[rows][["dialog_id", "turn", "question"]].reset_index(drop=True)
        scores = index.turn_scores(self.filters.model)
        if scores is not None:
            frame = frame.assign(score=scores[rows])
        return frame.assign(synthetic=self.synthetic)

    def link(self) -> str:
        """Return the state as the fragment of an address; see `to_link`."""
        return to_link(self.filters, self.selection["dialog_id"], self.selection["turn"])

    def follow(self, link: str) -> None:
        """Go to the state of a link; a dialogue or turn that doesn't exist is ignored."""
        filters, dialog_id, turn = from_link(link)
        if not filters.changed() and dialog_id is None:
            return
        self.filter(filters)
        if dialog_id is not None and self.index.rows.position(dialog_id) >= 0:
            start, stop = self.index.rows.span(dialog_id)
            self.select(dialog_id, turn if turn and turn <= stop - start else None)

    # --- messages

    def kinds(self) -> dict[str, Callable[[dict[str, Any]], Reply]]:
        """Return the method for each kind of message."""
        return super().kinds() | {
            "start": self._start,
            "filter": self._filter,
            "list": self._list,
            "open": self._open,
            "step": self._step,
            "turn": self._turn,
            "answers": self._answers,
            "differences": self._differences,
            "note": self._note,
        }

    def _start(self, message: dict[str, Any]) -> Reply:
        if message.get("link"):
            self.follow(str(message["link"]))
        index = self.index
        offered = [name for name in ORDERS if name != "given" or index.given]
        content = {
            "kind": "start",
            "name": cut(self.benchmark.name),
            "synthetic": SYNTHETIC_LABEL if self.synthetic else "",
            "models": [cut(name, 300, "…") for name in index.models],
            "scored": [cut(name, 300, "…") for name in index.scores],
            "answered": bool(index.answers),
            "referenced": index.share_referenced if index.whole else None,
            "loading": "" if index.whole else LOADING,
            "kinds": list(QUESTION_KINDS),
            "orders": offered,
            "fields": list(FIELDS),
            "scale": list(index.rubric.scale),
            "tags": list(
                dict.fromkeys([*TAGS, *(t for e in self.notes.entries.values() for t in e["tags"])])
            ),
            "most_turns": int(index.n_turns.max(initial=0)),
            "most_images": int(index.n_images.max(initial=0)),
            "problems": len(self.benchmark.problems) + len(self.notes.problems),
        }
        return Reply(content | self._counts() | {"selection": self.selection}, [])

    def _counts(self) -> dict[str, Any]:
        return {
            "n_dialogs": len(self.order),
            "n_turns": int(self.mask.sum()),
            "of": len(self.index.ids),
            "place": self._place(),
            "filters": self.filters.changed(),
            "narrowed": self._narrowed(),
        }

    def _narrowed(self) -> bool:
        return self.filters.asks_of_turns() or self._within is not None or self.index.given is not None

    def _place(self) -> int:
        """Return the position of the selected dialogue in the list; -1 if the filters exclude it."""
        import numpy as np

        selected = self.index.rows.position(self.selection["dialog_id"])
        found = np.flatnonzero(self.order == selected)
        return int(found[0]) if len(found) else -1

    def _filter(self, message: dict[str, Any]) -> Reply:
        self.filter(Filters.of(message["filters"]))
        return Reply({"kind": "filtered", "selection": self.selection} | self._counts(), [])

    def _list(self, message: dict[str, Any]) -> Reply:
        start = max(0, int(message["start"]))
        positions = self.order[start : start + min(_MOST_ROWS, max(0, int(message["count"])))]
        rows = list_rows(self.index, positions, self.mask, self.filters.model, narrowed=self._narrowed())
        content = {"kind": "list", "start": start, "rows": rows, "exact": self.index.exact_tokens}
        return Reply(content | self._counts(), [])

    def _open(self, message: dict[str, Any]) -> Reply:
        turn = message.get("turn")
        self.select(str(message["dialog_id"]), None if turn is None else int(turn))
        return Reply(self.dialog(), [])

    def _step(self, message: dict[str, Any]) -> Reply:
        """Go to the next or previous dialogue of the list, or turn that meets the filters."""
        import numpy as np

        step = 1 if int(message.get("by", 1)) > 0 else -1
        position = self._place()
        if not len(self.order):
            return Reply(self.dialog(), [])
        if message.get("of") != "turn":
            target = min(max(position + step, 0), len(self.order) - 1)
            self.select(str(self.index.ids[self.order[target]]), None)
            return Reply(self.dialog(), [])
        at, turn = max(position, 0), self.selection["turn"] - 1
        while 0 <= at < len(self.order):
            start, stop = self.index.starts[self.order[at] : self.order[at] + 2]
            hits = np.flatnonzero(self.mask[start:stop])
            ahead = hits[hits > turn] if step > 0 else hits[hits < turn][::-1]
            if len(ahead):
                self.select(str(self.index.ids[self.order[at]]), int(ahead[0]) + 1)
                break
            at, turn = at + step, -1 if step > 0 else 1_000_000
        return Reply(self.dialog(), [])

    def dialog(self) -> dict[str, Any]:
        """Return the selected dialogue as shown by the page, with all details of the selected turn."""
        dialog_id = self.selection["dialog_id"]
        noted = {turn for key, turn in self.notes.entries if key == dialog_id}
        content = {
            "kind": "dialog",
            "dialog_id": cut(dialog_id),
            "images": draw_images(self.index, dialog_id),
            "turns": draw_turns(self.index, dialog_id, self.mask, noted, self.filters.model),
            "focus": self.focus(),
        }
        return content | self._state() | self._counts()

    def _state(self) -> dict[str, Any]:
        return {"selection": self.selection, "link": self.link(), "line": self._line()}

    def _line(self) -> str:
        """Return the line of Python that opens the selected turn."""
        if self.benchmark.path:
            source = f"mmdu.load_benchmark({str(self.benchmark.path)!r})"
        else:
            source = 'mmdu.load_benchmark("sample")' if self.benchmark.synthetic else "benchmark"
        return cut(f"mmdu.browse({source}).open({self.selection['dialog_id']!r}, {self.selection['turn']})")

    def _row(self) -> int | None:
        """Return the row of the selected turn; None in a dialogue without turns."""
        if not self.selection or not self.selection["turn"]:
            return None
        return self.index.rows.span(self.selection["dialog_id"])[0] + self.selection["turn"] - 1

    def _turn(self, message: dict[str, Any]) -> Reply:
        self.select(self.selection["dialog_id"], int(message["turn"]))
        return Reply({"kind": "turn", "focus": self.focus()} | self._state(), [])

    def focus(self) -> dict[str, Any]:
        """Return the selected turn's answers, scores, reasons and note."""
        row = self._row()
        answers = [] if row is None else draw_answers(self.index, row)
        note = self.notes.get(self.selection["dialog_id"], self.selection["turn"])
        return {"answers": answers, "note": note}

    def _answers(self, _: dict[str, Any]) -> Reply:
        """Return the answers of all turns of the selected dialogue."""
        start, stop = self.index.rows.span(self.selection["dialog_id"])
        answers = {row - start + 1: draw_answers(self.index, row) for row in range(start, stop)}
        return Reply({"kind": "answers", "answers": answers, "dialog_id": self.selection["dialog_id"]}, [])

    def _differences(self, message: dict[str, Any]) -> Reply:
        row, model = self._row(), str(message["model"])
        reference = self.index.turns["answer"].iloc[row] if row is not None else None
        text = answer_text(self.index, row, model) if row is not None else None
        parts: list[list[str]] = []
        if isinstance(reference, str) and text is not None:
            parts = word_differences(reference, text)
        return Reply({"kind": "differences", "model": model, "parts": parts, "selection": self.selection}, [])

    def _note(self, message: dict[str, Any]) -> Reply:
        dialog_id, turn = self.selection["dialog_id"], self.selection["turn"]
        if (str(message["dialog_id"]), int(message["turn"])) != (dialog_id, turn):
            raise DataError("the note belongs to another turn than the one selected; write it again")
        self.notes.put(dialog_id, turn, list(message.get("tags", [])), str(message.get("note", "")))
        note = self.notes.get(dialog_id, turn)
        return Reply({"kind": "noted", "selection": self.selection, "note": note}, [])
