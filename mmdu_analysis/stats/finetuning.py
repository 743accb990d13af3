"""Gains of fine-tuning on MMDU-45k and of a longer context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic, require_columns

if TYPE_CHECKING:
    import pandas as pd


def finetuning_gain(
    table: pd.DataFrame, reference: str | None = "GPT-4o", *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compute the gains of fine-tuned models over their base models.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per model: ``model``, ``base_model`` (NA for those that aren't fine-tuned), and numeric
        columns; as Tables 2, 3 and 4.
    reference : str or None, default "GPT-4o"
        Model to which the distance of the base is measured. None omits the distance, for tables
        without such a model.
    metrics : sequence of str, optional
        Columns; by default all numeric ones but ``parameters_b``.

    Returns
    -------
    pandas.DataFrame
        One row per fine-tuned model and column: ``model``, ``base_model``, ``metric``, ``base``,
        ``finetuned``, ``gain`` (points), ``relative_gain`` (0-1 of the base), ``distance`` (reference less
        base, points) and ``share_closed`` (0-1; NA without reference), ``reference``, ``synthetic``. There is
        no row for a metric that the base or the fine-tuned model lacks.

    Raises
    ------
    DataError
        If a base or the reference isn't in the table, or nothing is fine-tuned.

    Notes
    -----
    Tables 2-4 of arXiv 2406.11833. The paper prints no errors, so gains have none; with scores of turns,
    `compare_models` compares a fine-tuned model with its base and gives an interval.
    """
    import pandas as pd

    require_columns(table, ["model", "base_model"], "a table of models")
    own = ["parameters_b", "low", "high", "ci"]
    columns = list(metrics or table.select_dtypes("number").columns.drop(own, errors="ignore"))
    models = table.set_index("model")
    tuned = table.loc[table["base_model"].notna()]
    if tuned.empty:
        raise DataError("no model in the table has a base_model, so nothing is fine-tuned")
    needed = [*tuned["base_model"], *([reference] if reference else [])]
    unknown = sorted(set(needed) - set(models.index))
    if unknown:
        raise DataError(f"{unknown[0]!r} is not in the table; got models {list(models.index)}")
    rows = [
        (row["model"], row["base_model"], metric, models.loc[row["base_model"], metric], row[metric])
        for _, row in tuned.iterrows()
        for metric in columns
    ]
    frame = pd.DataFrame(rows, columns=["model", "base_model", "metric", "base", "finetuned"])
    frame = frame.dropna(subset=["base", "finetuned"], ignore_index=True)
    frame["gain"] = frame["finetuned"] - frame["base"]
    frame["relative_gain"] = frame["gain"] / frame["base"]
    target = frame["metric"].map(models.loc[reference, columns]) if reference else pd.NA
    frame["distance"] = pd.array(
        target - frame["base"] if reference else [pd.NA] * len(frame), dtype="Float64"
    )
    frame["share_closed"] = frame["gain"] / frame["distance"]
    named = pd.array([reference] * len(frame), dtype="str")
    return frame.assign(reference=named, synthetic=is_synthetic(table))


def overtaken_models(
    table: pd.DataFrame, dimension: str | None = None, *, rubric: Rubric = MMDU
) -> pd.DataFrame:
    """Return the closed models that a fine-tuned open one has overtaken.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per model: ``model``, ``access`` and the dimension by its short name.
    dimension : str, optional
        Name or short name; by default the overall score.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``model`` (fine-tuned), ``score``, ``overtaken`` (closed), ``overtaken_score``.
    """
    wanted = dimension or rubric.overall
    if wanted is None:
        raise DataError(f"the rubric {rubric.name} has no overall score; pass dimension=")
    short = rubric.short_names[rubric.full_name(wanted)]
    require_columns(table, ["model", "access", short], "a table of models")
    tuned, closed = (
        table.loc[table["access"] == access, ["model", short]] for access in ("finetuned", "closed")
    )
    pairs = tuned.merge(closed, how="cross")
    pairs.columns = ["model", "score", "overtaken", "overtaken_score"]
    return pairs.loc[pairs["score"] > pairs["overtaken_score"]].reset_index(drop=True)


def ablation_effects(table: pd.DataFrame) -> pd.DataFrame:
    """Separate the effects in Table 5: of a longer context, and of training at equal context.

    Parameters
    ----------
    table : pandas.DataFrame
        ``load_published("ablation")``: ``study``, ``model``, ``setting``, dimensions on 0-100.

    Returns
    -------
    pandas.DataFrame
        One row per effect and dimension: ``effect`` (``context`` or ``training``), ``model`` (of ``context``;
        NA for ``training``), ``before`` and ``after`` (the settings or models compared), ``at`` (the context
        of ``training``), ``metric``, ``from_score``, ``to_score``, ``gain`` (points).

    Raises
    ------
    DataError
        If the table doesn't have two models by context length.

    Notes
    -----
    Table 5 of arXiv 2406.11833. The base model was not run at 8k, so the gain of training is unknown there.
    """
    import pandas as pd

    require_columns(table, ["study", "model", "setting"], "the ablation's table")
    runs = table.loc[table["study"] == "max tokens"]
    models = list(runs["model"].unique())
    if len(models) != 2:
        raise DataError(
            f"got models {models} in the study of context length, expected a base and a fine-tuned one"
        )
    metrics = [short for short in MMDU.short_names.values() if short in table]
    rows = []
    for model, part in runs.groupby("model", sort=False):
        for (_, first), (_, second) in zip(part.iterrows(), list(part.iterrows())[1:], strict=False):
            rows += [
                ("context", model, first["setting"], second["setting"], None, m, first[m], second[m])
                for m in metrics
            ]
    by_model = {model: part.set_index("setting") for model, part in runs.groupby("model", sort=False)}
    base, tuned = by_model[models[0]], by_model[models[1]]
    for setting in [s for s in base.index if s in tuned.index]:
        rows += [
            ("training", None, models[0], models[1], setting, m, base.loc[setting, m], tuned.loc[setting, m])
            for m in metrics
        ]
    columns = ["effect", "model", "before", "after", "at", "metric", "from_score", "to_score"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["gain"] = frame["to_score"] - frame["from_score"]
    return frame.assign(synthetic=is_synthetic(table))
