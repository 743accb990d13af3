"""Figure 4: shares of dialogues by turns, images and tokens, and of questions by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._layout import columns_that_fit, inches_wide, panels
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._shares import (
    ORIGINS,
    PANELS,
    distribution_numbers,
    donut_numbers,
    images_named_numbers,
    one_panel,
)
from mmdu_analysis.plots._style import GREY, MARK, OURS, PAPER, points, small, wrap_labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLORS = {"published": PAPER, "measured": OURS}
_RING = {"a": "#00425F", "b": "#5AA5BC", "c": "#FDBF35", "d": "#FF6230"}
_HATCH = "////"
_WIDTH = 0.8
_ROOM = (0.5, 0.24, 0.18)
"""Widths of a bar, in inches at the base font size, below which ranges lose their decimals, values theirs, and counts
are left out."""

_EDGES = "Both numbers of a label belong to its bin."


@figure(
    caption="Dialogues by turns, images and tokens, and questions by the images that they are about",
    numbers=distribution_numbers,
    notebook="01_dataset_statistics",
    paper="Figure 4",
    facts="benchmark",
    needs=("benchmark",),
    size=(7.0, 3.6),
)
def distributions(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the four distributions of Figure 4 as published and as measured.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``panel``, ``bin``, ``origin`` (published or measured), ``percent``, ``count``, ``observed`` (bool),
        ``data``.
    """
    found = [panel for panel in PANELS if (frame["panel"] == panel).any()]
    columns = columns_that_fit(ax, 2.8, 2, len(found))
    parts = panels(ax, -(-len(found) // columns), columns, row_height=1.8)
    for part, panel in zip(parts, found, strict=False):
        _share_bars(part, frame.loc[frame["panel"] == panel], panel)
    return Drawing(
        "Figure 4: turns, images, tokens and questions",
        "Share in percent, with the number of dialogues or questions",
        f"{_EDGES} {_unobserved(frame)}{_counts(frame)}",
        legend=_legend(frame),
    )


def _share_figure(name: str, caption: str, needs: tuple[str, ...] = ("benchmark",)) -> Any:
    return figure(
        caption=caption,
        numbers=one_panel(name),
        notebook="01_dataset_statistics",
        paper="Figure 4",
        facts="benchmark",
        needs=needs,
        size=(3.5, 1.9),
    )


def _one_distribution(frame: pd.DataFrame, ax: Axes, title: str) -> Drawing:
    panel = str(frame["panel"].iloc[0])
    _share_bars(ax, frame, panel)
    return Drawing(
        title,
        "Share in percent, with the count",
        f"{_EDGES if panel != 'questions' else ''} {_unobserved(frame)}{_counts(frame)}".strip(),
        legend=_legend(frame),
    )


@_share_figure("turns", "Dialogues by number of turns")
def turns(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of dialogues by number of turns; see `distributions` for the columns of the frame."""
    return _one_distribution(frame, ax, "Dialogues by number of turns")


@_share_figure("images", "Dialogues by number of images")
def images(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of dialogues by number of images; see `distributions` for the columns of the frame."""
    return _one_distribution(frame, ax, "Dialogues by number of images")


@_share_figure("tokens", "Dialogues by image and text tokens", ("benchmark", "references"))
def tokens(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of dialogues by image and text tokens; see `distributions` for the columns of the frame."""
    return _one_distribution(frame, ax, "Dialogues by image and text tokens")


@_share_figure("questions", "Questions by the number of images that they are about")
def questions(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of questions by kind; see `distributions` for the columns of the frame."""
    return _one_distribution(frame, ax, "Questions by the images that they are about")


@figure(
    caption="Questions by the exact number of images that they are about",
    numbers=images_named_numbers,
    notebook="01_dataset_statistics",
    facts="benchmark",
    needs=("benchmark",),
    size=(3.5, 1.9),
)
def images_named(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of questions by the number of images that they are about.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `distributions`.
    """
    _share_bars(ax, frame, "named")
    return Drawing(
        "Questions by the number of images that they are about",
        f"Share in percent ({_data(frame)})",
        "Each question counts once; an image is counted where the question names it, alone or in a range. "
        + _counts(frame),
    )


def _share_bars(ax: Axes, frame: pd.DataFrame, panel: str) -> None:
    """Draw the bars of one distribution; unobserved shares are hatched."""
    import seaborn as sns

    bins = list(dict.fromkeys(frame["bin"].astype(str)))
    origins = [origin for origin in ORIGINS if (frame["origin"] == origin).any()]
    observed = frame["observed"].astype(bool)
    bars = frame.assign(bin=frame["bin"].astype(str), percent=frame["percent"].where(observed))
    sns.barplot(
        data=bars,
        x="bin",
        y="percent",
        hue="origin",
        order=bins,
        hue_order=origins,
        palette=[_COLORS[origin] for origin in origins],
        saturation=1,
        width=_WIDTH,
        errorbar=None,
        legend=False,
        ax=ax,
    )
    top = _label_bars(ax, frame, bins, origins)
    ax.set_ylim(0, top * 1.3)
    name, unit = PANELS.get(panel, ("images that a question is about", "questions"))
    ax.set_xlabel(name)
    ax.set_ylabel(f"% of {unit}")
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.tick_params(axis="x", length=0)


def _label_bars(ax: Axes, frame: pd.DataFrame, bins: list[str], origins: list[str]) -> float:
    """Write value and count above each bar and hatch unobserved shares; return the upper end of the highest bar."""
    width = _WIDTH / len(origins)
    top = float(frame.groupby(["bin", "origin"])["percent"].sum().max())
    room = 0.8 * inches_wide(ax) * width / len(bins)
    for (label, origin), rows in frame.groupby([frame["bin"].astype(str), "origin"], sort=False):
        x = bins.index(str(label)) - _WIDTH / 2 + width * (origins.index(str(origin)) + 0.5)
        observed = rows["observed"].astype(bool)
        start = float(rows.loc[observed, "percent"].sum())
        for percent in rows.loc[~observed, "percent"]:
            height = percent if percent == percent else 1.25 * top
            ax.bar(x, height, width, bottom=start, fill=False, hatch=_HATCH, edgecolor=GREY, lw=0, alpha=0.5)
        if observed.any():
            end = float(rows["percent"].sum())
            ax.annotate(
                _value(rows["percent"], room) + (_count(rows["count"]) if room > _ROOM[-1] else ""),
                (x, end),
                (0, points(1)),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=small(),
                linespacing=1.0,
            )
    return top


def _value(percent: pd.Series, room: float) -> str:
    """Return the value of a bar; a range if a part of it was not observed."""
    digits = int(room > _ROOM[0 if len(percent) > 1 else 1])
    return "-".join(f"{value:.{digits}f}" for value in percent.cumsum())


def _count(counts: pd.Series) -> str:
    known = counts.dropna().cumsum()
    return f"\n({'-'.join(f'{int(count):,}' for count in known)})" if len(known) else ""


def _legend(frame: pd.DataFrame) -> tuple[list[Any], list[str]]:
    from matplotlib.patches import Patch

    origins = [origin for origin in ORIGINS if (frame["origin"] == origin).any()]
    handles: list[Any] = [Patch(facecolor=_COLORS[origin], lw=0) for origin in origins]
    labels = [origin if origin == "published" else _data(frame) for origin in origins]
    if not frame["observed"].astype(bool).all():
        handles.append(Patch(fill=False, hatch=_HATCH, edgecolor=GREY, lw=0))
        labels.append("not observed")
    return handles, labels


def _data(frame: pd.DataFrame) -> str:
    names = frame["data"].dropna()
    return str(names.iloc[0]) if len(names) else "as published"


def _unobserved(frame: pd.DataFrame) -> str:
    """Return the reasons why values were not observed, without repetition."""
    reasons = dict.fromkeys(str(text) for text in frame["note"].dropna())
    return "".join(f"{reason} " for reason in reasons)


def _counts(frame: pd.DataFrame) -> str:
    measured = frame.loc[frame["origin"] == "measured"]
    sums = measured.groupby(["unit"], sort=False)["n"].max().dropna()
    return f"n={', '.join(f'{int(n):,} {unit}' for unit, n in sums.items())}." if len(sums) else ""


@figure(
    caption="Figure 4 as drawn by the authors: printed labels and measured arcs",
    numbers=donut_numbers,
    notebook="06_paper_audit",
    paper="Figure 4",
    facts="always",
    size=(7.0, 3.4),
)
def figure4_donuts(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the four rings of Figure 4 with the measured arcs and the printed labels.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``distribution``, ``bin``, ``printed`` and ``arc`` in percent.
    """
    kinds = list(dict.fromkeys(frame["distribution"]))
    columns = columns_that_fit(ax, 1.65, len(kinds))
    columns = 2 if columns == 3 else columns
    parts = panels(ax, -(-len(kinds) // columns), columns, row_height=1.25)
    for part, kind in zip(parts, kinds, strict=True):
        _ring(part, frame.loc[frame["distribution"] == kind])
        part.set_title(kind, loc="center", fontweight="bold", fontsize=points(7), pad=points(1))
    apart = frame.loc[(frame["printed"] - frame["arc"]).abs() > _APART]
    return Drawing(
        f"{len(apart)} of {len(frame)} labels of Figure 4 differ from their arcs by more than {_APART:g} points",
        "Arcs as drawn; labels as printed, in red with the arc's share where they differ",
        "The arcs of the questions add up to 100, the labels to 90.0: 62.9 is very likely a misprint of 72.9. The "
        "labels of 2 and of 3-10 images fit each other's arcs. Arcs measured within 0.5 points.",
    )


_APART = 0.8
"""Minimum difference between label and arc that is reported, in points; it is above the error of measurement."""


def _ring(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw one ring."""
    colors = [list(_RING.values())[index % len(_RING)] for index in range(len(rows))]
    names = wrap_labels([str(label).replace(" related", "") for label in rows["bin"]], 7)
    labels = [f"{name}\n{printed:.1f}%" for name, printed in zip(names, rows["printed"], strict=True)]
    drawn = ax.pie(
        rows["arc"].astype(float).to_numpy(),
        labels=labels,
        colors=colors,
        startangle=90,
        counterclock=False,
        labeldistance=1.2,
        wedgeprops={"width": 0.42, "edgecolor": "white", "linewidth": points(0.8)},
        textprops={"fontsize": small(), "linespacing": 1.0},
    )
    ax.set_xlim(-2.8, 2.8)
    ax.set_ylim(-1.4, 1.75)
    for text, row in zip(drawn[1], rows.itertuples(), strict=True):
        text.set_in_layout(False)
        if abs(row.printed - row.arc) > _APART:
            text.set_text(f"{text.get_text()}\narc {row.arc:.1f}%")
            text.set_color(MARK)
        x, y = text.get_position()
        if abs(x) > 0.5:  # beside the ring
            text.set_x(1.15 if x > 0 else -1.15)
            text.set_va("center")
        else:  # above or below it, in one line
            text.set_text(text.get_text().replace("\n", " "))
            text.set_va("bottom" if y > 0 else "top")
