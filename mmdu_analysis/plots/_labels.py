"""The measured labels of real answers, joined with the measurements of their turns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import own_source, source_of
from mmdu_analysis.schema import MMDU, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd


def labels() -> pd.DataFrame:
    """Return a person's labels of the answers of real models, as scores, with the images of each question."""
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.scores import as_scores

    return as_scores(load_published("correctness"))


def labelled_turns() -> pd.DataFrame:
    """Return the labels joined with kind, images and context of their turns, as `join_turns` returns them."""
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.breakdowns import add_context, join_turns, kind_of

    turns = load_published("measured_questions")
    turns["n_referenced"] = turns["images"].str.count(";").add(1).fillna(0).astype("int64")
    turns["kind"] = kind_of(turns["n_referenced"])
    dialogs = load_published("measured_dialogs").set_index("dialog_id")["n_images"]
    turns = turns.drop(columns="images").join(dialogs, on="dialog_id")
    answers = load_published("measured_answers")[["model", "dialog_id", "turn", "answer_tokens"]]
    turns = add_context(turns, answers, load_published("measured_images"))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DataWarning
        )  # labels of turns that are not among the 1,615 published questions
        return join_turns(labels(), turns)


def scores_and_turns(study: Any, column: str | None = None) -> tuple[pd.DataFrame, Any, Any, str]:
    """Return the data of figures by turn: scores, turns, rubric and source.

    Parameters
    ----------
    study : Study
        With scores, its own ones and its benchmark; without, the measured labels.
    column : str, optional
        Column of `describe_turns` that is needed beyond the turn's number.

    Returns
    -------
    tuple
        Scores; a benchmark, a frame of turns or None; the rubric; the source.

    Raises
    ------
    NotAvailable
        If the study has scores, the column is needed, and there is no benchmark.
    """
    if study.scores is None:
        return (labelled_turns() if column else labels()), None, MMDU, source_of("correctness")
    if column and study.benchmark is None and column not in study.scores:
        raise NotAvailable("it needs the benchmark that was judged (benchmark=, MMDU_DATA)")
    turns = described_turns(study, column) if column else None
    return study.scores, turns, study.rubric, own_source(study)


def described_turns(study: Any, column: str, *, own_answers: bool = True) -> pd.DataFrame:
    """Return `describe_turns` of a study's benchmark.

    Parameters
    ----------
    study : Study
        With a benchmark.
    column : str
        Column that is needed.
    own_answers : bool, default True
        Use each model's own answers as context if there are answers of all scored models; else the
        references.

    Returns
    -------
    pandas.DataFrame
        As `describe_turns` returns it.

    Raises
    ------
    NotAvailable
        If the context is needed and most references are unknown.
    """
    from mmdu_analysis.requirements import REQUIREMENTS
    from mmdu_analysis.stats.breakdowns import describe_turns

    benchmark, answers = study.need_benchmark(), study.answers
    models = set(study.scores["model"]) if study.scores is not None else set()
    complete = own_answers and answers is not None and models <= set(answers["model"])
    reason = None if complete or column != "context_tokens" else REQUIREMENTS["references"](study)
    if reason:
        raise NotAvailable(f"the context before a turn is not known: {reason}")
    return describe_turns(benchmark, answers if complete else None)
