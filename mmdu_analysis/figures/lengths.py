"""How long texts, images and contexts are, in tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    COLUMN,
    DASHES,
    GREY,
    OURS,
    PAPER,
    SEQUENCE,
    new_axes,
    say,
    source_note,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes


def length_histogram(
    lengths: pd.DataFrame,
    *,
    name: str,
    marks: Mapping[str, float] | None = None,
    bins: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw a histogram of token counts, with published values marked.

    Parameters
    ----------
    lengths : pandas.DataFrame
        Column ``tokens``, one row an item; ``attrs``: ``items`` (what they are), ``source``, ``synthetic``.
    name : str
        What is measured, for the axis.
    marks : mapping of str to float, optional
        Label -> published value, drawn as a line.
    bins : int, default 30
        Number of bins.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The histogram.
    """
    ax = new_axes(ax, COLUMN, 2.4)
    tokens = lengths["tokens"].dropna().astype(float)
    ax.hist(tokens, bins=bins, color=OURS, edgecolor="white", linewidth=0.4)
    for place, (label, value) in enumerate((marks or {}).items()):
        ax.axvline(value, color=GREY, ls=DASHES[place % 4], lw=1, label=f"{label}: {value:,.0f}")
    ax.set_ylim(0, ax.get_ylim()[1] * (1.35 if marks else 1.05))
    ax.set_xlabel(f"{name}, o200k_base tokens")
    items = lengths.attrs.get("items", "items")
    ax.set_ylabel(items)
    ax.grid(axis="y")
    if marks:
        ax.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none", borderpad=0.2)
    say(ax, f"Median {tokens.median():,.0f} tokens, longest {tokens.max():,.0f}")
    missing = lengths.attrs.get("missing_answers", 0)
    gaps = f"{missing:,} references are missing from the data. " if missing else ""
    note = f"n={len(tokens):,} {items}. {gaps}Source: {lengths.attrs.get('source', 'own data')}"
    source_note(ax, note, synthetic=lengths.attrs.get("synthetic", False))
    return ax


def image_token_bars(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the mean tokens that the same images cost in each model, beside the paper's.

    Parameters
    ----------
    table : pandas.DataFrame
        From `compare_image_models`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a model.
    """
    ax = new_axes(ax, COLUMN, 2.9)
    rows = range(len(table))
    colors = [PAPER if model == "paper" else OURS for model in table["model"]]
    bars = ax.barh(rows, table["mean"], color=colors, height=0.65)
    ax.bar_label(
        bars,
        [f"{mean:,.0f} ({gap:+,.0f})" for mean, gap in zip(table["mean"], table["difference"], strict=True)],
        fontsize=6,
        padding=3,
    )
    ax.axvspan(441, 507, color="#E69F00", alpha=0.35, lw=0, zorder=0)
    ax.set_yticks(rows, table["model"])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, table["mean"].max() * 1.35)
    ax.set_xlabel("mean tokens an image (difference from the paper's 471)")
    released = table.loc[table["model"] != "paper"]
    inside = released.loc[released["mean"].between(441, 507), "model"]
    found = (
        f"{inside.iloc[0]} gives the paper's price"
        if len(inside)
        else "No released rule gives\nthe paper's price of an image"
    )
    say(ax, found)
    note = (
        f"n={table['n_images'].iloc[0]} images; for {table['fallback'].max()} without a size 800 x 603 is assumed. Shaded: what "
        f"rounding in the paper allows, 441-507. Source: {table.attrs.get('source', 'own data')}"
    )
    source_note(ax, note, synthetic=table.attrs.get("synthetic", False))
    return ax


def context_growth_lines(growth: pd.DataFrame, *, band: str = "paper", ax: Axes | None = None) -> Axes:
    """Draw the tokens to read at each turn: medians, and a 90 % band for one estimator.

    Parameters
    ----------
    growth : pandas.DataFrame
        From `context_growth`.
    band : str, default "paper"
        Estimator whose band is drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line an estimator.
    """
    ax = new_axes(ax, COLUMN, 2.9)
    for place, (model, line) in enumerate(growth.groupby("image_token_model", sort=False)):
        color = SEQUENCE[place % 4]
        ax.plot(line["turn"], line["median"], color=color, ls=DASHES[place % 4], label=model)
        if model == band:
            ax.fill_between(line["turn"], line["low"], line["high"], color=color, alpha=0.18, lw=0)
    ax.set_xlim(1, growth["turn"].max())
    ax.locator_params(axis="x", integer=True)
    ax.set_ylim(0)
    ax.set_xlabel("turn")
    ax.set_ylabel("tokens to read")
    ax.grid(axis="y")
    ax.legend(loc="upper left", title="image tokens as", title_fontsize=6.5, alignment="left")
    ends = growth.loc[growth["image_token_model"] == band].set_index("turn")["median"]
    say(ax, f"From {ends.iloc[0]:,.0f} tokens at turn 1\nto {ends.iloc[-1]:,.0f} at turn {ends.index[-1]}")
    many, few = growth["n_dialogs"].max(), growth["n_dialogs"].min()
    note = (
        f"Median over the dialogues that reach the turn ({many} to {few}); shaded: 90 % of them, images as {band!r}. "
        f"{growth.attrs.get('history', '')} Source: {growth.attrs.get('source', 'own data')}"
    )
    source_note(ax, note, synthetic=growth.attrs.get("synthetic", False))
    return ax


def token_stacks(table: pd.DataFrame, *, published: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw a dialogue's mean tokens, text and images on each other, for each image-token model.

    Parameters
    ----------
    table : pandas.DataFrame
        From `tokens_by_image_model`.
    published : float, optional
        The published mean with images, drawn as a line.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a model.
    """
    ax = new_axes(ax, COLUMN, 3.0)
    rows = range(len(table))
    ax.barh(rows, table["text"], color=PAPER, height=0.65, label="text")
    bars = ax.barh(rows, table["images"], left=table["text"], color=OURS, height=0.65, label="images")
    ax.bar_label(bars, [f"{total:,.0f}" for total in table["total"]], fontsize=6, padding=3)
    if published:
        ax.axvline(published, color="#E69F00", lw=1.2, zorder=0, label=f"published: {published:,.0f}")
    ax.set_yticks(rows, table["model"])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, table["total"].max() * 1.2)
    ax.set_xlabel("mean tokens a dialogue")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2), ncol=3)
    low, high = table["total"].min(), table["total"].max()
    say(ax, f"The same dialogues are {high / low:.1f} times\nas long for one model as for another")
    note = f"Text: {table.attrs.get('text', 'of the data')}. Images: {table.attrs.get('source', 'own data')}"
    source_note(ax, note, synthetic=table.attrs.get("synthetic", False))
    return ax
