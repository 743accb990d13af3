"""Text tokens, and the tokens that an image costs in the models that read it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.schema import PLACEHOLDERS, DataError, is_synthetic

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import tiktoken

DEFAULT_ENCODING = "o200k_base"
# Letters that are new in Unicode 17: toktok knows them, tiktoken 0.14 doesn't yet, so each cuts words
# elsewhere. Measured over all code points, in both encodings.
_NEWEST_LETTERS = re.compile(
    "[\u088f\u0c5c\u0cdc\u1acf-\u1aeb\ua7ce-\ua7d4\ua7f1\U00010940-\U00010959\U00010ec5-\U00010ec7"
    "\U00010efa\U00010efb\U00011b60-\U00011b67\U00011db0-\U00011de9\U00016ea0-\U00016ed3\U00016ff2-\U00016ff6"
    "\U000187f8-\U000187ff\U00018d09-\U00018d1e\U00018d80-\U00018df2\U0001e6c0-\U0001e6ff\U0002b73a-\U0002b73f"
    "\U0002cea2-\U0002cead\U000323b0-\U00033479]"
)
_ASCII = bytes(range(128))
_OFFLINE_ENCODINGS = ("o200k_base", "cl100k_base", "o200k_harmony")

FALLBACK_SIZE = (800, 603)
"""Width and height assumed for a picture that isn't at hand: the median of MMDU's own pictures."""


def count_tokens(texts: Iterable[str], encoding: str = DEFAULT_ENCODING, *, threads: int = 0) -> np.ndarray:
    """Count the tokens of each text, exactly as tiktoken does, without the web.

    Parameters
    ----------
    texts : iterable of str
        The texts; special tokens such as ``<|endoftext|>`` in them are ordinary text.
    encoding : str, default "o200k_base"
        GPT-4o's by default. toktok-rs counts ``o200k_base``, ``cl100k_base`` and ``o200k_harmony``;
        tiktoken the others, from a file that it fetches from the web on first use.
    threads : int, default 0
        How many to count with; 0 takes every core.

    Returns
    -------
    numpy.ndarray
        int64, shape ``(len(texts),)``.

    Notes
    -----
    Texts with letters that are new in Unicode 17 are counted by tiktoken itself where its file is at hand;
    else toktok's count stands, which may differ by a token or so a letter.

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

    try:
        counts = toktok.batch_count(items, encoding, threads)
    except UnicodeEncodeError:  # lone surrogates: tiktoken replaces them, so do we
        fixed = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in items]
        counts = toktok.batch_count(fixed, encoding, threads)
    result = np.array(counts, dtype=np.int64)
    newest = [place for place, text in enumerate(items) if not text.isascii() and _has_newest_letter(text)]
    if newest:
        with suppress(DataError):  # offline toktok's count stands, which differs by a token or so a letter
            ids = _tiktoken(encoding).encode_ordinary_batch([items[place] for place in newest])
            result[newest] = [len(item) for item in ids]
    return result


def _has_newest_letter(text: str) -> bool:
    """Look among the few letters that are not ASCII, which is several times as fast as among all."""
    rare = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
    return _NEWEST_LETTERS.search(rare.decode("utf-8", "surrogatepass")) is not None


