"""Word clouds with a ranking, and words that distinguish questions from answers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.plots._layout import inches_wide, panels, rows_that_fit, set_plot_height
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, OURS, SEQUENCE, points, small
from mmdu_analysis.schema import DataError, NotAvailable, is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

Field = Literal["question", "answer"]

_SHOWN = 60
"""Number of words of a cloud."""

_FEWEST_WORDS, _SMALLEST = 20, 5.0
"""Words that a cloud has at least, and the size in points at the base font size below which others are left out."""

_SIDES = (OURS, "#8C6D31")
"""Colours of words of questions and of answers."""

_KEPT = 0.85
"""Minimum ratio of the drawn to the requested size of a word."""

_CANVAS = (1200, 620)
_KIND: dict[Field, str] = {"question": "questions", "answer": "reference answers"}


def _counts(study: Study, field: Field) -> tuple[pd.Series, str, bool]:
    """Return the counts of words, their source, and whether they are synthetic."""
    if study.benchmark is not None:
        from mmdu_analysis.stats.words import word_frequencies

        bench = study.benchmark
        counts = word_frequencies(bench, field).set_index("word")["count"]
        return counts, bench.name, is_synthetic(bench.dialogs)
    table = load_published("measured_words")
    counts = table.loc[table["field"] == field].set_index("word")["count"]
    return (
        counts,
        f"{published_tables().loc['measured_words', 'source']}; words with two or more occurrences",
        False,
    )


def _cloud_numbers(field: Field) -> Callable[[Study], pd.DataFrame]:
    """Return the function that counts the words of questions or of references."""

    def numbers(study: Study) -> pd.DataFrame:
        counts, source, synthetic = _counts(study, field)
        if counts.empty:
            raise NotAvailable(f"the {_KIND[field]} have no words to show")
        frame = counts.head(_SHOWN).rename("count").rename_axis("word").reset_index()
        return frame.assign(
            texts=_KIND[field],
            n_words=len(counts),
            n_occurrences=int(counts.sum()),
            source=source,
            synthetic=synthetic,
        )

    return numbers


@figure(
    caption="The most frequent words of the questions, as a cloud and ranked",
    numbers=_cloud_numbers("question"),
    notebook="02_words_and_topics",
    facts="benchmark",
    needs=("benchmark",),
    packages=("wordcloud",),
    size=(7.0, 2.3),
)
def wordcloud_questions(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the words of the questions: letter heights are proportional to the counts.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``word`` and ``count``, falling; ``texts``, ``n_words`` and ``n_occurrences`` for the note.
    """
    return _cloud(frame, ax)


