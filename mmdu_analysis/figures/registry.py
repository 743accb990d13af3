"""Which figures there are, what each shows, and how it comes from the data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
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
    lengths,
    main_results,
    topics,
    words,
)
from mmdu_analysis.figures.style import house_style
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.published import load_published
from mmdu_analysis.schema import DataError
from mmdu_analysis.stats import dataset
from mmdu_analysis.stats.gap import finetuning_gain, gap_analysis
from mmdu_analysis.stats.tokens import (
    compare_image_models,
    context_growth,
    tokens_by_image_model,
)
from mmdu_analysis.stats.topics import topic_groups
from mmdu_analysis.stats.words import distinctive_words, word_frequencies

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
        """The `dialog_lengths` of `full_bench`, measured once for all figures."""
        return dataset.dialog_lengths(self.full_bench)

    def shares(self, what: str) -> pd.DataFrame:
        """Shares for one panel of Figure 4: of the user's data, else of the real dialogues as measured."""
        if self.bench is not None or what == "tokens":  # the references are not among the facts
            return dataset.distribution(self.lengths, what)
        measured = load_published("measured_dialogs").set_index("dialog_id")
        lengths = measured.assign(**dict.fromkeys(("text_tokens", "image_tokens", "image_text_tokens"), 0))
        about = load_published("measured_questions").set_index("dialog_id")["images"].fillna("")
        kinds = about.str.split(";").map(lambda numbers: min(len([n for n in numbers if n]), 2))
        for place, kind in enumerate(dataset.KINDS):
            lengths[kind] = (kinds == place).groupby(level=0).sum()
        lengths = lengths.assign(question_tokens=0, answer_tokens=0)
        shares = dataset.distribution(lengths, what)
        shares.attrs |= {
            "name": "real" if what == "images" else "real, first 20 turns",
            "source": "MMDU, measured (see published_tables)",
        }
        return shares

    @cached_property
    def full_bench(self) -> Benchmark:
        """The user's benchmark, else the sample, for what needs references or texts."""
        return self.bench or load_benchmark("sample")

    def text_tokens(self) -> pd.DataFrame:
        """Text tokens of each dialogue, of the user's data or the sample."""
        frame = self.lengths[["text_tokens"]].rename(columns={"text_tokens": "tokens"})
        frame.attrs |= {"items": "dialogues", "source": self.full_bench.name}
        return frame

    def turn_lengths(self, field: str) -> pd.DataFrame:
        """Tokens of each question or reference, of the user's data or the real dialogues as measured."""
        if self.bench is None:
            table = load_published("measured_questions")
            column = "question_tokens" if field == "question" else "reference_tokens"
            source = "MMDU, measured (see published_tables)"
        else:
            table = dataset.question_tokens(self.bench)
            table["answer_tokens"] = dataset.answer_tokens(self.bench)
            column, source = f"{field}_tokens", self.bench.name
        frame = table[["dialog_id", "turn", column]].rename(columns={column: "tokens"}).dropna()
        synthetic = self.bench is not None and self.bench.synthetic
        frame.attrs = {"items": f"{field}s", "source": source, "synthetic": synthetic}
        return frame

    def image_prices(self) -> pd.DataFrame:
        """Count what the images cost in each model: the user's, or the real ones by their original sizes."""
        images = self.bench.images.copy() if self.bench else load_published("measured_images")
        synthetic = self.bench is not None and self.bench.synthetic
        images.attrs |= {"source": self.bench.name, "synthetic": synthetic} if self.bench else {}
        return compare_image_models(images)

    def token_split(self) -> pd.DataFrame:
        """Split the mean tokens of a dialogue: of the user's data, or the paper's text and the real images."""
        if self.bench is None:
            images, n_dialogs = load_published("measured_images"), len(load_published("measured_dialogs"))
            table = load_published("statistics").set_index(["dataset", "statistic"])
            text, said = table.loc[("MMDU", "text_tokens"), "average"], "the paper's average, Table 1"
        else:
            images, n_dialogs = self.bench.images, len(self.bench.dialogs)
            text, said = self.lengths["text_tokens"].mean(), self.bench.name
        frame = tokens_by_image_model(images, float(text), n_dialogs)
        source = images.attrs.get("source") or self.full_bench.name
        frame.attrs = {"source": source, "text": said, "synthetic": bool(self.bench and self.bench.synthetic)}
        return frame

    def growth(self) -> pd.DataFrame:
        """Growth of the context: with a model's own answers as measured, or the user's references."""
        models = ("paper", "gpt-4o-low", "gpt-4o", "llava-1.6")
        if self.bench is None:
            answers = load_published("measured_answers")
            model = answers["model"].unique()[-1]
            answers = answers.loc[answers["model"] == model]
            images = load_published("measured_images")
            growth = context_growth(load_published("measured_questions"), answers, images, models)
            growth.attrs = {"source": images.attrs["source"], "history": f"History: {model}'s own answers."}
            return growth
        lengths = self.turn_lengths("answer").rename(columns={"tokens": "answer_tokens"})
        growth = context_growth(dataset.question_tokens(self.bench), lengths, self.bench.images, models)
        growth.attrs = {
            "source": self.bench.name,
            "history": "History: the references.",
            "synthetic": self.bench.synthetic,
        }
        return growth

    def images_named(self) -> pd.DataFrame:
        """Count questions by how many images they are about."""
        if self.bench is None:
            about = load_published("measured_questions")["images"].fillna("")
            counts = about.map(lambda numbers: len([n for n in numbers.split(";") if n])).value_counts()
            attrs: dict[str, Any] = {
                "name": "real, first 20 turns",
                "source": "MMDU, measured (see published_tables)",
            }
        else:
            counts = dataset.question_tokens(self.bench)["n_referenced"].value_counts()
            attrs = {"name": self.bench.name, "synthetic": self.bench.synthetic}
        counts = counts.sort_index()
        frame = counts.rename_axis("bin").rename("count").reset_index().astype({"bin": "str"})
        frame["percent"] = frame["count"] * 100 / frame["count"].sum()
        frame.attrs = attrs | {
            "distribution": "named",
            "n": int(frame["count"].sum()),
            "edges": "Each question counts once",
        }
        return frame

    def topic_places(self) -> pd.DataFrame:
        """Group the dialogues of the user's data, else of the sample, by topic."""
        groups = topic_groups(self.full_bench)
        places = groups.dialogs.join(groups.topics["name"], on="topic")
        places.attrs = dict(groups.dialogs.attrs)
        return places

    def word_contrast(self) -> pd.DataFrame:
        """Words of questions against words of references."""
        return distinctive_words(self.word_counts("question"), self.word_counts("answer"))

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


