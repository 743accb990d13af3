"""Lengths of dialogues: Table 1 and Figure 4, from the frame of `dialog_lengths`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import (
    QUESTION_KINDS,
    DataError,
    NotAvailable,
    is_synthetic,
    problems_frame,
    require_columns,
)
from mmdu_analysis.stats.lengths import DatasetLengths, assumed_sizes, measure_dataset
from mmdu_analysis.stats.measure import KINDS, SUMS
from mmdu_analysis.stats.references import question_images
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, count_tokens, without_placeholders

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd

    Source: TypeAlias = Benchmark | DatasetLengths | pd.DataFrame | str | Path | Sequence[str | Path]

FEWEST_REFERENCES = 0.9
"""Minimum share of known references for totals over questions and answers."""

STATISTICS = (
    "dialogs",
    "image_text_tokens",
    "images",
    "turns",
    "qa_pairs",
    "text_tokens",
    "unique_images",
    "single_image_questions",
    "multi_image_questions",
    "no_image_questions",
    "question_length",
    "answer_length",
)

BINS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "turns": (("<=10", 0, 10), ("11-15", 11, 15), ("16-20", 16, 20), (">20", 21, float("inf"))),
    "images": (
        ("<2", 0, 1),
        ("2", 2, 2),
        ("3-10", 3, 10),
        ("11-20", 11, 20),
        (">20", 21, float("inf")),
    ),
    "tokens": (
        ("<4k", 0, 3_999),
        ("4-8k", 4_000, 7_999),
        ("8-12k", 8_000, 12_000),
        (">12k", 12_001, float("inf")),
    ),
}
"""Figure 4's bins with both edges included: label, lowest and highest value.

