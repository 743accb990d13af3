"""The command ``mmdu figures``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.cli.options import (
    SEVERAL,
    AccessOption,
    AnswersOption,
    DataOption,
    RatingsOption,
    RubricOption,
    ScoresOption,
    note,
    split_values,
    study_of,
)
from mmdu_analysis.schema import NotAvailable

if TYPE_CHECKING:
    from mmdu_analysis.registry import Figure
    from mmdu_analysis.study import Study


class FigureContext(StrEnum):
    """Context in which figures are shown, which sets sizes and fonts."""

    paper = "paper"
    notebook = "notebook"
    slides = "slides"


def figures(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    ratings: RatingsOption = None,
    access: AccessOption = None,
    rubric: RubricOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help=f"Draw only this figure, or {SEVERAL}.", callback=split_values),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures and exit.")] = False,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help=f"Format of the pictures, png, pdf or svg, or {SEVERAL}; by default png,pdf.",
            callback=split_values,
        ),
    ] = None,
    width: Annotated[float | None, typer.Option("--width", help="Width in inches, such as 3.3.")] = None,
    height: Annotated[float | None, typer.Option("--height", help="Height in inches.")] = None,
    font_size: Annotated[
        float | None, typer.Option("--font-size", help="Size of labels in points, such as 7.")
    ] = None,
    context: Annotated[
        FigureContext, typer.Option("--context", help="Sizes and fonts for a paper, a notebook or slides.")
    ] = FigureContext.paper,
    title: Annotated[bool, typer.Option("--title/--no-title", help="Write the title.")] = True,
    note_: Annotated[
        bool, typer.Option("--note/--no-note", help="Write n, definitions and source below.")
    ] = True,
) -> None:
    """Draw the figures that the data support, each with a CSV file of its numbers, and an index page.

    Without data, the published and measured facts are drawn, and figures that need judged scores or
    references go into the folder 'sample' as demonstrations. Figures that are left out are listed with the
    reason.
    """
    from mmdu_analysis.registry import find_figures

    found = find_figures(only or None)
    study = study_of(data, answers, scores, ratings, access, rubric)
    if list_:
        _list(found, study)
        return
    _check_wanted(found if only else [], study)
    formats: Any = tuple(part.lower() for part in form or ("png", "pdf"))
    written = _write(
        study,
        out,
        only=only or None,
        formats=formats,
        width=width,
        height=height,
        font_size=font_size,
        context=context.value,
        title=title,
        note=note_,
    )
    left_out = written.loc[~written["available"]]
    if only and len(left_out):
        first = left_out.iloc[0]
        raise NotAvailable(f"figure {first['figure']!r} can't be drawn: {first['reason']}")
    for row in left_out.itertuples():
        note(f"left out: {row.figure}: {row.reason}")
    drawn = written.loc[written["available"], "files"]
    sample = drawn.str.contains("/sample/", regex=False).sum()
    extra = f", {sample} of them demonstrations on the synthetic sample" if sample else ""
    print(f"{len(drawn)} figures with their numbers in {out}{extra}")


def _list(found: list[Figure], study: Study) -> None:
    """Print name, availability, number in the paper and caption of figures."""
    for figure in found:
        reason = study.unavailable(figure)
        state = "" if reason is None else f" [not with this data: {reason}]"
        print(f"{figure.name:24} {figure.paper or 'not in the paper':18} {figure.caption}{state}")


def _check_wanted(wanted: list[Figure], study: Study) -> None:
    """Raise NotAvailable for the first figure that was asked for by name and can't be drawn."""
    for figure in wanted:
        reason = study.unavailable(figure)
        if reason is not None:
            raise NotAvailable(
                f"figure {figure.name!r} can't be drawn: {reason}; '--data sample' demonstrates it"
            )


def _write(study: Study, out: Path, **options: Any) -> Any:
    """Write the figures with a progress bar."""
    import matplotlib as mpl
    from tqdm import tqdm

    from mmdu_analysis.plots._export import save_figures

    mpl.use("agg")
    with tqdm(desc="figures", unit="figure", disable=None) as bar:

        def show(done: int, total: int, name: str) -> None:
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)

        return save_figures(study, out, progress=show, **options)
