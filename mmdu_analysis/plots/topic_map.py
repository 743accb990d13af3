"""The map of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import points, small, wrap_labels
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

_COLORS = ("#332288", "#CC6677", "#117733", "#AA4499", "#B8860B", "#4AA3C7", "#000000", "#8C6D31")
_MARKERS = "osD^vP*X"


def _numbers(study: Study) -> pd.DataFrame:
    if study.benchmark is None:
        source = published_tables().loc["measured_topics", "source"]
        frame = load_published("measured_topics").assign(source=source, synthetic=False)
    else:
        from mmdu_analysis.stats.topics import topic_groups

        groups = topic_groups(study.benchmark)
        words = groups.topics["name"].rename("words")
        frame = groups.dialogs[["topic", "x", "y", "silhouette"]].join(words, on="topic").reset_index()
        synthetic = is_synthetic(study.benchmark.dialogs)
        frame = frame.assign(source=study.benchmark.name, synthetic=synthetic)
    accuracy = load_published("cluster_accuracy")["accuracy"]
    return frame.assign(paper_accuracy=float(accuracy.mean()))


@figure(
    caption="Map of the dialogues by their words, with the top words of each group",
    numbers=_numbers,
    notebook="02_words_and_topics",
    paper="section 3.1, clusters",
    facts="benchmark",
    needs=("topics",),
    packages=("sklearn",),
    size=(3.5, 3.2),
)
def topics(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw each dialogue on the map, coloured by topic, with the words of each topic at its centroid.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per dialogue: ``topic``, ``words``, ``x``, ``y``, ``silhouette``, and ``paper_accuracy``
        (percent).
    """
    import seaborn as sns

    numbers = sorted(frame["topic"].unique())
    colors = {topic: _COLORS[index % len(_COLORS)] for index, topic in enumerate(numbers)}
    markers = {topic: _MARKERS[index % len(_MARKERS)] for index, topic in enumerate(numbers)}
    sns.scatterplot(
        data=frame,
        x="x",
        y="y",
        hue="topic",
        style="topic",
        hue_order=numbers,
        style_order=numbers,
        palette=colors,
        markers=markers,
        s=points(4) ** 2,
        alpha=0.7,
        linewidth=0,
        legend=False,
        ax=ax,
    )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("")
    ax.set_ylabel("")
    ax.margins(0.12)
    ax.spines[:].set_visible(False)
    _label_centroids(ax, frame, colors)
    n, mean = len(frame), frame["silhouette"].mean()
    return Drawing(
        f"{len(numbers)} groups of dialogues by their words",
        f"Words: the three with the highest weight in a group; mean silhouette {mean:.2f} (-1 to 1)",
        f"TF-IDF, k-means and t-SNE over n={n} dialogues: neighbours are similar, large distances are not interpretable. The paper "
        f"reports {frame['paper_accuracy'].iloc[0]:.0f}% accuracy of its own clusters, judged by people.",
    )


def _label_centroids(ax: Axes, frame: pd.DataFrame, colors: dict[int, str]) -> None:
    """Write the words of each topic near its median position, moved apart where labels would overlap."""
    rows = []
    for topic, group in frame.groupby("topic"):
        words = [word.strip() for word in str(group["words"].iloc[0]).split(",")]
        text = "\n".join(wrap_labels([", ".join(words)], 14)) + f" ({len(group)})"
        rows.append((group["y"].median(), group["x"].median(), text, colors[topic]))
    labels = [
        ax.annotate(
            text,
            (x, y),
            ha="center",
            va="center",
            color=color,
            fontsize=small(),
            fontweight="bold",
            linespacing=1.0,
            bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.75, "pad": points(0.5)},
            annotation_clip=False,
        )
        for y, x, text, color in sorted(rows, reverse=True)
    ]
    _move_apart(ax, labels)


def _move_apart(ax: Axes, labels: list) -> None:
    """Move labels downwards until none covers another, and into the frame of the Axes."""
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()  # type: ignore[union-attr]
    inverse = ax.transData.inverted()
    taken: list = []
    for label in labels:
        box = label.get_window_extent().expanded(1, 1.25)  # texts above and below still make the plot lower
        box = box.translated(
            max(0.0, ax.bbox.x0 - box.x0) - max(0.0, box.x1 - ax.bbox.x1),
            max(0.0, ax.bbox.y0 - box.y0) - max(0.0, box.y1 - ax.bbox.y1),
        )
        while hit := next((other for other in taken if box.overlaps(other)), None):
            box = box.translated(0, hit.y0 - box.y1 - 1)
        taken.append(box)
        label.set_position(inverse.transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)))
