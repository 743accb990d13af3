"""Which figures there are, what each shows, and how it comes from the data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.figures import (
    audit,
    benchmark_comparison,
    breakdowns,
    comparisons,
    dimensions,
    distributions,
    finetuning,
    gap,
    gap_inputs,
    judge_free,
    judges,
    lengths,
    main_results,
    memory,
    score_and_length,
    score_inputs,
    topics,
    words,
)
from mmdu_analysis.figures.inputs import Inputs
from mmdu_analysis.figures.style import house_style
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.tables import without_formulas
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mmdu_analysis.io.benchmark import Benchmark


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
    uses_scores : bool
        True where the user's scores change it.
    """

    name: str
    shows: str
    stands_for: str
    numbers: Callable[[Inputs], Any]
    draw: Callable[[Any], Any]
    function: str
    uses_data: bool = False
    uses_scores: bool = False


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


def _gap_spec(name: str, what: str, shows: str) -> FigureSpec:
    return FigureSpec(
        name,
        shows,
        "beyond",
        lambda inputs: gap_inputs.gap_over(inputs, what),
        gap.gap_along,
        "mmdu_analysis.figures.gap.gap_along",
        uses_scores=True,
    )


def _breakdown_spec(name: str, what: str, shows: str) -> FigureSpec:
    return FigureSpec(
        name,
        shows,
        "beyond",
        lambda inputs: score_inputs.breakdown(inputs, what),
        breakdowns.breakdown_dots,
        "mmdu_analysis.figures.breakdowns.breakdown_dots",
        uses_scores=True,
    )


