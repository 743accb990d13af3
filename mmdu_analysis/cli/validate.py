"""The command ``mmdu validate``."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from mmdu_analysis.cli.options import FormatOption
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import DataWarning


def validate(
    path: Annotated[str, typer.Argument(help="Benchmark file or folder.")],
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Benchmark that the data should share no pictures and no text with; also duplicates.",
        ),
    ] = None,
    form: FormatOption = Format.markdown,
) -> None:
    """Print what the loader of a benchmark could not use; exit code 1 if there is anything."""
    import sys

    from mmdu_analysis.cli.overlap import print_overlap

    if against is not None:
        raise typer.Exit(int(print_overlap(path, against, form)))

    from mmdu_analysis.io.benchmark import load_benchmark

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # they are printed in full
        bench = load_benchmark(path)
    for row in bench.problems.itertuples():
        print(f"{row.file}: {row.where}: {row.problem}" if row.where else f"{row.file}: {row.problem}")
    print(repr(bench), file=sys.stderr)
    if len(bench.problems):
        raise typer.Exit(1)
