"""What the page asks, and what it is answered: the browser without its window.

The widget in JupyterLab, the browser's own server and the exported page all speak to a `Session`: a message in, a
message and some bytes out. Texts go out as texts, never as markup, but for Markdown that was rendered and cleaned here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.browser.finding import KINDS, ORDERS, Filters, Index
from mmdu_analysis.browser.notes import TAGS, Notes
from mmdu_analysis.browser.texts import cut, question_parts, render_markdown, word_differences
from mmdu_analysis.io.scaled import Pictures
from mmdu_analysis.schema import SHORT_NAMES, SYNTHETIC_LABEL, DataError
from mmdu_analysis.stats.references import turn_images
from mmdu_analysis.stats.tokens import context_tokens, count_tokens, without_placeholders

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_MOST_ROWS = 200
SIZES = {"thumb": 360, "full": 1600}
"""Longest side of a picture in pixels."""


class Reply(NamedTuple):
    """An answer to the page.

    Attributes
    ----------
    content : dict
        JSON, with ``kind``.
    buffers : list of bytes
        A picture's bytes.
    """

    content: dict[str, Any]
    buffers: list[bytes]


class Session:
    """A reader's place in a benchmark: filters, selection, notes.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame, optional
        From `load_answers` and `load_scores`.
    where : pandas.DataFrame, optional
        Keeps only its dialogues, or turns.
    notes : path, optional
        File for tags and notes; None keeps them in memory.
    """

    def __init__(
        self,
        bench: Benchmark,
        answers: pd.DataFrame | None = None,
        scores: pd.DataFrame | None = None,
        where: pd.DataFrame | None = None,
        notes: str | Path | None = None,
    ) -> None:
        self.bench = bench
        self.index = Index(bench, answers, scores, where)
        self.pictures = Pictures(bench)
        self.notes = Notes(notes, bench.name)
        self.filters = Filters()
        self.mask, self.order = self.index.find(self.filters)
        images = bench.images.groupby("dialog_id", sort=False)["image"]
        self.numbers: dict[str, list[int]] = images.agg(list).to_dict()
        self.selection: dict[str, Any] = {}
        self.select(str(self.index.ids[self.order[0]]), None)

    # --- the reader's place

    def select(self, dialog_id: str, turn: int | None) -> None:
        """Go to a turn; without one to the dialogue's first that the filters leave.

        Raises
        ------
        DataError
            If there is no such dialogue or turn.
        """
        import numpy as np

        place = self.index.ids.get_indexer([str(dialog_id)])[0]
        if place < 0:
            raise DataError(f"no dialogue {dialog_id!r} in {self.bench.name}")
        start, stop = self.index.starts[place : place + 2]
        if turn is None:
            hits = np.flatnonzero(self.mask[start:stop])
            turn = int(hits[0]) + 1 if len(hits) else min(1, stop - start)
        if not 0 <= turn <= stop - start or (turn == 0 and stop > start):
            raise DataError(f"dialogue {dialog_id!r} has turns 1 to {stop - start}, got {turn}")
        self.selection = {"dialog_id": str(dialog_id), "turn": int(turn)}

    def filter(self, filters: Filters) -> None:
        """Apply filters; the selection moves to the first dialogue left, unless its own is left too."""
        self.filters = filters
        self.mask, self.order = self.index.find(filters, self._tagged(filters.tag))
        here = self.index.ids.get_indexer([self.selection["dialog_id"]])[0]
        if len(self.order) and here not in set(self.order.tolist()):
            self.select(str(self.index.ids[self.order[0]]), None)

    def _tagged(self, tag: str) -> list[tuple[str, int]]:
        return [
            key
            for key, entry in self.notes.entries.items()
            if (tag == "*" and (entry["tags"] or entry["note"])) or tag in entry["tags"]
        ]

    def filtered(self) -> pd.DataFrame:
        """Give the turns that the filters leave, dialogues in the list's order.

        Returns
        -------
        pandas.DataFrame
            ``dialog_id``, ``turn``, ``question``, and ``score`` (0-100) where there are scores.
        """
        import numpy as np

        index = self.index
        spans = [np.arange(index.starts[p], index.starts[p + 1]) for p in self.order]
        rows = np.concatenate(spans) if spans else np.zeros(0, dtype=int)
        rows = rows[self.mask[rows]]
        frame = index.turns.iloc[rows][["dialog_id", "turn", "question"]].reset_index(drop=True)
        scores = index.turn_scores(self.filters.model)
        return frame if scores is None else frame.assign(score=scores[rows])

    # --- messages

    def handle(self, message: Any) -> Reply:
        """Answer one message of the page; anything odd is answered with ``kind: error``."""
        kinds: dict[str, Callable[[dict[str, Any]], Reply]] = {
            "start": self._start,
            "filter": self._filter,
            "list": self._list,
            "open": self._open,
            "step": self._step,
            "turn": self._turn,
            "differences": self._differences,
            "picture": self._picture,
            "note": self._note,
        }
        try:
            return kinds[message["kind"]](message)
        except DataError as error:
            return Reply({"kind": "error", "text": str(error)}, [])
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            return Reply(
                {"kind": "error", "text": f"a message could not be read ({type(error).__name__})"}, []
            )

    def _start(self, _: dict[str, Any]) -> Reply:
        index = self.index
        content = {
            "kind": "start",
            "name": cut(self.bench.name),
            "synthetic": SYNTHETIC_LABEL if self.bench.synthetic else "",
            "models": [cut(name) for name in index.models],
            "scored": bool(index.scores),
            "compared": index.disagreement is not None,
            "kinds": list(KINDS),
            "orders": list(ORDERS),
            "tags": list(TAGS),
            "most_turns": int(index.n_turns.max(initial=0)),
            "most_images": int(index.n_images.max(initial=0)),
            "source": self._source(),
            "problems": len(self.bench.problems) + len(self.notes.problems),
        }
        return Reply(content | self._counts() | {"selection": self.selection}, [])

    def _source(self) -> str:
        """Give the Python that loads the benchmark."""
        if self.bench.path:
            return f"mmdu.load_benchmark({str(self.bench.path)!r})"
        return 'mmdu.load_benchmark("sample")' if self.bench.synthetic else "bench"

    def _counts(self) -> dict[str, Any]:
        return {
            "n_dialogs": len(self.order),
            "n_turns": int(self.mask.sum()),
            "of": len(self.index.ids),
            "place": self._place(),
        }

    def _place(self) -> int:
        """Give the selected dialogue's place in the list; -1 where the filters leave it out."""
        import numpy as np

        here = self.index.ids.get_indexer([self.selection["dialog_id"]])[0]
        found = np.flatnonzero(self.order == here)
        return int(found[0]) if len(found) else -1

    def _filter(self, message: dict[str, Any]) -> Reply:
        self.filter(Filters.of(message["filters"]))
        return Reply({"kind": "filter", **self._counts(), "selection": self.selection}, [])

    def _list(self, message: dict[str, Any]) -> Reply:
        """Give the rows of the list that are in view."""
        start = max(0, int(message["start"]))
        places = self.order[start : start + min(int(message["count"]), _MOST_ROWS)]
        index, rows = self.index, []
        scores = index.turn_scores(self.filters.model)
        for place in places:
            span = slice(index.starts[place], index.starts[place + 1])
            row = {
                "dialog_id": cut(str(index.ids[place])),
                "turns": int(index.n_turns[place]),
                "images": int(index.n_images[place]),
                "tokens": int(index.tokens[place]),
                "hits": int(self.mask[span].sum()),
            }
            if scores is not None:
                known = scores[span][~(scores[span] != scores[span])]
                row["score"] = round(float(known.mean()), 1) if len(known) else None
            rows.append(row)
        content = {"kind": "list", "start": start, "rows": rows, "exact": index.exact_tokens}
        return Reply(content | self._counts(), [])

    def _open(self, message: dict[str, Any]) -> Reply:
        turn = message.get("turn")
        self.select(str(message["dialog_id"]), None if turn is None else int(turn))
        return Reply(self.dialog(), [])

    def _step(self, message: dict[str, Any]) -> Reply:
        """Go on by dialogues, or to the next turn that the filters leave, in whichever dialogue."""
        import numpy as np

        step = 1 if int(message["by"]) > 0 else -1
        if not len(self.order):
            return Reply(self.dialog(), [])
        place = self._place()
        if message.get("of") == "dialog":
            target = min(max(place + step, 0), len(self.order) - 1)
            self.select(str(self.index.ids[self.order[target]]), None)
            return Reply(self.dialog(), [])
        at, turn = max(place, 0), self.selection["turn"] - 1
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
        """Give the selected dialogue as the page draws it, with the selected turn in full."""
        dialog_id = self.selection["dialog_id"]
        index = self.index
        place = index.ids.get_indexer([dialog_id])[0]
        start, stop = int(index.starts[place]), int(index.starts[place + 1])
        rows = index.turns.iloc[start:stop]
        have = self.numbers.get(dialog_id, [])
        questions = count_tokens(without_placeholders(rows["question"]))
        answers = count_tokens(without_placeholders(rows["answer"].fillna("")))
        context = self._context(rows, questions, answers)
        turns = []
        for at, row in enumerate(rows.itertuples(index=False)):
            about, _ = turn_images(row.question, have, row.images_so_far)
            turns.append(
                {
                    "turn": int(row.turn),
                    "question": question_parts(row.question, row.images_so_far - row.new_images, have),
                    "reference": render_markdown(row.answer) if isinstance(row.answer, str) else None,
                    "about": about,
                    "so_far": int(row.images_so_far),
                    "question_tokens": int(questions[at]),
                    "answer_tokens": int(answers[at]),
                    "context": context[at],
                    "hit": bool(self.mask[start + at]),
                    "noted": bool(self.notes.entries.get((dialog_id, int(row.turn)))),
                }
            )
        paths = [self.pictures.paths.get((dialog_id, number), "") for number in have]
        content = {
            "kind": "dialog",
            "dialog_id": cut(dialog_id),
            "images": [{"image": n, "path": cut(p)} for n, p in zip(have, paths, strict=True)],
            "turns": turns,
            "selection": self.selection,
            "focus": self.focus(),
        }
        return content | self._counts()

    def _context(self, rows: pd.DataFrame, questions: Any, answers: Any) -> list[int]:
        keys = rows[["dialog_id", "turn"]]
        images = self.bench.images.loc[self.bench.images["dialog_id"] == self.selection["dialog_id"]]
        counted = context_tokens(
            keys.assign(question_tokens=questions), keys.assign(answer_tokens=answers), images
        )
        return [int(value) for value in counted["context_tokens"]]

    def _row(self) -> int | None:
        """Give the selected turn's row; None in a dialogue without turns."""
        place = self.index.ids.get_indexer([self.selection["dialog_id"]])[0]
        return int(self.index.starts[place]) + self.selection["turn"] - 1 if self.selection["turn"] else None

    def _turn(self, message: dict[str, Any]) -> Reply:
        self.select(self.selection["dialog_id"], int(message["turn"]))
        return Reply({"kind": "turn", "selection": self.selection, "focus": self.focus()}, [])

    def focus(self) -> dict[str, Any]:
        """Give the selected turn's answers, scores, reasons and note."""
        row = self._row()
        answers = []
        for model in self.index.models if row is not None else []:
            texts = self.index.answers.get(model)
            text = texts.get(row) if texts is not None else None
            scores, reason = self._scores_of(row, model)
            answers.append(
                {
                    "model": cut(model),
                    "html": render_markdown(text) if isinstance(text, str) else None,
                    "tokens": int(count_tokens([text])[0]) if isinstance(text, str) else None,
                    "scores": scores,
                    "reason": cut(reason),
                }
            )
        note = self.notes.get(self.selection["dialog_id"], self.selection["turn"])
        return {"answers": answers, "note": note}

    def _scores_of(self, row: int | None, model: str) -> tuple[list[dict[str, Any]], str]:
        """Give a model's scores of a turn, each dimension with its judge, and the judge's reason."""
        table = self.index.score_rows
        if table is None or row is None:
            return [], ""
        low, high = table["_row"].searchsorted([row, row + 1])
        part = table.iloc[low:high]
        part = part.loc[part["model"] == model]
        several = part["judge"].nunique() > 1
        scores = [
            {
                "name": SHORT_NAMES.get(line.dimension, line.dimension),
                "full": f"{line.dimension}, {line.judge}" if several else line.dimension,
                "score": None if line.score != line.score else float(line.score),
            }
            for line in part.itertuples()
        ]
        reasons = list(dict.fromkeys(part["reason"].dropna())) if "reason" in part else []
        return scores, "\n\n".join(reasons)

    def _differences(self, message: dict[str, Any]) -> Reply:
        row, model = self._row(), str(message["model"])
        reference = self.index.turns["answer"].iloc[row] if row is not None else None
        texts = self.index.answers.get(model)
        text = texts.get(row) if texts is not None else None
        parts: list[list[str]] = []
        if isinstance(reference, str) and isinstance(text, str):
            parts = word_differences(reference, text)
        return Reply({"kind": "differences", "model": model, "parts": parts, "selection": self.selection}, [])

    def _picture(self, message: dict[str, Any]) -> Reply:
        dialog_id, image = str(message["dialog_id"]), int(message["image"])
        size = "full" if message.get("size") == "full" else "thumb"
        picture = self.pictures.get(dialog_id, image, SIZES[size])
        content = {
            "kind": "picture",
            "dialog_id": dialog_id,
            "image": image,
            "size": size,
            "mime": picture.mime,
            "problem": cut(picture.problem),
        }
        return Reply(content, [picture.data] if picture.data else [])

    def _note(self, message: dict[str, Any]) -> Reply:
        dialog_id, turn = self.selection["dialog_id"], self.selection["turn"]
        if (str(message["dialog_id"]), int(message["turn"])) != (dialog_id, turn):
            raise DataError("the note belongs to another turn than the one selected; write it again")
        self.notes.put(dialog_id, turn, list(message.get("tags", [])), str(message.get("note", "")))
        note = self.notes.get(dialog_id, turn)
        return Reply({"kind": "noted", "selection": self.selection, "note": note}, [])
