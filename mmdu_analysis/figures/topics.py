"""The map of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLORS = ("#004488", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
_MARKERS = "osD^vP*X"


def topic_map(dialogs: pd.DataFrame, *, accuracy: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw each dialogue at its place, coloured and shaped by topic.

    Parameters
    ----------
    dialogs : pandas.DataFrame
        ``topic``, ``name``, ``x``, ``y``, ``silhouette``, from `topic_groups`, one row a dialogue.
    accuracy : float, optional
        The paper's mean cluster accuracy in percent, named below the figure.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One point a dialogue.
    """
    ax = new_axes(ax, COLUMN, 4.2)
    for topic, group in dialogs.groupby("topic"):
        place = (int(str(topic)) - 1) % len(_COLORS)
        label = f"{group['name'].iloc[0]} ({len(group)})"
        ax.plot(
            group["x"], group["y"], _MARKERS[place], color=_COLORS[place], ms=4, mew=0, alpha=0.8, label=label
        )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncol=1, handletextpad=0.2)
    mean = dialogs["silhouette"].mean()
    say(ax, f"{dialogs['topic'].nunique()} topics by their words", f"mean silhouette {mean:.2f}, of -1 to 1")
    paper = f" The paper reports {accuracy:.0f} % cluster accuracy, judged by people." if accuracy else ""
    note = f"Near points are alike (t-SNE); TF-IDF and k-means over n={len(dialogs)} dialogues.{paper} Source: {dialogs.attrs.get('source', 'own data')}"
    source_note(ax, note, synthetic=dialogs.attrs.get("synthetic", False))
    return ax
