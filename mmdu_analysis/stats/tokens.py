"""Tokens of texts, of images, and of the context that a model reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from mmdu_analysis.schema import PLACEHOLDERS, DataError, is_synthetic
from mmdu_analysis.stats.image_models import IMAGE_TOKEN_MODELS, image_token_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import tiktoken

DEFAULT_ENCODING = "o200k_base"
# Letters that are new in Unicode 17: toktok supports them, tiktoken 0.14 doesn't, so they split words
# differently. Measured over all code points, in both encodings.
_NEWEST_LETTERS = re.compile(
    "[\u088f\u0c5c\u0cdc\u1acf-\u1aeb\ua7ce-\ua7d4\ua7f1\U00010940-\U00010959\U00010ec5-\U00010ec7"
    "\U00010efa\U00010efb\U00011b60-\U00011b67\U00011db0-\U00011de9\U00016ea0-\U00016ed3\U00016ff2-\U00016ff6"
    "\U000187f8-\U000187ff\U00018d09-\U00018d1e\U00018d80-\U00018df2\U0001e6c0-\U0001e6ff\U0002b73a-\U0002b73f"
    "\U0002cea2-\U0002cead\U000323b0-\U00033479]"
)
_THEIR_FIRST_BYTES = (b"\xe0", b"\xe1", b"\xea", b"\xf0")
"""The first bytes in UTF-8 of these letters; texts in European languages have none of them."""
_CACHED_TEXTS = 300
"""Texts that one thread counts at once: their copies in UTF-8 stay in the processor's cache, a tenth faster."""
_OFFLINE_ENCODINGS = ("o200k_base", "cl100k_base", "o200k_harmony")

FALLBACK_SIZE = (800, 603)
"""Width and height assumed for an unavailable picture: the median of MMDU's pictures."""


def count_tokens(texts: Iterable[str], encoding: str = DEFAULT_ENCODING, *, threads: int = 0) -> np.ndarray:
    """Count the tokens of each text, exactly as tiktoken, but offline.

    Parameters
    ----------
    texts : iterable of str
        The texts; special tokens such as ``<|endoftext|>`` in them are ordinary text.
    encoding : str, default "o200k_base"
        GPT-4o's by default. toktok-rs counts ``o200k_base``, ``cl100k_base`` and ``o200k_harmony``;
        tiktoken the others, from a file that it fetches from the web on first use.
    threads : int, default 0
        Number of threads; 0 uses all cores.

    Returns
    -------
    numpy.ndarray
        int64, shape ``(len(texts),)``.

    Notes
    -----
    Texts with letters that are new in Unicode 17 are counted by tiktoken if its file is available; otherwise
    the count of toktok is returned, which may differ by about one token per letter.

    Raises
    ------
    DataError
        If `texts` is a single text, the encoding is unknown, or tiktoken's file for it is not available.

    Examples
    --------
    >>> count_tokens(["two birds", ""]).tolist()
    [2, 0]
    """
    import numpy as np

    if isinstance(texts, str | bytes):
        raise DataError("texts is one text, expected several; pass [text]")
    items = list(texts)
    if not items:
        return np.zeros(0, dtype=np.int64)
    if encoding not in _OFFLINE_ENCODINGS:
        return np.array(
            [len(ids) for ids in _tiktoken(encoding).encode_ordinary_batch(items)], dtype=np.int64
        )
    import toktok

    size = _CACHED_TEXTS if threads == 1 else len(items)
    result = np.zeros(len(items), dtype=np.int64)
    for start in range(0, len(items), size):
        texts = items[start : start + size]
        try:
            counts = toktok.batch_count(texts, encoding, threads)
        except UnicodeEncodeError:  # lone surrogates are replaced, as in tiktoken
            fixed = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
            counts = toktok.batch_count(fixed, encoding, threads)
        result[start : start + size] = counts
    newest = [index for index, text in enumerate(items) if not text.isascii() and _has_newest_letter(text)]
    if newest:
        with suppress(
            DataError
        ):  # offline, return the count of toktok, which differs by about one token per letter
            ids = _tiktoken(encoding).encode_ordinary_batch([items[index] for index in newest])
            result[newest] = [len(item) for item in ids]
    return result


def _has_newest_letter(text: str) -> bool:
    """Return whether a text has a new letter; bytes are searched first, in a fraction of the time."""
    data = text.encode("utf-8", "surrogatepass")
    return any(byte in data for byte in _THEIR_FIRST_BYTES) and _NEWEST_LETTERS.search(text) is not None


