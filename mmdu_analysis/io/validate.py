"""Validate a benchmark, answers and scores: problems by kind, and advice how to solve them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.io.scores import load_scores
from mmdu_analysis.schema import MMDU, DataWarning, Rubric, problems_frame

if TYPE_CHECKING:
    import pandas as pd

Paths = str | Path | Sequence[str | Path]

_QUOTED = re.compile(r"'(?:[^'\\]|\\.){0,400}'|\"(?:[^\"\\]|\\.){0,400}\"")
_VARIABLE = re.compile(r"\S*[\d/_]\S*")  # numbers, paths, and names that hold a number
_SERIES = re.compile(r"N(?: (?:N|\.\.\.))+")
_ADVICE = (
    (
        "^picture|^none of the|placeholders|images listed",
        "unpack the pictures beside the benchmark, and check the placeholders",
    ),
    ("questions in one turn", "write each question as a separate turn"),
    ("references are empty", "references may be empty: comparisons of answers with references are left out"),
    (
        "turn numbers|turn is NA|which turn",
        "write null for turns that were not judged, or a 'turn' key in every entry",
    ),
    ("counted from|turn is|stated turns", "number the turns from 1"),
    (
        "outside|not out of|on this scale",
        "check the scale: convert the scores, or name the rubric that they are on",
    ),
    ("spreadsheet", "save predictions as .tsv or .json: a spreadsheet truncates long cells"),
    ("request failed|is empty|answers to", "ask the model again for the answers that are missing"),
    ("duplicated|twice|two records", "remove one of the copies"),
    ("JSON|damaged|truncated|LFS|HTML", "fetch or write the file again"),
    ("the benchmark", "check that answers and scores belong to this benchmark"),
    (
        "may be changed|is stated as|no scores were found|sum of the other",
        "read these replies and judge their turns again",
    ),
    (
        "not a number|is missing|several numbers",
        "judge these turns again, or write their scores as plain numbers",
    ),
    ("summary of VLMEvalKit", "for intervals, load the scores of the turns instead of the summary"),
    ("rubric", "name the rubric of these dimensions"),
)


@dataclass(frozen=True)
class Validation:
    """What was loaded and what could not be used.

    Attributes
    ----------
    problems : pandas.DataFrame
        One row per problem: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``.
    loaded : tuple of str
        Description of the loaded data.
    """

    problems: pd.DataFrame
    loaded: tuple[str, ...]

    @cached_property
    def kinds(self) -> pd.DataFrame:
        """The problems by kind, see `problem_kinds`."""
        return problem_kinds(self.problems)

    @property
    def advice(self) -> list[str]:
        """Advice for the problems, the most frequent kinds first, without repetition."""
        found = dict.fromkeys(_advice(kind) for kind in self.kinds["problem"])
        return [advice for advice in found if advice]


def validate_files(
    benchmark: Benchmark | str | Path | None = None,
    *,
    answers: Paths | None = None,
    scores: Paths | None = None,
    rubric: Rubric = MMDU,
    allow_pickle: bool = False,
) -> Validation:
    """Load a benchmark, answers and scores, and collect what could not be used.

    Parameters
    ----------
    benchmark : Benchmark, path or name, optional
        As `load_benchmark` takes it; answers and scores are compared with its turns.
    answers, scores : path or paths, optional
        As `load_answers` and `load_scores` take them.
    rubric : Rubric, default MMDU
        The dimensions and the scale of the scores.
    allow_pickle : bool, default False
        Read scores from a ``.pkl``, which executes code.

    Returns
    -------
    Validation
        The problems of all parts.

    Raises
    ------
    DataError
        If a part has no usable record.
    """
    import pandas as pd

    problems, loaded = [problems_frame()], []
    if benchmark is not None and not isinstance(benchmark, Benchmark):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # they are returned
            benchmark = load_benchmark(benchmark)
    if benchmark is not None:
        problems.append(benchmark.problems)
        loaded.append(repr(benchmark))
    for name, given in (("answers", answers), ("scores", scores)):
        if given is None:
            continue
        if name == "answers":
            frame, found = load_answers(given, benchmark=benchmark, return_problems=True)
        else:
            frame, found = load_scores(
                given, benchmark=benchmark, rubric=rubric, allow_pickle=allow_pickle, return_problems=True
            )
        problems.append(found)
        loaded.append(_describe(frame, name))
    filled = [part for part in problems if len(part)] or problems[:1]
    return Validation(pd.concat(filled, ignore_index=True), tuple(loaded))


def _describe(frame: pd.DataFrame, name: str) -> str:
    """Return a description of the loaded answers or scores."""
    models = frame["model"].nunique()
    parts = [f"{models} model{'s' if models != 1 else ''}", f"{frame['dialog_id'].nunique()} dialogues"]
    value = "score" if name == "scores" else "answer"
    missing = int(frame[value].isna().sum())
    return f"{name}: {len(frame) - missing:,} of {', '.join(parts)}" + (
        f", {missing:,} missing" if missing else ""
    )


def problem_kinds(problems: pd.DataFrame) -> pd.DataFrame:
    """Count problems by kind: texts that differ only in quoted words and numbers are one kind.

    Parameters
    ----------
    problems : pandas.DataFrame
        From a loader.

    Returns
    -------
    pandas.DataFrame
        One row per kind, the most frequent first: ``problem`` (of the first one), ``count``, ``n_dialogs``
        (with a known id), and ``file``, ``where``, ``dialog_id``, ``turn`` of the first one.

    Examples
    --------
    >>> from mmdu_analysis.schema import Problem, problems_frame
    >>> found = [Problem("a.json", "$[0]", "Creativity is 12, outside 0-10"), Problem("a.json", "$[1]", "Creativity is 99, outside 0-10")]
    >>> problem_kinds(problems_frame(found))[["problem", "count"]].to_numpy().tolist()
    [['Creativity is 12, outside 0-10', 2]]
    """
    kinds = problems["problem"].map(_kind)
    groups = problems.assign(kind=kinds).groupby("kind", sort=False)
    first = groups.head(1).set_index("kind")
    first["count"] = groups.size().astype("int64")
    first["n_dialogs"] = groups["dialog_id"].nunique().astype("int64")
    columns = ["problem", "count", "n_dialogs", "file", "where", "dialog_id", "turn"]
    return first[columns].sort_values("count", ascending=False, kind="stable").reset_index(drop=True)


def _kind(problem: str) -> str:
    return _SERIES.sub("N", _VARIABLE.sub("N", _QUOTED.sub("N", problem)))


def _advice(problem: str) -> str:
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, problem)), "")
