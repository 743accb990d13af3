"""The inputs of a `Study`: objects or paths are converted to frames, and problems are collected."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.io.scores import load_scores
from mmdu_analysis.io.validate import problem_kinds
from mmdu_analysis.schema import (
    ANSWER_COLUMNS,
    DataError,
    Problem,
    ProblemWarning,
    Rubric,
    problems_frame,
    require_columns,
    shorten,
)

if TYPE_CHECKING:
    import pandas as pd

Paths = str | Path | Sequence[str | Path]


def read_benchmark(given: Any, problems: dict[str, pd.DataFrame], strict: bool) -> Benchmark | None:
    """Return the benchmark that was given as an object or as a path, and collect its problems."""
    if given is None:
        return None
    if not isinstance(given, Benchmark):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ProblemWarning)  # the study gives one warning for all its parts
            given = load_benchmark(given, strict=strict)
    problems["benchmark"] = given.problems
    return given


def read_answers(
    given: pd.DataFrame | Paths | None,
    benchmark: Benchmark | None,
    problems: dict[str, pd.DataFrame],
    strict: bool,
) -> pd.DataFrame | None:
    """Return the answers that were given as a frame or as paths, and collect their problems."""
    if given is None:
        return None
    if _is_frame(given):
        from mmdu_analysis.stats.given import one_per_turn

        require_columns(given, ANSWER_COLUMNS, "answers")
        return _of_benchmark(one_per_turn(given, "answers"), benchmark, problems, "answers")
    frame, found = load_answers(given, benchmark=benchmark, strict=strict, return_problems=True)
    problems["answers"] = found
    return frame


def read_scores(
    given: pd.DataFrame | Paths | None,
    benchmark: Benchmark | None,
    rubric: Rubric,
    problems: dict[str, pd.DataFrame],
    strict: bool,
    allow_pickle: bool,
) -> pd.DataFrame | None:
    """Return the scores that were given as a frame or as paths, and collect their problems."""
    from mmdu_analysis.stats.scores import as_scores

    if given is None:
        return None
    if _is_frame(given):
        frame = as_scores(given, repeats=True, rubric=rubric)
        return _of_benchmark(frame, benchmark, problems, "scores")
    frame, found = load_scores(
        given,
        benchmark=benchmark,
        rubric=rubric,
        strict=strict,
        allow_pickle=allow_pickle,
        return_problems=True,
    )
    problems["scores"] = found
    return frame


def read_ratings(
    given: pd.DataFrame | Paths | None, rubric: Rubric, problems: dict[str, pd.DataFrame], strict: bool
) -> pd.DataFrame | None:
    """Return people's ratings that were given as a frame or as paths, and collect their problems."""
    from mmdu_analysis.io.ratings import load_ratings
    from mmdu_analysis.stats.scores import as_scores

    if given is None:
        return None
    if _is_frame(given):
        return _plain(as_scores(given, repeats=True, rubric=rubric), "ratings")

    frame, found = load_ratings(given, rubric=rubric, strict=strict, return_problems=True)
    problems["ratings"] = found
    return frame


def _is_frame(given: object) -> bool:
    return hasattr(given, "columns")


def _plain(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return a frame with text names and the column ``synthetic``."""
    if frame.empty:
        raise DataError(f"{what}: got an empty frame, expected at least one row")
    # Concatenated frames have a repeated index.
    frame = frame.assign(model=frame["model"].astype("str")).reset_index(drop=True)
    return frame if "synthetic" in frame else frame.assign(synthetic=False)


def _of_benchmark(
    frame: pd.DataFrame, benchmark: Benchmark | None, problems: dict[str, pd.DataFrame], what: str
) -> pd.DataFrame:
    """Return the rows of a frame whose turn the benchmark has; report the others by model, as the loaders do."""
    frame = _plain(frame, what)
    if benchmark is None:
        return frame
    last = frame["dialog_id"].map(benchmark.dialogs["n_turns"])
    foreign = frame["dialog_id"].notna() & (last.isna() | (frame["turn"] > last).fillna(False))
    if foreign.all():
        raise DataError(
            f"{what}: no row belongs to a turn of the benchmark: got ids such as {frame['dialog_id'].iloc[0]!r}, "
            f"expected such as {next(iter(benchmark.dialogs.index), '')!r}"
        )
    problems[what] = problems_frame(
        Problem(
            what,
            "",
            f"{len(rows):,} rows of {model} belong to no turn of the benchmark; they are left out",
            str(rows["dialog_id"].iloc[0]),
        )
        for model, rows in frame.loc[foreign].groupby("model", sort=False)
    )
    return frame.loc[~foreign].reset_index(drop=True)


def spelling_problems(models: Sequence[str]) -> pd.DataFrame:
    """Report names of models that differ only in case or spaces: their answers and scores are not joined."""
    groups: dict[str, list[str]] = {}
    for model in models:
        groups.setdefault("".join(model.casefold().split()), []).append(model)
    return problems_frame(
        Problem(
            "models",
            "",
            f"{', '.join(map(repr, names))} differ only in case or spaces; they are separate models",
        )
        for names in groups.values()
        if len(names) > 1
    )


def warn_of(problems: pd.DataFrame) -> None:
    """Warn once that a study has problems."""
    if len(problems):
        kinds = problem_kinds(problems)
        noun = "problem" if len(problems) == 1 else "problems"
        shown = [
            f"{row.count_} x {shorten(row.problem, 120)}"
            for row in kinds.head(4).rename(columns={"count": "count_"}).itertuples()
        ]
        rest = f"; {len(kinds) - 4} more kinds" if len(kinds) > 4 else ""
        text = (
            f"{len(problems)} {noun} ({'; '.join(shown)}{rest}); mmdu validate or study.problems lists them"
        )
        warnings.warn(text, ProblemWarning, stacklevel=3)


def turns_of_model(frame: pd.DataFrame | None, model: str) -> int:
    """Return the number of turns of a model with a value in a frame of answers or scores."""
    if frame is None:
        return 0
    value = "score" if "score" in frame else "answer"
    rows = frame.loc[(frame["model"] == model) & frame[value].notna()]
    if "dimension" in rows:
        keys = [name for name in ("judge", "dialog_id", "turn", "dimension") if name in rows]
        first = rows["repeat"].fillna(1) == 1 if "repeat" in rows else rows["turn"].isna()
        counted = rows.loc[(rows["turn"].notna() & ~rows.duplicated(keys)) | (rows["turn"].isna() & first)]
        return int(counted.groupby("dimension", observed=True).size().max()) if len(counted) else 0
    return len(rows)
