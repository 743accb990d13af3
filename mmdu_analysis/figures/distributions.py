"""Figure 4: shares of dialogues by turns, images and tokens, and of questions by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, OURS, PAPER, SEQUENCE, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NAMES = {
    "turns": ("turns in a dialogue", "dialogues"),
    "images": ("images in a dialogue", "dialogues"),
    "tokens": ("image and text tokens in a dialogue", "dialogues"),
    "questions": ("what a question is about", "questions"),
    "named": ("images that a question is about", "questions"),
}


def distribution_bars(
    shares: pd.DataFrame,
    published: pd.DataFrame | None = None,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw shares as bars with their counts, beside the published shares.

    Parameters
    ----------
    shares : pandas.DataFrame
        From `distribution`.
    published : pandas.DataFrame, optional
        Rows of the published ``distributions`` table, ``bin`` and ``percent``, in the order of `shares`;
        a row more or less than `shares` has leaves them out.
    title : str, optional
        What to see; by default the commonest bin.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One pair of bars a bin.
    """
    what = shares.attrs.get("distribution", "")
    name, things = _NAMES.get(what, (what, "things"))
    ax = new_axes(ax, COLUMN, 2.5)
    beside = published is not None and len(published) == len(shares)
    width = 0.38 if beside else 0.6
    rows = [row - (width / 2 if beside else 0) for row in range(len(shares))]
    measured = ax.bar(
        rows,
        shares["percent"],
        width=width,
        color=OURS,
        label=f"{shares.attrs.get('name') or 'this data'} (n={shares.attrs.get('n')})",
    )
    ax.bar_label(
        measured,
        [f"{p:.1f}\n({n})" for p, n in zip(shares["percent"], shares["count"], strict=True)],
        fontsize=6,
        padding=1,
    )
    if beside and published is not None:
        paper = ax.bar(
            [row + width for row in rows],
            published["percent"].fillna(0),
            width=width,
            color=PAPER,
            label="published",
        )
        ax.bar_label(
            paper, [f"{p:.1f}" if p == p else "" for p in published["percent"]], fontsize=6, padding=1
        )
    ax.set_xticks(range(len(shares)), shares["bin"])
    high = max(shares["percent"].max(), published["percent"].max() if beside and published is not None else 0)
    ax.set_ylim(0, high * 1.75)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel(f"% of {things}")
    ax.set_xlabel(name)
    ax.grid(axis="y")
    ax.legend(loc="upper right")
    top = shares.loc[shares["percent"].idxmax()]
    say(ax, title or f"Most common: {top['bin']} ({top['percent']:.0f} % of {things})")
    _note(ax, shares, f"{shares.attrs.get('edges', '')}.")
    return ax


def distribution_donut(shares: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw shares as a donut, as the authors did.

    Parameters
    ----------
    shares : pandas.DataFrame
        ``bin`` and ``percent``; shares that don't reach 100 leave a gap in the ring.
    title : str
        Under the ring.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The ring.
    """
    ax = new_axes(ax, COLUMN, 2.9)
    colors = [SEQUENCE[place % len(SEQUENCE)] for place in range(len(shares))]
    total = float(shares["percent"].sum())
    values = list(shares["percent"]) + ([100 - total] if total < 99 else [])
    labels = [f"{b}\n{p:.1f} %" for b, p in zip(shares["bin"], shares["percent"], strict=True)]
    labels += ["not accounted for\n" + f"{100 - total:.1f} %"] if total < 99 else []
    shown = [label if value > 0 else "" for label, value in zip(labels, values, strict=True)]
    ax.pie(
        values,
        labels=shown,
        colors=[*colors, "#EEEEEE"][: len(values)],
        startangle=90,
        counterclock=False,
        labeldistance=1.12,
        radius=0.85,
        wedgeprops={"width": 0.36, "edgecolor": "white"},
        textprops={"fontsize": 6.5},
    )
    say(ax, title)
    _note(ax, shares)
    return ax


def _note(ax: Axes, shares: pd.DataFrame, *parts: str) -> None:
    attrs = shares.attrs
    model = attrs.get("image_token_model")
    estimator = f"Image tokens as {model!r}." if model and attrs.get("distribution") == "tokens" else ""
    missing = attrs.get("missing_answers") if attrs.get("distribution") == "tokens" else 0
    if missing:
        estimator += f" {missing:,} references are missing from the data."
    published = "arXiv 2406.11833v2, Figure 4"
    source = attrs.get("source") or attrs.get("name") or "own data"
    beside = (
        "" if published in source or attrs.get("distribution") == "named" else f"; published: {published}"
    )
    text = " ".join(part for part in (*parts, estimator, f"Source: {source}{beside}") if part)
    source_note(ax, text, synthetic=bool(attrs.get("synthetic")))
