"""MMDU scores that later papers report: over time, and of the same model by different reporters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmdu_analysis.schema import require_columns

if TYPE_CHECKING:
    import pandas as pd

PUBLICATION = "2024-06"
"""Date of the MMDU paper."""

PAPER_JUDGE = "GPT-4o"
"""Judge of the MMDU paper's Table 2."""

NOT_STATED = "not stated"


def model_key(name: str) -> str:
    """Return a normalised name, which is the same for different spellings of a model.

    Parameters
    ----------
    name : str
        Name as printed in a paper.

    Returns
    -------
    str
        Lower case, without punctuation, a ``v`` before the version and ``Instruct``.

    Examples
    --------
    >>> model_key("LLaVA-v1.5-7B") == model_key("LLaVa1.5-7B")
    True
    >>> model_key("Qwen2.5-VL-7B-Instruct")
    'qwen25vl7b'
    """
    folded = re.sub(r"[^a-z0-9]", "", name.casefold())
    return re.sub(r"v(?=\d)", "", folded.removesuffix("instruct"))


def reported_scores(later: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the MMDU paper and of later papers in one table, without repetition.

    Parameters
    ----------
    later : pandas.DataFrame
        ``load_published("later_results")``.
    published : pandas.DataFrame
        ``load_published("main_results")``.

    Returns
    -------
    pandas.DataFrame
        One row per score: ``model``, ``variant`` (NA for the model as released), ``access``,
        ``parameters_b``, ``mean`` (0-100), ``what`` (kind of average), ``judge``, ``reported_by``, ``date``
        (``YYYY-MM``), ``synthetic``. ``what`` and ``judge`` are ``not stated`` if a paper doesn't state them.
        Scores that a later paper quotes from the MMDU paper are left out.

    See Also
    --------
    best_by_date, reporter_differences
    """
    import pandas as pd

    require_columns(later, ["model", "variant", "score", "reported_by", "date", "copied"], "later results")
    paper = published.rename(columns={"Avg": "mean"})[["model", "access", "parameters_b", "mean"]]
    paper = paper.assign(
        variant=None, what="overall", judge=PAPER_JUDGE, reported_by="MMDU paper", date=PUBLICATION
    )
    own = later.loc[later["copied"].isna()].rename(columns={"score": "mean"})
    own = own.assign(what=own["what"].fillna(NOT_STATED), judge=own["judge"].fillna(NOT_STATED))
    columns = [
        "model",
        "variant",
        "access",
        "parameters_b",
        "mean",
        "what",
        "judge",
        "reported_by",
        "date",
    ]
    text = dict.fromkeys(["model", "variant", "access", "what", "judge", "reported_by", "date"], "str")
    frame = pd.concat([paper[columns].astype(text), own[columns].astype(text)], ignore_index=True)
    return frame.assign(synthetic=False)


def best_by_date(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the highest score of each access that each paper reports.

    Parameters
    ----------
    reported : pandas.DataFrame
        From `reported_scores`.

    Returns
    -------
    pandas.DataFrame
        The rows with the highest ``mean`` of each ``date``, ``reported_by`` and ``access``, of models as
        released and of variants separately (``variant`` NA or not), by date.
    """
    kept = reported.assign(changed=reported["variant"].notna())
    best = kept.groupby(["date", "reported_by", "access", "changed"], sort=True)["mean"].idxmax()
    return reported.loc[best.to_numpy()].reset_index(drop=True)


def reporter_differences(reported: pd.DataFrame) -> pd.DataFrame:
    """Return models as released that several papers report, with the range of their scores.

    Parameters
    ----------
    reported : pandas.DataFrame
        From `reported_scores`.

    Returns
    -------
    pandas.DataFrame
        One row per model and reporter, by model and date: the columns of `reported_scores`, with the spelling
        of the first paper in ``model``, and ``difference`` (the highest less the lowest score of the model,
        points).

    Notes
    -----
    The papers differ in judge, average and decoding, or don't state them; the differences measure the
    comparability of scores of different papers, not the models.
    """
    plain = reported.loc[reported["variant"].isna()]
    plain = plain.assign(key=plain["model"].map(model_key))
    by_model = plain.groupby("key")
    several = plain.loc[by_model["reported_by"].transform("nunique") > 1]
    several = several.sort_values(["key", "date"], kind="stable", ignore_index=True)
    groups = several.groupby("key")
    several["model"] = groups["model"].transform("first")
    several["difference"] = groups["mean"].transform("max") - groups["mean"].transform("min")
    return several.drop(columns="key")
