"""The command ``mmdu convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmdu_analysis.cli.options import (
    FilesOption,
    IdsOption,
    ImageModelOption,
    InputFormatOption,
    PictureFolderOption,
    note,
    show,
)
from mmdu_analysis.io.formats import FormatName
from mmdu_analysis.io.placing import PictureMode
from mmdu_analysis.io.tables import Format


def convert(
    to: Annotated[FormatName, typer.Option("--to", help="Format to write.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="File to write: .json, .jsonl or .parquet, JSON also with .gz; or a folder."
        ),
    ],
    data: FilesOption = None,
    input_format: InputFormatOption = None,
    pictures: Annotated[
        PictureMode | None,
        typer.Option(
            "--pictures",
            help="keep: paths as listed; copy, link: into a folder beside the file; embed: into the file "
            "(the default of parquet; only ms-swift and OpenAI read pictures in JSON).",
        ),
    ] = None,
    picture_folder: PictureFolderOption = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="Dialogues to keep, as in 'mmdu subset'."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Draw this many of the kept dialogues.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draw.")] = 0,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Leave out and list what a trainer would reject; exit code 1 if there are any.",
        ),
    ] = False,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", min=1, help="Leave out dialogues with more tokens of text and images."),
    ] = None,
    image_model: ImageModelOption = "paper",
    ids: IdsOption = "keep",
) -> None:
    """Convert a data set to a trainer's format: LLaVA, LLaMA-Factory, ms-swift, OpenAI, InternVL, Parquet ..."""
    import warnings

    from mmdu_analysis.cli.data import data_source
    from mmdu_analysis.schema import ProblemWarning
    from mmdu_analysis.stats.convert import convert as run

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)  # they are listed below
        done = run(
            data_source(data),
            out,
            to,
            input_format=input_format,
            pictures=pictures,
            picture_folder=picture_folder,
            where=where,
            sample=sample,
            seed=seed,
            check=check,
            max_tokens=max_tokens,
            image_model=image_model,
            ids=ids,
        )
    for row in done.problems.head(20).itertuples():
        key = "" if row.dialog_id != row.dialog_id else f"dialogue {row.dialog_id}: "
        note(f"{row.where or row.file}: {key}{row.problem}")
    if len(done.problems) > 20:
        note(f"... and {len(done.problems) - 20:,} more problems")
    if done.n_missing_pictures:
        note(
            f"{done.n_missing_pictures:,} pictures were not found and are listed as they were, the first: {done.first_missing}"
        )
    if done.n_pictures_elsewhere:
        note(
            f"{done.n_pictures_elsewhere:,} pictures are not at their listed paths as seen from the folder of {done.path}; "
            "add --pictures copy (or link), or name the folder of the pictures where the file is read"
        )
    if done.n_unmatched:
        note(
            f"{done.n_unmatched:,} dialogues have other numbers of placeholders than of pictures; --check leaves them out"
        )
    if done.n_unanswered:
        note(f"{done.n_unanswered:,} answers are empty; --check leaves out their dialogues")
    show(done.steps, Format.markdown, None)
    print(done.path)
    if done.sidecar:
        print(done.sidecar)
    if len(done.problems):
        raise typer.Exit(1)