def _tiktoken(encoding: str) -> tiktoken.Encoding:
    import tiktoken

    known = tiktoken.list_encoding_names()
    if encoding not in known:
        raise DataError(f"encoding {encoding!r} is unknown; expected one of {', '.join(sorted(known))}")
    try:
        return tiktoken.get_encoding(encoding)
    except Exception as error:  # errors of requests, and of tiktoken for a damaged file
        raise DataError(
            f"encoding {encoding!r}: tiktoken's file can't be loaded ({type(error).__name__}); go online once, or set "
            f"TIKTOKEN_CACHE_DIR to a folder that holds it, or use {DEFAULT_ENCODING!r}"
        ) from None


def without_placeholders(texts: pd.Series) -> pd.Series:
    """Remove ``<ImageHere>`` and ``<image>``: a placeholder is not text.

    Parameters
    ----------
    texts : pandas.Series of str
        Questions or answers.

    Returns
    -------
    pandas.Series of str
        NA stays NA.
    """
    for placeholder in PLACEHOLDERS:
        texts = texts.str.replace(placeholder, "", regex=False)
    return texts


def image_tokens(images: pd.DataFrame, image_model: str = "paper") -> pd.Series:
    """Estimate the number of tokens of each image in a model.

    Parameters
    ----------
    images : pandas.DataFrame
        ``benchmark.images``: ``width`` and ``height`` in pixels, NA where the picture is not available.
    image_model : str, default "paper"
        ``llava-1.5``, ``llava-1.6``, ``qwen-vl``, ``qwen2-vl``, ``internlm-xc2``, ``internvl-1.5``,
        ``gpt-4o``, ``gpt-4o-low``, ``claude``, ``paper``, ``fixed:N``; sources in `IMAGE_TOKEN_MODELS`.

    Returns
    -------
    pandas.Series
        int64 tokens, with the index of `images`. `FALLBACK_SIZE` is assumed for pictures of unknown size.

    Raises
    ------
    DataError
        If there is no such estimator.

    See Also
    --------
    count_unknown_sizes : The number of pictures for which a size was assumed.

    Examples
    --------
    >>> import pandas as pd
    >>> image_tokens(pd.DataFrame({"width": [1024], "height": [1024]}), "gpt-4o").tolist()
    [765]
    """
    import pandas as pd

    rule = image_token_model(image_model)
    sizes = images[["width", "height"]].astype("Float64")
    sizes.loc[~_known_sizes(images)] = pd.NA
    full = sizes.fillna({"width": FALLBACK_SIZE[0], "height": FALLBACK_SIZE[1]}).astype("int64")
    tokens = full.groupby(["width", "height"], sort=False)["width"].transform(
        lambda group: rule.rule(*full.loc[group.index[0]].tolist())
    )
    return tokens.astype("int64").rename("image_tokens")


def _known_sizes(images: pd.DataFrame) -> pd.Series:
    sizes = images[["width", "height"]].astype("Float64")
    return sizes.notna().all(axis=1) & sizes.gt(0).fillna(False).all(axis=1)


def count_unknown_sizes(images: pd.DataFrame, image_model: str = "paper") -> int:
    """Return the number of pictures for which `image_tokens` assumes a size; 0 for estimators that don't use it."""
    return int((~_known_sizes(images)).sum()) if image_token_model(image_model).uses_size else 0


def compare_image_models(images: pd.DataFrame, models: Iterable[str] | None = None) -> pd.DataFrame:
    """Compare the tokens of the same images in each model.

    Parameters
    ----------
    images : pandas.DataFrame
        As in `image_tokens`.
    models : iterable of str, optional
        Estimators; by default all of `IMAGE_TOKEN_MODELS`.

    Returns
    -------
    pandas.DataFrame
        One row per estimator, in increasing order: ``image_model``, ``mean``, ``median``, ``maximum`` (tokens
        per image), ``difference`` (mean less the paper's 471), ``n_images``, ``n_unknown_size`` (pictures for
        which a size was assumed), ``source``, ``synthetic``.
    """
    import pandas as pd

    rows = []
    for model in models or IMAGE_TOKEN_MODELS:
        tokens = image_tokens(images, model)
        row = {
            "image_model": model,
            "mean": tokens.mean(),
            "median": tokens.median(),
            "maximum": tokens.max(),
        }
        row["difference"] = row["mean"] - IMAGE_TOKEN_MODELS["paper"].rule(0, 0)
        row |= {"n_images": len(tokens), "n_unknown_size": count_unknown_sizes(images, model)}
        rows.append(row | {"source": image_token_model(model).source})
    frame = pd.DataFrame(rows).assign(synthetic=is_synthetic(images))
    return frame.sort_values("mean", kind="stable", ignore_index=True)


