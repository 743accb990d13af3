"""Own models among the published ones."""

from __future__ import annotations

import pandas as pd

from mmdu_analysis import load_published
from mmdu_analysis.stats.places import place_among_published


def test_ranks_of_several_own_models_count_each_other():
    """Otherwise the rank of a model lies outside the ranks of its interval."""
    means = {"a": (58.8, 57.1, 60.5), "b": (58.0, 56.5, 59.5), "c": (29.5, 27.9, 31.1)}
    summary = pd.DataFrame([(m, "Overall Score", *v) for m, v in means.items()],
                           columns=["model", "dimension", "mean", "low", "high"])  # fmt: skip
    table = place_among_published(summary, load_published("main_results")).set_index("model")
    published = table.loc[~table["own"], "mean"]
    assert (published > 60.5).sum() == (published > 56.5).sum() == 3
    assert table.loc["a", ["rank_low", "rank", "rank_high"]].tolist() == [4, 4, 5]
    assert table.loc["b", ["rank_low", "rank", "rank_high"]].tolist() == [4, 5, 5]
    above = 2 + (published > 31.1).sum()
    assert table.loc["c", ["rank_low", "rank_high"]].tolist() == [1 + above, 1 + 2 + (published > 27.9).sum()]
    own = table.loc[table["own"]]
    assert own["rank"].between(own["rank_low"], own["rank_high"]).all()
    assert table.loc["c", "rank"] == 3 + (published > 29.5).sum()
