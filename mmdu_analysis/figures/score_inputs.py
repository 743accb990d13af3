"""What figures of scores are drawn from: the user's scores, else labels of real answers, else the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.figures.inputs import Inputs
from mmdu_analysis.io.benchmark import load_benchmark
from mmdu_analysis.schema import SYNTHETIC_LABEL, DataError
from mmdu_analysis.stats.answer_metrics import answer_metrics
from mmdu_analysis.stats.breakdowns import (
    add_context,
    describe_turns,
    join_turns,
    kind_of,
    score_breakdown,
    score_trend,
)
from mmdu_analysis.stats.decay import PREDICTORS, decay_curve, decay_rows, memory_decay
from mmdu_analysis.stats.length_control import adjust_for_length
from mmdu_analysis.stats.metric_validity import metric_validity
from mmdu_analysis.stats.pairs import compare_all_models, rank_models
from mmdu_analysis.stats.scores import as_scores, only_dimension, score_table, summarize_scores
from mmdu_analysis.synthetic.sample import MODELS, sample_answers, sample_scores

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

LABELS_SOURCE = "two models' answers to MMDU as a person judged them (Baozpy/Analysis_VLM_memory_decay, 2026)"


def model_table(inputs: Inputs) -> pd.DataFrame:
    """Give Table 2 with the user's own models, and their intervals, put into it; a published name is replaced."""
    import pandas as pd

    published = load_published("main_results")
    if inputs.scores is None:
        return published
    own = score_table(summarize_scores(inputs.scores), access_of(inputs))
    if inputs.scores.attrs.get("synthetic"):  # made-up models have no place beside real ones
        own.attrs["source"] = SYNTHETIC_LABEL
        return own
    kept = published.loc[~published["model"].isin(own["model"])].assign(own=False)
    table = pd.concat([kept, own.assign(own=True)], ignore_index=True)
    table.attrs = {"source": f"{published.attrs['source']}, and own data (bold)", "ci": own.attrs["ci"]}
    return table


def access_of(inputs: Inputs) -> dict[str, str]:
    """Give each model's access: as the user says, else as published for its name, else the sample's."""
    published = load_published("main_results").set_index("model")["access"].to_dict()
    return published | MODELS | inputs.access if _synthetic(inputs) else published | inputs.access


def _synthetic(inputs: Inputs) -> bool:
    return inputs.scores is None or bool(inputs.scores.attrs.get("synthetic"))


def scores_of(inputs: Inputs) -> pd.DataFrame:
    """Give the user's scores, else the sample's."""
    scores = sample_scores() if inputs.scores is None else inputs.scores
    scores.attrs["source"] = SYNTHETIC_LABEL if scores.attrs.get("synthetic") else "own data"
    return scores


def labelled_turns() -> pd.DataFrame:
    """Join a person's labels of the real answers with what is measured of their turns."""
    turns = load_published("measured_questions")
    turns["n_referenced"] = turns["images"].str.count(";").add(1).fillna(0).astype("int64")
    turns["kind"] = kind_of(turns["n_referenced"])
    dialogs = load_published("measured_dialogs").set_index("dialog_id")["n_images"]
    turns = turns.drop(columns="images").join(dialogs, on="dialog_id")
    answers, images = load_published("measured_answers"), load_published("measured_images")
    turns = add_context(turns, answers[["model", "dialog_id", "turn", "answer_tokens"]], images)
    labels = as_scores(load_published("correctness"))
    known = labels.merge(turns[["dialog_id", "turn"]].drop_duplicates(), on=["dialog_id", "turn"])
    joined = join_turns(known, turns)
    joined.attrs |= {"source": LABELS_SOURCE, "n_unmatched": len(labels) - len(known)}
    return joined


def breakdown(inputs: Inputs, what: str) -> pd.DataFrame:
    """Break the user's scores down, else the labels of the real answers; dimensions are the judge's."""
    if what == "dimension":
        scores = scores_of(inputs)
        frame = score_breakdown(scores, what)
        frame.attrs["source"] = scores.attrs["source"]
        return frame
    if inputs.scores is None:
        return score_breakdown(labelled_turns(), what)
    frame = score_breakdown(inputs.scores, what, describe_turns(benchmark_of(inputs), inputs.answers))
    frame.attrs["source"] = scores_of(inputs).attrs["source"]
    return frame


