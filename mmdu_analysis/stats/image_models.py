"""Rules for the number of tokens of a picture in each model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from mmdu_analysis.schema import DataError


class ImageTokenModel(NamedTuple):
    """The rule for the number of tokens of a picture.

    Attributes
    ----------
    rule : callable
        ``(width, height) -> tokens``.
    uses_size : bool
        False if every picture has the same number of tokens.
    source : str
        Source of the rule.
    """

    rule: Callable[[int, int], int]
    uses_size: bool
    source: str


def _constant(tokens: int) -> Callable[[int, int], int]:
    return lambda _width, _height: tokens


def _best_llava_grid(width: int, height: int) -> tuple[int, int]:
    """Choose LLaVA-1.6's grid of 336-pixel tiles: maximal effective resolution, then minimal wasted area."""
    best, chosen = (-1, 0), (1, 1)
    for columns, rows in ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3)):
        scale = min(columns * 336 / width, rows * 336 / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        score = (kept, kept - columns * rows * 336 * 336)
        if score > best:
            best, chosen = score, (columns, rows)
    return chosen


def llava_next_tokens(width: int, height: int) -> int:
    """Count LLaVA-1.6's tokens: an overview of 576, the unpadded tiles, one line end per row.

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
    """Count Qwen2-VL's tokens: one per 28 x 28 patch, sides rounded to 28, 3,136 to 12,845,056 pixels.

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

    Source: InternVL 1.5 (arXiv 2404.16821), section 3.2: the grid of the closest aspect ratio; of two equally
    close ones, the larger if the picture fills over half of it.
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
    """Count GPT-4o's tokens at high detail: 85 and 170 per tile of 512 pixels.

    Source: OpenAI's vision guide: fit into 2048 x 2048, then the shorter side to 768; pictures are never
    enlarged.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    # A side that is a multiple of the tile size must not give another tile because of rounding.
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
"""Estimator name -> rule. ``paper``: 8.2k tokens per dialogue with images less 6.4k without, for 421
images in 110 dialogues, is 470; with 3.8 images as printed 474; the range consistent with rounding is
441-507. ``fixed:N`` stands for N tokens per image.
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
            _constant(int(number)), False, f"{int(number)} tokens per image, given by the user"
        )
    if image_model not in IMAGE_TOKEN_MODELS:
        raise DataError(
            f"no image-token model {image_model!r}; expected {', '.join(IMAGE_TOKEN_MODELS)} or fixed:N"
        )
    return IMAGE_TOKEN_MODELS[image_model]
