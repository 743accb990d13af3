"""Find dialogues and turns: search, filters, order. Fast enough for 45,000 dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DataError, require_columns
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.tokens import count_tokens, without_placeholders

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

ORDERS = ("file", "turns", "images", "tokens", "score", "worst", "disagreement")
KINDS = ("no image", "one image", "several images")
_EXACT_TOKENS = 2_000  # dialogues; above it the list shows estimates from the length in characters
_CALIBRATION = 50
_PIECE = 50_000  # texts that one thread searches at a time


@dataclass(frozen=True)
class Filters:
    """What the reader is looking for.

    Attributes
    ----------
    query : str
        Text to find in questions, references and answers, upper and lower case alike.
    turns, images : tuple of int
        Least and most of the dialogue's turns and images.
    kind : str
        One of `KINDS`, or empty.
    score : tuple of float
        Least and most score of a turn, 0-100; the whole range also takes turns without a score.
    model : str
        Whose scores and answers count; empty: the mean of all models, and all answers.
    tag : str
        Only turns with this tag; ``*`` any.
    order : str
        One of `ORDERS`.
    """

    query: str = ""
    turns: tuple[int, int] = (0, 1_000_000)
    images: tuple[int, int] = (0, 1_000_000)
    kind: str = ""
    score: tuple[float, float] = (0.0, 100.0)
    model: str = ""
    tag: str = ""
    order: str = "file"

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Filters:
        """Read filters from a page's message; what doesn't fit falls back to no filter."""
        values: dict[str, Any] = {}
        for name, default in cls().__dict__.items():
            value = wanted.get(name, default)
            try:
                if isinstance(default, tuple):
                    low, high = value
                    values[name] = (type(default[0])(low), type(default[1])(high))
                else:
                    values[name] = str(value)[:1_000]
            except (TypeError, ValueError, OverflowError):
                values[name] = default
        if values["order"] not in ORDERS:
            values["order"] = "file"
        return cls(**values)


class Index:
    """A benchmark's turns as arrays, with the scores and answers beside them.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame, optional
        From `load_answers` and `load_scores`.
    where : pandas.DataFrame, optional
        Keeps only its ``dialog_id``, or its ``dialog_id`` and ``turn``.

    Raises
    ------
    DataError
        If a frame lacks its columns, or `where` leaves nothing.
    """

    def __init__(
        self,
        bench: Benchmark,
        answers: pd.DataFrame | None = None,
        scores: pd.DataFrame | None = None,
        where: pd.DataFrame | None = None,
    ) -> None:
        import numpy as np

        self.bench = bench
        self.ids = bench.dialogs.index.astype("str")
        if not len(self.ids):
            raise DataError(f"{bench.name} has no dialogue to show")
        dialog = self.ids.get_indexer(bench.turns["dialog_id"])
        order = np.argsort(dialog, kind="stable")
        self.turns = bench.turns if (order == np.arange(len(order))).all() else bench.turns.iloc[order]
        self.turns = self.turns.reset_index(drop=True)
        self.dialog = dialog[order]
        self.starts = np.searchsorted(self.dialog, np.arange(len(self.ids) + 1))
        self.number = self.turns["turn"].to_numpy()
        self.answers = self._aligned_answers(answers)
        self.scores, self.score_rows = self._aligned_scores(scores)
        self.models = list(dict.fromkeys([*self.answers, *self.scores]))
        self.allowed = np.ones(len(self.turns), dtype=bool)
        if where is not None:
            self.allowed = self._in_frame(where)
        self.n_turns = bench.dialogs["n_turns"].to_numpy()
        self.n_images = bench.dialogs["n_images"].to_numpy()

    def _rows_of(self, frame: pd.DataFrame) -> np.ndarray:
        """Give the row of `turns` for each row of a frame with ``dialog_id`` and ``turn``; -1 where there is none."""
        import numpy as np

        dialog = self.ids.get_indexer(frame["dialog_id"].astype("str"))
        turn = frame["turn"].fillna(0).to_numpy(dtype=np.int64)
        # Turns are numbered 1.. within a dialogue, so a turn's row is known from its dialogue's start.
        row = self.starts[np.maximum(dialog, 0)] + turn - 1
        inside = (dialog >= 0) & (turn >= 1) & (row < self.starts[np.maximum(dialog, 0) + 1])
        return np.where(inside, row, -1)

    def _aligned_answers(self, answers: pd.DataFrame | None) -> dict[str, pd.Series]:
        import pandas as pd

        if answers is None:
            return {}
        require_columns(answers, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
        found = {}
        for model, part in answers.groupby("model", sort=False):
            rows = self._rows_of(part)
            texts = pd.Series(part["answer"].to_numpy()[rows >= 0], index=rows[rows >= 0], dtype="str")
            found[str(model)] = texts[~texts.index.duplicated()]
        return found

    def _aligned_scores(
        self, scores: pd.DataFrame | None
    ) -> tuple[dict[str, np.ndarray], pd.DataFrame | None]:
        import numpy as np

        if scores is None:
            return {}, None
        scores = as_scores(scores)
        rows = self._rows_of(scores)
        kept = scores.assign(_row=rows).loc[rows >= 0].sort_values("_row", kind="stable", ignore_index=True)
        overall = only_dimension(kept, None) if len(kept) else kept
        found = {}
        for model, part in overall.dropna(subset="score").groupby("model", sort=False):
            values = np.full(len(self.turns), np.nan)
            means = part.groupby("_row")["score"].mean()
            values[means.index] = 10 * means
            found[str(model)] = values
        return found, kept

    def _in_frame(self, where: pd.DataFrame) -> np.ndarray:
        import numpy as np

        require_columns(where, ["dialog_id"], "where, the dialogues or turns to show")
        if "turn" in where:
            rows = self._rows_of(where)
            mask = np.zeros(len(self.turns), dtype=bool)
            mask[rows[rows >= 0]] = True
        else:
            known = self.ids.get_indexer(where["dialog_id"].astype("str"))
            mask = np.isin(self.dialog, known[known >= 0])
        if not mask.any():
            raise DataError(f"where leaves no turn: none of its {len(where):,} rows is in {self.bench.name}")
        return mask

    @cached_property
    def exact_tokens(self) -> bool:
        """Whether the list's tokens are counted, not estimated."""
        return len(self.ids) <= _EXACT_TOKENS

    @cached_property
    def tokens(self) -> np.ndarray:
        """Text tokens of each dialogue: counted, or from characters where there are very many."""
        import numpy as np

        if self.exact_tokens:
            counts = self._tokens_of(slice(None))
            return np.bincount(self.dialog, counts, minlength=len(self.ids)).astype(np.int64)
        lengths = self.turns["question"].str.len() + self.turns["answer"].str.len().fillna(0)
        characters = np.bincount(self.dialog, lengths, minlength=len(self.ids))
        part = slice(0, int(self.starts[_CALIBRATION]))
        ratio = self._tokens_of(part).sum() / max(1.0, float(lengths[part].sum()))
        return np.round(characters * ratio).astype(np.int64)

    def _tokens_of(self, rows: slice) -> np.ndarray:
        questions = count_tokens(without_placeholders(self.turns["question"].iloc[rows]))
        return questions + count_tokens(without_placeholders(self.turns["answer"].iloc[rows].fillna("")))

    def turn_scores(self, model: str = "") -> np.ndarray | None:
        """Give the score of each turn (0-100, NaN without one): a model's, or the mean of all."""
        import numpy as np

        if not self.scores:
            return None
        if model:
            return self.scores.get(model, np.full(len(self.turns), np.nan))
        stacked = np.vstack(list(self.scores.values()))
        counts = (~np.isnan(stacked)).sum(axis=0)
        return np.divide(
            np.nansum(stacked, axis=0), counts, out=np.full(len(counts), np.nan), where=counts > 0
        )

    def dialog_means(self, values: np.ndarray) -> np.ndarray:
        """Average values of turns over each dialogue; NaN where it has none."""
        import numpy as np

        known = ~np.isnan(values)
        totals = np.bincount(self.dialog[known], values[known], minlength=len(self.ids))
        counts = np.bincount(self.dialog[known], minlength=len(self.ids))
        return np.divide(totals, counts, out=np.full(len(self.ids), np.nan), where=counts > 0)

    @cached_property
    def disagreement(self) -> np.ndarray | None:
        """How far the models' scores of a turn lie apart, averaged over each dialogue; None below two models."""
        import numpy as np

        if len(self.scores) < 2:
            return None
        stacked = np.vstack(list(self.scores.values()))
        both = (~np.isnan(stacked)).sum(axis=0) > 1
        spread = np.full(stacked.shape[1], np.nan)
        spread[both] = np.nanmax(stacked[:, both], axis=0) - np.nanmin(stacked[:, both], axis=0)
        return self.dialog_means(spread)

    @cached_property
    def kinds(self) -> np.ndarray:
        """The kind of each question, found when it is first asked for."""
        from mmdu_analysis.stats.breakdowns import kind_of
        from mmdu_analysis.stats.references import question_images

        counts = question_images(self.bench).groupby(["dialog_id", "turn"]).size().rename("n")
        n_about = self.turns[["dialog_id", "turn"]].join(counts, on=["dialog_id", "turn"])["n"]
        return kind_of(n_about.fillna(0).astype("int64")).to_numpy()

    @cached_property
    def _columns(self) -> dict[str, Any]:
        """Questions and references as pieces of Arrow arrays, which share the frames' memory."""
        return {name: _pieces(self.turns[name]) for name in ("question", "answer")}

    def search(self, query: str, model: str = "") -> np.ndarray:
        """Find the turns whose question, reference or answer holds a text.

        Parameters
        ----------
        query : str
            Upper and lower case alike.
        model : str
            Whose answers are searched; empty: all.

        Returns
        -------
        numpy.ndarray of bool, shape (n_turns,)
        """
        import numpy as np

        mask = np.zeros(len(self.turns), dtype=bool)
        for column in self._columns.values():
            mask |= _contains(column, query)
        for name, texts in self.answers.items():
            if not model or name == model:
                mask[texts.index[_contains(_pieces(texts), query)]] = True
        return mask

    def find(self, filters: Filters, tagged: Iterable[tuple[str, int]] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Give the turns and dialogues that filters leave.

        Parameters
        ----------
        filters : Filters
            What is looked for.
        tagged : iterable of (str, int)
            Turns with the wanted tag.

        Returns
        -------
        tuple of numpy.ndarray
            Mask of turns, shape ``(n_turns,)``, and places of the dialogues, in order.
        """
        import numpy as np

        dialogs = np.ones(len(self.ids), dtype=bool)
        for counts, (low, high) in ((self.n_turns, filters.turns), (self.n_images, filters.images)):
            dialogs &= (counts >= low) & (counts <= high)
        mask = self.allowed & dialogs[self.dialog]
        scores = self.turn_scores(filters.model)
        if scores is not None and filters.score != (0.0, 100.0):
            with np.errstate(invalid="ignore"):
                mask &= (scores >= filters.score[0]) & (scores <= filters.score[1])
        if filters.tag:
            keys = set(tagged)
            pairs = zip(self.turns["dialog_id"], self.number.tolist(), strict=True)
            mask &= np.fromiter((pair in keys for pair in pairs), dtype=bool, count=len(mask))
        if filters.kind:
            mask &= self.kinds == filters.kind
        if filters.query:
            mask &= self.search(filters.query, filters.model)
        left = np.bincount(self.dialog[mask], minlength=len(self.ids)) > 0
        whole = replace(filters, turns=Filters.turns, images=Filters.images, model="", order="file")
        if whole == Filters() and self.allowed.all():
            left |= dialogs & (self.n_turns == 0)  # nothing is asked of turns, so they may be missing
        return mask, self._ordered(np.flatnonzero(left), filters)

    def _ordered(self, kept: np.ndarray, filters: Filters) -> np.ndarray:
        import numpy as np

        scores = self.turn_scores(filters.model)
        keys: dict[str, Any] = {
            "turns": lambda: -self.n_turns,
            "images": lambda: -self.n_images,
            "tokens": lambda: -self.tokens,
            "score": lambda: None if scores is None else -self.dialog_means(scores),
            "worst": lambda: None if scores is None else self.dialog_means(scores),
            "disagreement": lambda: None if self.disagreement is None else -self.disagreement,
        }
        key = keys[filters.order]() if filters.order in keys else None
        if key is None:
            return kept
        return kept[np.argsort(key[kept], kind="stable")]  # NaN last


def _pieces(texts: pd.Series) -> list[Any]:
    import pyarrow as pa

    column = pa.array(texts)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk.slice(at, _PIECE) for chunk in chunks for at in range(0, max(1, len(chunk)), _PIECE)]


def _contains(pieces: list[Any], wanted: str) -> np.ndarray:
    import numpy as np
    import pyarrow.compute as pc

    # Arrow's search that ignores case is RE2's, four times as fast as its plain one; each piece has a thread.
    def search(piece: Any) -> np.ndarray:
        found = pc.match_substring(piece, wanted, ignore_case=True).fill_null(False)
        return found.to_numpy(zero_copy_only=False)

    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(search, pieces)))