def _tiktoken(encoding: str) -> tiktoken.Encoding:
    import tiktoken

    known = tiktoken.list_encoding_names()
    if encoding not in known:
        raise DataError(f"encoding {encoding!r} is unknown; expected one of {', '.join(sorted(known))}")
    try:
        return tiktoken.get_encoding(encoding)
    except Exception as error:  # requests' errors, and tiktoken's own for a damaged file
        raise DataError(
            f"encoding {encoding!r}: tiktoken's file can't be had ({type(error).__name__}); go online once, or set "
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


class ImageTokenModel(NamedTuple):
    """How a model turns a picture into tokens.

    Attributes
    ----------
    rule : callable
        ``(width, height) -> tokens``.
    uses_size : bool
        False where every picture costs the same.
    source : str
        Where the rule is written down.
    """

    rule: Callable[[int, int], int]
    uses_size: bool
    source: str


def _constant(tokens: int) -> Callable[[int, int], int]:
    return lambda _width, _height: tokens


def _best_llava_grid(width: int, height: int) -> tuple[int, int]:
    """Choose LLaVA-1.6's grid of 336-pixel tiles: most picture kept, then least canvas wasted."""
    best, chosen = (-1, 0), (1, 1)
    for columns, rows in ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3)):
        scale = min(columns * 336 / width, rows * 336 / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        score = (kept, kept - columns * rows * 336 * 336)
        if score > best:
            best, chosen = score, (columns, rows)
    return chosen


def llava_next_tokens(width: int, height: int) -> int:
    """Count LLaVA-1.6's tokens: an overview of 576, the unpadded tiles, one line end a row.

    Source: the LLaVA-NeXT announcement (January 2024) and its released configuration
    (``anyres`` over five grids of 336-pixel tiles, 24 x 24 patches each, ``spatial_unpad``).
    """
    columns, rows = _best_llava_grid(width, height)
    grid_width, grid_height = 24 * columns, 24 * rows
    if width / height > grid_width / grid_height:
        kept = int(round(height * grid_width / width, 7))
        grid_height -= (grid_height - kept) // 2 * 2
    else:
        kept = int(round(width * grid_height / height, 7))
        grid_width -= (grid_width - kept) // 2 * 2
    return 576 + grid_width * grid_height + grid_height


def qwen2_vl_tokens(width: int, height: int) -> int:
    """Count Qwen2-VL's tokens: one a 28 x 28 patch, sides rounded to 28, 3,136 to 12,845,056 pixels.

    Source: Qwen2-VL (arXiv 2409.12191), section 2, with the limits of the released
    ``preprocessor_config.json``.
    """
    unit, least, most = 28, 3_136, 12_845_056
    columns, rows = max(1, round(width / unit)), max(1, round(height / unit))
    pixels = columns * rows * unit * unit
    if pixels > most:
        shrink = math.sqrt(width * height / most)
        columns, rows = (max(1, math.floor(side / shrink / unit)) for side in (width, height))
    elif pixels < least:
        grow = math.sqrt(least / (width * height))
        columns, rows = (math.ceil(side * grow / unit) for side in (width, height))
    return columns * rows


_INTERNVL_GRIDS = sorted(
    ((columns, rows) for columns in range(1, 13) for rows in range(1, 13) if columns * rows <= 12),
    key=lambda grid: grid[0] * grid[1],
)


def internvl_tokens(width: int, height: int) -> int:
    """Count InternVL-Chat-V1.5's tokens: 256 for each of 1-12 tiles of 448 pixels, and an overview.

    Source: InternVL 1.5 (arXiv 2404.16821), section 3.2: the grid of the closest aspect ratio; of two
    equally close ones the larger where the picture fills over half of it.
    """
    aspect, best, chosen = width / height, math.inf, (1, 1)
    for columns, rows in _INTERNVL_GRIDS:
        distance = abs(aspect - columns / rows)
        fills = width * height > 0.5 * 448 * 448 * columns * rows
        if distance < best or (distance == best and fills):
            best, chosen = distance, (columns, rows)
    tiles = chosen[0] * chosen[1]
    return 256 * (tiles + (tiles > 1))


def gpt4o_tokens(width: int, height: int) -> int:
    """Count GPT-4o's tokens at high detail: 85 and 170 a tile of 512 pixels.

    Source: OpenAI's vision guide: fit into 2048 x 2048, then the shorter side to 768; only ever scaled
    down.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    # A side that is a whole number of tiles must not cost one more through rounding.
    columns, rows = (math.ceil(round(side * scale, 6) / 512) for side in (width, height))
    return 85 + 170 * columns * rows


def claude_tokens(width: int, height: int) -> int:
    """Count Claude's tokens: pixels / 750 after the longer side is scaled to 1568, at most 1,600.

    Source: Anthropic's vision guide.
    """
    scale = min(1.0, 1568 / max(width, height))
    return min(1_600, math.ceil(width * scale * height * scale / 750))


IMAGE_TOKEN_MODELS: dict[str, ImageTokenModel] = {
    "llava-1.5": ImageTokenModel(
        _constant(576), False, "LLaVA-1.5 (arXiv 2310.03744): 336 pixels, 24 x 24 patches"
    ),
    "llava-1.6": ImageTokenModel(
        llava_next_tokens, True, "LLaVA-NeXT announcement and configuration, January 2024"
    ),
    "qwen-vl": ImageTokenModel(_constant(256), False, "Qwen-VL (arXiv 2308.12966), section 2.1"),
    "qwen2-vl": ImageTokenModel(qwen2_vl_tokens, True, "Qwen2-VL (arXiv 2409.12191) and its configuration"),
    "internlm-xc2": ImageTokenModel(
        _constant(1225), False, "InternLM-XComposer2 (arXiv 2401.16420): 490 pixels, 35 x 35 patches"
    ),
    "internvl-1.5": ImageTokenModel(internvl_tokens, True, "InternVL 1.5 (arXiv 2404.16821), section 3.2"),
    "gpt-4o": ImageTokenModel(gpt4o_tokens, True, "OpenAI's vision guide, high detail"),
    "gpt-4o-low": ImageTokenModel(_constant(85), False, "OpenAI's vision guide, low detail"),
    "claude": ImageTokenModel(claude_tokens, True, "Anthropic's vision guide"),
    "paper": ImageTokenModel(
        _constant(471),
        False,
        "MMDU (arXiv 2406.11833), Table 1 and Figure 1: (8.2k - 6.4k) tokens for 3.8 images",
    ),
}
"""Estimator name -> rule. ``paper``: 8.2k tokens with images less 6.4k without, a dialogue, for 421
images in 110 dialogues, is 470; with 3.8 images as printed 474; what rounding allows is 441-507.
``fixed:N`` stands for N tokens an image.
"""


def image_token_model(image_model: str) -> ImageTokenModel:
    """Return an estimator by its name.

    Parameters
    ----------
    image_model : str
        A key of `IMAGE_TOKEN_MODELS`, or ``fixed:N``.

    Returns
    -------
    ImageTokenModel
        The rule.

    Raises
    ------
    DataError
        If there is no such estimator.
    """
    kind, _, number = image_model.partition(":")
    if kind == "fixed" and number.isdecimal():
        return ImageTokenModel(
            _constant(int(number)), False, f"{int(number)} tokens an image, given by the user"
        )
    if image_model not in IMAGE_TOKEN_MODELS:
        raise DataError(
            f"no image-token model {image_model!r}; expected {', '.join(IMAGE_TOKEN_MODELS)} or fixed:N"
        )
    return IMAGE_TOKEN_MODELS[image_model]


def image_tokens(images: pd.DataFrame, image_model: str = "paper") -> pd.Series:
    """Estimate the tokens that each image costs in a model.

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
        int64 tokens, with the index of `images`. A picture whose size isn't known counts with `FALLBACK_SIZE`.

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
    """Return for how many pictures `image_tokens` assumes a size; 0 for estimators that don't use it."""
    return int((~_known_sizes(images)).sum()) if image_token_model(image_model).uses_size else 0


def compare_image_models(images: pd.DataFrame, models: Iterable[str] | None = None) -> pd.DataFrame:
    """Compare what the same images cost in each model.

    Parameters
    ----------
    images : pandas.DataFrame
        As in `image_tokens`.
    models : iterable of str, optional
        Estimators; by default all of `IMAGE_TOKEN_MODELS`.

    Returns
    -------
    pandas.DataFrame
        One row an estimator, rising: ``image_model``, ``mean``, ``median``, ``maximum`` (tokens an image),
        ``difference`` (mean less the paper's 471), ``n_images``, ``n_unknown_size`` (pictures for which a size was
        assumed), ``source``, ``synthetic``.
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
    """Measure what a model has to read at each turn, with its own earlier answers as history.

    Parameters
    ----------
    questions : pandas.DataFrame
        One row a turn: ``dialog_id``, ``turn``, ``question_tokens``.
    answers : pandas.DataFrame
        One row a turn of one model: ``dialog_id``, ``turn``, ``answer_tokens``.
    images : pandas.DataFrame
        ``dialog_id``, ``first_turn``, ``width``, ``height``; images that were never placed don't count.
    image_model : str or iterable of str, default "paper"
        Image-token estimators.

    Returns
    -------
    pandas.DataFrame
        One row an estimator and turn: ``image_model``, ``turn``, ``median``, ``low`` and ``high`` (5 %
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
        One row a turn: ``dialog_id``, ``turn``, ``context_tokens``.
    """
    turns = questions.merge(
        answers[["dialog_id", "turn", "answer_tokens"]], on=["dialog_id", "turn"], how="left"
    )
    turns = turns.sort_values(["dialog_id", "turn"], ignore_index=True).fillna({"answer_tokens": 0})
    sums = turns.groupby("dialog_id")[["question_tokens", "answer_tokens"]].cumsum()
    text = sums["question_tokens"] + sums["answer_tokens"] - turns["answer_tokens"]
    placed = images.dropna(subset="first_turn")
    place = [placed["dialog_id"], placed["first_turn"].astype("int64").rename("turn")]
    costs = image_tokens(placed, image_model).groupby(place).sum().rename("new")
    new = turns.join(costs, on=["dialog_id", "turn"])["new"].fillna(0)
    read = text + new.groupby(turns["dialog_id"]).cumsum()
    return turns[["dialog_id", "turn"]].assign(context_tokens=read.astype("int64"))


def tokens_by_image_model(images: pd.DataFrame, text_tokens: float, n_dialogs: int) -> pd.DataFrame:
    """Split a dialogue's mean tokens into text and images, for each image-token model.

    Parameters
    ----------
    images : pandas.DataFrame
        All images of the dialogues, as in `image_tokens`.
    text_tokens : float
        Mean text tokens a dialogue.
    n_dialogs : int
        Number of dialogues.

    Returns
    -------
    pandas.DataFrame
        One row an estimator, rising: ``image_model``, ``text``, ``images``, ``total`` (mean tokens a dialogue),
        ``synthetic``.
    """
    frame = compare_image_models(images)[["image_model", "mean", "n_images", "synthetic"]]
    frame = frame.assign(text=text_tokens, images=frame["mean"] * frame["n_images"] / n_dialogs)
    frame["total"] = frame["text"] + frame["images"]
    return frame[["image_model", "text", "images", "total", "synthetic"]]
