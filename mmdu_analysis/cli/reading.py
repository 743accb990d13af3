"""The commands for reading: ``mmdu browse`` and ``report``."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmdu_analysis.cli.options import (
    SEVERAL,
    AccessOption,
    AnswersOption,
    DataOption,
    RatingsOption,
    RubricOption,
    ScoresOption,
    StrictOption,
    note,
    split_values,
    study_of,
)
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    from mmdu_analysis.browser.rating import RatingSession
    from mmdu_analysis.study import Study


class ReportFormat(StrEnum):
    """Form of a report."""

    html = "html"
    markdown = "markdown"
    latex = "latex"


def browse(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    picture_folder: Annotated[
        Path | None,
        typer.Option(
            "--picture-folder",
            help="Folder or zip archive of the pictures; by default the folder of the data. "
            "An archive is not unpacked.",
        ),
    ] = None,
    rubric: RubricOption = None,
    notes: Annotated[
        Path, typer.Option("--notes", help="JSON Lines file for tags and notes; created with the first one.")
    ] = Path("mmdu_notes.jsonl"),
    export: Annotated[
        str | None, typer.Option("--export", help="Write this dialogue as a single page, and exit.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page that --export writes.")] = None,
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 selects a free one.")] = 0,
    window: Annotated[bool, typer.Option("--open/--no-open", help="Open the web browser.")] = True,
    rate: Annotated[
        str | None,
        typer.Option("--rate", help="Rate the answers instead, as this person; model names are hidden."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="CSV of the turns to rate: dialog_id, turn (model, rater).")
    ] = None,
    ratings: Annotated[
        Path, typer.Option("--ratings", help="JSON Lines log of the ratings; rating continues from it.")
    ] = Path("mmdu_ratings.jsonl"),
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the order in which models are shown for rating.")
    ] = 0,
) -> None:
    """Read the dialogues in a web browser, with models' answers and scores, or rate them; Ctrl-C ends it."""
    if rate is None and plan is not None:
        raise DataError("--plan lists turns to rate; name the rater with --rate")
    benchmark = data or os.environ.get("MMDU_DATA")
    if not benchmark:
        raise DataError(
            "no benchmark was given; name one with --data, or the synthetic sample with --data sample"
        )
    from mmdu_analysis.browser.opening import Opening, Source, Window

    source = Source(benchmark, picture_folder, answers, scores, rubric)
    if export is not None:
        _export(source.study(), export, out)
        return
    from mmdu_analysis.browser.server import serve

    def ready(address: str) -> None:
        print(address, flush=True)
        note("Ctrl-C ends it")

    if rate is not None:
        rating = _rating(source.study(), rate, ratings, plan, seed)
        for problem in rating().problems:  # report what can't be rated before the window opens
            note(str(problem))
        serve(rating, port=port, open_browser=window, ready=ready)
    else:
        opening = Opening(source)
        try:
            serve(
                lambda: Window(opening, notes),
                port=port,
                open_browser=window,
                ready=ready,
                check=opening.check,
            )
        finally:
            opening.close()
    note("ended")


def _export(study: Study, dialog_id: str, out: Path | None) -> None:
    from mmdu_analysis.browser.export import export_page
    from mmdu_analysis.browser.session import Session

    bench = study.need_benchmark()
    page = out or Path(f"dialogue-{Path(dialog_id).name}.html")
    if page.is_dir():
        raise DataError(f"{page}: got a folder, expected a file for the page")
    export_page(Session(bench, study.answers, study.scores, rubric=study.rubric), dialog_id, page)
    mark = " (synthetic, not MMDU)" if bench.synthetic else ""
    print(f"{page}: dialogue {dialog_id} of {bench.name}{mark}")


def _rating(
    study: Study, rater: str, ratings: Path, plan: Path | None, seed: int
) -> Callable[[], RatingSession]:
    """Return what makes the session of a window in which a person rates."""
    from mmdu_analysis.browser.rating import RatingSession, read_plan

    if study.answers is None:
        raise DataError("rating needs answers; name them with --answers")
    bench, answers, planned = study.need_benchmark(), study.answers, read_plan(plan) if plan else None
    return lambda: RatingSession(
        bench, answers, rater=rater, path=ratings, plan=planned, seed=seed, rubric=study.rubric
    )


def report(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    ratings: RatingsOption = None,
    access: AccessOption = None,
    rubric: RubricOption = None,
    sections: Annotated[
        list[str] | None,
        typer.Option(
            "--sections",
            help=f"Section to write, or {SEVERAL}; an unknown name lists them.",
            callback=split_values,
        ),
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Add the audit of the paper's numbers.")] = False,
    strict: StrictOption = False,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("report.html"),
    form: Annotated[
        ReportFormat,
        typer.Option(
            "--format", help="html: a page; markdown, latex: only the tables, for a paper or a model card."
        ),
    ] = ReportFormat.html,
) -> None:
    """Write a report of your data, or of the published numbers: one page that works without a server and offline."""
    import matplotlib as mpl

    mpl.use("agg")
    from mmdu_analysis.report import write_report

    study = study_of(data, answers, scores, ratings, access, rubric, strict=strict)
    written = write_report(study, out, form=form.value, sections=sections or None, audit=audit)
    for line in written.left_out:
        note(f"left out: {line}")
    print(written.path)