Adjacent labels of the paper share their edges (``0-10``, ``10-15``); here 10 turns are in the first, 15 in
the second, 10 images in ``3-10``, 8,000 and 12,000 tokens in ``8-12k``. ``<2`` and ``>20`` images, which the
paper doesn't have, appear only if there are any.
"""
_COLUMN = {"turns": "n_turns", "images": "n_images", "tokens": "image_text_tokens"}


def question_tokens(benchmark: Benchmark, encoding: str = DEFAULT_ENCODING) -> pd.DataFrame:
    """Return every question with its length and the number of images that it is about.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.DataFrame
        ``benchmark.turns`` with ``question_tokens``, ``n_referenced`` (images that the question is about)
        and ``kind`` (``no image``, ``single image``, ``multi image``).
    """
    turns = benchmark.turns.copy()
    turns["question_tokens"] = count_tokens(without_placeholders(turns["question"]), encoding)
    counts = question_images(benchmark).groupby(["dialog_id", "turn"]).size().rename("n_referenced")
    turns = turns.join(counts, on=["dialog_id", "turn"])
    turns["n_referenced"] = turns["n_referenced"].fillna(0).astype("int64")
    turns["kind"] = turns["n_referenced"].clip(upper=2).map(dict(enumerate(QUESTION_KINDS))).astype("str")
    return turns


def answer_tokens(benchmark: Benchmark, encoding: str = DEFAULT_ENCODING) -> pd.Series:
    """Return the length of every reference answer.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.Series
        Int64 tokens with the index of ``benchmark.turns``; NA if the reference is missing.
    """
    import pandas as pd

    texts = without_placeholders(benchmark.turns["answer"].dropna())
    counts = pd.Series(count_tokens(texts, encoding), index=texts.index, dtype="Int64")
    return counts.reindex(benchmark.turns.index)


def as_lengths(source: Source) -> pd.DataFrame:
    """Return the `dialog_lengths` frame of a source, or the frame itself if it is one already.

    Raises
    ------
    DataError
        If a frame lacks the columns of `dialog_lengths`.
    """
    return measured(source).table


def measured(source: Source) -> DatasetLengths:
    """Return the lengths of a source; for a frame, the number of distinct images is unknown (-1).

    Raises
    ------
    DataError
        If a frame lacks the columns of `dialog_lengths`.
    """
    if isinstance(source, DatasetLengths):
        return source
    if isinstance(source, Benchmark | str | Path | Sequence):
        return measure_dataset(source)
    require_columns(source, ("n_turns", "n_images", *SUMS), "a frame of dialog_lengths")
    return DatasetLengths(source, -1, problems_frame(), "own data")


def count_missing(lengths: pd.DataFrame) -> int:
    """Return the number of turns without an answer; 0 if a frame of lengths lacks it."""
    return int(lengths["n_missing"].sum()) if "n_missing" in lengths else 0


def check_references(lengths: pd.DataFrame) -> None:
    """Validate that enough references are known for totals over questions and answers.

    Raises
    ------
    NotAvailable
        If more than 10 % are missing, which would count as empty.
    """
    turns, missing = int(lengths["n_turns"].sum()), count_missing(lengths)
    if turns - missing < FEWEST_REFERENCES * turns:
        raise NotAvailable(
            f"{missing:,} of {turns:,} references are missing; totals would count them as empty"
        )


def dataset_statistics(benchmark: Source) -> pd.DataFrame:
    """Compute Table 1 for any data.

    Parameters
    ----------
    benchmark : Benchmark, `dialog_lengths` frame, or path or paths
        The data.

    Returns
    -------
    pandas.DataFrame
        One row per statistic (index ``statistic``): ``average`` and ``maximum`` over dialogues (over
        questions or answers for the two lengths), ``value`` for counts; NA if undefined.
        Lengths in tokens. ``note``: number of missing references; totals over questions and answers are NA if
        fewer than 90 % are known, since a missing reference would count as empty; number of pictures whose
        sizes are assumed. ``synthetic``: whether any
        dialogue is. ``unique_images`` is NA for a frame of lengths, which doesn't contain it.

    Notes
    -----
    Table 1 of arXiv 2406.11833. Statistics of answers use the known references; the column ``n_missing`` of
    `dialog_lengths` counts the others.
    """
    whole = measured(benchmark)

    import pandas as pd  # after the pass, which loads it while processes read

    lengths = whole.table
    questions = int(lengths["n_turns"].sum())
    answers = questions - count_missing(lengths)
    rows: dict[str, tuple[Any, Any, Any]] = {
        "dialogs": (None, None, len(lengths)),
        "qa_pairs": (None, None, questions),
        "unique_images": (None, None, whole.unique_images if whole.unique_images >= 0 else None),
        "question_length": (
            _ratio(lengths["question_tokens"].sum(), questions),
            lengths["max_question_tokens"].max(),
            None,
        ),
        "answer_length": (
            _ratio(lengths["answer_tokens"].sum(), answers),
            lengths["max_answer_tokens"].max() if answers else None,
            None,
        ),
    }
    for statistic, column in {
        "image_text_tokens": "image_text_tokens",
        "images": "n_images",
        "turns": "n_turns",
        "text_tokens": "text_tokens",
    }.items():
        rows[statistic] = (lengths[column].mean(), lengths[column].max(), None)
    for kind in KINDS:
        rows[kind] = (None, None, int(lengths[kind].sum()))
    frame = pd.DataFrame.from_dict(
        rows, orient="index", columns=["average", "maximum", "value"], dtype="Float64"
    )
    frame = (
        frame.loc[list(STATISTICS)].rename_axis("statistic").assign(note="", synthetic=is_synthetic(lengths))
    )
    if answers < questions:
        totals = ["text_tokens", "image_text_tokens"]
        frame.loc[[*totals, "answer_length"], "note"] = (
            f"{questions - answers:,} of {questions:,} references are missing"
        )
        if answers < FEWEST_REFERENCES * questions:
            frame.loc[totals, ["average", "maximum"]] = pd.NA
    if assumed := assumed_sizes(lengths):
        notes = [note for note in (frame.loc["image_text_tokens", "note"], assumed) if note]
        frame.loc["image_text_tokens", "note"] = "; ".join(notes)
    return frame


def _ratio(total: float, count: int) -> float | None:
    return total / count if count else None


def distribution(
    benchmark: Source,
    by: Literal["turns", "images", "tokens", "questions"] = "turns",
    bins: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Compute one panel of Figure 4 for any data.

    Parameters
    ----------
    benchmark : Benchmark, `dialog_lengths` frame, or path or paths
        The data.
    by : {"turns", "images", "tokens", "questions"}, default "turns"
        Property that dialogues are grouped by; ``tokens`` are text and image tokens, ``questions`` the kinds
        of questions.
    bins : sequence of numbers, optional
        Other edges than the paper's, increasing. Each bin includes its upper edge, as in `pandas.cut`.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``bin``, ``count``, ``percent``, ``edges`` (which bin includes an edge),
        ``n_outside`` (dialogues outside of all bins, the same in all rows), ``synthetic``.

    Raises
    ------
    DataError
        If `by` is unknown or `bins` don't increase.
    NotAvailable
        By ``tokens``, if fewer than 90 % of the references are known.

    Notes
    -----
    Figure 4 of arXiv 2406.11833; the paper's bins are in `BINS`.
    """
    import pandas as pd

    lengths = measured(benchmark).table
    if by == "tokens":
        check_references(lengths)
    if by == "questions":
        counts = pd.Series(
            {kind.replace("_questions", "").replace("_", " "): int(lengths[kind].sum()) for kind in KINDS}
        )
        edges = "Each question counts once"
    elif by not in _COLUMN:
        raise DataError(f"no distribution by {by!r}; expected turns, images, tokens or questions")
    elif bins is None:
        values = lengths[_COLUMN[by]]
        counts = pd.Series({label: int(values.between(low, high).sum()) for label, low, high in BINS[by]})
        counts = counts.loc[
            [label not in ("<2", ">20") or by == "turns" or n > 0 for label, n in counts.items()]
        ]
        edges = "Both numbers of a label are part of its bin"
    else:
        if len(bins) < 2 or sorted(set(bins)) != list(bins):
            raise DataError(f"bins are {list(bins)}, expected at least two increasing edges")
        counts = pd.cut(lengths[_COLUMN[by]], list(bins)).value_counts(sort=False)
        counts.index = counts.index.astype("str")
        edges = "Each bin includes its upper edge"
    total = int(counts.sum())
    frame = pd.DataFrame({"bin": counts.index.astype("str"), "count": counts.to_numpy()})
    frame["percent"] = frame["count"] * (100 / total) if total else float("nan")
    outside = 0 if by == "questions" else len(lengths) - total
    return frame.assign(edges=edges, n_outside=outside, synthetic=is_synthetic(lengths))