def _published_shares(what: str, *, unstated: bool = False) -> pd.DataFrame:
    table = load_published("distributions")
    shares = table.loc[table["distribution"] == what].reset_index(drop=True)
    if unstated and what == "questions":  # the paper gives no share for questions about no image
        shares = shares.reindex([-1, *shares.index]).reset_index(drop=True)
    return shares


def _share_spec(what: str, shows: str) -> FigureSpec:
    return FigureSpec(
        what,
        shows,
        "Figure 4",
        lambda inputs: inputs.shares(what),
        lambda shares: distributions.distribution_bars(shares, _published_shares(what, unstated=True)),
        "mmdu_analysis.figures.distributions.distribution_bars",
        uses_data=True,
    )


def _gaps(_: Inputs) -> pd.DataFrame:
    return gap_analysis(load_published("main_results"))


def _gains(_: Inputs) -> pd.DataFrame:
    return finetuning_gain(load_published("main_results"))


def _token_stacks(table: pd.DataFrame) -> Any:
    published = load_published("statistics").set_index(["dataset", "statistic"])["average"]
    return lengths.token_stacks(table, published=published[("MMDU", "image_text_tokens")])


def _donut_spec(what: str, title: str) -> FigureSpec:
    def paper_or_data(inputs: Inputs) -> pd.DataFrame:
        if inputs.bench is not None:
            return inputs.shares(what)
        shares = _published_shares(what)
        shares.attrs |= {"distribution": what, "source": "arXiv 2406.11833v2, Figure 4"}
        return shares

    return FigureSpec(
        f"{what}_donut",
        f"shares by {what} as the authors drew them",
        "Figure 4",
        paper_or_data,
        lambda shares: distributions.distribution_donut(shares, title=title),
        "mmdu_analysis.figures.distributions.distribution_donut",
        uses_data=True,
    )


