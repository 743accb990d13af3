"""The data of score figures: the study's scores, else the published tables or the measured labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import LABEL, MMDU, SYNTHETIC_LABEL, NotAvailable, Rubric

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

OWN = "own data"
"""Source of numbers from the user's files."""

FEWEST_DIALOGS = 5
"""Minimum number of dialogues of a bin of scores that is drawn."""


def source_of(*tables: str) -> str:
    """Return the source of published tables, as `published_tables` lists it.

    Parameters
    ----------
    *tables : str
        Names of tables.

    Returns
    -------
    str
        Distinct sources, separated by semicolons.
    """
    from mmdu_analysis.facts.tables import published_tables

    sources = published_tables()["source"]
    return "; ".join(dict.fromkeys(str(sources[name]) for name in tables))


def own_source(study: Study) -> str:
    """Return the source of a study's own data."""
    return SYNTHETIC_LABEL if study.synthetic else OWN


def stamped(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a frame with the columns ``source`` and ``synthetic``, which are needed to redraw a figure from it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Numbers of a figure.
    source : str
        Source of the numbers.

    Returns
    -------
    pandas.DataFrame
        Rows that are not marked synthetic are marked real.
    """
    marked = frame["synthetic"].fillna(False).astype(bool) if "synthetic" in frame else False
    return frame.assign(source=source, synthetic=marked)


def first_source(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return a long frame as `stamped` does, with the source in the first row only, to keep its file small."""
    frame = stamped(frame, source)
    return frame.assign(source=[source] + [None] * (len(frame) - 1)).astype({"source": "str"})


def main_dimension(study: Study) -> str:
    """Return the full name of the dimension that a study's figures show: the overall score, else the only one.

    Raises
    ------
    NotAvailable
        If there are several dimensions and none is the overall score.
    """
    have = study.rubric.order(study.need_scores()["dimension"].unique())
    if study.rubric.overall in have:
        return str(study.rubric.overall)
    if len(have) == 1:
        return have[0]
    raise NotAvailable(
        f"the scores have {', '.join(have[:4])} and no overall score; name one of them as overall in the rubric"
    )


def model_scores(study: Study) -> pd.DataFrame:
    """Return the mean of each model in each dimension, the study's own models among the published ones.

    Parameters
    ----------
    study : Study
        Without scores, the published Table 2 is returned. Synthetic models, models on another rubric and
        models without an overall score are returned without the published ones.

    Returns
    -------
    pandas.DataFrame
        One row per model and dimension: ``model``, ``access``, ``parameters_b``, ``base_model``,
        ``dimension``, ``short``, ``mean``, ``low``, ``high`` (0-100), ``own``, ``judge``, ``ci``, ``source``,
        ``synthetic``.
    """
    import pandas as pd

    published = published_rows()
    if study.scores is None:
        return published
    own = _own_rows(study)
    alone = study.synthetic or study.rubric != MMDU or MMDU.overall not in set(own["dimension"])
    if alone:
        return own
    kept = published.loc[~published["model"].isin(own["model"])]
    return pd.concat([kept, own], ignore_index=True)


def published_rows() -> pd.DataFrame:
    """Return the published Table 2 as `model_scores` does."""
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.later import PAPER_JUDGE

    table = load_published("main_results")
    facts = ["model", "access", "parameters_b", "base_model"]
    shorts = [short for short in MMDU.short_names.values() if short in table]
    rows = table.melt(facts, shorts, "short", "mean")
    rows["dimension"] = rows["short"].map(MMDU.full_name)
    rows = rows.assign(low=float("nan"), high=float("nan"), own=False, judge=PAPER_JUDGE, ci=float("nan"))
    return stamped(_ordered(rows), source_of("main_results"))


def _own_rows(study: Study) -> pd.DataFrame:
    import warnings

    from mmdu_analysis.schema import DataWarning
    from mmdu_analysis.stats.scores import summarize_scores

    scores = study.need_scores()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the note of the figure names judges and coverage
        summary = summarize_scores(scores, rubric=study.rubric)
    models = study.models.set_index("model")
    rows = summary.loc[summary["mean"].notna()].reset_index(drop=True)
    rows["short"] = rows["dimension"].map(study.rubric.short_names | {LABEL: LABEL})
    rows["access"] = rows["model"].map(models["access"])
    rows["parameters_b"] = rows["model"].map(models["parameters_b"])
    judges = scores.groupby("model")["judge"].agg(lambda names: ", ".join(sorted(set(map(str, names)))))
    rows = rows.assign(base_model=None, own=True, judge=rows["model"].map(judges))
    return stamped(_ordered(rows.astype({"base_model": "str"}), study.rubric), own_source(study))


def _ordered(rows: pd.DataFrame, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Return rows by dimension in the rubric's order, the highest mean first."""
    ranks = {name: rank for rank, name in enumerate(rubric.order(rows["dimension"].unique()))}
    keys: Any = rows.assign(_place=rows["dimension"].map(ranks))
    columns = ["model", "access", "parameters_b", "base_model", "dimension", "short", "mean", "low", "high"]
    ordered = keys.sort_values(["_place", "mean"], ascending=[True, False], kind="stable")
    extra = [name for name in ("own", "judge", "ci", "synthetic") if name in rows]
    return ordered[[*columns, *extra]].reset_index(drop=True)


def model_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `model_scores` as one row per model with a column for each dimension's short name."""
    shorts = list(dict.fromkeys(rows["short"]))
    facts = ["model", "access", "parameters_b", "base_model", "own", "synthetic"]
    wide = rows.pivot(index="model", columns="short", values="mean")[shorts].rename_axis(columns=None)
    first = rows.drop_duplicates("model").set_index("model")[facts[1:]]
    return first.join(wide).reset_index()
