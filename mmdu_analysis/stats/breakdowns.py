"""Scores by what a turn is like: its number, its images, its context, its kind."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import DataError, DataWarning, require_columns
from mmdu_analysis.stats.dataset import BINS, answer_tokens, question_tokens
from mmdu_analysis.stats.resampling import RESAMPLES, cluster_ratios, two_sided_p
from mmdu_analysis.stats.scores import as_scores, only_dimension, summarize_scores
from mmdu_analysis.stats.tokens import context_tokens, count_tokens

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["dialog_id", "turn"]
_KINDS = ("no image", "one image", "several images")
CONTEXT_BINS = (
    ("<1k", 0, 999),
    ("1-2k", 1_000, 1_999),
    ("2-4k", 2_000, 3_999),
    ("4-8k", 4_000, 7_999),
    (">=8k", 8_000, float("inf")),
)
"""Bins of the context in tokens, both edges inside."""
BREAKDOWNS: dict[str, tuple[str, tuple[tuple[str, float, float], ...] | None]] = {
    "turn": ("turn", None),
    "images": ("n_images", BINS["images"]),
    "named_images": (
        "n_referenced",
        (("0", 0, 0), ("1", 1, 1), ("2", 2, 2), ("3", 3, 3), ("4", 4, 4), (">4", 5, float("inf"))),
    ),
    "context": ("context_tokens", CONTEXT_BINS),
    "kind": ("kind", None),
}
"""What scores are broken down by -> the column that `describe_turns` gives, and its bins."""


def describe_turns(
    bench: Benchmark, answers: pd.DataFrame | None = None, *, image_model: str = "paper"
) -> pd.DataFrame:
    """Say of each turn what its scores may depend on.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    answers : pandas.DataFrame, optional
        From `load_answers`: the context then holds each model's own earlier answers, as when the paper's
        models were run. Without it, it holds the references.
    image_model : str, default "paper"
        As in `image_tokens`.

    Returns
    -------
    pandas.DataFrame
        One row a turn (a model and turn with `answers`): ``dialog_id``, ``turn``, ``n_turns`` and ``n_images``
        (of the dialogue), ``images_so_far``, ``question_tokens``, ``n_referenced`` (images that the
        question is about), ``kind`` (``no image``, ``one image``, ``several images``),
        ``context_tokens`` (to read before answering, this question included).
    """
    turns = question_tokens(bench)
    turns["kind"] = kind_of(turns["n_referenced"])
    turns = turns.join(bench.dialogs[["n_turns", "n_images"]], on="dialog_id")
    columns = [*_KEYS, "n_turns", "n_images", "images_so_far", "question_tokens", "n_referenced", "kind"]
    if answers is None:
        histories = bench.turns[_KEYS].assign(answer_tokens=answer_tokens(bench).fillna(0).astype("int64"))
    else:
        require_columns(answers, ["model", *_KEYS, "answer"], "a frame of answers")
        histories = answers[["model", *_KEYS]].assign(answer_tokens=count_tokens(answers["answer"]))
    return add_context(turns[columns], histories, bench.images, image_model)


def kind_of(n_referenced: pd.Series) -> pd.Series:
    """Name a question's kind by the number of images that it is about."""
    return n_referenced.clip(upper=2).map(dict(enumerate(_KINDS))).astype("str")


def add_context(
    turns: pd.DataFrame, histories: pd.DataFrame, images: pd.DataFrame, image_model: str = "paper"
) -> pd.DataFrame:
    """Add ``context_tokens`` to turns: one row a turn and history.

    Parameters
    ----------
    turns : pandas.DataFrame
        ``dialog_id``, ``turn``, ``question_tokens``, and more.
    histories : pandas.DataFrame
        ``dialog_id``, ``turn``, ``answer_tokens``; with ``model`` one history a model.
    images : pandas.DataFrame
        As in `context_tokens`.
    image_model : str
        Image-token estimator.

    Returns
    -------
    pandas.DataFrame
        `turns` with ``context_tokens``, and ``model`` where histories have it.
    """
    import pandas as pd

    if "model" not in histories:
        return turns.merge(context_tokens(turns, histories, images, image_model), on=_KEYS)
    parts = [
        turns.merge(context_tokens(turns, history, images, image_model), on=_KEYS).assign(model=model)
        for model, history in histories.groupby("model", sort=False)
    ]
    return pd.concat(parts, ignore_index=True).astype({"model": "str"})


