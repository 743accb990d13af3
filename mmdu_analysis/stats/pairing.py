"""Two models on the turns that both have: the computation of comparisons and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DataError, Rubric
from mmdu_analysis.stats.resampling import FEWEST_FOR_T, clustered_ratio, sign_flip_p, two_sided_p
from mmdu_analysis.stats.scores import AVERAGES, turn_points

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NOT_COMPARED = "not compared: no shared turn"
_CELL = ["judge", "dialog_id", "turn", "dimension"]


@dataclass(frozen=True)
class Pairing:
    """Scores with one column per model, prepared once for all pairs.

    Attributes
    ----------
    points : dict
        Model -> its points on each cell (judge, dialogue, turn, dimension); NaN if it has none.
    block : numpy.ndarray of int
        The block (dimension and dialogue) of each cell.
    block_dimension : numpy.ndarray of int
        The dimension of each block, as a position in `dimensions`.
    counts : pandas.DataFrame
        Scored turns by model and dimension.
    synthetic : pandas.DataFrame
        Whether a model's scores of a dimension are synthetic.
    average : str
        As in `summarize_scores`.
    """

    models: list[str]
    dimensions: list[str]
    points: dict[str, np.ndarray]
    block: np.ndarray
    block_dimension: np.ndarray
    counts: pd.DataFrame
    synthetic: pd.DataFrame
    average: str


def pair_scores(scores: pd.DataFrame, average: str, rubric: Rubric) -> Pairing:
    """Return the scores with one column per model."""
    import pandas as pd

    if average not in AVERAGES:
        raise DataError(f"average {average!r} is unknown; expected one of {', '.join(AVERAGES)}")
    models, dimensions = list(scores["model"].unique()), rubric.order(scores["dimension"].unique())
    turns = turn_points(scores, [], average, rubric).dropna(subset="points")
    by_model = turns.groupby(["model", "dimension"], observed=True)
    counts = by_model.size().unstack(fill_value=0).reindex(models, columns=dimensions, fill_value=0)
    synthetic = by_model["synthetic"].any().unstack().reindex(models, columns=dimensions)
    known = turns.dropna(subset=["dialog_id", "turn"])
    # A file may contain a turn twice without repeat numbers; its mean is used.
    wide = known.pivot_table(index=_CELL, columns="model", values="points", aggfunc="mean", observed=True)
    wide = wide.reindex(columns=models)
    blocks = wide.groupby(["dimension", "dialog_id"], observed=True)
    named = blocks.size().index.get_level_values("dimension")
    return Pairing(
        models,
        dimensions,
        {model: wide[model].to_numpy(float) for model in models},
        blocks.ngroup().to_numpy(),
        pd.Categorical(named.astype("str"), categories=dimensions).codes.astype("int64"),
        counts,
        synthetic.astype("boolean").fillna(False).astype(bool),
        average,
    )


def compare_pair(pairing: Pairing, a: str, b: str, options: dict[str, Any]) -> pd.DataFrame:
    """Compare two models in each dimension, on the cells that both have."""
    import numpy as np
    import pandas as pd

    first, second = pairing.points[a], pairing.points[b]
    shared = ~np.isnan(first) & ~np.isnan(second)
    n_blocks, n_dimensions = len(pairing.block_dimension), len(pairing.dimensions)

    def by_block(values: np.ndarray) -> np.ndarray:
        return np.bincount(pairing.block[shared], values, minlength=n_blocks)

    turns = by_block(np.ones(int(shared.sum())))
    tops = {"mean_a": by_block(first[shared]), "mean_b": by_block(second[shared])}
    present = turns > 0
    group, bottom = pairing.block_dimension[present], turns[present]
    tops = {name: sums[present] for name, sums in tops.items()}
    if pairing.average == "dialog":
        tops, bottom = {name: sums / bottom for name, sums in tops.items()}, np.ones(len(bottom))
    totals = np.bincount(group, bottom, minlength=n_dimensions)
    frame = pd.DataFrame({"dimension": pd.array(pairing.dimensions, dtype="str")})
    with np.errstate(invalid="ignore"):
        for name, sums in tops.items():
            frame[name] = np.bincount(group, sums, minlength=n_dimensions) / totals
    difference = tops["mean_a"] - tops["mean_b"]
    ratios = clustered_ratio(group, difference, bottom, n_dimensions, **options)
    frame["difference"] = ratios["estimate"]
    frame[["se", "low", "high"]] = ratios[["se", "low", "high"]]
    frame["p_value"] = two_sided_p(*(ratios[name].to_numpy() for name in ("estimate", "se", "n_clusters")))
    frame["n_dialogs"] = ratios["n_clusters"].astype("int64")
    frame["n_turns"] = np.bincount(pairing.block_dimension, turns, n_dimensions).astype("int64")
    scored = (pairing.counts.loc[a] + pairing.counts.loc[b]).to_numpy()
    frame["n_unpaired"] = (scored - 2 * frame["n_turns"]).astype("int64")
    frame["test"], frame["note"] = "t", ratios["note"]
    frame["synthetic"] = (pairing.synthetic.loc[a] | pairing.synthetic.loc[b]).to_numpy()
    return _exact_where_few(frame, group, difference)


def _exact_where_few(frame: pd.DataFrame, group: np.ndarray, difference: np.ndarray) -> pd.DataFrame:
    """Replace the t-test by the exact sign-flip test if its standard error is meaningless."""
    n_dialogs = frame["n_dialogs"]
    few = n_dialogs.between(2, FEWEST_FOR_T - 1) | ((n_dialogs > 1) & (frame["se"] == 0))
    for number in frame.index[few]:
        frame.loc[number, "p_value"] = sign_flip_p(difference[group == number])
        count, smallest = n_dialogs[number], 2.0 ** (1 - n_dialogs[number])
        reason = f"{count} dialogues" if count < FEWEST_FOR_T else f"the same difference in {count} dialogues"
        frame.loc[number, "note"] = f"{reason}: exact sign-flip test (p at least {smallest:.2g}), no interval"
    frame.loc[few, "test"] = "sign-flip"
    frame.loc[few, ["low", "high"]] = float("nan")
    alone = n_dialogs < 2
    frame.loc[alone, "p_value"] = float("nan")
    frame.loc[n_dialogs == 0, "note"] = NOT_COMPARED
    return frame.astype({"note": "str", "test": "str"})