def _decay_spec(name: str, along: str, shows: str) -> FigureSpec:
    return FigureSpec(
        name,
        shows,
        "beyond",
        lambda inputs: score_inputs.decay(inputs, along),
        memory.decay_lines,
        "mmdu_analysis.figures.memory.decay_lines",
        uses_scores=True,
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
        score_inputs.model_table,
        main_results.main_results,
        "mmdu_analysis.figures.main_results.main_results",
        uses_scores=True,
    ),
    FigureSpec(
        "dimension_radar",
        "the six dimensions of the best models of each access",
        "Table 2",
        score_inputs.model_table,
        dimensions.dimension_radar,
        "mmdu_analysis.figures.dimensions.dimension_radar",
        uses_scores=True,
    ),
    FigureSpec(
        "dimension_heatmap",
        "every model in every dimension",
        "Table 2",
        score_inputs.model_table,
        dimensions.dimension_heatmap,
        "mmdu_analysis.figures.dimensions.dimension_heatmap",
        uses_scores=True,
    ),
    FigureSpec(
        "dimension_profiles",
        "every model's six dimensions as a line: what is easy and what is hard for all",
        "Table 2",
        score_inputs.model_table,
        dimensions.dimension_profiles,
        "mmdu_analysis.figures.dimensions.dimension_profiles",
        uses_scores=True,
    ),
    FigureSpec(
        "gap_by_dimension",
        "how far open models are behind closed ones, in each dimension",
        "main finding",
        gap_inputs.gaps,
        gap.gap_by_dimension,
        "mmdu_analysis.figures.gap.gap_by_dimension",
        uses_scores=True,
    ),
    FigureSpec(
        "gap_pairs",
        "all models in each dimension, and the two at the border",
        "main finding",
        score_inputs.model_table,
        gap.gap_pairs,
        "mmdu_analysis.figures.gap.gap_pairs",
        uses_scores=True,
    ),
    FigureSpec(
        "score_and_size",
        "open models' scores against their parameters; closed ones, whose size isn't known, as lines",
        "main finding",
        gap_inputs.sizes,
        gap.score_and_size,
        "mmdu_analysis.figures.gap.score_and_size",
    ),
    _gap_spec("gap_by_turn", "turn", "the gap as the dialogue grows; without scores, of the sample"),
    _gap_spec("gap_by_images", "images", "the gap by images in the dialogue; without scores, of the sample"),
    _gap_spec("gap_by_context", "context", "the gap by tokens to read; without scores, of the sample"),
    FigureSpec(
        "finetuning_mmdu",
        "scores before and after fine-tuning on MMDU-45k, and the share of the distance closed",
        "Table 2",
        gap_inputs.gains,
        finetuning.finetuning_dumbbells,
        "mmdu_analysis.figures.finetuning.finetuning_dumbbells",
    ),
    FigureSpec(
        "finetuning_benchmarks",
        "other benchmarks before and after fine-tuning on MMDU-45k",
        "Tables 3 and 4",
        gap_inputs.benchmark_gains,
        lambda gains: finetuning.finetuning_dumbbells(
            gains, title=f"{(gains['gain'].round(6) > 0).sum()} of {len(gains)} other scores rise"
        ),
        "mmdu_analysis.figures.finetuning.finetuning_dumbbells",
    ),
    FigureSpec(
        "context_ablation",
        "scores at 2k, 4k and 8k tokens of context, before and after fine-tuning",
        "Table 5",
        gap_inputs.ablation,
        finetuning.context_ablation,
        "mmdu_analysis.figures.finetuning.context_ablation",
    ),
    FigureSpec(
        "judge_agreement",
        "judges' correlations with each other and with people",
        "Table 6, human study",
        gap_inputs.agreement,
        lambda frame: judges.judge_agreement_dots(frame, load_published("human_agreement")),
        "mmdu_analysis.figures.judges.judge_agreement_dots",
    ),
    FigureSpec(
        "judge_offsets",
        "which judge gives how much to whom; models of its own family are ringed",
        "Table 6",
        gap_inputs.offsets,
        judges.judge_offset_dots,
        "mmdu_analysis.figures.judges.judge_offset_dots",
    ),
    FigureSpec(
        "judge_ranks",
        "how each judge ranks the models",
        "Table 6",
        gap_inputs.offsets,
        judges.judge_rank_bumps,
        "mmdu_analysis.figures.judges.judge_rank_bumps",
    ),
    FigureSpec(
        "turn_curves",
        "scores by turn with bands, and the slope within dialogues; without scores, of the sample",
        "beyond",
        score_inputs.turn_curves,
        breakdowns.turn_curves,
        "mmdu_analysis.figures.breakdowns.turn_curves",
        uses_scores=True,
    ),
    _breakdown_spec("scores_by_dimension", "dimension", "scores by dimension, with intervals"),
    _breakdown_spec("scores_by_images", "images", "scores by the number of images in the dialogue"),
    _breakdown_spec("scores_by_named_images", "named_images", "scores by how many images the question names"),
    _breakdown_spec("scores_by_context", "context", "scores by the tokens to read before answering"),
    _breakdown_spec("scores_by_kind", "kind", "scores by kind of question: about no, one or several images"),
    FigureSpec(
        "rank_intervals",
        "ranks with intervals, and groups that can't be told apart; without scores, of the sample",
        "beyond",
        score_inputs.ranks,
        comparisons.rank_dots,
        "mmdu_analysis.figures.comparisons.rank_dots",
        uses_scores=True,
    ),
    FigureSpec(
        "pairwise_differences",
        "who beats whom, corrected for many comparisons; without scores, of the sample",
        "beyond",
        score_inputs.pairs,
        comparisons.pairwise_matrix,
        "mmdu_analysis.figures.comparisons.pairwise_matrix",
        uses_scores=True,
    ),
    FigureSpec(
        "score_and_length",
        "scores beside answer length, and at equal length; without scores, of the sample",
        "beyond",
        score_inputs.length_adjusted,
        score_and_length.score_and_length,
        "mmdu_analysis.figures.score_and_length.score_and_length",
        uses_scores=True,
    ),
    _decay_spec("memory_decay", "progress", "share correct by progress through the dialogue"),
    _decay_spec(
        "memory_distance", "distance", "share correct by turns since the image was first asked about"
    ),
    FigureSpec(
        "memory_coefficients",
        "coefficients of memory decay, alone and at equal kinds of questions",
        "beyond",
        score_inputs.decay_coefficients,
        memory.decay_coefficients,
        "mmdu_analysis.figures.memory.decay_coefficients",
        uses_scores=True,
    ),
    FigureSpec(
        "judge_free_metrics",
        "how well each metric without a judge tells right answers from wrong ones",
        "beyond",
        score_inputs.validity,
        judge_free.judge_free_metrics,
        "mmdu_analysis.figures.judge_free.judge_free_metrics",
    ),
    FigureSpec(
        "audit",
        "the paper's claims that come out differently: stated, recomputed",
        "beyond",
        gap_inputs.audit,
        audit.audit_table,
        "mmdu_analysis.figures.audit.audit_table",
        uses_data=True,
    ),
)


