"""Leave out items whose picture or texts are not usable, as the authors did by hand."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.building.items import picture_path
from mmdu_analysis.io.pictures import PICTURE_FORMATS
from mmdu_analysis.io.scaled import MOST_PIXELS
from mmdu_analysis.schema import DataError, Problem, problems_frame, report, require_columns, short_path

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

MIN_SIDE = 128
MIN_SHARPNESS = 30.0
MIN_WORDS = 3
MAX_DISTANCE = 3
_SCALED_SIDE = 512
"""Sharpness is measured at this size, so that it does not depend on the resolution of a photograph."""
_BANDS = 4


class PictureFacts(NamedTuple):
    """The measurements used to screen a picture.

    Attributes
    ----------
    width, height : int
        In pixels; 0 where it can't be read.
    sharpness : float
        Variance of the Laplacian of its grey values (0-255), scaled to 512 pixels at most.
    fingerprint : int
        Perceptual hash, 64 bits.
    problem : str
        Why it can't be read; empty if it can.
    """

    width: int = 0
    height: int = 0
    sharpness: float = 0.0
    fingerprint: int = 0
    problem: str = ""


def screen_items(
    items: pd.DataFrame,
    *,
    min_side: int = MIN_SIDE,
    min_sharpness: float = MIN_SHARPNESS,
    min_words: int = MIN_WORDS,
    max_distance: int = MAX_DISTANCE,
    strict: bool = False,
    return_problems: bool = False,
) -> Any:
    """Leave out items with a picture that is unreadable, small, blurred or duplicated, or with short texts.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    min_side : int, default 128
        Pixels that the shorter side must have.
    min_sharpness : float, default 30
        Variance of the Laplacian that a picture must have (grey values 0-255, scaled to 512 pixels at most).
        0 switches this check off.
    min_words : int, default 3
        Words that title, caption, tags and text must have together.
    max_distance : int, default 3
        Bits in which the perceptual hashes (64 bits) of a picture and an earlier one may differ to count as
        duplicates; 3 at most.
    strict : bool, default False
        Raise the first problem.
    return_problems : bool, default False
        Also return the problems, instead of warning.

    Returns
    -------
    pandas.DataFrame
        The items that are kept, with ``width``, ``height`` and ``sharpness``.
    pandas.DataFrame
        With `return_problems`: one row per item that was left out, with the reason.

    Raises
    ------
    DataError
        If an argument is out of range, or the extra ``building`` is not installed.

    Warns
    -----
    ProblemWarning
        If items were left out.

    Notes
    -----
    Blur: variance of the Laplacian (Pech-Pacheco et al. 2000). Duplicates: the DCT hash of the package
    imagehash (BSD licence); of two the item with the smaller id is kept, whatever the order.
    Appendix B of the paper describes the screening by people.
    """
    require_columns(items, ("id", "image", "folder", "title", "caption", "tags", "text"), "a frame of items")
    if not 0 <= max_distance <= _BANDS - 1:
        raise DataError(f"max_distance: got {max_distance}, expected 0 to {_BANDS - 1} bits")
    if find_spec("imagehash") is None:
        raise DataError("screening pictures needs imagehash; pip install 'mmdu-analysis[building]'")
    ordered = items.sort_values("id")
    facts = [_measure_item(item) for item in ordered.to_dict("records")]
    seen = _Fingerprints(max_distance)
    faults: dict[str, str] = {}
    for item, fact in zip(ordered.to_dict("records"), facts, strict=True):
        fault = _fault(item, fact, min_side, min_sharpness, min_words)
        twin = "" if fault else seen.add(str(item["id"]), fact.fingerprint)
        if fault or twin:
            faults[str(item["id"])] = fault or f"the picture is a duplicate of that of item {twin}"
    measured = ordered.assign(
        width=[fact.width for fact in facts],
        height=[fact.height for fact in facts],
        sharpness=[fact.sharpness for fact in facts],
    ).loc[items.index]
    kept = measured.loc[~measured["id"].astype(str).isin(faults)].reset_index(drop=True)
    rows = ((str(row["id"]), row["image"]) for row in items.to_dict("records"))
    problems = [
        Problem(short_path(image), f"item {key}", faults[key]) for key, image in rows if key in faults
    ]
    if return_problems and not strict:
        return kept, problems_frame(problems)
    report(problems, strict=strict, advice="screen_items(..., return_problems=True)")
    return (kept, problems_frame(problems)) if return_problems else kept


def _fault(item: dict[str, Any], fact: PictureFacts, side: int, sharpness: float, words: int) -> str:
    if fact.problem:
        return fact.problem
    if min(fact.width, fact.height) < side:
        return f"the picture has {fact.width} x {fact.height} pixels, expected {side} or more each way"
    if fact.sharpness < sharpness:
        return f"the picture is blurred (sharpness {fact.sharpness:.1f}, expected {sharpness:g} or more)"
    count = sum(len(str(item[name]).split()) for name in ("title", "caption", "tags", "text"))
    if count < words:
        return f"the texts have {count} words, expected {words} or more"
    return ""


def _measure_item(item: dict[str, Any]) -> PictureFacts:
    try:
        return measure_picture(picture_path(item))
    except DataError as error:
        return PictureFacts(problem=str(error))


def measure_picture(path: Path) -> PictureFacts:
    """Measure a picture: size, sharpness, perceptual hash.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    PictureFacts
        With a problem where the file is not a readable picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=PICTURE_FORMATS) as picture:
                width, height = picture.size
                picture.draft("RGB", (_SCALED_SIDE, _SCALED_SIDE))  # a large JPEG is decoded at a fraction
                if picture.width * picture.height > MOST_PIXELS:
                    return PictureFacts(problem=f"{width} x {height} pixels are too many to be read")
                return _measure(picture)._replace(width=width, height=height)
    except FileNotFoundError:
        return PictureFacts(problem="the picture is missing")
    except Exception as error:  # a decoder meets anything in a damaged file
        return PictureFacts(problem=f"not a readable picture ({type(error).__name__})")


def _measure(picture: Image) -> PictureFacts:
    import imagehash
    import numpy as np
    from PIL import ImageOps
    from scipy.ndimage import laplace

    grey = ImageOps.exif_transpose(picture).convert("L")
    grey.thumbnail((_SCALED_SIDE, _SCALED_SIDE))
    sharpness = float(laplace(np.asarray(grey, dtype=np.float64)).var())
    return PictureFacts(sharpness=sharpness, fingerprint=int(str(imagehash.phash(grey)), 16))


class _Fingerprints:
    """Hashes so far; two hashes of 64 bits that differ in at most three bits have one of four quarters in common."""

    def __init__(self, max_distance: int) -> None:
        self._most = max_distance
        self._bands: list[dict[int, list[tuple[str, int]]]] = [{} for _ in range(_BANDS)]

    def add(self, key: str, fingerprint: int) -> str:
        """Return the item with the same picture; if there is none, add this item and return an empty string."""
        quarters = [(fingerprint >> (16 * band)) & 0xFFFF for band in range(_BANDS)]
        for band, quarter in zip(self._bands, quarters, strict=True):
            for other, seen in band.get(quarter, ()):
                if (seen ^ fingerprint).bit_count() <= self._most:
                    return other
        for band, quarter in zip(self._bands, quarters, strict=True):
            band.setdefault(quarter, []).append((key, fingerprint))
        return ""
