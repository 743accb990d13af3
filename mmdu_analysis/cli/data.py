"""The commands for data sets: ``mmdu stats``, ``subset``, ``download`` and ``sample``."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.cli.options import (
    FilesOption,
    FormatOption,
    IdsOption,
    ImageModelOption,
    InputFormatOption,
    OutOption,
    PictureFolderOption,
    note,
    show,
)
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.stats.lengths import DatasetLengths


class Engine(StrEnum):
    """Where files are measured."""

    local = "local"
    dask = "dask"


class DataSet(StrEnum):
    """Data sets that can be downloaded."""

    benchmark = "benchmark"
    mmdu_45k = "mmdu-45k"


EngineOption = Annotated[
    Engine, typer.Option("--engine", help="All cores of this machine, or a Dask cluster.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a running Dask scheduler, such as tcp://10.0.0.1:8786."),
]


def data_source(data: list[str] | None) -> Any:
    """Return what `dialog_lengths` takes: the paths of --data, or the synthetic sample if it is named."""
    from mmdu_analysis.io.benchmark import load_benchmark, resolve_source

    if data and len(data) > 1:
        return data
    path = resolve_source(data[0] if data else None)
    return load_benchmark("sample") if path is None else path


def stats(
    data: FilesOption = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
    image_model: ImageModelOption = "paper",
    compare: Annotated[
        bool, typer.Option("--compare", help="Also print the published numbers and the differences.")
    ] = False,
    engine: EngineOption = Engine.local,
    scheduler: SchedulerOption = None,
    input_format: InputFormatOption = None,
    ids: IdsOption = "keep",
    picture_folder: PictureFolderOption = None,
) -> None:
    """Print Table 1 of the paper for any data: dialogues, turns, images and tokens.

    Without data it prints the published table.
    """
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.dataset import dataset_statistics
    from mmdu_analysis.stats.lengths import measure_dataset

    if not data and not os.environ.get("MMDU_DATA"):
        note("the published Table 1; name your data with --data, or the synthetic sample with --data sample")
        show(load_published("statistics"), form, out)
        return
    lengths = measure_dataset(
        data_source(data),
        engine.value,
        image_model=image_model,
        scheduler=scheduler,
        input_format=input_format,
        ids=ids,
        picture_folder=picture_folder,
    )
    show(_compared(lengths) if compare else dataset_statistics(lengths), form, out)


def _compared(lengths: DatasetLengths) -> pd.DataFrame:
    """Return Table 1 and Figure 4 of the data joined with the published ones."""
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats import compare as comparison

    table = comparison.compare_statistics(lengths, load_published("statistics"))
    shares = comparison.compare_distributions(lengths, load_published("distributions"))
    shares = shares.rename(columns={"distribution": "statistic", "bin": "measure"}).drop(columns="count")
    return pd.concat([table, shares.assign(measure=shares["measure"] + ", %")], ignore_index=True)


def subset(
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .json or .jsonl; with .gz it is compressed.")
    ],
    data: FilesOption = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            help="Dialogues to keep, in the columns of dialog_lengths: 'n_images <= 3 and text_tokens < 8000'.",
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Draw this many of the kept dialogues.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draw.")] = 0,
    image_model: ImageModelOption = "paper",
    engine: EngineOption = Engine.local,
    scheduler: SchedulerOption = None,
    picture_folder: PictureFolderOption = None,
) -> None:
    """Write a part of a data set, selected by length, images and turns; records are copied byte for byte."""
    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.io.export import write_subset
    from mmdu_analysis.io.stream import find_files
    from mmdu_analysis.stats.lengths import dialog_lengths, find_paths
    from mmdu_analysis.stats.subsets import choose_dialogs

    source = data_source(data)
    lengths = dialog_lengths(
        source,
        engine.value,
        image_model=image_model,
        scheduler=scheduler,
        picture_folder=picture_folder,
    )
    chosen, steps = choose_dialogs(lengths, where, sample, seed)
    if isinstance(source, Benchmark):
        source.select(chosen).to_json(out)
    else:
        files = [file for path in find_paths(source) for file in find_files(path)]
        written = write_subset(files, chosen, out)
        if written != len(chosen):
            raise DataError(
                f"{out}: {written} of {len(chosen)} dialogues were found again; the files may have changed"
            )
    show(steps, Format.markdown, None)
    print(out)


def download(
    name: Annotated[DataSet, typer.Argument(help="Data set of laolao77/MMDU.")],
    images: Annotated[
        bool,
        typer.Option("--images", help="Also download its pictures and unpack them beside the JSON file."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; the hub's cache by default, where --data finds it.")
    ] = None,
) -> None:
    """Download MMDU from the Hugging Face hub (CC BY-NC 4.0); an interrupted download is continued."""
    from mmdu_analysis.io.hub import RemoteFile
    from mmdu_analysis.io.hub import download as fetch

    def announce(file: RemoteFile) -> None:
        note(f"{file.name}: {file.size / 1e6:,.1f} MB")

    print(fetch(name.value, images=images, folder=out, announce=announce))


def sample(out: Annotated[Path, typer.Option("--out", help="Folder to write into.")]) -> None:
    """Write the synthetic sample as files: benchmark, pictures, answers and scores."""
    from mmdu_analysis.synthetic.sample import write_sample

    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the sample")
    print(f"{write_sample(out)} (synthetic, not MMDU)")
