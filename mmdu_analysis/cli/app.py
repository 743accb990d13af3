"""The command line: ``mmdu`` with its commands, each of which answers ``--help``."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.cli import judging as cli_judging
from mmdu_analysis.cli.judging import DataOption
from mmdu_analysis.io.tables import Format, print_table
from mmdu_analysis.schema import ACCESS, DataError, DataWarning

if TYPE_CHECKING:
    from mmdu_analysis.figures.inputs import Inputs

app = typer.Typer(
    name="mmdu",
    help="Analyse MMDU, MMDU-45k, and models on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Benchmark file, folder or pattern, or a name: sample, benchmark, mmdu-45k; may be repeated.",
    ),
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="local: all cores of this machine; dask: a cluster.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a running Dask scheduler, such as tcp://10.0.0.1:8786."),
]
CacheOption = Annotated[
    bool,
    typer.Option("--cache/--no-cache", help="Use what was measured before on files that haven't changed."),
]
ScoresOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--scores", help="Folder or file of judge scores, one a model or a parent; may be repeated."
    ),
]
AnswersOption = Annotated[
    Path | None, typer.Option("--answers", help="Folder of models' answers, or a parent of such folders.")
]
AccessOption = Annotated[
    list[str] | None,
    typer.Option("--access", help="MODEL=closed, =open or =finetuned, for your models; may be repeated."),
]
JudgedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Folder or file of judge scores, one a model or a parent of such; may be repeated. "
        "'sample' for the synthetic one. Without it: the published Table 2.",
    ),
]
JudgedBenchmarkOption = Annotated[
    str | None,
    typer.Option("--benchmark", help="Benchmark that was judged; tells which turn a score belongs to."),
]
OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; by default standard output.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How the table is printed.")]


app.command()(cli_judging.answer)
app.command()(cli_judging.judge)


def main() -> None:
    """Run the command line; bad input ends in one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        app()
    except DataError as error:
        print(f"mmdu: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("mmdu: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has had enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        print(f"mmdu: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    prefix = "mmdu: warning" if issubclass(category, DataWarning) else f"mmdu: {category.__name__}"
    print(f"{prefix}: {message}", file=sys.stderr)


@app.command()
def figures(
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    scores: ScoresOption = None,
    answers: AnswersOption = None,
    access: AccessOption = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Draw this figure alone; may be repeated.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures and end.")] = False,
) -> None:
    """Draw the figures, each as PNG and PDF, with a CSV of its numbers."""
    import matplotlib as mpl

    mpl.use("agg")
    from tqdm import tqdm

    from mmdu_analysis.figures.registry import find_specs, write_all, write_index

    specs = find_specs(only)
    if list_:
        for spec in specs:
            print(f"{spec.name:22} {spec.stands_for:13} {spec.shows}")
        return
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the figures")
    inputs = _own_inputs(data, answers, scores, access)
    names = [spec.name for spec in specs]
    drawn = write_all(names, inputs, out)
    titles = dict(tqdm(drawn, total=len(names), desc="figures", unit="figure", disable=None))
    if not only:
        write_index(titles, out)
    print(f"{len(specs)} figures with their numbers in {out}{'/' if out.is_dir() else ''}")


@app.command()
def stats(
    data: FilesOption = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
    image_model: Annotated[
        str,
        typer.Option("--image-model", help="Estimator of an image's tokens, such as gpt-4o or fixed:256."),
    ] = "paper",
    compare: Annotated[
        bool, typer.Option("--compare", help="Print the paper's numbers beside the data's.")
    ] = False,
    engine: EngineOption = "local",
    scheduler: SchedulerOption = None,
    cache: CacheOption = True,
) -> None:
    """Print Table 1 for any data: how many dialogues, turns, images, tokens."""
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats import compare as comparison
    from mmdu_analysis.stats.dataset import dataset_statistics
    from mmdu_analysis.stats.lengths import dialog_lengths

    lengths = dialog_lengths(
        data_source(data), engine, image_model=image_model, scheduler=scheduler, use_cache=cache
    )
    if not compare:
        print_table(dataset_statistics(lengths), form, out)
        return
    table = comparison.compare_statistics(lengths, load_published("statistics"))
    shares = comparison.compare_distributions(lengths, load_published("distributions"))
    shares = shares.rename(columns={"distribution": "statistic", "bin": "measure"}).drop(columns="count")
    shares["measure"] = shares["measure"] + ", %"
    both = pd.concat([table, shares], ignore_index=True)
    both.attrs = dict(lengths.attrs)
    print_table(both, form, out)


def data_source(data: list[str] | None) -> Any:
    """Give what `dialog_lengths` takes: the paths that --data names, or the sample."""
    from mmdu_analysis.io.benchmark import load_benchmark, resolve_source

    if data and len(data) > 1:
        return data
    path = resolve_source(data[0] if data else None)
    return load_benchmark("sample") if path is None else path


class DataSet(StrEnum):
    """What can be downloaded."""

    benchmark = "benchmark"
    mmdu_45k = "mmdu-45k"


@app.command()
def download(
    name: Annotated[DataSet, typer.Argument(help="Which data set of laolao77/MMDU.")],
    images: Annotated[
        bool, typer.Option("--images", help="Also its pictures, unpacked beside the JSON.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; by default the hub's cache, where --data finds it.")
    ] = None,
) -> None:
    """Download MMDU from the Hugging Face hub (CC BY-NC 4.0); a cut download goes on where it stopped."""
    from mmdu_analysis.io.hub import RemoteFile
    from mmdu_analysis.io.hub import download as fetch

    def announce(file: RemoteFile) -> None:
        print(f"mmdu: {file.name}: {file.size / 1e6:,.1f} MB", file=sys.stderr)

    print(fetch(name.value, images=images, folder=out, announce=announce))


@app.command()
def subset(
    data: FilesOption = None,
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .json or .jsonl, with .gz packed.")
    ] = Path("subset.json"),
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            help="What to keep, in the columns of dialog_lengths: 'n_images <= 3 and text_tokens < 8000'.",
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Draw this many of what is kept.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    image_model: Annotated[
        str, typer.Option("--image-model", help="Estimator of an image's tokens.")
    ] = "paper",
    engine: EngineOption = "local",
    scheduler: SchedulerOption = None,
    cache: CacheOption = True,
) -> None:
    """Cut a data set down by length, images and turns; the records stay as they are, byte for byte."""
    from mmdu_analysis.io.benchmark import Benchmark, benchmark_files
    from mmdu_analysis.io.export import write_subset
    from mmdu_analysis.stats.lengths import dialog_lengths, find_paths
    from mmdu_analysis.stats.subsets import choose_dialogs

    source = data_source(data)
    lengths = dialog_lengths(source, engine, image_model=image_model, scheduler=scheduler, use_cache=cache)
    chosen, steps = choose_dialogs(lengths, where, sample, seed)
    if isinstance(source, Benchmark):
        source.select(chosen).to_json(out)
    else:
        files = [file for path in find_paths(source) for file in benchmark_files(path)]
        written = write_subset(files, chosen, out)
        if written != len(chosen):
            raise DataError(
                f"{out}: {written} of {len(chosen)} dialogues were found again; did a file change?"
            )
    print_table(steps, Format.markdown, None)
    print(out)


def access_of(pairs: list[str] | None) -> dict[str, str]:
    """Read ``MODEL=closed`` pairs.

    Raises
    ------
    DataError
        If one isn't of that form.
    """
    result = {}
    for pair in pairs or []:
        model, sign, access = pair.rpartition("=")
        if not sign or not model or access not in ACCESS:
            raise DataError(f"--access got {pair!r}, expected MODEL= and one of {', '.join(ACCESS)}")
        result[model] = access
    return result


@app.command()
def scores(
    data: JudgedOption = None,
    benchmark: JudgedBenchmarkOption = None,
    by: Annotated[str, typer.Option("--by", help="Columns to group by, separated by commas.")] = "model",
    average: Annotated[
        str, typer.Option("--average", help="question, dialog, vlmeval_all or vlmeval_valid.")
    ] = "question",
    dimension: Annotated[
        str | None, typer.Option("--dimension", help="Only this one, by its name or short name.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option("--compare", help="Two models A,B, paired; 'all' for each two, with Holm's.")
    ] = None,
    rank: Annotated[bool, typer.Option("--rank", help="Rank the models, with intervals and groups.")] = False,
    ci: Annotated[float, typer.Option("--ci", min=0.5, max=0.999, help="Width of the intervals.")] = 0.95,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read a .pkl, which executes code: only your own.")
    ] = False,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print scores with intervals: yours, or the published Table 2."""
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats import scores as summaries

    if not data:
        print("mmdu: the published Table 2; the paper gives no intervals", file=sys.stderr)
        print_table(load_published("main_results"), form, out, digits=1)
        return
    loaded, _ = load_judged(data, benchmark, allow_pickle)
    if dimension:
        loaded = summaries.only_dimension(loaded, dimension)
    if rank:
        table = summaries.rank_models(loaded, dimension=dimension, average=average, ci=ci)
    elif compare == "all":
        table = summaries.compare_all_models(loaded, average=average, ci=ci)
    elif compare:
        first, _, second = compare.partition(",")
        table = summaries.compare_models(loaded, first.strip(), second.strip(), average=average, ci=ci)
    else:
        names = [name.strip() for name in by.split(",") if name.strip()]
        table = summaries.summarize_scores(loaded, names, average, ci)
    print_table(table, form, out)


def load_judged(data: list[str], benchmark: str | None, allow_pickle: bool = False) -> tuple[Any, Any]:
    """Load scores for a command, and the benchmark that was judged; ``sample`` stands for the synthetic one."""
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.scores import load_scores
    from mmdu_analysis.synthetic.sample import sample_scores

    if data == ["sample"]:
        return sample_scores(), load_benchmark("sample")
    bench = load_benchmark(benchmark) if benchmark else None
    return load_scores(data, benchmark=bench, allow_pickle=allow_pickle), bench


@app.command()
def gap(
    data: JudgedOption = None,
    benchmark: JudgedBenchmarkOption = None,
    access: AccessOption = None,
    by: Annotated[
        str,
        typer.Option("--by", help="dimension, or with --data: turn, images, named_images, context, kind."),
    ] = "dimension",
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print how far open models are behind closed ones: in the published Table 2, or in your scores.

    Your models are put into the published table; with --by something else than dimension, only yours are
    compared, turn by turn.
    """
    from mmdu_analysis.figures import gap_inputs
    from mmdu_analysis.figures.inputs import Inputs
    from mmdu_analysis.stats.gap import gap_breakdown

    if not data:
        if by != "dimension":
            raise DataError(f"--by {by} needs scores of single turns; give them with --data")
        print_table(gap_inputs.gaps(Inputs()), form, out)
        return
    loaded, bench = load_judged(data, benchmark)
    inputs = Inputs(bench, loaded, access=access_of(access))
    known = gap_inputs.access_of(inputs)
    unknown = [model for model in loaded["model"].unique() if model not in known]
    if unknown:
        text = (
            f"mmdu: warning: {', '.join(unknown)}: neither open nor closed is known; give --access MODEL=open"
        )
        print(text, file=sys.stderr)
    if by == "dimension":
        table = gap_inputs.gaps(inputs)
    else:
        table = gap_breakdown(loaded, known, by, bench)
        table.attrs["synthetic"] = bool(loaded.attrs.get("synthetic"))
    print_table(table, form, out)


@app.command()
def audit(
    data: DataOption = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", help="Only claims that: holds, differs, 'needs data'.")
    ] = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print the paper's claims beside what comes out of its own tables and of the data."""
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.stats.audit import VERDICTS, audit_paper

    if verdict is not None and verdict not in VERDICTS:
        raise DataError(f"--verdict got {verdict!r}, expected {', '.join(VERDICTS)}")
    table = audit_paper(load_benchmark(data) if data else None)
    counts = table["verdict"].value_counts()
    print("mmdu: " + ", ".join(f"{counts.get(name, 0)} {name}" for name in VERDICTS), file=sys.stderr)
    shown = table if verdict is None else table.loc[table["verdict"] == verdict]
    shown.attrs = dict(table.attrs)
    print_table(shown.reset_index(drop=form in (Format.markdown, Format.latex)), form, out)


@app.command()
def validate(path: Annotated[str, typer.Argument(help="Benchmark file or folder.")]) -> None:
    """Print what a benchmark's loader could not use; exit code 1 if there is anything."""
    from mmdu_analysis.io.benchmark import load_benchmark

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # they are printed in full
        bench = load_benchmark(path)
    for problem in bench.problems:
        print(problem)
    print(repr(bench), file=sys.stderr)
    if bench.problems:
        raise typer.Exit(1)


@app.command()
def browse(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    notes: Annotated[
        Path, typer.Option("--notes", help="JSON Lines file for tags and notes, made with the first one.")
    ] = Path("mmdu_notes.jsonl"),
    export: Annotated[
        str | None, typer.Option("--export", help="Write this dialogue as a single page, and end.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page that --export writes.")] = None,
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    window: Annotated[bool, typer.Option("--open/--no-open", help="Open the web browser.")] = True,
) -> None:
    """Read the dialogues in a web browser, with models' answers and scores; Ctrl-C ends it."""
    from mmdu_analysis.browser.export import export_page
    from mmdu_analysis.browser.session import Session
    from mmdu_analysis.io.answers import load_answers
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.scores import load_scores

    bench = load_benchmark(data)
    answered = load_answers(answers) if answers else None
    scored = load_scores(scores, benchmark=bench) if scores else None
    if export is not None:
        page = out or Path(f"dialogue-{Path(export).name}.html")
        if page.is_dir():
            raise DataError(f"{page}: got a folder, expected a file for the page")
        export_page(Session(bench, answered, scored), export, page)
        print(
            f"{page}: dialogue {export} of {bench.name}{' (synthetic, not MMDU)' if bench.synthetic else ''}"
        )
        return
    from mmdu_analysis.browser.server import serve

    def ready(address: str) -> None:
        print(address, flush=True)
        print("mmdu: Ctrl-C ends it", file=sys.stderr)

    serve(lambda: Session(bench, answered, scored, notes=notes), port=port, open_browser=window, ready=ready)
    print("mmdu: ended", file=sys.stderr)


class ReportFormat(StrEnum):
    """What a report is."""

    html = "html"
    markdown = "markdown"
    latex = "latex"


@app.command()
def report(
    data: DataOption = None,
    answers: AnswersOption = None,
    scores: ScoresOption = None,
    access: AccessOption = None,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("report.html"),
    form: Annotated[
        ReportFormat,
        typer.Option("--format", help="A page, or the tables alone for a paper or a model card."),
    ] = ReportFormat.html,
) -> None:
    """Write a report of your data, or of the published numbers: one page that needs no server and no web."""
    import matplotlib as mpl

    mpl.use("agg")
    from mmdu_analysis import report as reports
    from mmdu_analysis.io.files import atomic_path

    if out.is_dir():
        raise DataError(f"{out}: got a folder, expected a file for the report")
    inputs = _own_inputs(data, answers, scores, access)
    text = (
        reports.write_page(inputs)
        if form is ReportFormat.html
        else reports.write_tables(inputs, Format(form.value))
    )
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(out)


def _own_inputs(
    data: str | None, answers: Path | None, scores: list[Path] | None, access: list[str] | None
) -> Inputs:
    """Load what figures and reports are drawn from."""
    from mmdu_analysis.figures.inputs import Inputs
    from mmdu_analysis.io.answers import load_answers
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.scores import load_scores

    if (scores or answers) and not data:
        raise DataError("--scores and --answers need --data, the benchmark that they belong to")
    bench = load_benchmark(data) if data else None
    return Inputs(
        bench,
        load_scores(scores, benchmark=bench) if scores else None,
        load_answers(answers) if answers else None,
        access_of(access),
    )


@app.command()
def sample(out: Annotated[Path, typer.Option("--out", help="Folder to write into.")]) -> None:
    """Write the synthetic sample as files: benchmark, pictures, answers, scores."""
    from mmdu_analysis.synthetic.sample import write_sample

    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the sample")
    print(f"{write_sample(out)} (synthetic, not MMDU)")
