"""The command ``mmdu validate``."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from mmdu_analysis.cli.options import (
    AnswersOption,
    FormatOption,
    IdsOption,
    InputFormatOption,
    OutOption,
    PictureFolderOption,
    RubricOption,
    ScoresOption,
    note,
    show,
)
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import MMDU, DataError, DataWarning, Rubric


def validate(
    path: Annotated[
        str | None, typer.Argument(help="Benchmark file, folder or name; else $MMDU_DATA.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="List dialogues that share pictures or text with this benchmark, and duplicates.",
        ),
    ] = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    rubric: RubricOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print every problem instead of a summary by kind.")
    ] = False,
    form: FormatOption = Format.markdown,
    out: OutOption = None,
    input_format: InputFormatOption = None,
    ids: IdsOption = "keep",
    picture_folder: PictureFolderOption = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            help="Read scores from a .pkl file, which can execute code: use it only for your own files.",
        ),
    ] = False,
) -> None:
    """Print what the loaders could not use, by kind with counts and the first position; exit code 1 if there are problems."""
    from mmdu_analysis.cli.overlap import print_overlap
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.validate import validate_files

    data = path or os.environ.get("MMDU_DATA") or None
    if against is not None:
        raise typer.Exit(int(print_overlap(_named(data), against, form, out, input_format, ids)))
    if path is None:  # with a named benchmark, answers and scores of the environment are ignored
        answers, scores = answers or _paths("MMDU_ANSWERS"), scores or _paths("MMDU_SCORES")
    if not (answers or scores):
        data = _named(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the problems are printed
        benchmark = data and load_benchmark(
            data, input_format=input_format, ids=ids, picture_folder=picture_folder
        )
    rules = rubric or os.environ.get("MMDU_RUBRIC") or None
    validation = validate_files(
        benchmark or None,
        answers=answers,
        scores=scores,
        rubric=Rubric.from_file(rules) if rules else MMDU,
        allow_pickle=allow_pickle,
    )
    if len(validation.problems) or form is not Format.markdown or out is not None:
        show(validation.problems if every else validation.kinds, form, out)
    for line in validation.loaded:
        note(line)
    if not len(validation.problems):
        note("no problems")
        return
    n_problems, n_kinds = len(validation.problems), len(validation.kinds)
    note(
        f"{n_problems:,} problem{'s' * (n_problems != 1)} of {n_kinds} kind{'s' * (n_kinds != 1)}; what to do:"
    )
    for line in [
        *validation.advice,
        "the rest is loaded unchanged" + ("" if every else "; list every problem with --all"),
    ]:
        note(f"- {line}")
    raise typer.Exit(1)


def _paths(variable: str) -> list[Path] | None:
    return [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part] or None


def _named(data: str | None) -> str:
    if not data:
        raise DataError("nothing to validate: name a benchmark, or pass --answers or --scores")
    return data