def join_turns(scores: pd.DataFrame, turns: pd.DataFrame | Benchmark) -> pd.DataFrame:
    """Join scores with what is known about their turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    turns : pandas.DataFrame or Benchmark
        From `describe_turns`, or any frame with ``dialog_id`` and ``turn`` (and ``model``); a benchmark is
        described first.

    Returns
    -------
    pandas.DataFrame
        The scores that found their turn, with the columns of `turns`. ``attrs["n_unmatched"]`` is the number of
        rows that found none (their turn is NA, or isn't in the data); a warning tells it.

    Raises
    ------
    DataError
        If no row finds its turn.
    """
    if isinstance(turns, Benchmark):
        turns = describe_turns(turns)
    scores = as_scores(scores)
    keys = [*(["model"] if "model" in turns else []), *_KEYS]
    added = [*keys, *(column for column in turns if column not in scores)]
    joined = scores.merge(turns[added].astype({"turn": "Int64"}), on=keys, how="left", indicator="_found")
    found = joined.pop("_found") == "both"
    lost = int((~found).sum())
    if lost == len(joined):
        raise DataError(
            f"none of the {lost:,} scores found its turn; they need turn numbers and the benchmark's dialogue ids"
        )
    if lost:
        text = f"{lost:,} of {len(joined):,} scores found no turn in the data and are left out"
        warnings.warn(text, DataWarning, stacklevel=2)
    result = joined.loc[found].reset_index(drop=True)
    result.attrs = dict(scores.attrs) | {"n_unmatched": lost}
    return result


