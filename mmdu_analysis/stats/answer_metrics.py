"""Answers without a judge: length, overlap with the reference, images named, repetition, refusals."""

from __future__ import annotations

import re
import string
import unicodedata
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import CoverageWarning, DataError, require_columns
from mmdu_analysis.stats.breakdowns import as_benchmark, kind_of
from mmdu_analysis.stats.given import one_per_turn
from mmdu_analysis.stats.references import image_references, question_images
from mmdu_analysis.stats.refusals import is_refusal
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, count_tokens

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "answer_tokens": "length in tokens",
    "rouge_l": "ROUGE-L against the reference",
    "token_f1": "token F1 against the reference",
    "hallucinated_images": "images named but not asked about",
    "unseen_images": "images named before they were shown",
    "forgotten_images": "images asked about but not named",
    "repetition": "share of repeated 4-grams",
    "refusal": "the answer is a refusal",
}
"""Metric -> description."""

# Chinese characters and Japanese kana are written without spaces: each one is a word.
_UNSPACED = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uff66-\uff9f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SQUAD_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_GRAM = 4


def answer_metrics(
    answers: pd.DataFrame, benchmark: Benchmark | str | Path, *, encoding: str = DEFAULT_ENCODING
) -> pd.DataFrame:
    """Measure each answer without a judge.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `load_answers`.
    benchmark : Benchmark, path or name
        The dialogues that were answered, with their references, if known.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.DataFrame
        One row per answer to a turn of the benchmark: ``model``, ``dialog_id``, ``turn`` and the columns of
        `METRICS`: ``answer_tokens``; ``rouge_l`` and ``token_f1`` (0-1; NA without a
        reference); ``hallucinated_images``, ``unseen_images`` and ``forgotten_images`` (counts);
        ``repetition`` (0-1; NA below 4 words); ``refusal`` (True or False); ``kind`` of the question,
        ``n_unmatched`` (answers to turns that the benchmark doesn't have, the same in all rows),
        ``synthetic``.

    Raises
    ------
    DataError
        If no answer belongs to a turn of the benchmark.

    Warns
    -----
    CoverageWarning
        If answers belong to no turn of the benchmark.

    Notes
    -----
    ROUGE-L (Lin 2004) is the F-measure of the longest common subsequence of words, by rapidfuzz. Its words
    are runs of letters and digits in lower case. Token F1 is SQuAD's (Rajpurkar et al. 2016): lower case,
    without punctuation and the articles a, an, the, split at spaces. In both a Chinese character and a
    Japanese kana is a word of its own. Repetition is 1 - distinct / all 4-grams (seq-rep-4, Welleck et al.
    2020). An answer need not name the images that it is about: a forgotten image is one not named.
    """
    import pandas as pd

    require_columns(answers, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
    benchmark, answers = as_benchmark(benchmark), one_per_turn(answers, "answers")
    rows = _with_turns(answers, benchmark)
    asked = question_images(benchmark).groupby(["dialog_id", "turn"])["image"].agg(frozenset).to_dict()
    shown = _shown(benchmark)
    keys = list(zip(rows["dialog_id"], rows["turn"], strict=True))
    measured = [
        _measure(answer, reference, asked.get(key, frozenset()), shown.get(key, frozenset()))
        for answer, reference, key in zip(rows["answer"], rows["reference"], keys, strict=True)
    ]
    frame = pd.concat([rows[["model", "dialog_id", "turn"]], pd.DataFrame(measured)], axis=1)
    frame.insert(3, "answer_tokens", count_tokens(rows["answer"], encoding))
    frame["kind"] = kind_of(pd.Series([len(asked.get(key, ())) for key in keys]))
    return frame.assign(n_unmatched=len(answers) - len(rows), synthetic=rows["synthetic"])


def _with_turns(answers: pd.DataFrame, benchmark: Benchmark) -> pd.DataFrame:
    """Return the answers that belong to a turn, with its reference; warn about the others."""
    turns = benchmark.turns.rename(columns={"answer": "reference"})
    rows = answers[["model", "dialog_id", "turn", "answer"]].assign(synthetic=_marked(answers))
    turns = turns[["dialog_id", "turn", "reference", "images_so_far"]].assign(_marked=_marked(turns))
    rows = rows.merge(turns, on=["dialog_id", "turn"])
    lost = len(answers) - len(rows)
    if rows.empty:
        raise DataError(
            f"none of the {lost:,} answers belongs to a turn of the benchmark; dialogue ids and turns must agree"
        )
    if lost:
        text = (
            f"{lost:,} of {len(answers):,} answers are to turns that {benchmark.name} doesn't have; left out"
        )
        warnings.warn(text, CoverageWarning, stacklevel=3)
    rows["synthetic"] |= rows.pop("_marked")
    return rows


def _marked(frame: pd.DataFrame) -> Any:
    return frame["synthetic"].fillna(False).astype(bool) if "synthetic" in frame else False


def _shown(benchmark: Benchmark) -> dict[tuple[str, int], frozenset[int]]:
    """Return the numbers of the images shown up to each turn."""
    numbers = benchmark.images.groupby("dialog_id", sort=False)["image"].agg(list).to_dict()
    keys = benchmark.turns[["dialog_id", "turn", "images_so_far"]].itertuples(index=False)
    return {(key, turn): frozenset(numbers.get(key, [])[:count]) for key, turn, count in keys}


def _measure(answer: str, reference: Any, asked: frozenset[int], shown: frozenset[int]) -> dict[str, Any]:
    named = set(image_references(answer))
    words = words_of_answer(answer)
    known = isinstance(reference, str)
    return {
        "rouge_l": rouge_l(words, words_of_answer(reference)) if known else None,
        "token_f1": token_f1(answer, reference) if known else None,
        "hallucinated_images": len(named - asked),
        "unseen_images": len(named - shown),
        "forgotten_images": len(asked - named),
        "repetition": repeated_share(words),
        "refusal": is_refusal(answer),
    }


def words_of_answer(text: str) -> list[str]:
    """Return the lower-case words of a text; a Chinese character or a Japanese kana is a word."""
    return _WORD.findall(text.lower())


def rouge_l(words: list[str], reference: list[str]) -> float:
    """Return the F-measure of the longest common subsequence of two lists of words; 0 if one is empty."""
    from rapidfuzz.distance import LCSseq

    if not words or not reference:
        return 0.0
    return 2 * LCSseq.similarity(words, reference) / (len(words) + len(reference))


def squad_tokens(text: str) -> list[str]:
    """Return the tokens of a text as in SQuAD's evaluation.

    Parameters
    ----------
    text : str
        An answer or a reference.

    Returns
    -------
    list of str
        Lower case, without punctuation (of any script) and the articles a, an, the, split at spaces; a
        Chinese character or a Japanese kana is a token.

    Examples
    --------
    >>> squad_tokens("The dog's bowl, a red one.")
    ['dogs', 'bowl', 'red', 'one']
    """
    plain = "".join(char for char in text.lower() if not _is_punctuation(char))
    return _SQUAD_TOKEN.findall(_ARTICLES.sub(" ", plain))


def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or (not char.isascii() and unicodedata.category(char).startswith("P"))


def token_f1(answer: str, reference: str) -> float:
    """Return SQuAD's F1 of two texts, 0-1; 0 if one of them has no tokens."""
    tokens, wanted = squad_tokens(answer), squad_tokens(reference)
    common = sum((Counter(tokens) & Counter(wanted)).values())
    return 2 * common / (len(tokens) + len(wanted)) if common else 0.0


def repeated_share(words: list[str]) -> float | None:
    """Return the share of 4-grams that occurred before; None for fewer than 4 words."""
    grams = list(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else None