def context_growth(
    questions: pd.DataFrame,
    answers: pd.DataFrame,
    images: pd.DataFrame,
    image_model: str | Iterable[str] = "paper",
) -> pd.DataFrame:
    """Measure the tokens that a model reads at each turn, with its own earlier answers as history.

    Parameters
    ----------
    questions : pandas.DataFrame
        One row per turn: ``dialog_id``, ``turn``, ``question_tokens``.
    answers : pandas.DataFrame
        One row per turn of one model: ``dialog_id``, ``turn``, ``answer_tokens``.
    images : pandas.DataFrame
        ``dialog_id``, ``first_turn``, ``width``, ``height``; images without a turn are not counted.
    image_model : str or iterable of str, default "paper"
        Image-token estimators.

    Returns
    -------
    pandas.DataFrame
        One row per estimator and turn: ``image_model``, ``turn``, ``median``, ``low`` and ``high`` (5 %
        and 95 %) of the tokens over the dialogues that reach the turn, ``n_dialogs``, ``synthetic``.
    """
    import pandas as pd

    parts = []
    for model in [image_model] if isinstance(image_model, str) else image_model:
        turns = context_tokens(questions, answers, images, model)
        read = turns.groupby("turn")["context_tokens"]
        bands = read.quantile([0.05, 0.5, 0.95]).unstack().set_axis(["low", "median", "high"], axis=1)
        parts.append(bands.assign(n_dialogs=read.size(), image_model=model).reset_index())
    order = ["image_model", "turn", "median", "low", "high", "n_dialogs"]
    frame = pd.concat(parts, ignore_index=True)[order]
    return frame.assign(synthetic=is_synthetic(questions, answers, images))


def context_tokens(
    questions: pd.DataFrame, answers: pd.DataFrame, images: pd.DataFrame, image_model: str = "paper"
) -> pd.DataFrame:
    """Count the tokens that a model has to read before it answers a turn, this question included.

    Parameters
    ----------
    questions, answers, images
        As in `context_growth`.
    image_model : str, default "paper"
        Image-token estimator.

    Returns
    -------
    pandas.DataFrame
        One row per turn: ``dialog_id``, ``turn``, ``context_tokens``.
    """
    turns = questions.merge(
        answers[["dialog_id", "turn", "answer_tokens"]], on=["dialog_id", "turn"], how="left"
    )
    turns = turns.sort_values(["dialog_id", "turn"], ignore_index=True).fillna({"answer_tokens": 0})
    sums = turns.groupby("dialog_id")[["question_tokens", "answer_tokens"]].cumsum()
    text = sums["question_tokens"] + sums["answer_tokens"] - turns["answer_tokens"]
    placed = images.dropna(subset="first_turn")
    by = [placed["dialog_id"], placed["first_turn"].astype("int64").rename("turn")]
    costs = image_tokens(placed, image_model).groupby(by).sum().rename("new")
    new = turns.join(costs, on=["dialog_id", "turn"])["new"].fillna(0)
    read = text + new.groupby(turns["dialog_id"]).cumsum()
    return turns[["dialog_id", "turn"]].assign(context_tokens=read.astype("int64"))


def tokens_by_image_model(images: pd.DataFrame, text_tokens: float, n_dialogs: int) -> pd.DataFrame:
    """Split the mean tokens of a dialogue into text and images, for each image-token model.

    Parameters
    ----------
    images : pandas.DataFrame
        All images of the dialogues, as in `image_tokens`.
    text_tokens : float
        Mean text tokens per dialogue.
    n_dialogs : int
        Number of dialogues.

    Returns
    -------
    pandas.DataFrame
        One row per estimator, in increasing order: ``image_model``, ``text``, ``images``, ``total`` (mean
        tokens per dialogue), ``synthetic``.
    """
    frame = compare_image_models(images)[["image_model", "mean", "n_images", "synthetic"]]
    frame = frame.assign(text=text_tokens, images=frame["mean"] * frame["n_images"] / n_dialogs)
    frame["total"] = frame["text"] + frame["images"]
    return frame[["image_model", "text", "images", "total", "synthetic"]]
