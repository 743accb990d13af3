"""Word clouds, each with a ranking beside it: a cloud shows, a ranking tells."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.figures.style import COLUMN, OURS, SEQUENCE, new_axes, say, source_note
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def wordcloud_figure(
    counts: pd.Series, *, title: str | None = None, ranked: int = 15, figure: Figure | None = None
) -> Figure:
    """Draw a word cloud and the most frequent words.

    Parameters
    ----------
    counts : pandas.Series
        From `word_frequencies`; ``attrs["source"]`` is named.
    title : str, optional
        What to see; by default the three most frequent words.
    ranked : int, default 15
        Bars beside the cloud.
    figure : matplotlib.figure.Figure, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure
        A cloud and a bar chart; the same counts give the same picture.

    Raises
    ------
    DataError
        If no font at hand has the words' script.
    """
    import matplotlib.pyplot as plt
    from wordcloud import WordCloud

    font = font_for("".join(counts.index[:200]))
    figure = figure or plt.figure(figsize=(2 * COLUMN, 2.7))
    cloud_ax, bar_ax = figure.subplots(1, 2, width_ratios=[2, 1])
    cloud = WordCloud(
        width=1200, height=640, background_color="white", font_path=str(font), max_words=120, random_state=0,
        color_func=_color, prefer_horizontal=1.0, relative_scaling=0.5,
    ).generate_from_frequencies(counts.to_dict())  # fmt: skip
    cloud_ax.imshow(cloud.to_array(), interpolation="bilinear")
    cloud_ax.set_axis_off()
    top = counts.head(ranked)[::-1]
    bars = bar_ax.barh(range(len(top)), top, color=OURS, height=0.7)
    bar_ax.bar_label(bars, fontsize=6, padding=2)
    properties = _properties(font)
    bar_ax.set_yticks(range(len(top)), top.index, fontproperties=properties, fontsize=6.5)
    bar_ax.tick_params(axis="y", length=0)
    bar_ax.set_xlabel("occurrences")
    bar_ax.set_xlim(0, top.max() * 1.15)
    cloud_ax.set_title(title or f"Most frequent: {', '.join(counts.index[:3])}")
    note = f"Stop words and image names left out, plurals counted with singulars; {len(counts):,} different words. "
    source_note(
        cloud_ax,
        note + f"Source: {counts.attrs.get('source', 'own data')}",
        synthetic=counts.attrs.get("synthetic", False),
    )
    return figure


def _color(word: str, font_size: int, **_: Any) -> str:
    return SEQUENCE[0] if font_size > 70 else SEQUENCE[1] if font_size > 35 else "#4C8DB0"


def _properties(font: Path) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=font)


def distinctive_bars(words: pd.DataFrame, *, ranked: int = 12, ax: Axes | None = None) -> Axes:
    """Draw the words that set questions apart from answers.

    Parameters
    ----------
    words : pandas.DataFrame
        From `distinctive_words`.
    ranked : int, default 12
        Words of each side.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a word; questions to the right.
    """
    import pandas as pd

    shown = pd.concat([words.head(ranked), words.tail(ranked)])[::-1].drop_duplicates("word")
    ax = new_axes(ax, COLUMN, 0.9 + 0.14 * len(shown))
    rows = range(len(shown))
    ax.barh(rows, shown["z"], color=[OURS if z > 0 else "#D55E00" for z in shown["z"]], height=0.7)
    ax.set_yticks(rows, shown["word"])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color="black", lw=0.6)
    ax.set_xlabel("of answers  <  log-odds by standard error  >  of questions")
    first, last = shown["word"].iloc[-1], shown["word"].iloc[0]
    say(ax, f"Questions say {first!r},\nanswers {last!r}")
    note = f"Log-odds with a Dirichlet prior (Monroe et al. 2008). Source: {words.attrs.get('source', 'own data')}"
    source_note(ax, note, synthetic=words.attrs.get("synthetic", False))
    return ax


@functools.cache
def font_for(text: str) -> Path:
    """Find a font at hand that has the glyphs of a text: matplotlib's own, else the system's.

    Parameters
    ----------
    text : str
        The characters that are needed.

    Returns
    -------
    pathlib.Path
        A font file.

    Raises
    ------
    DataError
        If no font has them.
    """
    from matplotlib import font_manager

    needed = {ord(char) for char in text if not char.isspace()}
    bundled = Path(font_manager.findfont("DejaVu Sans"))
    fonts = font_manager.fontManager.ttflist
    others = sorted(
        Path(entry.fname) for entry in fonts if "LastResort" not in entry.fname
    )  # boxes, no glyphs
    for path in (bundled, *others):
        try:
            glyphs = font_manager.get_font(str(path)).get_charmap()
        except (RuntimeError, OSError):
            continue
        if needed <= glyphs.keys():
            return path
    lost = "".join(sorted(map(chr, needed))[-5:])
    raise DataError(
        f"no font at hand has the glyphs of {lost!r}; install one, such as Debian's fonts-noto-cjk"
    )
