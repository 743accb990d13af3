"""The options that commands share, and the study that they define."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmdu_analysis.io.escape import escape_terminal
from mmdu_analysis.io.formats import InputFormat
from mmdu_analysis.io.tables import Format, render_table, write_table
from mmdu_analysis.schema import ACCESS, SYNTHETIC_LABEL, DataError, is_synthetic, parse_access

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

SEVERAL = "several: repeat the option or separate them by commas"
"""How options of several values are given, for their help."""


def split_values(values: list[str] | None) -> list[str]:
    """Return the values of an option that may be repeated and whose values may be separated by commas."""
    parts = [part.strip() for value in values or () for part in value.split(",")]
    return [part for part in parts if part]


def split_paths(paths: list[Any] | None) -> list[Any]:
    """Return paths as `split_values` does; one that is itself the path of a file or folder is not split."""
    found = []
    for path in paths or ():
        whole = Path(path).expanduser().exists()
        found += [path] if whole else [type(path)(part) for part in split_values([str(path)])]
    return found


def split_pairs(pairs: list[str] | None) -> list[str]:
    """Return ``NAME=VALUE`` pairs as `split_values` does; a name may have a comma where there is one pair."""
    return [
        part
        for pair in pairs or ()
        for part in (split_values([pair]) if all("=" in part for part in split_values([pair])) else [pair])
    ]


def split_counts(values: list[str] | None, option: str, least: int) -> list[int]:
    """Return whole numbers as `split_values` does.

    Raises
    ------
    DataError
        If one isn't a whole number, or is smaller than the least.
    """
    counts = split_values(values)
    wrong = [count for count in counts if not count.isdecimal() or int(count) < least]
    if wrong:
        raise DataError(f"{option} got {wrong[0]!r}, expected whole numbers from {least}")
    return [int(count) for count in counts]


def two_models(values: list[str] | None, option: str) -> tuple[str, str] | None:
    """Return the two models of an option; None if it isn't given.

    Raises
    ------
    DataError
        If there is another number of models.
    """
    models = split_values(values)
    if not models:
        return None
    if len(models) != 2:
        raise DataError(f"{option} got {', '.join(models)}; expected two models: {option} A,B")
    return models[0], models[1]


DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Benchmark: a file, a folder or a name (sample, benchmark, mmdu-45k). Else $MMDU_DATA.",
    ),
]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Benchmark: a file, a folder, a pattern or a name (sample, benchmark, mmdu-45k); "
        f"{SEVERAL}. Else $MMDU_DATA.",
        callback=split_paths,
    ),
]
AnswersOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--answers",
        help="Models' answers: a file, the folder of a model or a parent of such folders; "
        f"{SEVERAL}. Else $MMDU_ANSWERS.",
        callback=split_paths,
    ),
]
ScoresOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--scores",
        help="Judges' scores: a file, the folder of a model or a parent of such folders; "
        f"{SEVERAL}. "
        "In the authors' form an unjudged turn is null in the list, or every entry has a 'turn' key. "
        "Else $MMDU_SCORES.",
        callback=split_paths,
    ),
]
RatingsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--ratings",
        help=f"People's ratings (JSON Lines); {SEVERAL}. Else $MMDU_RATINGS.",
        callback=split_paths,
    ),
]
AccessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--access",
        help=f"MODEL= and one of {', '.join(ACCESS)}, for your models; {SEVERAL}.",
        callback=split_pairs,
    ),
]
RubricOption = Annotated[
    Path | None,
    typer.Option("--rubric", help="TOML file of another rubric; else $MMDU_RUBRIC, else MMDU's."),
]
DimensionOption = Annotated[
    str | None, typer.Option("--dimension", help="Only this dimension, by its name or short name.")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="End at the first problem of a file instead of reporting all.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; standard output by default.")]
FormatOption = Annotated[Format, typer.Option("--format", help="Form of the table.")]
CiOption = Annotated[float, typer.Option("--ci", min=0.5, max=0.999, help="Level of the intervals.")]
SortOption = Annotated[
    str | None, typer.Option("--sort", help="Sort by this column; -COLUMN for descending.")
]
TopOption = Annotated[int | None, typer.Option("--top", min=1, help="Print this many rows at most.")]
InputFormatOption = Annotated[
    InputFormat | None,
    typer.Option("--input-format", help="Format to read; by default it is recognised by its shape."),
]
IdsOption = Annotated[
    Literal["keep", "prefix"],
    typer.Option("--ids", help="prefix: put the file name before each id, for shards with equal ids."),
]
PictureFolderOption = Annotated[
    Path | None,
    typer.Option("--picture-folder", help="Folder of the pictures; that of the data by default."),
]
ImageModelOption = Annotated[
    str,
    typer.Option(
        "--image-model",
        help="Estimator of image tokens: the rule of a model such as gpt-4o, or fixed:N; 'paper' is 471.",
    ),
]


class Average(StrEnum):
    """How scores are averaged."""

    question = "question"
    dialog = "dialog"
    vlmeval_all = "vlmeval_all"
    vlmeval_valid = "vlmeval_valid"


def study_of(
    data: str | None = None,
    answers: list[Path] | None = None,
    scores: list[Path] | None = None,
    ratings: list[Path] | None = None,
    access: list[str] | None = None,
    rubric: Path | None = None,
    *,
    strict: bool = False,
    allow_pickle: bool = False,
) -> Study:
    """Return the study that a command's options and the environment name."""
    from mmdu_analysis.study import Study

    pairs = parse_access(access or [], "--access")
    return Study.from_options(
        data, answers, scores, ratings, pairs, rubric, strict=strict, allow_pickle=allow_pickle
    )


def show(
    frame: pd.DataFrame,
    form: Format,
    out: Path | None,
    *,
    digits: int = 2,
    sort: str | None = None,
    top: int | None = None,
) -> None:
    """Print a frame or write it to a file.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    form : Format
        Its form.
    out : pathlib.Path or None
        File; None prints.
    digits : int, default 2
        Decimals in Markdown and LaTeX.
    sort : str, optional
        A column, with ``-`` for descending.
    top : int, optional
        Rows at most, after sorting.
    """
    table = sorted_rows(frame, sort)
    table = table if top is None else table.head(top)
    if form in (Format.csv, Format.json) and is_synthetic(table):
        note(f"these numbers are from the {SYNTHETIC_LABEL}, not from MMDU")
    if out is not None:
        write_table(table, form, out, digits=digits)
        return
    sys.stdout.write(escape_terminal(render_table(table, form, digits=digits)))


def sorted_rows(frame: pd.DataFrame, sort: str | None) -> pd.DataFrame:
    """Return a frame sorted by a column; ``-`` before its name is for descending order."""
    if sort is None:
        return frame
    column = sort.removeprefix("-")
    if column not in frame.columns:
        raise DataError(f"--sort got {sort!r}, expected one of {', '.join(map(str, frame.columns))}")
    ordered = frame.sort_values(column, ascending=not sort.startswith("-"), kind="stable")
    return ordered if frame.index.name else ordered.reset_index(drop=True)


def note(text: str) -> None:
    """Print a note on standard error."""
    print(f"mmdu: {escape_terminal(text)}", file=sys.stderr)
