"""Which figures there are, what each shows, and how it comes from the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.figures import (
    benchmark_comparison,
    dimensions,
    distributions,
    finetuning,
    gap,
    main_results,
    words,
)
from mmdu_analysis.figures.style import house_style
from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.published import load_published
from mmdu_analysis.schema import DataError
from mmdu_analysis.stats import dataset
from mmdu_analysis.stats.gap import finetuning_gain, gap_analysis
from mmdu_analysis.stats.words import word_frequencies

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass
class Inputs:
    """What figures are drawn from: the shipped facts, and the user's benchmark where there is one.

    Attributes
    ----------
    bench : Benchmark or None
        None draws the facts.
    """

    bench: Benchmark | None = None

    @cached_property
    def lengths(self) -> pd.DataFrame:
        """The `dialog_lengths` of the benchmark, measured once for all figures."""
        if self.bench is None:
            raise DataError("lengths need a benchmark; give --data")
        return dataset.dialog_lengths(self.bench)

    def shares(self, what: str) -> pd.DataFrame:
        """Shares for one panel of Figure 4: of the user's data, else of the real dialogues as measured."""
        if self.bench is not None:
            return dataset.distribution(self.lengths, what)
        measured = load_published("measured_dialogs").set_index("dialog_id")
        lengths = measured.assign(**dict.fromkeys(("text_tokens", "image_tokens", "image_text_tokens"), 0))
        lengths = lengths.assign(question_tokens=0, answer_tokens=0)
        shares = dataset.distribution(lengths, what)
        shares.attrs |= {
            "name": "real, first 20 turns" if what == "turns" else "real",
            "source": "MMDU, measured (see published/index.csv)",
        }
        return shares

    def word_counts(self, kind: str) -> pd.Series:
        """Count the words of the user's data, else those of the real dialogues as counted."""
        if self.bench is not None:
            counts = word_frequencies(self.bench, kind)
            counts.attrs["source"] = self.bench.name
            return counts
        table = load_published("measured_words")
        counts = table.loc[table["field"] == kind].set_index("word")["count"]
        counts.attrs = {"source": "MMDU, 1,615 questions and 107 references, words met twice or more"}
        return counts


@dataclass(frozen=True)
class FigureSpec:
    """One figure: what it shows, its numbers, and how it is drawn.

    Attributes
    ----------
    name, shows, stands_for : str
        Its name, what it shows, and which table or figure of the paper it stands for.
    numbers : callable
        ``Inputs -> frame``: the numbers drawn, written as CSV.
    draw : callable
        ``frame -> Axes or Figure``.
    function : str
        The public place of the drawing function.
    uses_data : bool
        True where the user's benchmark changes it.
    """

    name: str
    shows: str
    stands_for: str
    numbers: Callable[[Inputs], Any]
    draw: Callable[[Any], Any]
    function: str
    uses_data: bool = False


def _published_shares(what: str) -> pd.DataFrame:
    table = load_published("distributions")
    return table.loc[table["distribution"] == what].reset_index(drop=True)


def _share_spec(what: str, shows: str) -> FigureSpec:
    return FigureSpec(
        what,
        shows,
        "Figure 4",
        lambda inputs: inputs.shares(what),
        lambda shares: distributions.distribution_bars(shares, _published_shares(what)),
        "mmdu_analysis.figures.distributions.distribution_bars",
        uses_data=True,
    )


def _gaps(_: Inputs) -> pd.DataFrame:
    return gap_analysis(load_published("main_results"))


def _gains(_: Inputs) -> pd.DataFrame:
    return finetuning_gain(load_published("main_results"))


