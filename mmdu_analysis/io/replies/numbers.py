"""Read a number that is written as a score."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from mmdu_analysis.schema import MMDU, Rubric

PLAIN = str.maketrans(
    dict(zip("：，｛｝；（）／＝｜［］．－＊＃～％", ":,{};()/=|[].-*#~%", strict=True))
    | {
        "−": "-",
        "‐": "-",
        "‑": "-",
        "﹣": "-",
        "＂": '"',
        "＇": "'",
        "\u00a0": " ",
        "\u3000": " ",
        "\u202f": " ",
    }
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
"""Full-width signs to ASCII, one character each, so that positions are unchanged."""

MARKS = r"[\s*_`~\"'“”‘’(]"
"""Text allowed between a label and its number: emphasis, quotation marks, an opening bracket."""
NUMBER = r"[+-]?\s?\d{1,9}(?:\.\d{1,9}|,\d{1,2}(?![\d,]))?(?!\d|[.,]\d)"
_UNIT = r"(?:\s{0,2}(?:points?|pts?|分)(?![\w]))"
VALUE = rf"(?P<number>{NUMBER}){_UNIT}?(?:[\s*_`]{{0,5}}(?P<by>/|out of|of|von|sur)[ \t*_`]{{0,5}}(?P<maximum>\d{{1,4}}(?:\.0)?){_UNIT}?)?"
_REPEATED = re.compile(r"\s{0,3}[(=≈]\s{0,3}(?P<same>\d{1,4}(?:\.\d{1,4})?)\s{0,2}(?P<percent>%?)\s{0,2}\)?")
_TOTAL = re.compile(r"\d{1,5}(?:\.\d{1,2})?\s{0,3}/\s{0,3}\d{1,5}\s{0,3}=\s{0,3}")
_WHOLE = re.compile(
    rf"{MARKS}{{0,8}}(?:(?:score|rating|得分|评分|分数){MARKS}{{0,3}}[:=]?{MARKS}{{0,3}})?", re.IGNORECASE
)
_END = re.compile(r"[\s*_`~\"'“”‘’)\].。!！]{0,12}$")
_AFTER = re.compile(
    r"[ \t*_`\"'“”‘’)\]]{0,8}(?:-[ \t]?(?=\d)|[–—~]\s?(?=\d)|[/%]|(?:to|or|and) \d|[至到或和] ?\d)|[^\W_]",
    re.IGNORECASE,
)
_COUNTED = re.compile(r" {0,2}[a-z]")
_SCIENTIFIC = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?[eE][+-]?\d{1,9}")
_VALUE = re.compile(VALUE, re.IGNORECASE)
ABSENT = frozenset({"", "none", "null", "nan", "n/a", "na", "...", "<na>", "-", "nat"})


@dataclass(frozen=True)
class Reading:
    """A number read as a score.

    Attributes
    ----------
    score : float or None
        On the rubric's scale; None if the number can't be one.
    fault : str
        Description of the fault.
    end : int
        Where the number ends in the text.
    explicit : bool
        Whether its maximum or unit is stated.
    """

    score: float | None
    fault: str
    end: int
    explicit: bool = False


def number_at(text: str, position: int, rubric: Rubric) -> Reading | None:
    """Read the number at a position of a text as a score.

    Parameters
    ----------
    text : str
        Translated by `PLAIN`.
    position : int
        Where the number starts; a total before it (``42/60 = 7/10``) is skipped.
    rubric : Rubric
        Its scale.

    Returns
    -------
    Reading or None
        None if there is no number.
    """
    if total := _TOTAL.match(text, position):
        position = total.end()
    match = _VALUE.match(text, position)
    if match is None:
        return None
    shown = " ".join(text[position : match.end() + 12].split())[:20]
    end, maximum = match.end(), match["maximum"]
    if maximum is None and _AFTER.match(text, end):
        return Reading(None, f"is {shown!r}, not a number", end)
    if maximum is not None and (text[end : end + 1] in ("/", "%") or _COUNTED.match(text, end)):
        return Reading(None, f"is {shown!r}, not a number", end)
    if maximum is not None and float(maximum) != rubric.scale[1]:
        return Reading(None, f"is {shown!r}, not out of {rubric.scale[1]:g}", end)
    score, fault = check_scale(float(match["number"].replace(",", ".").replace(" ", "")), rubric)
    explicit = maximum is not None and match["by"] != "of"
    if score is not None:
        end = _skip_same(text, end, score, rubric)
    return Reading(score, fault, end, explicit or "分" in match[0])


def _skip_same(text: str, end: int, score: float, rubric: Rubric) -> int:
    """Skip a repetition of the score as a share: ``7/10 (0.7)``, ``7/10 (70%)``."""
    same = _REPEATED.match(text, end)
    if same is None or not rubric.scale[1]:
        return end
    share = float(same["same"]) / (100 if same["percent"] else 1)
    return same.end() if math.isclose(share, score / rubric.scale[1], abs_tol=0.005) else end


def check_scale(number: float, rubric: Rubric) -> tuple[float | None, str]:
    """Return a number if it is on the scale, or None and the fault."""
    if rubric.contains(number):
        return number, ""
    low, high = rubric.scale
    return None, f"is {number:g}, outside {low:g}-{high:g}"


def read_score(value: object, rubric: Rubric = MMDU) -> tuple[float | None, str]:
    """Read one score.

    Parameters
    ----------
    value : object
        A number, or a text such as ``"7"``, ``"8,5"`` or ``"7/10"``.
    rubric : Rubric
        Its scale.

    Returns
    -------
    tuple of (float or None, str)
        The score, or None and a description of the fault.
    """
    if isinstance(value, bool):
        return None, f"is {value!r}, not a number"
    if isinstance(value, int | float):
        return _read_number(value, rubric)
    text = str(value).strip().translate(PLAIN) if value is not None else ""
    if text.strip("\"'` ").lower() in ABSENT:
        return None, "is missing"
    if _SCIENTIFIC.fullmatch(text):
        return _scientific(text, rubric)
    start = _WHOLE.match(text)
    reading = number_at(text, start.end() if start else 0, rubric)
    if reading is None:
        return _scientific(text, rubric)
    if reading.score is not None and not _END.fullmatch(text, reading.end):
        return None, f"is {text[:20]!r}, not a number"
    return reading.score, reading.fault


def _read_number(value: float, rubric: Rubric) -> tuple[float | None, str]:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    return (None, "is missing") if math.isnan(number) else check_scale(number, rubric)


def _scientific(text: str, rubric: Rubric) -> tuple[float | None, str]:
    """Read a text that only Python writes: many digits, or an exponent."""
    try:
        return _read_number(float(text), rubric)
    except ValueError:
        return None, f"is {text[:20]!r}, not a number"
