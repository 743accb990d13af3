"""The audit of the paper: stated and recomputed numbers."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import published_tables
from mmdu_analysis.plots._layout import inches_wide, rows_that_fit, set_plot_height
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, points, wrap_labels
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

_KINDS = {
    "gains of fine-tuning": ("delta",),
    "statements in words": ("words", "beside"),
    "counts, best and maxima": ("count", "maximum", "best", "45k"),
    "shares of Figure 4": ("share", "sum", "arcs"),
    "means and ratios": ("derived", "average", "times"),
    "earlier benchmarks": ("figure1", "related"),
    "consistency of tables": ("same",),
    "measured on the dialogues": ("data",),
    "agreement with people": ("open",),
}
"""First part of identifiers to the kind of the claim."""

_VERDICTS = {"holds": ("#6BAED6", "o"), "differs": ("#A33B20", "D")}
_LINEAR = 1.0
"""Range in which the axis is linear, in percent of the stated number."""

_STATED = re.compile(r"([-+]?\d[\d,]*\.?\d*)\s*(k?)")


def _numbers(study: Study) -> pd.DataFrame:
    audit = study.audit()
    frame = audit.reset_index() if audit.index.name == "claim_id" else audit.copy()
    kinds = {prefix: kind for kind, prefixes in _KINDS.items() for prefix in prefixes}
    frame["kind"] = frame["claim_id"].str.split("/").str[0].map(kinds).fillna("other")
    change = frame["difference"].astype("Float64").astype("float64")
    frame["difference_percent"] = [
        _relative(str(stated), number) for stated, number in zip(frame["stated"], change, strict=True)
    ]
    source = published_tables().loc["claims", "source"]
    bench = study.benchmark
    measured = published_tables().loc["measured_claims", "source"] if bench is None else bench.name
    synthetic = bench is not None and is_synthetic(bench.dialogs)
    return frame.assign(source=f"{source}; {measured}", synthetic=synthetic)


def _relative(stated: str, difference: float) -> float:
    """Return a difference in percent of the stated number; NaN if one of them is not a number."""
    match = _STATED.search(stated)
    if match is None or math.isnan(difference):
        return math.nan
    number = float(match[1].replace(",", "")) * (1000 if match[2] else 1)
    if not number:
        return math.nan if difference else 0.0
    return 100 * difference / abs(number)


@figure(
    caption="The paper's claims: recomputed numbers against the stated ones, by kind of claim",
    numbers=_numbers,
    notebook="06_paper_audit",
    facts="always",
    size=(3.5, 2.6),
)
def audit(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the difference of each claim's recomputed number from the stated one, by kind of claim.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per claim: ``kind``, ``verdict`` (holds, differs, needs data) and ``difference_percent`` (in
        percent of the stated number; NA where the claim has no numbers).
    """
    kinds = list(frame["kind"].value_counts(sort=True).index)
    narrow = inches_wide(ax) < 4
    set_plot_height(ax, 0.55 + 0.26 * len(kinds))
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=0.8)
    ax.axvline(0, color=GREY, lw=points(0.8), zorder=0)
    for verdict, (color, marker) in _VERDICTS.items():
        rows = frame.loc[(frame["verdict"] == verdict) & frame["difference_percent"].notna()]
        positions = [
            (row.difference_percent, kinds.index(row.kind) + shift)
            for row, shift in zip(rows.itertuples(), _spread(rows), strict=True)
        ]
        x, y = zip(*positions, strict=True) if positions else ((), ())
        ax.plot(x, y, marker, color=color, ms=points(3), mew=0, alpha=0.8, label=verdict)
    low = rows_that_fit(ax, 2 * len(kinds)) < 2 * len(kinds)
    names = wrap_labels([_label(frame, kind) for kind in kinds], 18 if narrow and not low else 60)
    ax.set_yticks(range(len(kinds)), names)
    ax.set_ylim(len(kinds) - 0.4, -0.6)
    furthest = max(150.0, float(frame["difference_percent"].abs().max()) * 1.3)
    ax.set_xlim(-furthest, furthest)
    ticks = [-100, 0, 100] if narrow else [-100, -10, -1, 0, 1, 10, 100]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("recomputed less stated, % of the stated number")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    counts = frame["verdict"].value_counts()
    summary = ", ".join(f"{counts.get(name, 0)} {_WORDS[name]}" for name in _WORDS)
    beyond = int((frame["difference_percent"].abs() > _LINEAR).sum())
    return Drawing(
        f"Of {len(frame)} claims of the paper {summary}",
        f"One mark per claim with a number; {beyond} differ by more than {_LINEAR:g}%",
        "In brackets: claims that hold, of those that can be checked. The axis is linear within 1% and logarithmic "
        "beyond. Claims without numbers are counted in the brackets only; differences within 1% are due to rounding or to one "
        "unit.",
        legend=True,
    )


_WORDS = {"holds": "hold", "differs": "differ", "needs data": "need data"}


def _label(frame: pd.DataFrame, kind: str) -> str:
    verdicts = frame.loc[frame["kind"] == kind, "verdict"]
    return f"{kind} ({(verdicts == 'holds').sum()}/{(verdicts != 'needs data').sum()})"


def _spread(rows: pd.DataFrame) -> list[float]:
    """Return vertical shifts that separate marks of a kind with similar differences."""
    rounded = rows["difference_percent"].round(1)
    groups = rows.groupby(["kind", rounded])["difference_percent"]
    rank, size = groups.cumcount(), groups.transform("size")
    return ((rank - (size - 1) / 2) * (0.7 / size.clip(lower=7))).tolist()
