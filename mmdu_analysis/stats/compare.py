"""Comparison of data with the paper: Table 1 and Figure 4, with differences and their likely reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import NotAvailable, is_synthetic
from mmdu_analysis.stats.dataset import (
    BINS,
    as_lengths,
    count_missing,
    dataset_statistics,
    distribution,
    measured,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.stats.dataset import Source


def compare_statistics(benchmark: Source, published: pd.DataFrame, dataset: str = "MMDU") -> pd.DataFrame:
    """Compare Table 1 of the data with the published one.

    Parameters
    ----------
    benchmark : Benchmark, `dialog_lengths` frame, or path or paths
        The data.
    published : pandas.DataFrame
        ``load_published("statistics")``.
    dataset : {"MMDU", "MMDU-45k"}, default "MMDU"
        The published column to compare with.

    Returns
    -------
    pandas.DataFrame
        One row per published number: ``statistic``, ``measure`` (average, maximum, value), ``ours``, ``paper``,
        ``difference`` (ours less paper) and ``likely_reason`` (empty if rounding explains it).
    """
    whole = measured(benchmark)
    lengths, ours = whole.table, dataset_statistics(whole)
    paper = published.loc[published["dataset"] == dataset].set_index("statistic")
    long = paper.reset_index().melt("statistic", ["average", "maximum", "value"], "measure", "paper").dropna()
    order = {name: rank for rank, name in enumerate(paper.index)}
    long = long.sort_values("statistic", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    long.insert(2, "ours", [ours.loc[row.statistic, row.measure] for row in long.itertuples()])
    long = long.astype({"ours": "Float64", "paper": "Float64"})
    long["difference"] = long["ours"] - long["paper"]
    long["likely_reason"] = [
        _reason(row.statistic, row.ours, row.paper, lengths) for row in long.itertuples()
    ]
    return long.assign(synthetic=is_synthetic(lengths))


def compare_distributions(benchmark: Source, published: pd.DataFrame) -> pd.DataFrame:
    """Compare Figure 4 of the data with the published one.

    Parameters
    ----------
    benchmark : Benchmark, `dialog_lengths` frame, or path or paths
        The data.
    published : pandas.DataFrame
        ``load_published("distributions")``.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``distribution``, ``bin``, ``count``, ``ours`` and ``paper`` (percent),
        ``difference``, ``likely_reason``. Values are NA for bins that the paper doesn't have.
    """
    import pandas as pd

    lengths = as_lengths(benchmark)
    parts = []
    for by in ("turns", "images", "tokens", "questions"):
        shares = _shares(lengths, by).rename(columns={"percent": "ours"})
        paper = published.loc[published["distribution"] == by, "percent"].tolist()
        extra = len(shares) - len(paper)
        # "no image" is the first kind of questions and has no published share.
        shares["paper"] = [pd.NA] * extra + paper if extra >= 0 else [pd.NA] * len(shares)
        shares.insert(0, "distribution", by)
        parts.append(shares)
    frame = pd.concat(parts, ignore_index=True).astype(
        {"ours": "Float64", "paper": "Float64", "count": "Int64"}
    )
    frame["difference"] = frame["ours"] - frame["paper"]
    statistic = {
        "turns": "turns",
        "images": "images",
        "tokens": "image_text_tokens",
        "questions": "single_image_questions",
    }
    frame["likely_reason"] = [
        _reason(statistic[row.distribution], row.ours, row.paper, lengths) for row in frame.itertuples()
    ]
    return frame.assign(synthetic=is_synthetic(lengths))


def _shares(lengths: pd.DataFrame, by: Any) -> pd.DataFrame:
    """Return the shares of a panel; NA if too few references are known."""
    import pandas as pd

    try:
        return distribution(lengths, by)[["bin", "count", "percent"]]
    except NotAvailable:
        labels = [label for label, *_ in BINS[by]]
        return pd.DataFrame({"bin": labels, "count": pd.NA, "percent": float("nan")})


def _reason(statistic: str, ours: float, paper: float, lengths: pd.DataFrame) -> str:
    """Return the likely reason why a number differs from the paper's, if the data shows it."""
    import pandas as pd

    missing = count_missing(lengths)
    if "tokens" in statistic and missing and pd.isna(ours):
        return f"{missing:,} of {int(lengths['n_turns'].sum()):,} references are missing from the data"
    if pd.isna(ours) or pd.isna(paper):
        return "not in the paper" if pd.isna(paper) else "not in the data"
    exact = statistic in ("dialogs", "qa_pairs", "unique_images") and paper < 10_000
    if abs(ours - paper) <= (0.5 if exact else max(abs(paper) * 0.01, 0.1)):
        return ""
    if "tokens" in statistic and missing:
        return f"{missing:,} of {int(lengths['n_turns'].sum()):,} references are missing from the data"
    if statistic in ("turns", "qa_pairs") and lengths["n_turns"].max() == 20:
        return "the data ends at turn 20 of each dialogue"
    if statistic.endswith("questions"):
        return "the paper doesn't define it; here: images that the question names"
    if statistic in ("images", "unique_images"):
        return "the paper's shares or counts differ from the images listed in the data"
    return ""
