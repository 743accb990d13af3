"""Separation of right and wrong answers by metrics without a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import MMDU, QUESTION_KINDS, DataError, Rubric
from mmdu_analysis.stats.answer_metrics import METRICS
from mmdu_analysis.stats.breakdowns import kind_of
from mmdu_analysis.stats.given import text_keys
from mmdu_analysis.stats.resampling import FEW_DIALOGS, t_interval
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.validity import concordant_share

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_KEYS = ["model", "dialog_id", "turn"]


def metric_validity(
    metrics: pd.DataFrame, labels: pd.DataFrame, *, ci: float = 0.95, rubric: Rubric = MMDU
) -> pd.DataFrame:
    """Measure the separation of right and wrong answers by each metric.

    Parameters
    ----------
    metrics : pandas.DataFrame
        From `answer_metrics`, or ``load_published("measured_answers")``.
    labels : pandas.DataFrame
        A person's labels, such as ``load_published("correctness")`` or from `load_scores`: right or wrong.
    ci : float, default 0.95
        Width of the interval.
    rubric : Rubric, optional
        The rubric that the labels were loaded with.

    Returns
    -------
    pandas.DataFrame
        One row per model, kind of question and metric: ``model``, ``kind`` (first ``all``), ``metric``,
        ``auc`` (the probability that a right answer has the higher value than a wrong one of the same model
        and kind; 0.5: no separation; below it, right answers have lower values), ``se``, ``low``, ``high``,
        ``n_right``, ``n_wrong``, ``n_dialogs``, ``note``, ``ci``, ``synthetic``. NA if all answers are right,
        all wrong, or in one dialogue. Kinds are those of the metrics, else of the images that the labels
        name; without either only ``all``.

    Raises
    ------
    DataError
        If the labels aren't right or wrong, or match no answer.

    Notes
    -----
    Read the kinds, not ``all``: questions about several images are answered wrongly more often and at greater
    length, so that over all kinds together a metric of length separates kinds of questions and not right from
    wrong.

    The AUC is that of ranks (Mann-Whitney). Its error is clustered by dialogue (Obuchowski 1997, Biometrics
    53:2); the interval is Student's t on the logit scale.
    """
    import pandas as pd

    joined = _with_labels(metrics, labels, rubric)
    rows = []
    for model, part in joined.groupby("model", sort=False):
        for kind in ["all", *(name for name in QUESTION_KINDS if (part["kind"] == name).any())]:
            of_kind = part if kind == "all" else part.loc[part["kind"] == kind]
            for metric in [name for name in METRICS if name in metrics]:
                kept = of_kind.dropna(subset=metric)
                cluster = pd.factorize(kept["dialog_id"])[0]
                found = _auc(kept[metric].to_numpy(float), kept["right"].to_numpy(bool), cluster, ci)
                synthetic = bool(of_kind["synthetic"].any())
                rows.append(
                    {"model": model, "kind": kind, "metric": metric} | found | {"synthetic": synthetic}
                )
    frame = pd.DataFrame(rows).assign(ci=ci)
    frame["synthetic"] = frame.pop("synthetic")
    return frame.astype(dict.fromkeys(("model", "kind", "metric", "note"), "str"))


def _with_labels(metrics: pd.DataFrame, labels: pd.DataFrame, rubric: Rubric) -> pd.DataFrame:
    """Return the measured answers that have a label, with ``right`` and ``kind``."""
    scored = only_dimension(as_scores(labels, rubric=rubric), None, rubric).dropna(subset=["score", "turn"])
    if not scored["score"].isin(rubric.scale).all():
        raise DataError(
            "the labels have other values than right and wrong; expected a person's labels, 0 or 1"
        )
    scored = scored.drop_duplicates(_KEYS)
    right = scored[_KEYS].assign(right=scored["score"] == rubric.scale[1], marked=scored["synthetic"])
    metrics = text_keys(metrics)
    if "kind" not in metrics and "images" in scored:
        named = scored["images"].astype("str").str.count(";").add(1).fillna(0).astype("int64")
        right["kind"] = kind_of(named)
    joined = metrics.astype({"turn": "Int64"}).merge(right.astype({"turn": "Int64"}), on=_KEYS)
    if joined.empty:
        raise DataError("the labels match no answer; models, dialogue ids and turns must agree")
    marked = joined["synthetic"].fillna(False).astype(bool) if "synthetic" in joined else False
    kind = joined.get("kind", "all")
    return joined.assign(synthetic=joined["marked"] | marked, kind=kind)


def _auc(value: np.ndarray, right: np.ndarray, cluster: np.ndarray, ci: float) -> dict[str, Any]:
    """Return the AUC by ranks, with an error clustered by dialogue."""
    import numpy as np

    n_right, n_wrong, n_dialogs = int(right.sum()), int((~right).sum()), len(np.unique(cluster))
    row: dict[str, Any] = dict.fromkeys(("auc", "se", "low", "high"), float("nan"))
    row |= {"n_right": n_right, "n_wrong": n_wrong, "n_dialogs": n_dialogs}
    if not n_right or not n_wrong or n_dialogs < 2:
        return row | {"note": "no right and wrong answers in two dialogues: no estimate"}
    share = concordant_share(value, right)
    auc = float(share[right].mean())
    parts = [
        np.bincount(cluster, np.where(side, share - auc, 0.0), minlength=n_dialogs) / side.sum()
        for side in (right, ~right)
    ]
    se = float(np.sqrt(n_dialogs / (n_dialogs - 1) * ((parts[0] + parts[1]) ** 2).sum()))
    low, high = t_interval(np.array([auc]), np.array([se]), np.array([n_dialogs]), ci, (0.0, 1.0))
    note = f"based on only {n_dialogs} dialogues" if n_dialogs < FEW_DIALOGS else ""
    if se == 0 or not 0 < auc < 1:
        low = high = np.array([np.nan])
        note = "right and wrong answers are separated completely, or not at all: no interval"
    return row | {"auc": auc, "se": se, "low": float(low[0]), "high": float(high[0]), "note": note}
