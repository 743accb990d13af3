"""Points of turns or dialogues that can be selected in a chart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from mmdu_analysis.schema import MMDU, DataError, NotAvailable, Rubric, is_synthetic
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.tokens import count_tokens
from mmdu_analysis.stats.turns_where import turn_facts

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

Exploration = Literal[
    "context", "turn", "answer_length", "n_images", "distance", "models", "topics", "length"
]
EXPLORATIONS: tuple[Exploration, ...] = get_args(Exploration)
_KEYS = ["dialog_id", "turn"]


class Points(NamedTuple):
    """Points of a chart.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per point: ``dialog_id``, ``turn`` (Int64, NA for a dialogue), ``group`` (model, topic, or
        empty), ``x``, ``y``, ``synthetic``.
    x, y : str
        Titles of the axes, with units.
    group : str
        Title of the groups; empty if there are none.
    """

    frame: pd.DataFrame
    x: str
    y: str
    group: str


def explore_points(
    benchmark: Benchmark,
    answers: pd.DataFrame | None,
    scores: pd.DataFrame | None,
    name: Exploration = "context",
    *,
    models: tuple[str, str] | None = None,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> Points:
    """Return the points of a chart that is linked with the dialogue browser.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    answers, scores : pandas.DataFrame or None
        From `load_answers` and `load_scores`.
    name : {"context", "turn", "answer_length", "n_images", "distance", "models", "topics", "length"}
        Quantity on the horizontal axis. The vertical axis is the score of a model's answer to a turn, except
        for ``models`` (the score of one model against another one's), ``topics`` (a map of the dialogues) and
        ``length`` (the number of turns and of images of the dialogues).
    models : tuple of two str, optional
        For ``models``; by default the first two.
    dimension : str, optional
        By default the overall score.
    rubric : Rubric, default MMDU
        Of the scores.

    Returns
    -------
    Points

    Raises
    ------
    NotAvailable
        If required scores or answers are missing.
    DataError
        If `name` or a model is unknown.
    """
    if name not in EXPLORATIONS:
        raise DataError(f"no chart {name!r} to explore; expected one of {', '.join(EXPLORATIONS)}")
    if name == "topics":
        return _topics(benchmark)
    if name == "length":
        return _lengths(benchmark)
    if scores is None:
        raise NotAvailable(f"the chart {name!r} shows scores; pass scores=, or explore 'topics' or 'length'")
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric).dropna(
        subset=["score", "turn"]
    )
    kept = kept.astype({"dialog_id": "str", "turn": "int64", "model": "str"})
    grouped = kept.groupby(["model", *_KEYS], sort=False, observed=True)["score"].mean()
    table = rubric.to_percent(grouped).rename("y").reset_index()
    mark = is_synthetic(scores, benchmark.turns)
    if name == "models":
        return _two_models(table, models, mark)
    values, title = _HORIZONTAL[name](benchmark, answers)
    keys = [key for key in ("model", *_KEYS) if key in values]
    table = table.merge(values, on=keys, how="inner")
    return Points(_points(table, table["model"], mark), title, "score, 0-100", "model")


def _context(benchmark: Benchmark, _: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    from mmdu_analysis.stats.breakdowns import describe_turns

    turns = describe_turns(benchmark)
    return turns[[*_KEYS, "context_tokens"]].rename(columns={"context_tokens": "x"}), "context, tokens"


def _turn(benchmark: Benchmark, _: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    return benchmark.turns[_KEYS].assign(x=benchmark.turns["turn"].astype(float)), "turn"


def _answer_length(_: Benchmark, answers: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    if answers is None:
        raise NotAvailable("the length of answers needs answers=")
    lengths = count_tokens(answers["answer"].fillna("").astype("str"))
    frame = answers[["model", *_KEYS]].astype({"model": "str", "dialog_id": "str", "turn": "int64"})
    return frame.assign(x=lengths.astype(float)), "length of the answer, tokens"


def _fact(column: str, title: str) -> Callable[[Benchmark, pd.DataFrame | None], tuple[pd.DataFrame, str]]:
    def values(benchmark: Benchmark, _: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
        facts = turn_facts(benchmark)[[*_KEYS, column]].rename(columns={column: "x"})
        return facts.dropna(subset="x").astype({"x": float}), title

    return values


_HORIZONTAL: dict[str, Callable[[Benchmark, pd.DataFrame | None], tuple[pd.DataFrame, str]]] = {
    "context": _context,
    "turn": _turn,
    "answer_length": _answer_length,
    "n_images": _fact("n_images", "images that the question is about"),
    "distance": _fact("distance", "turns since the first of the images was shown"),
}


def _two_models(table: pd.DataFrame, models: tuple[str, str] | None, mark: bool) -> Points:
    have = table["model"].unique().tolist()
    first, second = models or [*have, None, None][:2]
    if first not in have or second not in have:
        raise DataError(f"got the models {first!r} and {second!r}, expected two of {have[:20]}")
    wide = table.loc[table["model"].isin([first, second])].pivot(index=_KEYS, columns="model", values="y")
    wide = wide[[first, second]].dropna().set_axis(["x", "y"], axis=1).reset_index()
    return Points(_points(wide, "", mark), f"score of {first}, 0-100", f"score of {second}, 0-100", "")


def _topics(benchmark: Benchmark) -> Points:
    import pandas as pd

    from mmdu_analysis.stats.topics import topic_groups

    found = topic_groups(benchmark)
    names = found.topics["name"]
    frame = found.dialogs.rename_axis("dialog_id").reset_index().assign(turn=pd.NA)
    groups = frame["topic"].map(lambda topic: f"{topic}: {names[topic]}")
    return Points(_points(frame, groups, benchmark.synthetic), "map, no unit", "map, no unit", "topic")


def _lengths(benchmark: Benchmark) -> Points:
    import pandas as pd

    dialogs = benchmark.dialogs.rename_axis("dialog_id").reset_index()
    frame = dialogs.assign(
        x=dialogs["n_turns"].astype(float), y=dialogs["n_images"].astype(float), turn=pd.NA
    )
    return Points(
        _points(frame, "", benchmark.synthetic), "turns of the dialogue", "images of the dialogue", ""
    )


def _points(frame: pd.DataFrame, group: pd.Series | str, synthetic: bool) -> pd.DataFrame:
    columns = [*_KEYS, "group", "x", "y"]
    points = frame.assign(group=group)[columns].astype({"group": "str", "turn": "Int64", "dialog_id": "str"})
    return points.reset_index(drop=True).assign(synthetic=bool(synthetic))
