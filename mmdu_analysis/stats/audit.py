"""The paper's claims, recomputed from its tables or from data."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.schema import DataError
from mmdu_analysis.stats import training_claims as _registers_claims  # noqa: F401 - by being imported
from mmdu_analysis.stats.breakdowns import as_benchmark
from mmdu_analysis.stats.claims import Recomputed, Tables, recompute
from mmdu_analysis.stats.data_claims import measure_claims, measured_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

VERDICTS = ("holds", "differs", "needs data")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def audit_paper(benchmark: Benchmark | str | Path | None = None) -> pd.DataFrame:
    """Recompute the claims of the paper.

    Parameters
    ----------
    benchmark : Benchmark, path or name, optional
        Claims about the data are recomputed on it. Without it, the measurements of the real dialogues (their
        first 20 turns, table ``measured_claims``) are used.

    Returns
    -------
    pandas.DataFrame
        One row per claim (index ``claim_id``): ``claim``, ``where`` (in the paper), ``stated`` (as printed),
        ``recomputed``, ``difference`` (recomputed less stated; NA for words), ``verdict``, ``note``,
        ``synthetic``. ``holds``: the recomputed number, rounded to the digits of the stated one, equals it.
        ``differs``: it doesn't; the note says if rounding may explain it. ``needs data``: neither the paper's
        tables nor the data contain what is needed.

    Notes
    -----
    arXiv 2406.11833v2: tables 1-6, figures 1 and 4, text and appendices. Most differences are due to rounding
    or concern one of two numbers.

    Examples
    --------
    >>> audit_paper().loc["sum/questions", ["stated", "recomputed", "verdict"]].tolist()
    ['100 %', '90 %', 'differs']
    """
    import pandas as pd

    loaded = None if benchmark is None else as_benchmark(benchmark)
    measured = measured_claims() if loaded is None else measure_claims(loaded)
    tables = Tables(load_published)
    rows = [
        _row(claim, _recomputed(str(claim.claim_id), claim.beside, measured, tables))
        for claim in tables("claims").itertuples()
    ]
    frame = pd.DataFrame(rows).set_index("claim_id")
    texts = dict.fromkeys(frame.columns.drop("difference"), "str")
    frame = frame.astype(texts | {"difference": "Float64"})
    of_data = frame.index.str.startswith("data/")
    return frame.assign(synthetic=of_data & bool(loaded is not None and loaded.synthetic))


def _recomputed(
    claim_id: str, beside: object, measured: Mapping[str, Recomputed], tables: Tables
) -> Recomputed:
    """Recompute one claim: from the data, from the paper's other statement, or from its tables."""
    if claim_id.startswith("open/"):
        return Recomputed(
            note="the single scores of people and judges, or the inspected data, aren't published"
        )
    if claim_id.startswith("data/"):
        return measured.get(claim_id, Recomputed(note="not measured"))
    if isinstance(beside, str):
        return Recomputed(beside, False, "the paper states it in two ways")
    return recompute(claim_id, tables)


def _row(claim: object, found: Recomputed) -> dict[str, object]:
    stated = str(claim.stated)  # type: ignore[attr-defined]
    verdict, difference = judge_claim(stated, found)
    row = {name: getattr(claim, name) for name in ("claim_id", "claim", "where", "stated")}
    row |= {"recomputed": _printed(found.value, stated), "difference": difference}
    return row | {"verdict": verdict, "note": found.note}


def stated_number(text: str) -> tuple[float, float] | None:
    """Return a printed number and the unit of its last digit: ``"8.2k"`` is 8,200 and 100.

    Parameters
    ----------
    text : str
        As printed, such as ``"+6.5"``, ``"47.3 %"``, ``">= 5"``.

    Returns
    -------
    tuple of float, or None
        None if the text has no number.
    """
    match = _NUMBER.search(text)
    if match is None:
        return None
    thousand = 1_000.0 if text[match.end() : match.end() + 1] in ("k", "K") else 1.0
    decimals = len(match[0].partition(".")[2])
    return float(match[0]) * thousand, thousand * 10.0**-decimals


def judge_claim(stated: str, found: Recomputed) -> tuple[str, float | None]:
    """Return the verdict on a claim, and the difference of numbers.

    Parameters
    ----------
    stated : str
        As printed.
    found : Recomputed
        The recomputed value.

    Returns
    -------
    tuple of str and float or None
        One of `VERDICTS`; the recomputed number less the stated one.

    Raises
    ------
    DataError
        If words are compared and `found` has no verdict.
    """
    if found.value is None:
        return "needs data", None
    number, difference = stated_number(stated), None
    if number is not None and not isinstance(found.value, str):
        difference = float(found.value) - number[0]
    if found.holds is not None:
        return ("holds" if found.holds else "differs"), difference
    if number is None or difference is None:
        raise DataError(f"a claim states {stated!r} and {found.value!r} is recomputed; it needs a verdict")
    return ("holds" if abs(difference) <= number[1] / 2 + 1e-9 else "differs"), difference


def _printed(value: float | str | None, stated: str) -> str:
    """Return a value formatted as the stated one, with one more digit if needed."""
    if value is None or isinstance(value, str):
        return value or ""
    number = stated_number(stated)
    unit = number[1] if number else 1.0
    scale, sign = (1_000.0, "k") if "k" in stated else (1.0, " %" if "%" in stated else "")
    decimals = max(0, round(-math.log10(unit / scale)))
    exact = float(f"{value / scale:.{decimals}f}") == round(value / scale, decimals + 3)
    return f"{value / scale:,.{decimals if exact else decimals + 1}f}{sign}"
