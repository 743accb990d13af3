"""The commands for results: ``mmdu scores``, ``gap`` and ``audit``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.cli.options import (
    SEVERAL,
    AccessOption,
    Average,
    CiOption,
    DataOption,
    DimensionOption,
    FormatOption,
    OutOption,
    RatingsOption,
    RubricOption,
    ScoresOption,
    SortOption,
    StrictOption,
    TopOption,
    note,
    show,
    split_values,
    study_of,
    two_models,
)
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import MMDU, DataError

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study


class GapBy(StrEnum):
    """Breakdown of the gap."""

    dimension = "dimension"
    turn = "turn"
    images = "images"
    named_images = "named_images"
    context = "context"
    kind = "kind"


class Verdict(StrEnum):
    """Verdicts of the audit."""

    holds = "holds"
    differs = "differs"
    needs_data = "needs data"


def scores(
    scores: ScoresOption = None,
    data: DataOption = None,
    access: AccessOption = None,
    rubric: RubricOption = None,
    ratings: RatingsOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", help=f"Column to group by, or {SEVERAL}; by default model.", callback=split_values
        ),
    ] = None,
    average: Annotated[
        Average, typer.Option("--average", help="How scores are averaged.")
    ] = Average.question,
    dimension: DimensionOption = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            help=f"Compare two models A,B on the turns that both have, {SEVERAL}; 'all': every pair of models.",
            callback=split_values,
        ),
    ] = None,
    rank: Annotated[
        bool, typer.Option("--rank", help="Rank the models, with simultaneous intervals.")
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Show your models among the published ones.")
    ] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Print the MMDU scores that later papers published.")
    ] = False,
    ci: CiOption = 0.95,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Read a .pkl file, which can execute code: use it only for your own files."
        ),
    ] = False,
    strict: StrictOption = False,
    sort: SortOption = None,
    top: TopOption = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print mean scores with intervals: of your models, or the published Table 2."""
    from mmdu_analysis.facts.tables import load_published

    if later:
        note(
            "reporters differ in judge, prompt and average, and often don't state them; do not pool these scores"
        )
        show(load_published("later_results"), form, out, digits=1, sort=sort, top=top)
        return
    study = study_of(data, None, scores, ratings, access, rubric, strict=strict, allow_pickle=allow_pickle)
    names = by or ["model"]
    if study.scores is None:
        if rank or compare or published or names != ["model"] or ratings:
            raise DataError("this needs scores of your models; give them with --scores")
        note("the published Table 2; the paper gives no intervals")
        show(load_published("main_results"), form, out, digits=1, sort=sort, top=top)
        return
    table = _own_scores(study, names, average.value, dimension, compare, rank, published, bool(ratings), ci)
    show(table, form, out, sort=sort, top=top)


def _own_scores(
    study: Study,
    names: list[str],
    average: str,
    dimension: str | None,
    compare: list[str] | None,
    rank: bool,
    published: bool,
    corrected: bool,
    ci: float,
) -> pd.DataFrame:
    """Return the table that the options of ``mmdu scores`` ask for."""
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats import pairs, places
    from mmdu_analysis.stats import scores as summaries

    rubric = study.rubric
    options: Any = {"average": average, "ci": ci}
    wanted = [rank, bool(compare), published, corrected]
    if sum(wanted) > 1:
        raise DataError("got several of --rank, --compare, --published and --ratings, expected one")
    if any(wanted) and names != ["model"]:
        raise DataError(
            f"--by {','.join(names)} groups means; it has no effect with --rank, --compare, --published or --ratings"
        )
    if published and rubric != MMDU:
        raise DataError(
            f"the scores are on the rubric {rubric.name!r}; the published ones are on MMDU's, so there is no rank"
        )
    if rank:
        return study.ranking(dimension=dimension, **options)
    if corrected:
        return study.calibration(dimension=dimension, ci=ci)
    unknown = [name for name in names if name not in study.need_scores().columns]
    if unknown:
        have = ", ".join(name for name in study.need_scores().columns if name not in ("score", "reason"))
        raise DataError(
            f"--by got {unknown[0]!r}, expected columns of the scores ({have}); kinds of questions, images and context are "
            "in mmdu figures --only scores_by_kind"
        )
    if "turn" in names and study.benchmark is None and study.need_scores()["turn"].isna().all():
        raise DataError("the scores don't say which turn they belong to; give the benchmark with --data")
    judged = summaries.as_scores(study.need_scores(), repeats=True, rubric=rubric)
    if dimension is not None:
        judged = summaries.only_dimension(judged, dimension, rubric=rubric)
    if published:
        note(places.CAVEAT)
        summary = summaries.summarize_scores(judged, rubric=rubric, **options)
        name = dimension or rubric.overall or "Overall Score"
        return places.place_among_published(summary, load_published("main_results"), name, study.access)
    if compare == ["all"]:
        return pairs.compare_all_models(judged, rubric=rubric, **options)
    if pair := two_models(compare, "--compare"):
        return pairs.compare_models(judged, *pair, rubric=rubric, **options)
    return summaries.summarize_scores(judged, names, rubric=rubric, **options)


def gap(
    scores: ScoresOption = None,
    data: DataOption = None,
    access: AccessOption = None,
    rubric: RubricOption = None,
    by: Annotated[
        GapBy, typer.Option("--by", help="dimension works without --scores, too; the others need --scores.")
    ] = GapBy.dimension,
    dimension: DimensionOption = None,
    ci: CiOption = 0.95,
    strict: StrictOption = False,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print the gap between open and closed models, in the published Table 2 or in your scores.

    By dimension, your models are added to the published table; otherwise only your models are compared, turn
    by turn.
    """
    study = study_of(data, None, scores, None, access, rubric, strict=strict)
    if by is not GapBy.dimension and study.scores is None:
        raise DataError(f"--by {by.value} needs scores of single turns; give them with --scores")
    table = (
        study.gap(by.value, ci=ci)
        if by is GapBy.dimension
        else study.gap(by.value, dimension=dimension, ci=ci)
    )
    if dimension is not None and by is GapBy.dimension:
        table = table.loc[table["dimension"] == study.rubric.full_name(dimension)].reset_index(drop=True)
    show(table, form, out)


def audit(
    data: DataOption = None,
    verdict: Annotated[
        Verdict | None, typer.Option("--verdict", help="Only the claims with this verdict.")
    ] = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print the paper's claims with the values recomputed from its own tables and the data."""
    from mmdu_analysis.stats.audit import VERDICTS

    table = study_of(data).audit()
    counts = table["verdict"].value_counts()
    note(", ".join(f"{counts.get(name, 0)} {name}" for name in VERDICTS))
    shown = table if verdict is None else table.loc[table["verdict"] == verdict.value]
    show(shown.reset_index(drop=form in (Format.markdown, Format.latex)), form, out)
