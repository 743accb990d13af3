"""The command ``mmdu plan``."""

from __future__ import annotations

from typing import Annotated

import typer

from mmdu_analysis.cli.options import (
    SEVERAL,
    CiOption,
    DataOption,
    DimensionOption,
    FormatOption,
    OutOption,
    RubricOption,
    ScoresOption,
    note,
    show,
    split_counts,
    study_of,
    two_models,
)
from mmdu_analysis.io.tables import Format


def plan(
    scores: ScoresOption = None,
    data: DataOption = None,
    rubric: RubricOption = None,
    difference: Annotated[
        float, typer.Option("--difference", help="True difference of two models, in points on 0-100.")
    ] = 2.0,
    power: Annotated[
        float, typer.Option("--power", help="Required probability to detect the difference.")
    ] = 0.8,
    dialogs: Annotated[
        list[str] | None, typer.Option("--dialogs", help=f"Number of dialogues, or {SEVERAL}.")
    ] = None,
    repeats: Annotated[
        list[str] | None, typer.Option("--repeats", help=f"Judgements of each turn, or {SEVERAL}.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", help=f"Two models A,B whose differences give the variances; {SEVERAL}."),
    ] = None,
    dimension: DimensionOption = None,
    price: Annotated[float, typer.Option("--price", min=0, help="Price of one judgement.")] = 0.0,
    ratings: Annotated[
        bool,
        typer.Option("--people", help="Print instead how much precision a judge adds to ratings by people."),
    ] = False,
    rating_price: Annotated[
        float, typer.Option("--rating-price", min=0, help="Price of rating a turn.")
    ] = 0.0,
    ci: CiOption = 0.95,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print which differences between two models an evaluation can detect, for numbers of dialogues.

    Without scores the variances come from a person's labels of the answers of two models to MMDU.
    """
    from mmdu_analysis.stats import planning

    if ratings:
        table = planning.plan_ratings(rating_price=rating_price, judgement_price=price)
        show(table, form, out)
        return
    study = study_of(data, None, scores, None, None, rubric)
    a, b = two_models(models, "--models") or (None, None)
    table = planning.plan_evaluation(
        study.scores,
        difference,
        power,
        n_dialogs=split_counts(dialogs, "--dialogs", 2) or planning.DIALOGS,
        n_repeats=split_counts(repeats, "--repeats", 1) or (1,),
        a=a,
        b=b,
        dimension=dimension,
        price=price,
        ci=ci,
        rubric=study.rubric,
    )
    last = table.iloc[-1]
    note(
        f"{last['n_dialogs']:.0f} dialogues detect a difference of {last['detectable']:.1f} points with {power:.0%} power; "
        f"it assumes dialogues of the same kind, paired turns and one judge; variances of {last['model_a']} against {last['model_b']}"
        + ("" if study.scores is not None else "; variances from labels of two models on MMDU")
    )
    show(table, form, out)
