"""Find dialogues and turns: search, filters, order. Fast enough for 45,000 dialogues."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.aligned import TurnRows, align_answers, align_scores
from mmdu_analysis.browser.filters import MANY, Filters
from mmdu_analysis.browser.search import contains, pattern_of, pieces_of, text_bytes
from mmdu_analysis.browser.where import Given
from mmdu_analysis.schema import MMDU, QUESTION_KINDS, Rubric, is_synthetic
from mmdu_analysis.stats.tokens import count_tokens, without_placeholders
from mmdu_analysis.stats.turns_where import turn_facts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_EXACT_TOKENS = 2_000  # dialogues; above it the list shows estimates from the length in bytes
_CALIBRATION = 50
_RIGHT = 50.0  # points; labels are 0 and 100


class Index:
    """The turns of a benchmark as arrays, with the scores and answers in the same order.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame, optional
        From `load_answers` and `load_scores`.
    where : pandas.DataFrame, optional
        Keeps only its ``dialog_id``, or its ``dialog_id`` and ``turn`` (and ``model``).
    rubric : Rubric, default MMDU
        Of the scores.
    dimension : str, optional
        See `align_scores`.
    whole : bool, default True
        False where the references of the benchmark are still to be loaded.

    Raises
    ------
    DataError
        If a frame lacks its columns, or no turn is left after `where`.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        answers: pd.DataFrame | None = None,
        scores: pd.DataFrame | None = None,
        where: pd.DataFrame | None = None,
        rubric: Rubric = MMDU,
        dimension: str | None = None,
        *,
        whole: bool = True,
    ) -> None:
        self.whole = whole
        self.synthetic = bool(benchmark.synthetic) or is_synthetic(answers, scores)
        self.rows = TurnRows(benchmark)
        self.ids, self.turns = self.rows.ids, self.rows.turns
        self.dialog, self.starts = self.rows.dialog, self.rows.starts
        self.rubric = rubric
        self.answers = align_answers(self.rows, answers)
        self.scores, self.score_rows = align_scores(self.rows, scores, rubric, dimension)
        self.models = list(dict.fromkeys([*self.answers, *self.scores]))
        self.given = Given(self.rows, where) if where is not None else None
        self.n_turns = benchmark.dialogs["n_turns"].to_numpy()
        self.n_images = benchmark.dialogs["n_images"].to_numpy()
        self._counting = Lock()

    @cached_property
    def exact_tokens(self) -> bool:
        """Whether the tokens in the list are counted instead of estimated."""
        return len(self.ids) <= _EXACT_TOKENS

    @cached_property
    def tokens(self) -> np.ndarray:
        """Text tokens of each dialogue: counted, or estimated from bytes if there are very many dialogues."""
        import numpy as np

        if self.exact_tokens:
            counts = self._tokens_of(slice(None))
            return np.bincount(self.dialog, counts, minlength=len(self.ids)).astype(np.int64)
        lengths = text_bytes(self.turns["question"]) + text_bytes(self.turns["answer"])
        sizes = np.bincount(self.dialog, lengths, minlength=len(self.ids))
        part = slice(0, int(self.starts[_CALIBRATION]))
        ratio = self._tokens_of(part).sum() / max(1.0, float(lengths[part].sum()))
        return np.round(sizes * ratio).astype(np.int64)

    def _tokens_of(self, rows: slice) -> np.ndarray:
        questions = count_tokens(without_placeholders(self.turns["question"].iloc[rows]))
        return questions + count_tokens(without_placeholders(self.turns["answer"].iloc[rows].fillna("")))

    @property
    def facts(self) -> pd.DataFrame:
        """Images that each question is about, and distance; counted once, by the first thread that needs it."""
        with self._counting:
            return self._facts

    @cached_property
    def _facts(self) -> pd.DataFrame:
        found = turn_facts(self.rows.benchmark)
        return found.iloc[self.rows.order_of_rows].reset_index(drop=True)

    @cached_property
    def share_referenced(self) -> float:
        """Share of the turns that have a reference."""
        return float(self.turns["answer"].notna().mean()) if len(self.turns) else 0.0

    def turn_scores(self, model: str = "") -> np.ndarray | None:
        """Return the score of each turn (0-100, NaN if unscored) of a model, or the mean of all models."""
        import numpy as np

        if not self.scores:
            return None
        if model:
            return self.scores.get(model, np.full(len(self.turns), np.nan))
        stacked = np.vstack(list(self.scores.values()))
        counts = (~np.isnan(stacked)).sum(axis=0)
        sums = np.nansum(stacked, axis=0)
        return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)

    def dialog_means(self, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the mean of values over the (masked) turns of each dialogue; NaN if there are none."""
        import numpy as np

        known = ~np.isnan(values) if mask is None else ~np.isnan(values) & mask
        totals = np.bincount(self.dialog[known], values[known], minlength=len(self.ids))
        counts = np.bincount(self.dialog[known], minlength=len(self.ids))
        return np.divide(totals, counts, out=np.full(len(self.ids), np.nan), where=counts > 0)

    @cached_property
    def disagreement(self) -> np.ndarray | None:
        """Difference of the highest and the lowest model score at each turn; None for fewer than two models."""
        import numpy as np

        if len(self.scores) < 2:
            return None
        stacked = np.vstack(list(self.scores.values()))
        both = (~np.isnan(stacked)).sum(axis=0) > 1
        spread = np.full(stacked.shape[1], np.nan)
        spread[both] = np.nanmax(stacked[:, both], axis=0) - np.nanmin(stacked[:, both], axis=0)
        return spread

    @cached_property
    def _columns(self) -> dict[str, Any]:
        return {
            "question": pieces_of(self.turns["question"]),
            "reference": pieces_of(self.turns["answer"]),
        }

    def search(self, filters: Filters) -> np.ndarray:
        """Return the turns whose question, reference or answer holds the query.

        Parameters
        ----------
        filters : Filters
            Its ``query``, ``fields``, ``whole_word``, ``regex``, and the ``model`` whose answers are
            searched.

        Returns
        -------
        numpy.ndarray of bool, shape (n_turns,)

        Raises
        ------
        DataError
            If the query is not a valid regular expression.
        """
        import numpy as np

        pattern = pattern_of(filters.query, whole_word=filters.whole_word, regex=filters.regex)
        mask = np.zeros(len(self.turns), dtype=bool)
        for name, column in self._columns.items():
            if name in filters.fields:
                mask |= contains(column, filters.query, pattern)
        for model, texts in self.answers.items():
            if "answer" in filters.fields and filters.model in ("", model):
                mask[texts.index[contains(pieces_of(texts), filters.query, pattern)]] = True
        return mask

    def find(
        self,
        filters: Filters,
        tagged: Iterable[tuple[str, int]] = (),
        within: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the turns and dialogues that meet filters.

        Parameters
        ----------
        filters : Filters
            What is looked for.
        tagged : iterable of (str, int)
            Turns with the requested tag.
        within : numpy.ndarray of bool, optional
            Only these turns, such as a selection in a chart.

        Returns
        -------
        tuple of numpy.ndarray
            Mask of turns, shape ``(n_turns,)``, and positions of the dialogues, in order.
        """
        import numpy as np

        dialogs = np.ones(len(self.ids), dtype=bool)
        for counts, (low, high) in ((self.n_turns, filters.turns), (self.n_images, filters.images)):
            dialogs &= (counts >= low) & (counts <= high)
        mask = dialogs[self.dialog]
        if self.given is not None:
            mask &= self.given.mask(filters.model)
        if within is not None:
            mask &= within
        with np.errstate(invalid="ignore"):
            mask &= self._by_score(filters)
            mask &= self._by_facts(filters)
        if filters.tag:
            mask &= self._by_key(tagged)
        if filters.query:
            mask &= self.search(filters)
        left = np.bincount(self.dialog[mask], minlength=len(self.ids)) > 0
        if not filters.asks_of_turns() and self.given is None and within is None:
            left |= dialogs & (self.n_turns == 0)
        return mask, self._ordered(np.flatnonzero(left), mask, filters)

    def _by_score(self, filters: Filters) -> np.ndarray:
        import numpy as np

        mask = np.ones(len(self.turns), dtype=bool)
        scores = self.turn_scores(filters.model)
        if scores is not None and filters.score != (0.0, 100.0):
            mask &= (scores >= filters.score[0]) & (scores <= filters.score[1])
        nothing = np.full(len(self.turns), np.nan)
        if filters.wrong:
            mask &= self.scores.get(filters.wrong, nothing) < _RIGHT
        if filters.right:
            mask &= self.scores.get(filters.right, nothing) >= _RIGHT
        if filters.above and filters.below:
            difference = self.scores.get(filters.above, nothing) - self.scores.get(filters.below, nothing)
            mask &= difference >= filters.points
        return mask

    def _by_facts(self, filters: Filters) -> np.ndarray:
        import numpy as np

        mask = np.ones(len(self.turns), dtype=bool)
        if filters.kind:
            low = QUESTION_KINDS.index(filters.kind) if filters.kind in QUESTION_KINDS else MANY
            high = MANY if low == len(QUESTION_KINDS) - 1 else low
            mask &= self.facts["n_images"].between(low, high).to_numpy()
        for column, wanted, everything in (
            ("n_images", filters.about, Filters.about),
            ("distance", filters.distance, Filters.distance),
        ):
            if wanted != everything:
                mask &= self.facts[column].between(*wanted).fillna(False).to_numpy(dtype=bool)
        if filters.progress != Filters.progress:
            progress = self.turns["turn"].to_numpy() / self.n_turns[self.dialog]
            mask &= (progress >= filters.progress[0]) & (progress <= filters.progress[1])
        return mask

    def _by_key(self, tagged: Iterable[tuple[str, int]]) -> np.ndarray:
        import numpy as np
        import pandas as pd

        mask = np.zeros(len(self.turns), dtype=bool)
        rows = self.rows.of(
            pd.DataFrame(list(tagged), columns=["dialog_id", "turn"]).astype({"turn": "Int64"})
        )
        mask[rows[rows >= 0]] = True
        return mask

    def _ordered(self, kept: np.ndarray, mask: np.ndarray, filters: Filters) -> np.ndarray:
        import numpy as np

        scores, spread = self.turn_scores(filters.model), self.disagreement
        keys: dict[str, Any] = {
            "given": lambda: None if self.given is None else self.given.order,
            "turns": lambda: -self.n_turns,
            "images": lambda: -self.n_images,
            "tokens": lambda: -self.tokens,
            "score": lambda: None if scores is None else -self.dialog_means(scores, mask),
            "worst": lambda: None if scores is None else self.dialog_means(scores, mask),
            "disagreement": lambda: None if spread is None else -self.dialog_means(spread, mask),
        }
        key = keys[filters.order]() if filters.order in keys else None
        if key is None:
            return kept
        return kept[np.argsort(key[kept], kind="stable")]  # NaN last
