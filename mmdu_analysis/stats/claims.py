"""Recomputation of the paper's claims from its own tables: one function per claim or family of claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError
from mmdu_analysis.stats.agreement import judge_agreement
from mmdu_analysis.stats.finetuning import finetuning_gain

if TYPE_CHECKING:
    import pandas as pd

SIX = [short for short in MMDU.short_names.values() if short != "Avg"]
SEVEN = [*SIX, "Avg"]
_ROUNDING = 0.05 + 1e-9  # half a unit of the last printed digit of a score or a percentage


@dataclass(frozen=True)
class Recomputed:
    """The recomputed value of a claim.

    Attributes
    ----------
    value : float or str or None
        None if it can't be computed from the available data.
    holds : bool or None
        None: the value is compared with the stated number, to its printed digit.
    note : str
        Remark for the reader.
    """

    value: float | str | None = None
    holds: bool | None = None
    note: str = ""


class Tables:
    """The paper's tables, each loaded once.

    Parameters
    ----------
    load : callable
        ``name -> frame``, such as `load_published`.
    """

    def __init__(self, load: Callable[[str], pd.DataFrame]) -> None:
        self._load = load
        self._tables: dict[str, pd.DataFrame] = {}
        self._gains: dict[str, pd.DataFrame] = {}

    def __call__(self, name: str) -> pd.DataFrame:
        """Return a table."""
        if name not in self._tables:
            self._tables[name] = self._load(name)
        return self._tables[name]

    def gains(self, name: str) -> pd.DataFrame:
        """Return the gains of fine-tuning in a table, index ``model`` and ``metric``."""
        if name not in self._gains:
            reference = "GPT-4o" if name == "main_results" else None
            gains = finetuning_gain(self(name), reference=reference)
            self._gains[name] = gains.set_index(["model", "metric"])
        return self._gains[name]

    @cached_property
    def models(self) -> pd.DataFrame:
        """Table 2, index ``model``."""
        return self("main_results").set_index("model")

    @cached_property
    def benchmarks(self) -> pd.DataFrame:
        """Figure 1, index ``benchmark``."""
        return self("benchmarks").set_index("benchmark")

    @cached_property
    def judge_pairs(self) -> pd.DataFrame:
        """Agreement of the judges of Table 6 in the overall score."""
        agreement = judge_agreement(self("judges"))
        return agreement.loc[agreement["dimension"] == MMDU.overall]

    def statistic(self, dataset: str, statistic: str, measure: str) -> float:
        """Return a number of Table 1."""
        return float(self._statistics.loc[(dataset, statistic), measure])

    @cached_property
    def _statistics(self) -> pd.DataFrame:
        return self("statistics").set_index(["dataset", "statistic"])

    def by_judge(self, metric: str) -> pd.DataFrame:
        """Return a column of Table 6: one row per model, one column per judge."""
        return self("judges").pivot(index="model", columns="judge", values=metric)


Recomputation = Callable[[Tables, str], Recomputed]
_registered: dict[str, Recomputation] = {}


def claim(*names: str) -> Callable[[Recomputation], Recomputation]:
    """Register a function that recomputes claims.

    Parameters
    ----------
    *names : str
        Identifiers of claims; ``delta/*`` matches all that begin with ``delta/``. The function is called with
        the tables and the text matched by the star (without a star, the whole identifier).
    """

    def register(function: Recomputation) -> Recomputation:
        _registered.update(dict.fromkeys(names, function))
        return function

    return register


def recompute(claim_id: str, tables: Tables) -> Recomputed:
    """Recompute a claim from the paper's tables.

    Parameters
    ----------
    claim_id : str
        As in the table ``claims``.
    tables : Tables
        The paper's tables.

    Returns
    -------
    Recomputed
        The value.

    Raises
    ------
    DataError
        If no function is registered for the claim.
    """
    if claim_id in _registered:
        return _registered[claim_id](tables, claim_id)
    family, _, rest = claim_id.partition("/")
    if f"{family}/*" not in _registered:
        raise DataError(f"claim {claim_id!r} has no recomputation; expected one of {', '.join(_registered)}")
    return _registered[f"{family}/*"](tables, rest)


# --- lengths: Table 1, Figures 1 and 4


@claim("share/*")
def _share(tables: Tables, rest: str) -> Recomputed:
    """Return the share of 110 dialogues that is closest to a printed one."""
    name, label = rest.split("/")
    percent = tables("distributions").set_index(["distribution", "bin"])["percent"]
    total = int(tables.statistic("MMDU", "dialogs", "value"))
    stated = percent.loc[(name, label)]
    count = round(stated * total / 100)
    value = 100 * count / total
    cut = int(value * 10) / 10 == stated and abs(value - stated) > _ROUNDING
    return Recomputed(value, note=f"{count} of {total}" + ("; truncated, not rounded" if cut else ""))


@claim("sum/*")
def _sum(tables: Tables, rest: str) -> Recomputed:
    table = tables("distributions")
    shares = table.loc[table["distribution"] == rest, "percent"]
    total = round(float(shares.sum()), 1)
    holds = abs(total - 100) <= _ROUNDING * len(shares)
    if not holds:
        return Recomputed(total, holds, "the rest would be questions about no image")
    return Recomputed(total, holds, "" if total == 100 else "rounding of the shares explains it")


_ARCS = {
    "questions": (
        "multi image related",
        "the arcs are 27.0 and 73.0: 62.9 is very likely a misprint of 72.9",
    ),
    "images": (
        "2",
        "the arcs of 2 and 3-10 images are 46.4 and 47.4: the two labels are very likely swapped",
    ),
}
_ARC_ERROR = 0.5  # precision in points of the arcs as measured on the picture


@claim("arcs/*")
def _arc(tables: Tables, rest: str) -> Recomputed:
    """Compare a printed share of Figure 4 with its arc, as measured on the picture."""
    bin_, note = _ARCS[rest]
    keys = ["distribution", "bin"]
    arc = float(tables("figure4_arcs").set_index(keys).loc[(rest, bin_), "arc"])
    printed = float(tables("distributions").set_index(keys).loc[(rest, bin_), "percent"])
    return Recomputed(arc, abs(arc - printed) <= _ARC_ERROR, f"measured within {_ARC_ERROR} points; {note}")


@claim("figure1/*")
def _figure1(tables: Tables, rest: str) -> Recomputed:
    tokens = tables.benchmarks["average_text_tokens"]
    lower, upper = rest.split("/")
    return Recomputed(float(tokens[upper] - tokens[lower]))


@claim("times/*")
def _times(tables: Tables, rest: str) -> Recomputed:
    values = tables.benchmarks[rest]
    others = values.drop("MMDU")
    ratio = float(values["MMDU"] / others.max())
    return Recomputed(ratio, ratio >= 5, f"MMDU {values['MMDU']:g}, {others.idxmax()} {others.max():g}")


@claim("maximum/*")
def _maximum(tables: Tables, rest: str) -> Recomputed:
    return Recomputed(tables.statistic("MMDU", rest.split("/")[0], "maximum"), note="Table 1")


@claim("45k/*")
def _of_45k(tables: Tables, rest: str) -> Recomputed:
    measure, _, statistic = rest.partition("/")
    if measure == "dialogs":
        return Recomputed(tables.statistic("MMDU-45k", "dialogs", "value"), note="Table 1")
    return Recomputed(tables.statistic("MMDU-45k", statistic.split("/")[0], measure), note="Table 1")


@claim("derived/turns", "derived/images", "derived/45k_turns")
def _ratio(tables: Tables, claim_id: str) -> Recomputed:
    dataset = "MMDU-45k" if "45k" in claim_id else "MMDU"
    counted = "unique_images" if claim_id.endswith("images") else "qa_pairs"
    counts = (tables.statistic(dataset, name, "value") for name in (counted, "dialogs"))
    return Recomputed(next(counts) / next(counts))


@claim("derived/45k_questions")
def _questions_45k(tables: Tables, _: str) -> Recomputed:
    kinds = ("single_image_questions", "multi_image_questions")
    total = sum(tables.statistic("MMDU-45k", kind, "value") for kind in kinds)
    return Recomputed(total, note="rounding of the three numbers allows up to 1.5k")


@claim("derived/45k_tokens")
def _tokens_45k(tables: Tables, _: str) -> Recomputed:
    texts = sum(tables.statistic("MMDU-45k", f"{part}_length", "average") for part in ("question", "answer"))
    turns = tables.statistic("MMDU-45k", "qa_pairs", "value") / tables.statistic(
        "MMDU-45k", "dialogs", "value"
    )
    return Recomputed(turns * texts + 471 * tables.statistic("MMDU-45k", "images", "average"))


@claim("words/more_than_1600")
def _more_than_1600(tables: Tables, _: str) -> Recomputed:
    questions = tables.statistic("MMDU", "qa_pairs", "value")
    return Recomputed(questions, questions > 1600)


@claim("words/longest")
def _longest(tables: Tables, _: str) -> Recomputed:
    longest = str(tables.benchmarks["average_text_tokens"].idxmax())
    return Recomputed(longest, longest == "MMDU", "of the four whose tokens the figure gives")


@claim("related/turns", "related/images")
def _related(tables: Tables, claim_id: str) -> Recomputed:
    """Return the means in Figure 1 of the benchmarks that a sentence cites."""
    unit = claim_id.removeprefix("related/")
    cited, most = (["ConvBench"], 3) if unit == "turns" else (["NLVR2", "Co-Instruct"], 4)
    values = tables.benchmarks[f"average_{unit}"].drop("MMDU")
    above = "; ".join(f"{name} {value:g}" for name, value in values[values > most].items())
    note = f"not cited there: {above} mean {unit}" if above else f"mean {unit}; Figure 1 has no maxima"
    return Recomputed(float(values[cited].max()), bool(values[cited].max() <= most), note)


# --- scores: Table 2


@claim("count/models", "count/closed", "count/open")
def _count(tables: Tables, claim_id: str) -> Recomputed:
    wanted = claim_id.removeprefix("count/")
    access = ["closed", "open"] if wanted == "models" else [wanted]
    return Recomputed(float(tables.models["access"].isin(access).sum()))


@claim("best/*")
def _best(tables: Tables, access: str) -> Recomputed:
    return Recomputed(float(tables.models.query("access == @access")["Avg"].max()))


@claim("words/open_lag")
def _open_lag(tables: Tables, _: str) -> Recomputed:
    models = tables.models
    closed, open_ = (models.loc[models["access"] == access, "Avg"] for access in ("closed", "open"))
    text = f"worst closed {closed.min()}, best open {open_.max()}"
    return Recomputed(text, bool(closed.min() > open_.max()))


@claim("words/averaged")
def _mean_of_six(tables: Tables, _: str) -> Recomputed:
    excess = tables.models[SIX].mean(axis=1) - tables.models["Avg"]
    within = int((excess.abs() <= 2 * _ROUNDING).sum())
    lowest, highest = excess.min(), excess.max()
    note = f"the mean of the six is {lowest:.1f} to {highest:.1f} higher; Avg is the judge's Overall Score"
    return Recomputed(float(within), note=note)
