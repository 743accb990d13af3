"""Words of questions and answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mmdu_analysis.schema import DataError, is_synthetic, require_columns
from mmdu_analysis.stats.breakdowns import as_benchmark
from mmdu_analysis.stats.tokens import without_placeholders

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CJK = re.compile(r"[\u3400-\u9fff]")
_IMAGE_NAME = re.compile(
    r"(?<![A-Za-z])(?:images?|pictures?|photos?)[\s#<>_-]{0,3}\d{0,3}(?![A-Za-z])|第\s?[\d一二三四五六七八九十]+\s?张|图(?:片|像)?\s?\d*",
    re.IGNORECASE,
)
_CHINESE_STOP = frozenset(
    (
        "的 了 和 是 在 与 及 或 中 对 有 这 那 些 哪 哪些 什么 如何 怎样 它们 它 他们 您 你 我 个 "
        "之间 以及 这些 那些 可以 能 为 从 上 下 等 并"
    ).split()
)


def stop_words() -> frozenset[str]:
    """Return the words that are left out: wordcloud's English list and common Chinese particles."""
    from wordcloud import STOPWORDS

    own = {"also", "may", "might", "can", "could", "would", "one", "two", "each", "shown", "using", "e", "g"}
    return frozenset(STOPWORDS) | own | _CHINESE_STOP


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words, without stop words, numbers and image names.

    Parameters
    ----------
    text : str
        Any script; Chinese needs the extra ``chinese`` (jieba).

    Returns
    -------
    list of str
        In the order of the text.

    Raises
    ------
    DataError
        If the text holds Chinese and jieba isn't installed.
    """
    plain = _IMAGE_NAME.sub(" ", text)
    pieces: Iterable[str] = _WORD.findall(plain)
    if _CJK.search(plain):
        pieces = (piece for word in pieces for piece in (_cut_chinese(word) if _CJK.search(word) else [word]))
    ignored = _stop_words_cached()
    lowered = (_possessive(piece.lower().replace("’", "'")) for piece in pieces)
    return [word for word in lowered if word not in ignored and (len(word) > 1 or _CJK.match(word))]


_STOP: frozenset[str] = frozenset()


def _stop_words_cached() -> frozenset[str]:
    global _STOP
    _STOP = _STOP or stop_words()
    return _STOP


def _possessive(word: str) -> str:
    return word.removesuffix("'s")


def _cut_chinese(text: str) -> list[str]:
    try:
        import jieba
    except ImportError:
        raise DataError(
            "splitting Chinese text into words needs jieba; pip install 'mmdu-analysis[chinese]'"
        ) from None
    jieba.setLogLevel("ERROR")
    return list(jieba.cut(text))


def merge_plurals(counts: Counter[str]) -> Counter[str]:
    """Merge the counts of a plural and its singular, under the more frequent form, if both occur.

    Parameters
    ----------
    counts : collections.Counter
        Lower-case word -> count.

    Returns
    -------
    collections.Counter
        With ``building`` and ``buildings`` as one word.
    """
    merged = Counter(counts)
    for word in counts:
        for ending, singular_ending in (("ies", "y"), ("es", ""), ("s", "")):
            singular = word.removesuffix(ending) + singular_ending
            if word.endswith(ending) and len(singular) > 2 and singular in merged and word in merged:
                if word.endswith("ss") or (ending == "s" and singular.endswith("s")):
                    continue
                total = merged.pop(word) + merged.pop(singular)
                merged[max((singular, word), key=lambda form: (counts[form], form == singular))] += total
                break
    return merged


def count_words(texts: Iterable[str]) -> pd.DataFrame:
    """Count the words of texts.

    Parameters
    ----------
    texts : iterable of str
        Without placeholders.

    Returns
    -------
    pandas.DataFrame
        One row per word: ``word``, ``count`` (int64), in decreasing order; ties in alphabetical order.
    """
    import pandas as pd

    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_of(text))
    ranked = sorted(merge_plurals(counts).items(), key=lambda item: (-item[1], item[0]))
    return pd.DataFrame(ranked, columns=["word", "count"]).astype({"word": "str", "count": "int64"})


def word_frequencies(
    benchmark: Benchmark | str | Path, field: Literal["question", "answer"] = "question"
) -> pd.DataFrame:
    """Count the words of a benchmark's questions or references.

    Parameters
    ----------
    benchmark : Benchmark, path or name
        The dialogues.
    field : {"question", "answer"}, default "question"
        Texts to count; empty references are left out.

    Returns
    -------
    pandas.DataFrame
        One row per word: ``word``, ``count`` (int64), in decreasing order, ``field``, ``synthetic``. Stop
        words and image names such as ``Image1`` are left out; ``building`` and ``Buildings`` are one word.

    Raises
    ------
    DataError
        If `field` is neither, or there is Chinese text and jieba isn't installed.
    """
    if field not in ("question", "answer"):
        raise DataError(f"no field {field!r}; expected 'question' or 'answer'")
    benchmark = as_benchmark(benchmark)
    counts = count_words(without_placeholders(benchmark.turns[field].dropna()))
    return counts.assign(field=field, synthetic=bool(benchmark.synthetic))


def distinctive_words(questions: pd.DataFrame, answers: pd.DataFrame, *, prior: float = 0.01) -> pd.DataFrame:
    """Find the words that distinguish questions from answers.

    Parameters
    ----------
    questions, answers : pandas.DataFrame
        ``word`` and ``count``, from `word_frequencies`.
    prior : float, default 0.01
        Weight of the prior: each word's share in both together, times this share of all words.

    Returns
    -------
    pandas.DataFrame
        One row per word: ``word``, ``count_question``, ``count_answer``, ``log_odds`` (positive: of
        questions), ``z`` (log-odds by its standard error), in decreasing order of ``z``, ``synthetic``.

    Notes
    -----
    Log-odds ratio with an informative Dirichlet prior: Monroe, Colaresi and Quinn, Fightin' Words,
    Political Analysis 16(4), 2008.
    """
    import numpy as np
    import pandas as pd

    for frame in (questions, answers):
        require_columns(frame, ["word", "count"], "a frame of word_frequencies")
    counts = {
        "count_question": questions.set_index("word")["count"],
        "count_answer": answers.set_index("word")["count"],
    }
    both = pd.concat(counts, axis=1).fillna(0)
    total = both.to_numpy().sum()
    weight = both.sum(axis=1) * prior
    odds = {}
    for column in both:
        count = both[column] + weight
        odds[column] = np.log(count / (both[column].sum() + prior * total - count))
    both["log_odds"] = odds["count_question"] - odds["count_answer"]
    spread = np.sqrt(1 / (both["count_question"] + weight) + 1 / (both["count_answer"] + weight))
    both["z"] = both["log_odds"] / spread
    both = both.astype({"count_question": "int64", "count_answer": "int64"}).rename_axis("word")
    frame = both.sort_values("z", ascending=False, kind="stable").reset_index()
    return frame.astype({"word": "str"}).assign(synthetic=is_synthetic(questions, answers))