@figure(
    caption="The most frequent words of the reference answers, as a cloud and ranked",
    numbers=_cloud_numbers("answer"),
    notebook="02_words_and_topics",
    facts="benchmark",
    needs=("benchmark", "some references"),
    packages=("wordcloud",),
    size=(7.0, 2.3),
)
def wordcloud_answers(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the words of the reference answers; see `wordcloud_questions`."""
    return _cloud(frame, ax)


def _cloud(frame: pd.DataFrame, ax: Axes) -> Drawing:
    font = font_for("".join(frame["word"].astype(str)))
    beside = inches_wide(ax) > 5
    shape: Any = {"width_ratios": (2.2, 1)} if beside else {"height_ratios": (1.1, 1)}
    if not beside:
        set_plot_height(ax, 0.9 * inches_wide(ax) + 0.6)
    left, right = panels(ax, 1 if beside else 2, 2 if beside else 1, **shape)
    shown = frame.head(_readable(frame.set_index("word")["count"], inches_wide(left) * points(1)))
    _draw_cloud(left, shown, font)
    rows = rows_that_fit(ax, 15) if beside else rows_that_fit(ax, 12, 0.5)
    _ranking(right, frame.head(rows), font)
    first = frame.iloc[0]
    return Drawing(
        f"Most frequent words of the {first['texts']}: {', '.join(frame['word'].astype(str).head(3))}",
        "Cloud: letter heights are proportional to the counts",
        f"The {len(shown)} most frequent of {first['n_words']:,} words ({first['n_occurrences']:,} occurrences); stop "
        "words and image names are left out, plurals are counted with singulars.",
    )


def _readable(counts: pd.Series, inches: float) -> int:
    """Return how many words a cloud of a width can show without letters of less than 5 points at the base font size."""
    most, scale = float(counts.max()), 0.85 * inches * 72 / _CANVAS[0]  # labels beside the cloud take room
    for number in range(len(counts), _FEWEST_WORDS, -1):
        smallest = _KEPT * _largest(counts.head(number)) * scale * float(counts.iloc[number - 1]) / most
        if smallest >= points(_SMALLEST):
            return number
    return min(len(counts), _FEWEST_WORDS)


def _largest(counts: pd.Series) -> float:
    """Return the size of the most frequent word with which words fill about half of the canvas."""
    shares = counts.astype(float) / float(counts.max())
    area = (0.6 * counts.index.astype(str).str.len().to_numpy().clip(min=2) * shares.to_numpy() ** 2).sum()
    return float(min(240.0, (0.5 * _CANVAS[0] * _CANVAS[1] / area) ** 0.5))


def _draw_cloud(ax: Axes, frame: pd.DataFrame, font: Path) -> None:
    """Draw the words as paths, so that their heights scale with the Axes and stay proportional."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    properties = FontProperties(fname=font)
    for rank, (word, size, (row, column)) in enumerate(_layout(frame, font)):
        path = TextPath((0, 0), word, size=size, prop=properties, usetex=False)
        box = path.get_extents()
        transform = Affine2D().translate(-box.x0, -box.y1).scale(1, -1).translate(column, row)
        color = SEQUENCE[0] if rank < 10 else SEQUENCE[1] if rank < 30 else "#4C8DB0"
        ax.add_patch(PathPatch(transform.transform_path(path), facecolor=color, lw=0, gid=word))
    ax.set_xlim(0, _CANVAS[0])
    ax.set_ylim(_CANVAS[1], 0)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _layout(frame: pd.DataFrame, font: Path) -> list[tuple[str, float, tuple[int, int]]]:
    """Return word, font size and position (row, column) of the words, the sizes proportional to the counts.

    The layout of wordcloud shrinks words that don't fit, and rounds sizes. All words are scaled by the
    smallest ratio, so that they stay proportional and don't overlap.
    """
    from wordcloud import WordCloud

    counts = dict(zip(frame["word"].astype(str), frame["count"].astype(float), strict=True))
    most = max(counts.values())
    largest = _largest(frame.set_index("word")["count"])
    for _ in range(6):
        cloud = WordCloud(
            font_path=str(font), width=_CANVAS[0], height=_CANVAS[1], max_words=len(counts), random_state=0,
            prefer_horizontal=1.0, relative_scaling=1, max_font_size=int(largest), min_font_size=1, margin=4,
        ).generate_from_frequencies(counts)  # fmt: skip
        wanted = {word: largest * count / most for word, count in counts.items()}
        kept = min(size / wanted[word] for (word, _), size, *_ in cloud.layout_)
        if kept > _KEPT and len(cloud.layout_) == len(counts):
            break
        largest *= 0.85
    return [(word, kept * wanted[word], position) for (word, _), _, position, *_ in cloud.layout_]


def _ranking(ax: Axes, top: pd.DataFrame, font: Path) -> None:
    import seaborn as sns
    from matplotlib.font_manager import FontProperties

    words = top["word"].astype(str)
    sns.barplot(
        x=top["count"].to_numpy(),
        y=words.to_numpy(),
        color=OURS,
        saturation=1,
        width=0.7,
        errorbar=None,
        ax=ax,
    )
    ax.bar_label(ax.containers[0], fmt="{:,.0f}", fontsize=small(), padding=points(2))  # type: ignore[arg-type]
    ax.set_yticks(range(len(top)), words, fontproperties=FontProperties(fname=font, size=points(6.5)))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("occurrences")
    ax.set_ylabel("")
    ax.set_xlim(0, top["count"].max() * 1.2)
    ax.locator_params(axis="x", nbins=4)  # the bars have their numbers


def _contrast(study: Study) -> pd.DataFrame:
    """Return the most distinctive words of questions and of answers."""
    import pandas as pd

    from mmdu_analysis.stats.words import distinctive_words as contrast

    questions, source, synthetic = _counts(study, "question")
    answers, *_ = _counts(study, "answer")
    if questions.empty or answers.empty:
        raise NotAvailable("it needs words of questions and of reference answers")
    words = contrast(questions.reset_index(), answers.reset_index())
    both = pd.concat([words.head(12), words.tail(12)]).drop_duplicates("word")
    return both.assign(n_words=len(words), source=source, synthetic=synthetic).reset_index(drop=True)


@figure(
    caption="Words that distinguish questions from reference answers",
    numbers=_contrast,
    notebook="02_words_and_topics",
    facts="benchmark",
    needs=("benchmark", "some references"),
    packages=("wordcloud",),
    size=(3.5, 3.2),
)
def distinctive_words(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the words that distinguish questions from reference answers.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `mmdu_analysis.distinctive_words`: ``word``, ``z`` (log-odds by its standard error), ``n_words``.
    """
    rows = rows_that_fit(ax, len(frame))
    if rows < len(frame):  # the most distinctive words of either side are first and last
        ends = frame["z"].abs().groupby(frame["z"] > 0).rank(ascending=False) <= rows // 2
        frame = frame.loc[ends].reset_index(drop=True)
    set_plot_height(ax, 0.5 + 0.125 * len(frame))
    font = font_for("".join(frame["word"].astype(str)))
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Patch

    colors = [_SIDES[0] if z > 0 else _SIDES[1] for z in frame["z"]]
    ax.barh(range(len(frame)), frame["z"], color=colors, height=0.7)
    ax.set_yticks(
        range(len(frame)),
        frame["word"].astype(str),
        fontproperties=FontProperties(fname=font, size=points(6.5)),
    )
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color="black", lw=points(0.6))
    for bound in (-1.96, 1.96):
        ax.axvline(bound, color=GREY, lw=points(0.6), ls=":")
    ax.set_xlabel("log-odds by standard error")
    clear = int((frame["z"].abs() > 1.96).sum())
    return Drawing(
        "Words that distinguish questions from reference answers",
        f"{clear} of the {len(frame)} words are beyond 1.96 standard errors (dotted)",
        f"Log-odds with a Dirichlet prior (Monroe et al. 2008); the most distinctive of {frame['n_words'].iloc[0]:,} words "
        "of either side, so these are selected extremes.",
        legend=([Patch(facecolor=color) for color in _SIDES], ["more in questions", "more in answers"]),
    )


@functools.cache
def font_for(text: str) -> Path:
    """Return a font that has the glyphs of a text: one of matplotlib, else one of the system.

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
    entries: Any = font_manager.fontManager.ttflist
    others = sorted(
        Path(entry.fname) for entry in entries if "LastResort" not in entry.fname
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
        f"no installed font has the glyphs of {lost!r}; install one, such as Debian's fonts-noto-cjk"
    )