SPECS: tuple[FigureSpec, ...] = (
    FigureSpec(
        "benchmark_comparison",
        "MMDU beside earlier benchmarks: images, turns, text tokens",
        "Figure 1",
        lambda _: load_published("benchmarks"),
        benchmark_comparison.benchmark_comparison,
        "mmdu_analysis.figures.benchmark_comparison.benchmark_comparison",
    ),
    _share_spec("turns", "dialogues by number of turns, beside the published shares"),
    _share_spec("images", "dialogues by number of images, beside the published shares"),
    FigureSpec(
        "wordcloud_questions",
        "the words of the questions, as a cloud and ranked",
        "word cloud",
        lambda inputs: inputs.word_counts("question"),
        words.wordcloud_figure,
        "mmdu_analysis.figures.words.wordcloud_figure",
        uses_data=True,
    ),
    FigureSpec(
        "main_results",
        "every model's Overall Score, ordered, by access",
        "Table 2",
        lambda _: load_published("main_results"),
        main_results.main_results,
        "mmdu_analysis.figures.main_results.main_results",
    ),
    FigureSpec(
        "dimension_radar",
        "the six dimensions of the best models of each access",
        "Table 2",
        lambda _: load_published("main_results"),
        dimensions.dimension_radar,
        "mmdu_analysis.figures.dimensions.dimension_radar",
    ),
    FigureSpec(
        "dimension_heatmap",
        "every model in every dimension",
        "Table 2",
        lambda _: load_published("main_results"),
        dimensions.dimension_heatmap,
        "mmdu_analysis.figures.dimensions.dimension_heatmap",
    ),
    FigureSpec(
        "gap_by_dimension",
        "how far open models are behind closed ones, in each dimension",
        "main finding",
        _gaps,
        gap.gap_by_dimension,
        "mmdu_analysis.figures.gap.gap_by_dimension",
    ),
    FigureSpec(
        "finetuning_mmdu",
        "scores before and after fine-tuning on MMDU-45k, and the share of the distance closed",
        "Table 2",
        _gains,
        finetuning.finetuning_mmdu,
        "mmdu_analysis.figures.finetuning.finetuning_mmdu",
    ),
)


def find_specs(names: list[str] | None = None) -> tuple[FigureSpec, ...]:
    """Give the figures of some names, or all.

    Raises
    ------
    DataError
        If there is no figure of a name.
    """
    known = {spec.name: spec for spec in SPECS}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise DataError(f"no figure {unknown[0]!r}; expected one of {', '.join(known)}")
    return tuple(known[name] for name in names) if names else SPECS


def render(spec: FigureSpec, inputs: Inputs) -> tuple[Any, Figure]:
    """Compute a figure's numbers and draw it.

    Returns
    -------
    tuple of (frame, matplotlib.figure.Figure)
        The numbers drawn, and the figure.
    """
    with house_style():
        numbers = spec.numbers(inputs)
        drawn = spec.draw(numbers)
        return numbers, getattr(drawn, "figure", drawn)


def draw_figure(name: str, bench: Benchmark | None = None) -> Figure:
    """Draw one of the figures by name, for a notebook.

    Parameters
    ----------
    name : str
        As ``mmdu figures --list`` gives it.
    bench : Benchmark, optional
        The user's data; without it the figure shows the shipped facts.

    Returns
    -------
    matplotlib.figure.Figure
        Shown by a notebook where it stands last in a cell.

    Raises
    ------
    DataError
        If there is no such figure.
    """
    import matplotlib.pyplot as plt

    (spec,) = find_specs([name])
    figure = render(spec, Inputs(bench))[1]
    plt.close(figure)  # else the notebook shows it twice
    return figure


def write(spec: FigureSpec, inputs: Inputs, folder: Path) -> list[Path]:
    """Write a figure as PNG and PDF, and its numbers as CSV; the same input gives the same bytes.

    Returns
    -------
    list of pathlib.Path
        The three files.
    """
    import matplotlib.pyplot as plt

    numbers, figure = render(spec, inputs)
    paths = [folder / f"{spec.name}{suffix}" for suffix in (".png", ".pdf", ".csv")]
    undated: dict[str, Any] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    }
    with house_style():
        for path in paths[:2]:
            with atomic_path(path) as temporary:
                figure.savefig(temporary, metadata=undated[path.suffix])
    plt.close(figure)
    with atomic_path(paths[2]) as temporary:
        keep_index = numbers.index.name is not None
        numbers.to_csv(temporary, index=keep_index, lineterminator="\n", float_format="%.10g")
    return paths
