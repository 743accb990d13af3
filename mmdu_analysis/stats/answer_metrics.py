"""Answers without a judge: length, overlap with the reference, images named, repetition, refusals."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DataError, DataWarning, require_columns
from mmdu_analysis.stats.references import image_references, question_images
from mmdu_analysis.stats.resampling import RESAMPLES, bootstrap_weights, interval
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.tokens import count_tokens

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

METRICS = {
    "answer_tokens": "length in tokens",
    "rouge_l": "ROUGE-L against the reference",
    "token_f1": "token F1 against the reference",
    "hallucinated_images": "images named but not asked about",
    "unseen_images": "images named before they were shown",
    "forgotten_images": "images asked about but not named",
    "repetition": "share of repeated 4-grams",
    "refusal": "the answer declines",
}
"""Metric -> what it is, in words."""

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|afraid|unable|not able)|i (?:can(?:no|')t|could not|couldn't) "
    r"(?:see|view|tell|determine|identify|provide|answer|assist|help|access|describe|compare)|"
    r"as an ai\b|unable to (?:see|view|determine|identify|provide|answer)|(?:is|are) not (?:possible|provided)|"
    r"(?:cannot|can't) be (?:determined|identified)|no images? (?:is|are|was|were)? ?(?:provided|shown))|"
    r"抱歉|对不起|无法(?:看到|确定|回答|提供|识别|判断)|不能(?:看到|确定|回答|识别)",
    re.IGNORECASE,
)
_GRAM = 4


def answer_metrics(answers: pd.DataFrame, bench: Benchmark) -> pd.DataFrame:
    """Measure each answer without a judge.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `load_answers`.
    bench : Benchmark
        The dialogues that were answered, with their references as far as they are known.

    Returns
    -------
    pandas.DataFrame
        One row an answer that found its turn: ``model``, ``dialog_id``, ``turn`` and the columns of
        `METRICS`: ``answer_tokens`` (o200k_base); ``rouge_l`` and ``token_f1`` (0-1; NA without a
        reference); ``hallucinated_images``, ``unseen_images`` and ``forgotten_images`` (counts);
        ``repetition`` (0-1; NA below 4 words); ``refusal`` (True or False).
        ``attrs["n_unmatched"]`` counts answers to turns that the benchmark doesn't have; a warning
        tells it. ``attrs["n_references"]`` counts the turns with a reference.

    Raises
    ------
    DataError
        If no answer finds its turn.

    Notes
    -----
    ROUGE-L (Lin 2004) is the F-measure of the longest common subsequence of words, by rapidfuzz; token F1 is
    SQuAD's (Rajpurkar et al. 2016) over the same words. Words are runs of letters and digits in lower case,
    a Chinese character is one. Repetition is 1 - distinct / all 4-grams (seq-rep-4, Welleck et al. 2020).
    An answer need not name the images that it speaks of: a forgotten image is one not named.
    """
    import pandas as pd

    require_columns(answers, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
    turns = bench.turns.rename(columns={"answer": "reference"})
    rows = answers[["model", "dialog_id", "turn", "answer"]].merge(
        turns[["dialog_id", "turn", "reference", "images_so_far"]], on=["dialog_id", "turn"]
    )
    lost = len(answers) - len(rows)
    if rows.empty:
        raise DataError(f"none of the {lost:,} answers finds its turn; dialogue ids and turns must agree")
    if lost:
        text = f"{lost:,} of {len(answers):,} answers are to turns that {bench.name} doesn't have; left out"
        warnings.warn(text, DataWarning, stacklevel=2)
    asked = question_images(bench).groupby(["dialog_id", "turn"])["image"].agg(frozenset).to_dict()
    shown = _shown(bench)
    measured = [
        _measure(answer, reference, asked.get(key, frozenset()), shown.get(key, frozenset()))
        for answer, reference, key in zip(
            rows["answer"], rows["reference"], zip(rows["dialog_id"], rows["turn"], strict=True), strict=True
        )
    ]
    frame = pd.concat([rows[["model", "dialog_id", "turn"]], pd.DataFrame(measured)], axis=1)
    frame.insert(3, "answer_tokens", count_tokens(rows["answer"]))
    synthetic = bool(bench.synthetic or answers.attrs.get("synthetic"))
    n_references = int(bench.turns["answer"].notna().sum())
    frame.attrs = {"n_unmatched": lost, "n_references": n_references, "synthetic": synthetic}
    return frame


def _shown(bench: Benchmark) -> dict[tuple[str, int], frozenset[int]]:
    """Give the numbers of the images shown up to each turn."""
    numbers = bench.images.groupby("dialog_id", sort=False)["image"].agg(list).to_dict()
    keys = bench.turns[["dialog_id", "turn", "images_so_far"]].itertuples(index=False)
    return {(key, turn): frozenset(numbers.get(key, [])[:count]) for key, turn, count in keys}


def _measure(answer: str, reference: Any, asked: frozenset[int], shown: frozenset[int]) -> dict[str, Any]:
    named = set(image_references(answer))
    words = words_of_answer(answer)
    overlap = (
        overlap_scores(words, words_of_answer(reference)) if isinstance(reference, str) else (None, None)
    )
    return {
        "rouge_l": overlap[0],
        "token_f1": overlap[1],
        "hallucinated_images": len(named - asked),
        "unseen_images": len(named - shown),
        "forgotten_images": len(asked - named),
        "repetition": repeated_share(words),
        "refusal": _REFUSAL.search(answer.replace("’", "'")) is not None,
    }


def words_of_answer(text: str) -> list[str]:
    """Split a text into lower-case words; a Chinese character is a word."""
    return _WORD.findall(text.lower())


def overlap_scores(words: list[str], reference: list[str]) -> tuple[float, float]:
    """Give ROUGE-L and token F1 of two lists of words, each 0-1; 0 where one of them is empty."""
    from rapidfuzz.distance import LCSseq

    total = len(words) + len(reference)
    if not words or not reference:
        return 0.0, 0.0
    common = sum((Counter(words) & Counter(reference)).values())
    return 2 * LCSseq.similarity(words, reference) / total, 2 * common / total


def repeated_share(words: list[str]) -> float | None:
    """Give the share of 4-grams that stood before; None for fewer than 4 words."""
    grams = list(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else None


def metric_validity(
    metrics: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how well each metric tells right answers from wrong ones.

    Parameters
    ----------
    metrics : pandas.DataFrame
        From `answer_metrics`.
    labels : pandas.DataFrame
        A person's labels, such as ``load_published("correctness")`` or from `load_scores`: right or wrong.
    ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a model and metric: ``model``, ``metric``, ``auc`` (the chance that a right answer has the
        higher value than a wrong one of the same model; 0.5 tells nothing, below it right answers have the
        lower value), ``low``, ``high`` (bootstrap over dialogues), ``n_right``, ``n_wrong``,
        ``n_dialogs``. NA where all answers are right, all wrong, or in one dialogue.

    Raises
    ------
    DataError
        If the labels aren't right or wrong, or fit no answer.
    """
    import numpy as np
    import pandas as pd

    scored = only_dimension(as_scores(labels), None).dropna(subset=["score", "turn"])
    if not scored["score"].isin((0, 10)).all():
        raise DataError(
            "the labels hold other scores than right and wrong; expected a person's labels, 0 or 1"
        )
    keys = ["model", "dialog_id", "turn"]
    right = scored.drop_duplicates(keys)[keys].assign(right=scored["score"] == 10).astype({"turn": "Int64"})
    joined = metrics.astype({"turn": "Int64"}).merge(right, on=keys)
    if joined.empty:
        raise DataError("the labels fit no answer; models, dialogue ids and turns must agree")
    rows = []
    for model, part in joined.groupby("model", sort=False):
        for metric in METRICS:
            kept = part.dropna(subset=metric)
            cluster, dialogs = pd.factorize(kept["dialog_id"])
            wins, pairs, counts = _pairs_by_dialog(
                kept[metric].to_numpy(float), kept["right"].to_numpy(bool), cluster, len(dialogs)
            )
            auc, low, high = (np.array(np.nan) for _ in range(3))
            if pairs.sum() and len(dialogs) > 1:
                auc = wins.sum() / pairs.sum()
                low, high = interval(_auc_draws(wins, counts, n_resamples, seed), len(dialogs), ci)
            rows.append(
                (
                    model,
                    metric,
                    float(auc),
                    float(low),
                    float(high),
                    *counts.sum(axis=1).astype(int),
                    len(dialogs),
                )
            )
    columns = ["model", "metric", "auc", "low", "high", "n_right", "n_wrong", "n_dialogs"]
    frame = pd.DataFrame(rows, columns=columns).astype({"model": "str", "metric": "str"})
    frame.attrs = {"synthetic": bool(metrics.attrs.get("synthetic")), "ci": ci}
    return frame


def _pairs_by_dialog(
    value: np.ndarray, right: np.ndarray, cluster: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count for each two dialogues the pairs of a right and a wrong answer, and those that the right one wins."""
    import numpy as np

    member = np.eye(n_clusters)[cluster]
    won = np.sign(value[right][:, None] - value[~right][None, :]) / 2 + 0.5
    wins = member[right].T @ won @ member[~right]
    counts = np.array([member[right].sum(axis=0), member[~right].sum(axis=0)])
    return wins, np.outer(*counts), counts


def _auc_draws(wins: np.ndarray, counts: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    import numpy as np

    blocks = []
    for weights in bootstrap_weights(len(wins), n_resamples, seed):
        n_right, n_wrong = weights @ counts[0], weights @ counts[1]
        with np.errstate(invalid="ignore"):
            blocks.append(((weights @ wins) * weights).sum(axis=1) / (n_right * n_wrong))
    return np.concatenate(blocks)