def benchmark_of(inputs: Inputs) -> Benchmark:
    """Give the benchmark that the user's scores belong to.

    Raises
    ------
    DataError
        If there is none.
    """
    if inputs.bench is not None:
        return inputs.bench
    if inputs.scores is not None and inputs.scores.attrs.get("synthetic"):
        return load_benchmark("sample")
    raise DataError("these figures need the benchmark that was judged; give it with --data")


def turn_curves(inputs: Inputs) -> pd.DataFrame:
    """Give scores by turn, with each model's slope within dialogues."""
    scores = scores_of(inputs)
    curves = score_breakdown(scores, "turn")
    slopes = score_trend(scores, "turn")[["model", "slope", "low", "high"]]
    slopes = slopes.rename(columns={"low": "slope_low", "high": "slope_high"})
    frame = curves.merge(slopes, on="model", how="left")
    frame.attrs = dict(curves.attrs) | {"source": scores.attrs["source"]}
    return frame


def ranks(inputs: Inputs) -> pd.DataFrame:
    """Rank the models of the user's scores, else the sample's."""
    scores = scores_of(inputs)
    frame = rank_models(scores)
    frame.attrs["source"] = scores.attrs["source"]
    return frame


def pairs(inputs: Inputs) -> pd.DataFrame:
    """Compare each two models in the Overall Score, or in the only dimension there is."""
    scores = scores_of(inputs)
    frame = compare_all_models(only_dimension(as_scores(scores), None))
    frame.attrs["source"] = scores.attrs["source"]
    return frame


def length_adjusted(inputs: Inputs) -> pd.DataFrame:
    """Put scores beside the answers' lengths: the user's where both are given, else the sample's."""
    own = inputs.scores is not None and inputs.answers is not None
    scores = scores_of(inputs) if own else scores_of(Inputs())
    frame = adjust_for_length(scores, inputs.answers if own else sample_answers())
    frame.attrs["source"] = scores.attrs["source"]
    return frame


def _decay_source(inputs: Inputs) -> tuple[pd.DataFrame, Benchmark | None]:
    if inputs.scores is None:
        labels = load_published("correctness")
        labels.attrs = {"source": LABELS_SOURCE}
        return labels, None
    return scores_of(inputs), benchmark_of(inputs)


def decay(inputs: Inputs, along: str) -> pd.DataFrame:
    """Give scores along a predictor of memory decay, with each model's coefficient."""
    scores, images = _decay_source(inputs)
    curve = decay_curve(scores, images, along)
    coefficients = memory_decay(scores, images)
    coefficients = coefficients.loc[coefficients["predictor"] == along, ["model", "coef", "low", "high"]]
    coefficients = coefficients.rename(columns={"low": "coef_low", "high": "coef_high"})
    frame = curve.merge(coefficients, on="model", how="left")
    frame.attrs = dict(curve.attrs)
    return frame


def decay_coefficients(inputs: Inputs) -> pd.DataFrame:
    """Give the coefficients of memory decay, alone and at equal kinds of questions."""
    import pandas as pd

    scores, images = _decay_source(inputs)
    spans = decay_rows(scores, images)[list(PREDICTORS)].quantile(0.95)
    parts = [memory_decay(scores, images, adjust=adjust).assign(adjusted=adjust) for adjust in (False, True)]
    attrs = dict(parts[0].attrs)
    frame = pd.concat(parts, ignore_index=True)
    frame["span"] = frame["predictor"].map(spans)
    order = frame["predictor"].map({name: place for place, name in enumerate(PREDICTORS)})
    frame = frame.assign(_order=order).sort_values(["_order", "model", "adjusted"], ignore_index=True)
    frame = frame.drop(columns="_order")
    frame.attrs = attrs
    return frame


def validity(inputs: Inputs) -> pd.DataFrame:
    """Measure how well metrics tell right from wrong, on the user's labels or on those of the real answers."""
    labelled = inputs.scores is not None and set(inputs.scores["dimension"]) == {"Correct"}
    if labelled and inputs.answers is not None and inputs.bench is not None:
        frame = metric_validity(answer_metrics(inputs.answers, inputs.bench), inputs.scores)
        frame.attrs["source"] = "own data"
        return frame
    frame = metric_validity(load_published("measured_answers"), load_published("correctness"))
    frame.attrs["source"] = LABELS_SOURCE
    return frame
