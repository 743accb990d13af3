"""The inputs of the browser: a study, or its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.schema import MMDU, NotAvailable, Rubric

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.study import Study


class Inputs(NamedTuple):
    """A benchmark with answers and scores.

    Attributes
    ----------
    benchmark : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame or None
        From `load_answers` and `load_scores`.
    rubric : Rubric
        Of the scores.
    """

    benchmark: Benchmark
    answers: pd.DataFrame | None
    scores: pd.DataFrame | None
    rubric: Rubric


def read_inputs(
    benchmark: Study | Benchmark | str | Path,
    answers: pd.DataFrame | str | Path | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    rubric: Rubric | None = None,
) -> Inputs:
    """Return a benchmark, answers and scores from a study, from loaded objects, or from paths.

    Parameters
    ----------
    benchmark : Study, Benchmark, path or name
        A study brings its own answers, scores and rubric; other arguments replace them.
    answers, scores : pandas.DataFrame or path, optional
        From `load_answers` and `load_scores`, or what these take.
    rubric : Rubric, optional
        Of the scores; by default the study's, or MMDU's.

    Returns
    -------
    Inputs

    Raises
    ------
    NotAvailable
        If the study has no benchmark.
    """
    if isinstance(benchmark, str | Path):
        from mmdu_analysis.io.benchmark import load_benchmark

        benchmark = load_benchmark(benchmark)
    if isinstance(answers, str | Path):
        from mmdu_analysis.io.answers import load_answers

        answers = load_answers(answers)
    # Recognised by its attributes, not by its class.
    study: Any = benchmark if hasattr(benchmark, "answers") and hasattr(benchmark, "scores") else None
    found: Any = benchmark
    if study is not None:
        answers = study.answers if answers is None else answers
        rubric = rubric or study.rubric
        found = study.benchmark
    if found is None:
        raise NotAvailable("the browser shows dialogues and needs a benchmark: Study('benchmark.json', ...)")
    if isinstance(scores, str | Path):
        from mmdu_analysis.io.scores import load_scores

        scores = load_scores(scores, benchmark=found)
    if study is not None and scores is None:
        scores = study.scores
    return Inputs(found, answers, scores, rubric or MMDU)