def _length_spec(
    name: str, shows: str, numbers: Callable[[Inputs], Any], axis: str, rows: tuple[str, str]
) -> FigureSpec:
    """Histogram with the published average and maximum of one row of Table 1 marked."""

    def draw(frame: pd.DataFrame) -> Any:
        dataset_name, statistic = rows
        table = (
            load_published("statistics").set_index(["dataset", "statistic"]).loc[(dataset_name, statistic)]
        )
        values = {
            f"published average ({dataset_name})": table["average"],
            f"published maximum ({dataset_name})": table["maximum"],
        }
        marks = {label: value for label, value in values.items() if value == value}
        return lengths.length_histogram(frame, name=axis, marks=marks)

    return FigureSpec(
        name,
        shows,
        "Table 1",
        numbers,
        draw,
        "mmdu_analysis.figures.lengths.length_histogram",
        uses_data=True,
    )


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
    _share_spec("tokens", "dialogues by image and text tokens; without data, of the sample"),
    _share_spec("questions", "questions by the number of images that they are about"),
    _donut_spec("turns", "Number of turns"),
    _donut_spec("images", "Number of images"),
    _donut_spec("tokens", "Token length"),
    _donut_spec("questions", "Question distribution"),
    _length_spec(
        "text_tokens",
        "text tokens of each dialogue; without data, of the sample",
        Inputs.text_tokens,
        "text of a dialogue",
        ("MMDU", "text_tokens"),
    ),
    _length_spec(
        "question_lengths",
        "tokens of each question",
        lambda inputs: inputs.turn_lengths("question"),
        "length of a question",
        ("MMDU-45k", "question_length"),
    ),
    _length_spec(
        "answer_lengths",
        "tokens of each reference answer",
        lambda inputs: inputs.turn_lengths("answer"),
        "length of an answer",
        ("MMDU-45k", "answer_length"),
    ),
    FigureSpec(
        "image_tokens",
        "tokens that an image costs in each model, on the real sizes; the paper's 471",
        "beyond",
        Inputs.image_prices,
        lengths.image_token_bars,
        "mmdu_analysis.figures.lengths.image_token_bars",
        uses_data=True,
    ),
    FigureSpec(
        "tokens_by_estimator",
        "tokens of a dialogue with and without images, by image-token estimator",
        "Table 1",
        Inputs.token_split,
        _token_stacks,
        "mmdu_analysis.figures.lengths.token_stacks",
        uses_data=True,
    ),
    FigureSpec(
        "context_growth",
        "tokens to read at turn t, by image-token estimator",
        "beyond",
        Inputs.growth,
        lengths.context_growth_lines,
        "mmdu_analysis.figures.lengths.context_growth_lines",
        uses_data=True,
    ),
    FigureSpec(
        "images_named",
        "questions by how many images they are about",
        "beyond",
        Inputs.images_named,
        distributions.distribution_bars,
        "mmdu_analysis.figures.distributions.distribution_bars",
        uses_data=True,
    ),
    FigureSpec(
        "topics",
        "the map of topics; without data, of the sample",
        "construction",
        Inputs.topic_places,
        lambda dialogs: topics.topic_map(
            dialogs, accuracy=load_published("cluster_accuracy")["accuracy"].mean()
        ),
        "mmdu_analysis.figures.topics.topic_map",
        uses_data=True,
    ),
    FigureSpec(
        "wordcloud_answers",
        "the words of the reference answers, as a cloud and ranked",
        "word cloud",
        lambda inputs: inputs.word_counts("answer"),
        words.wordcloud_figure,
        "mmdu_analysis.figures.words.wordcloud_figure",
        uses_data=True,
    ),
    FigureSpec(
        "distinctive_words",
        "what sets questions apart from answers",
        "beyond",
        Inputs.word_contrast,
        words.distinctive_bars,
        "mmdu_analysis.figures.words.distinctive_bars",
        uses_data=True,
    ),
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


_shared: dict[str, Inputs] = {}


def _share(inputs: Inputs) -> None:
    _shared["inputs"] = inputs


def _write_named(name: str, folder: Path) -> str:
    (spec,) = find_specs([name])
    write(spec, _shared["inputs"], folder)
    return name


def write_all(names: list[str], inputs: Inputs, folder: Path) -> Iterator[str]:
    """Write several figures, on as many cores as there are.

    Parameters
    ----------
    names : list of str
        Which.
    inputs : Inputs
        What they are drawn from.
    folder : pathlib.Path
        Where to write.

    Yields
    ------
    str
        A figure's name, as soon as it is written.
    """
    workers = min(len(names), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, initializer=_share, initargs=(inputs,)) as pool:
        for done in as_completed([pool.submit(_write_named, name, folder) for name in names]):
            yield done.result()