_NOTEBOOKS = {
    "01_dataset_statistics": ("benchmark_comparison", "distributions", "lengths"),
    "02_words_and_topics": ("words", "topics"),
    "03_model_scores": (
        "main_results",
        "dimensions",
        "breakdowns",
        "comparisons",
        "score_and_length",
        "memory",
        "judge_free",
    ),
    "04_open_vs_closed_gap": ("gap",),
    "05_finetuning_and_judges": ("finetuning", "judges"),
    "06_paper_audit": ("audit",),
}


def write_index(titles: Mapping[str, str], folder: Path) -> Path:
    """Write ``README.md``: every figure with what it shows, its numbers, its code and its notebook.

    Parameters
    ----------
    titles : mapping of str to str
        Figure -> its title, from `write_all`.
    folder : pathlib.Path
        Where the figures are.

    Returns
    -------
    pathlib.Path
        The file.
    """
    notebooks = {module: name for name, modules in _NOTEBOOKS.items() for module in modules}
    lines = [
        "# Figures",
        "",
        "Made by `mmdu figures`, which writes this page too. Each figure is there as PNG and PDF, with a CSV of the numbers drawn.",
        "",
    ]
    for spec in SPECS:
        module = spec.function.split(".")[-2]
        stands = "beyond the paper" if spec.stands_for == "beyond" else f"for the paper's {spec.stands_for}"
        code = f"../mmdu_analysis/figures/{module}.py"
        notebook = f"../notebooks/{notebooks[module]}.ipynb"
        alt = f"{spec.shows}. {titles[spec.name]}".replace("]", ")").replace("[", "(")
        lines += [
            f"## {spec.name}",
            "",
            f"![{alt}]({spec.name}.png)",
            "",
            f"{spec.shows[0].upper()}{spec.shows[1:]}; {stands}. [PDF]({spec.name}.pdf), [numbers]({spec.name}.csv), "
            f"[code]({code}), [notebook]({notebook}).",
            "",
        ]
    path = folder / "README.md"
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return path


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


def draw_figure(
    name: str,
    bench: Benchmark | None = None,
    scores: pd.DataFrame | None = None,
    answers: pd.DataFrame | None = None,
    access: Mapping[str, str] | None = None,
) -> Figure:
    """Draw one of the figures by name, for a notebook.

    Parameters
    ----------
    name : str
        As ``mmdu figures --list`` gives it.
    bench : Benchmark, optional
        The user's data; without it the figure shows the shipped facts.
    scores, answers : pandas.DataFrame, optional
        The user's, from `load_scores` and `load_answers`.
    access : mapping of str to str, optional
        Model -> ``closed``, ``open`` or ``finetuned``, for the user's models.

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
    figure = render(spec, Inputs(bench, scores, answers, dict(access or {})))[1]
    plt.close(figure)  # else the notebook shows it twice
    return figure


def write(spec: FigureSpec, inputs: Inputs, folder: Path) -> list[Path]:
    """Write a figure as PNG and PDF, and its numbers as CSV; the same input gives the same bytes.

    Returns
    -------
    list of pathlib.Path
        The three files.
    """
    return _write(spec, inputs, folder)[0]


def _write(spec: FigureSpec, inputs: Inputs, folder: Path) -> tuple[list[Path], str]:
    """Write a figure, and give its title: the finding, in words."""
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
                figure.savefig(temporary, format=path.suffix[1:], metadata=undated[path.suffix])
    titles = [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center")]
    title = " ".join(next((text for text in titles if text), "").split())
    plt.close(figure)
    with atomic_path(paths[2]) as temporary:
        keep_index = numbers.index.name is not None
        without_formulas(numbers).to_csv(
            temporary, index=keep_index, lineterminator="\n", float_format="%.10g"
        )
    return paths, title


_shared: dict[str, Inputs] = {}


def _share(inputs: Inputs) -> None:
    _shared["inputs"] = inputs


def _write_named(name: str, folder: Path) -> tuple[str, str]:
    (spec,) = find_specs([name])
    return name, _write(spec, _shared["inputs"], folder)[1]


def write_all(names: list[str], inputs: Inputs, folder: Path) -> Iterator[tuple[str, str]]:
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
    tuple of str
        A figure's name and title, as soon as it is written.
    """
    workers = min(len(names), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, initializer=_share, initargs=(inputs,)) as pool:
        for done in as_completed([pool.submit(_write_named, name, folder) for name in names]):
            yield done.result()