def score_breakdown(
    scores: pd.DataFrame,
    what: str = "turn",
    turns: pd.DataFrame | Benchmark | None = None,
    *,
    dimension: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Break scores down by dimension, or by what their turns are like.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, `join_turns` or labels.
    what : {"dimension", "turn", "images", "named_images", "context", "kind"}, default "turn"
        The dimension; the turn's number; images of the dialogue; images that the question is about; tokens
        to read before answering; whether the question is about no, one or several images.
    turns : pandas.DataFrame or Benchmark, optional
        As in `join_turns`, for what the scores don't carry themselves.
    dimension : str, optional
        Name or short name; by default the Overall Score, or the only dimension there is. Has no meaning for
        ``what="dimension"``.
    **options
        ``average``, ``ci``, ``n_resamples``, ``seed`` of `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a model and bin: ``model``, ``bin``, and the columns of `summarize_scores`; bins in their
        order. ``attrs["n_unmatched"]`` as in `join_turns`; ``attrs["breakdown"]`` is `what`.

    Raises
    ------
    DataError
        If `what` is unknown or what it needs isn't there.
    """
    if what == "dimension":
        frame = summarize_scores(scores, "model", **options)
        frame.insert(1, "bin", frame["dimension"])
        frame.attrs["breakdown"] = what
        return frame
    binned = _binned(scores, what, turns, dimension)
    frame = summarize_scores(binned, ["model", "bin"], **options)
    frame.attrs |= {key: binned.attrs[key] for key in ("n_unmatched", "source") if key in binned.attrs}
    frame.attrs |= {"breakdown": what, "column": BREAKDOWNS[what][0]}
    return frame


def turns_behind(
    scores: pd.DataFrame,
    what: str,
    bin: object,
    turns: pd.DataFrame | Benchmark | None = None,
    *,
    model: str | None = None,
    dimension: str | None = None,
) -> pd.DataFrame:
    """Name the turns behind a point of a breakdown, for ``browse(bench, where=...)``.

    Parameters
    ----------
    scores, what, turns, dimension
        As in `score_breakdown`.
    bin : str or number
        One of the breakdown's bins.
    model : str, optional
        Only this model's turns.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``dialog_id``, ``turn``, ``score`` (0-10), lowest scores first.

    Raises
    ------
    DataError
        If there is no such bin or model.
    """
    binned = _binned(scores, what, turns, dimension)
    found = binned.loc[binned["bin"].astype("str") == str(bin)]
    if model is not None:
        found = found.loc[found["model"] == model]
    if found.empty:
        bins = [str(name) for name in binned["bin"].cat.categories]
        raise DataError(f"no turn in bin {str(bin)!r} of {what}, model {model!r}; bins are {', '.join(bins)}")
    ordered = found.sort_values("score", kind="stable", ignore_index=True)
    return ordered[["model", "dialog_id", "turn", "score"]]


def _binned(
    scores: pd.DataFrame, what: str, turns: pd.DataFrame | Benchmark | None, dimension: str | None
) -> pd.DataFrame:
    """Add the breakdown's bins to scores, as an ordered column ``bin``."""
    import pandas as pd

    if what not in BREAKDOWNS:
        raise DataError(f"no breakdown by {what!r}; expected dimension, {', '.join(BREAKDOWNS)}")
    column, bins = BREAKDOWNS[what]
    joined = only_dimension(_with_column(scores, column, turns), dimension)
    if bins is None:
        joined = joined.dropna(subset=column)
        order = list(_KINDS) if what == "kind" else sorted(joined[column].unique())
        labels = joined[column]
    else:
        order = [label for label, _, _ in bins]
        labels = pd.Series("", index=joined.index, dtype="str")
        for label, low, high in bins:
            labels[joined[column].between(low, high)] = label
    binned = joined.assign(bin=pd.Categorical(labels, categories=order, ordered=True))
    binned.attrs = dict(joined.attrs)
    return binned


def _with_column(scores: pd.DataFrame, column: str, turns: pd.DataFrame | Benchmark | None) -> pd.DataFrame:
    scores = as_scores(scores)
    if column in scores:
        return scores
    if turns is None:
        raise DataError(f"the scores have no column {column!r}; give turns=, a benchmark or describe_turns()")
    return join_turns(scores, turns)


def score_trend(
    scores: pd.DataFrame,
    what: str = "turn",
    turns: pd.DataFrame | Benchmark | None = None,
    *,
    dimension: str | None = None,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how much a model's score changes with the turn, the images or the context.

    Parameters
    ----------
    scores, turns, dimension
        As in `score_breakdown`.
    what : {"turn", "images", "named_images", "context"}, default "turn"
        As in `score_breakdown`.
    ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``, ``predictor``, ``slope`` (points on 0-100 for one turn or image more, or for
        1,000 tokens more), ``se``, ``low``, ``high``, ``p_value``, ``n_dialogs``, ``n_turns``.

    Notes
    -----
    Within dialogues: each score and each predictor less its mean over the model's turns of the dialogue, so
    that long dialogues, which alone reach late turns, don't pass for a fall. The number of images is
    the dialogue's own, so there the slope is between dialogues. Clustered by dialogue, as
    `summarize_scores`.
    """
    import numpy as np
    import pandas as pd

    if what not in BREAKDOWNS or what == "kind":
        raise DataError(f"no trend along {what!r}; expected turn, images, named_images or context")
    column = BREAKDOWNS[what][0]
    kept = only_dimension(_with_column(scores, column, turns), dimension).dropna(subset=["score", column])
    kept = kept.assign(
        _x=kept[column].astype(float) / (1_000 if what == "context" else 1), _y=10 * kept["score"]
    )
    around = ["model"] if what == "images" else ["model", "dialog_id"]
    centred = kept[["_x", "_y"]] - kept.groupby(around)[["_x", "_y"]].transform("mean")
    models = list(kept["model"].unique())
    model = pd.Categorical(kept["model"], categories=models).codes.astype(np.int64)
    x, y = centred["_x"].to_numpy(), centred["_y"].to_numpy()
    cluster = pd.factorize(kept["dialog_id"])[0]
    options: dict[str, Any] = {"ci": ci, "n_resamples": n_resamples, "seed": seed}
    ratios = cluster_ratios(model, cluster, x * y, x * x, len(models), **options)
    frame = pd.DataFrame({"model": pd.array(models, dtype="str"), "predictor": what})
    frame["slope"] = ratios["estimate"]
    frame[["se", "low", "high"]] = ratios[["se", "low", "high"]]
    frame["p_value"] = two_sided_p(*(ratios[name].to_numpy() for name in ("estimate", "se", "n_clusters")))
    frame["n_dialogs"] = ratios["n_clusters"]
    frame["n_turns"] = np.bincount(model, minlength=len(models))
    frame.attrs = {"ci": ci, "synthetic": bool(scores.attrs.get("synthetic"))}
    return frame
