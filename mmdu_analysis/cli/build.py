"""The commands that build a benchmark: ``mmdu build cluster``, ``accuracy``, ``write``, ``review``, ``export`` and ``sample``."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmdu_analysis.cli import judging
from mmdu_analysis.cli.options import SEVERAL, FormatOption, OutOption, note, show, split_values
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import DataError, ProblemWarning

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(help="Build a benchmark from your own images.", no_args_is_help=True)

PicturesOption = Annotated[
    Path | None,
    typer.Option(
        "--pictures", help="Folder that picture paths are relative to; by default that of the file."
    ),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="End at the first problem of the items.")]


class Embed(StrEnum):
    """How items are compared."""

    tfidf = "tfidf"
    endpoint = "endpoint"
    sentence_transformers = "sentence-transformers"


@app.command()
def cluster(
    items: Annotated[Path, typer.Argument(help="JSON Lines, JSON, CSV, TSV or Parquet of items.")],
    out: Annotated[Path, typer.Option("--out", help="File of combinations to write.")] = Path(
        "clusters.jsonl"
    ),
    pictures: PicturesOption = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Cosine similarity within clusters.")
    ] = 0.75,
    embed: Annotated[
        Embed, typer.Option("--embed", help="How tags and captions are compared.")
    ] = Embed.tfidf,
    model: Annotated[
        str | None,
        typer.Option("--model", help="For --embed: name at the server, or folder of a local model."),
    ] = None,
    base_url: judging.UrlOption = None,
    number: Annotated[
        int | None, typer.Option("--number", min=1, help="Largest number of combinations.")
    ] = None,
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--sizes",
            help=f"Images of a combination with its weight, such as 2:5; {SEVERAL}.",
            callback=split_values,
        ),
    ] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="An item may be part of several combinations.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draw.")] = 0,
    min_side: Annotated[
        int, typer.Option("--min-side", min=1, help="Fewest pixels of the shorter side.")
    ] = 128,
    min_sharpness: Annotated[
        float,
        typer.Option(
            "--min-sharpness", min=0, help="Smallest variance of the Laplacian; 0 keeps blurred pictures."
        ),
    ] = 30.0,
    min_words: Annotated[
        int, typer.Option("--min-words", min=0, help="Fewest words in an item's texts.")
    ] = 3,
    screen: Annotated[bool, typer.Option("--screen/--no-screen", help="Leave out unusable pictures.")] = True,
    judge: Annotated[
        Path | None, typer.Option("--judge", help="Write pairs for a person to judge to this CSV file.")
    ] = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Pairs for --judge.")] = 100,
    map_: Annotated[
        Path | None, typer.Option("--map", help="Draw a map of the clusters to this file.")
    ] = None,
    strict: StrictOption = False,
    form: FormatOption = Format.markdown,
) -> None:
    """Screen and cluster items, and draw combinations of 2 to 20 related images."""
    from mmdu_analysis import building

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)  # they are listed
        loaded, problems = building.load_items(items, pictures=pictures, strict=strict, return_problems=True)
        _list(problems)
        if screen:
            loaded, problems = building.screen_items(
                loaded, min_side=min_side, min_sharpness=min_sharpness, min_words=min_words,
                strict=strict, return_problems=True,
            )  # fmt: skip
            _list(problems)
    if loaded.empty:
        raise DataError(f"{items}: no item is left")
    embedding = building.embed_items(loaded, embed.value, model=model, base_url=base_url)
    found = building.cluster_items(loaded, threshold=threshold, embed=embedding)
    drawn = building.draw_combinations(
        loaded, found, n=number, sizes=_sizes(sizes) if sizes else None, reuse=reuse, seed=seed
    )
    building.write_combinations(loaded, drawn, out)
    report = building.cluster_report(loaded, found, embedding=embedding, seed=seed)
    show(report.table, form, None)
    show(report.sizes, form, None)
    if map_ is not None:
        _draw_map(report.map, map_)
    if judge is not None:
        show(building.draw_pairs(loaded, found, pairs, seed=seed), Format.csv, judge)
        note(f"{judge}: fill in the column accept (yes or no), then: mmdu build accuracy {judge}")
    mark = " (synthetic)" if drawn["synthetic"].any() else ""
    print(f"{out}: {drawn['combination'].nunique():,} combinations of {len(drawn):,} images{mark}")


def _list(problems: pd.DataFrame) -> None:
    for problem in problems.itertuples():
        note(f"{problem.file}: {problem.where}: {problem.problem}")
    if len(problems):
        note(f"{len(problems):,} items were left out")


def _sizes(parts: list[str]) -> dict[int, float]:
    """Read weights such as ``2:5`` and ``3:2``."""
    found: dict[int, float] = {}
    for part in parts:
        size, _, weight = part.partition(":")
        try:
            found[int(size)] = float(weight or 1)
        except ValueError:
            raise DataError(
                f"--sizes got {part!r}, expected numbers of images with weights: 2:5,3:2,4:1"
            ) from None
    return found


def _draw_map(frame: pd.DataFrame, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from mmdu_analysis import building
    from mmdu_analysis.io.files import atomic_path

    figure = building.draw_map(frame).get_figure()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format=path.suffix.lstrip(".") or "png")  # type: ignore[union-attr]


@app.command()
def accuracy(
    sheet: Annotated[Path, typer.Argument(help="CSV file of --judge, with accept filled in.")],
    ci: Annotated[float, typer.Option("--ci", min=0.5, max=0.999, help="Level of the interval.")] = 0.95,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print the accuracy of clusters from a person's decisions, with an interval."""
    from mmdu_analysis import building

    show(building.cluster_accuracy(sheet, ci=ci), form, out)


