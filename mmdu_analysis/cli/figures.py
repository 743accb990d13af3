"""The command ``mmdu figures``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmdu_analysis.cli.options import AccessOption, AnswersOption, DataOption, ScoresOption
from mmdu_analysis.schema import DataError, parse_access

if TYPE_CHECKING:
    from mmdu_analysis.figures.inputs import Inputs


def figures(
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    scores: ScoresOption = None,
    answers: AnswersOption = None,
    access: AccessOption = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Draw this figure alone; may be repeated.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures and end.")] = False,
) -> None:
    """Draw the figures, each as PNG and PDF, with a CSV of its numbers."""
    import matplotlib as mpl

    mpl.use("agg")
    from tqdm import tqdm

    from mmdu_analysis.figures.registry import find_specs, write_all, write_index

    specs = find_specs(only)
    if list_:
        for spec in specs:
            print(f"{spec.name:22} {spec.stands_for:13} {spec.shows}")
        return
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the figures")
    inputs = _own_inputs(data, answers, scores, access)
    names = [spec.name for spec in specs]
    drawn = write_all(names, inputs, out)
    titles = dict(tqdm(drawn, total=len(names), desc="figures", unit="figure", disable=None))
    if not only:
        write_index(titles, out)
    print(f"{len(specs)} figures with their numbers in {out}{'/' if out.is_dir() else ''}")


def _own_inputs(
    data: str | None, answers: list[Path] | None, scores: list[Path] | None, access: list[str] | None
) -> Inputs:
    """Load what figures and reports are drawn from."""
    from mmdu_analysis.figures.inputs import Inputs
    from mmdu_analysis.io.answers import load_answers
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.scores import load_scores

    if (scores or answers) and not data:
        raise DataError("--scores and --answers need --data, the benchmark that they belong to")
    bench = load_benchmark(data) if data else None
    return Inputs(
        bench,
        load_scores(scores, benchmark=bench) if scores else None,
        load_answers(answers[0]) if answers else None,
        parse_access(access or [], "--access"),
    )
