"""The data of memory decay: a turn or an image of a turn, with its position in the dialogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import MMDU, DataError, Rubric, require_columns
from mmdu_analysis.stats.breakdowns import as_benchmark, kind_of
from mmdu_analysis.stats.given import text_keys
from mmdu_analysis.stats.references import question_images
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import pandas as pd

    Images: TypeAlias = pd.DataFrame | Benchmark | str | Path

Weights = Literal["turn", "image"]

PREDICTORS = ("progress", "distance", "revisit")
KEYS = ["dialog_id", "turn"]


def is_binary(points: pd.Series) -> bool:
    """Return whether outcomes are binary: 0 or 100 points only."""
    return bool(points.isin((0.0, 100.0)).all())


def decay_rows(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    *,
    weights: Weights = "turn",
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Return the data of `memory_decay`, with its predictors.

    Parameters
    ----------
    scores, benchmark, weights, dimension, rubric
        As in `memory_decay`.

    Returns
    -------
    pandas.DataFrame
        One row per turn (an image of a turn with ``weights="image"``): ``model``, ``judge``, ``dialog_id``,
        ``turn``, ``dimension``, ``score`` (rubric's scale; the mean over judges), ``points`` (0-100),
        ``progress`` (turn / last turn of the dialogue), ``distance`` (turns since the image was first asked
        about), ``revisit`` (0 for the first question about it), ``n_referenced`` (images that the turn is
        about), ``kind``, ``n_without_image``, ``synthetic``; with ``weights="image"`` also ``image``.
    """
    scores = as_scores(scores, rubric=rubric)
    images = _predictors(_images_of(scores, benchmark), weights)
    marked = False
    if isinstance(benchmark, Benchmark | str | Path):
        loaded = as_benchmark(benchmark)
        last, marked = loaded.dialogs["n_turns"], bool(getattr(loaded, "synthetic", False))
    else:
        import pandas as pd

        last = pd.concat([scores[KEYS], images[KEYS]]).dropna().groupby("dialog_id")["turn"].max()
    kept = only_dimension(scores, dimension, rubric).dropna(subset=["score", "turn", "dialog_id"])
    if kept.empty:
        raise DataError("no score has a turn number; load the scores with benchmark=")
    groups = kept.groupby(["model", *KEYS, "dimension"], as_index=False, sort=False, observed=True)
    means = groups.agg(score=("score", "mean"), synthetic=("synthetic", "any")).astype({"turn": "int64"})
    rows = means.merge(images, on=KEYS, how="left")
    without = rows["n_referenced"].isna()
    rows["n_without_image"] = without.groupby(rows["model"]).transform("sum").astype("int64")
    rows = rows.loc[~without].astype({"n_referenced": "int64"})
    rows["progress"] = rows["turn"] / rows["dialog_id"].map(last)
    rows["points"] = rubric.to_percent(rows["score"].astype(float))
    rows["synthetic"] |= marked
    rows["kind"] = kind_of(rows["n_referenced"])
    rows["judge"] = "mean" if kept["judge"].nunique() > 1 else kept["judge"].iloc[0]
    position = {model: number for number, model in enumerate(scores["model"].unique())}
    rows = rows.sort_values([*KEYS, *(["image"] if "image" in rows else [])], kind="stable")
    return rows.sort_values("model", key=lambda names: names.map(position), kind="stable", ignore_index=True)


def _predictors(images: pd.DataFrame, weights: str) -> pd.DataFrame:
    """Add ``distance``, ``revisit`` and ``n_referenced`` to the images of turns; one row per turn if wanted."""
    by_image = images.groupby(["dialog_id", "image"])
    images = images.assign(
        distance=images["turn"] - by_image["turn"].transform("min"),
        revisit=by_image.cumcount(),
        n_referenced=images.groupby(KEYS)["image"].transform("size"),
    )
    if weights == "image":
        return images
    groups = images.groupby(KEYS, as_index=False)
    return groups.agg(
        distance=("distance", "mean"), revisit=("revisit", "mean"), n_referenced=("n_referenced", "first")
    )


def _images_of(scores: pd.DataFrame, benchmark: Images | None) -> pd.DataFrame:
    """Return distinct ``dialog_id, turn, image``, in the order of the dialogue."""
    if isinstance(benchmark, Benchmark | str | Path):
        images = question_images(as_benchmark(benchmark))
    elif benchmark is not None:
        require_columns(benchmark, [*KEYS, "image"], "a frame of question_images")
        images = text_keys(benchmark)[[*KEYS, "image"]]
    elif "images" in scores:
        stated = scores.dropna(subset=["images", "turn"]).drop_duplicates(KEYS)
        images = stated[KEYS].assign(image=stated["images"].astype("str").str.split(";")).explode("image")
        images = images.loc[images["image"] != ""].astype({"image": "int64"})
    else:
        raise DataError("it is unknown which images a turn is about; pass benchmark=")
    images = images.drop_duplicates().astype({"turn": "int64"})
    return images.sort_values([*KEYS, "image"], ignore_index=True)