@app.command()
def write(
    combinations: Annotated[Path, typer.Argument(help="File of combinations from mmdu build cluster.")],
    model: judging.ModelOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the dialogues, such as dialogs.")],
    base_url: judging.UrlOption = None,
    pictures: PicturesOption = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts", help="Folder with facts.txt, single.txt, multi.txt or again.txt of your own."
        ),
    ] = None,
    single_pairs: Annotated[
        int, typer.Option("--single-pairs", min=1, help="Questions about each image.")
    ] = 1,
    multi_share: Annotated[
        float, typer.Option("--multi-share", help="Share of questions about several images, at least.")
    ] = 0.6,
    concat: Annotated[
        int, typer.Option("--concat", min=1, help="Combinations joined into one dialogue.")
    ] = 1,
    attempts: Annotated[
        int,
        typer.Option("--attempts", min=1, help="Largest number of requests for a reply that breaks a rule."),
    ] = 3,
    image_side: judging.SideOption = 1536,
    parameter: judging.ParameterOption = None,
    concurrency: judging.ConcurrencyOption = 4,
    timeout: judging.TimeoutOption = 600,
    retries: judging.RetriesOption = 8,
    limit: judging.LimitOption = None,
    prompt_price: judging.PromptPriceOption = None,
    completion_price: judging.CompletionPriceOption = None,
    dry_run: judging.DryRunOption = False,
) -> None:
    """Ask a model to write a dialogue about each combination; the same command continues after any interruption."""
    from mmdu_analysis import building

    with judging.logged():
        found = building.write_dialogs(
            combinations,
            out,
            model,
            base_url=base_url,
            pictures=pictures,
            prompts=prompts,
            single_pairs=single_pairs,
            multi_share=multi_share,
            concat=concat,
            attempts=attempts,
            image_side=image_side,
            parameters=judging.parse_parameters(parameter),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
            limit=limit,
            prompt_price=prompt_price,
            completion_price=completion_price,
            dry_run=dry_run,
            return_run=True,
        )
    judging.finish(found, out, "requests")


@app.command()
def review(
    dialogs: Annotated[Path, typer.Argument(help="Folder of mmdu build write.")],
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Your name, which is saved with your decisions.")
    ],
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 selects a free one.")] = 0,
    window: Annotated[bool, typer.Option("--open/--no-open", help="Open the web browser.")] = True,
) -> None:
    """Accept, edit or reject the dialogues in a web page; Ctrl-C ends it."""
    from mmdu_analysis.building.review_server import review_dialogs

    def ready(address: str) -> None:
        print(address, flush=True)
        note("Ctrl-C ends it")

    review_dialogs(dialogs, reviewer, port=port, open_browser=window, ready=ready)
    note("ended")


@app.command()
def sample(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    clusters: Annotated[
        int, typer.Option("--clusters", min=1, max=8, help="Number of planted clusters.")
    ] = 5,
    items: Annotated[int, typer.Option("--items", min=1, help="Number of items in each cluster.")] = 6,
) -> None:
    """Write generated items with pictures, to try the other commands."""
    from mmdu_analysis import building

    print(f"{building.write_sample_items(out, clusters, items)} (synthetic)")


@app.command()
def export(
    dialogs: Annotated[Path, typer.Argument(help="Folder of mmdu build write.")] = Path("dialogs"),
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("benchmark.json"),
    accepted: Annotated[
        int,
        typer.Option(
            "--accepted", min=0, help="Number of reviewers who must accept a turn in its final text."
        ),
    ] = 2,
    form: FormatOption = Format.markdown,
) -> None:
    """Write the accepted turns as a benchmark with its pictures and a data sheet."""
    from mmdu_analysis import building

    table = building.export_benchmark(dialogs, out, accepted=accepted)
    show(table, form, None)
    left = int(table["n_open"].sum())
    if left:
        note(f"{left:,} turns have too few decisions and were left out")
    mark = " (synthetic)" if table["synthetic"].any() else ""
    print(f"{out}: {int(table['kept'].sum()):,} dialogues, {int(table['n_accepted'].sum()):,} turns{mark}")
    if left:
        sys.stdout.flush()
        raise typer.Exit(1)
