"""The commands for reading: ``mmdu browse`` and ``report``."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mmdu_analysis.cli.options import (
    AccessOption,
    AnswersOption,
    DataOption,
    RatingsOption,
    RubricOption,
    ScoresOption,
    StrictOption,
    note,
    study_of,
)
from mmdu_analysis.schema import DataError


class ReportFormat(StrEnum):
    """Form of a report."""

    html = "html"
    markdown = "markdown"
    latex = "latex"


def browse(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
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
    from mmdu_analysis.browser.export import export_page
    from mmdu_analysis.browser.rating import RatingSession, read_plan
    from mmdu_analysis.browser.session import Session

    if rate is None and plan is not None:
        raise DataError("--plan lists turns to rate; name the rater with --rate")
    study = study_of(data, answers, scores, None, None, rubric)
    bench = study.benchmark
    if bench is None:
        raise DataError(
            "no benchmark was given; name one with --data, or the synthetic sample with --data sample"
        )
    if export is not None:
        page = out or Path(f"dialogue-{Path(export).name}.html")
        if page.is_dir():
            raise DataError(f"{page}: got a folder, expected a file for the page")
        export_page(Session(bench, study.answers, study.scores, rubric=study.rubric), export, page)
        print(
            f"{page}: dialogue {export} of {bench.name}{' (synthetic, not MMDU)' if bench.synthetic else ''}"
        )
        return
    from mmdu_analysis.browser.server import serve

    def ready(address: str) -> None:
        print(address, flush=True)
        note("Ctrl-C ends it")

    new_session: Callable[[], Session | RatingSession] = partial(
        Session, bench, study.answers, study.scores, notes=notes, rubric=study.rubric
    )
    if rate is not None:
        if study.answers is None:
            raise DataError("rating needs answers; name them with --answers")
        planned = read_plan(plan) if plan else None
        rating = partial(
            RatingSession,
            bench,
            study.answers,
            rater=rate,
            path=ratings,
            plan=planned,
            seed=seed,
            rubric=study.rubric,
        )
        for problem in rating().problems:  # report what can't be rated before the window opens
            note(str(problem))
        new_session = rating
    serve(
        new_session,
        port=port,
        open_browser=window,
        ready=ready,
    )
    note("ended")


def report(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    ratings: RatingsOption = None,
    access: AccessOption = None,
    rubric: RubricOption = None,
    sections: Annotated[
        str | None,
        typer.Option(
            "--sections", help="Sections to write, separated by commas; an unknown name lists them."
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
    names = [name.strip() for name in sections.split(",")] if sections else None
    written = write_report(study, out, form=form.value, sections=names, audit=audit)
    for line in written.left_out:
        note(f"left out: {line}")
    print(written.path)
