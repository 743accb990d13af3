"""The command line: ``mmdu figures | stats | gap | validate | sample``."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.schema import DataError, DataWarning

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    name="mmdu",
    help="Analyse MMDU, MMDU-45k, and models on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    """How a table is printed."""

    csv = "csv"
    json = "json"
    latex = "latex"
    markdown = "markdown"


DataOption = Annotated[
    str | None,
    typer.Option("--data", help="Benchmark file or folder, or a name: sample, benchmark, mmdu-45k."),
]
OutOption = Annotated[Path | None, typer.Option("--out", help="File to write; by default standard output.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How the table is printed.")]


def main() -> None:
    """Run the command line; bad input ends in one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        app()
    except DataError as error:
        print(f"mmdu: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader, such as head, has had enough
        sys.stderr.close()
        sys.exit(0)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    prefix = "mmdu: warning" if issubclass(category, DataWarning) else f"mmdu: {category.__name__}"
    print(f"{prefix}: {message}", file=sys.stderr)


def print_table(frame: pd.DataFrame, form: Format, out: Path | None, *, digits: int = 2) -> None:
    """Print or write a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; a named index is printed as a column.
    form : Format
        ``csv`` and ``json`` keep all digits.
    out : pathlib.Path or None
        File to write; None prints.
    digits : int, default 2
        Decimals in markdown and LaTeX.
    """
    from mmdu_analysis.io.files import atomic_path

    table = frame.reset_index() if frame.index.name else frame
    if form is Format.csv:
        text = table.to_csv(index=False, lineterminator="\n")
    elif form is Format.json:
        text = table.to_json(orient="records", indent=1, force_ascii=False) + "\n"
    else:
        cells = table.map(lambda value: _cell(value, digits))
        text = _latex(cells) if form is Format.latex else _markdown(cells)
    if frame.attrs.get("synthetic") and form in (Format.markdown, Format.latex):
        text += (
            "\n(synthetic sample, not MMDU)\n"
            if form is Format.markdown
            else "% synthetic sample, not MMDU\n"
        )
    elif frame.attrs.get("synthetic"):
        print("mmdu: these numbers are of the synthetic sample, not of MMDU", file=sys.stderr)
    if out is None:
        sys.stdout.write(text)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _cell(value: Any, digits: int) -> str:
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "-"
    if isinstance(value, float):
        if value.is_integer():
            return f"{value:,.0f}"
        return f"{value:,.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _markdown(cells: pd.DataFrame) -> str:
    rows = [list(map(str, cells.columns)), *cells.to_numpy().tolist()]
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def _latex(cells: pd.DataFrame) -> str:
    rows = [list(map(str, cells.columns)), *cells.to_numpy().tolist()]
    body = [" & ".join(cell.translate(_LATEX).replace("\n", " ") for cell in row) + r" \\" for row in rows]
    columns = "l" + "r" * (len(rows[0]) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


@app.command()
def figures(
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("figures"),
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Draw this figure alone; may be repeated.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures and end.")] = False,
) -> None:
    """Draw the figures, each as PNG and PDF, with a CSV of its numbers."""
    import matplotlib as mpl

    mpl.use("agg")
    from tqdm import tqdm

    from mmdu_analysis.figures.registry import Inputs, find_specs, write_all
    from mmdu_analysis.io.benchmark import load_benchmark

    specs = find_specs(only)
    if list_:
        for spec in specs:
            print(f"{spec.name:22} {spec.stands_for:13} {spec.shows}")
        return
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the figures")
    inputs = Inputs(load_benchmark(data) if data else None)
    names = [spec.name for spec in specs]
    for _ in tqdm(
        write_all(names, inputs, out), total=len(names), desc="figures", unit="figure", disable=None
    ):
        pass
    print(f"{len(specs)} figures with their numbers in {out}{'/' if out.is_dir() else ''}")


@app.command()
def stats(
    data: DataOption = None,
    out: OutOption = None,
    form: FormatOption = Format.markdown,
    image_model: Annotated[
        str,
        typer.Option("--image-model", help="Estimator of an image's tokens, such as gpt-4o or fixed:256."),
    ] = "paper",
    compare: Annotated[
        bool, typer.Option("--compare", help="Print the paper's numbers beside the data's.")
    ] = False,
) -> None:
    """Print Table 1 for any data: how many dialogues, turns, images, tokens."""
    from mmdu_analysis.io.benchmark import load_benchmark
    from mmdu_analysis.io.published import load_published
    from mmdu_analysis.stats import compare as comparison
    from mmdu_analysis.stats.dataset import dataset_statistics, dialog_lengths

    lengths = dialog_lengths(load_benchmark(data), image_model=image_model)
    if not compare:
        print_table(dataset_statistics(lengths), form, out)
        return
    table = comparison.compare_statistics(lengths, load_published("statistics"))
    shares = comparison.compare_distributions(lengths, load_published("distributions"))
    shares = shares.rename(columns={"distribution": "statistic", "bin": "measure"}).drop(columns="count")
    shares["measure"] = shares["measure"] + ", %"
    import pandas as pd

    both = pd.concat([table, shares], ignore_index=True)
    both.attrs = dict(lengths.attrs)
    print_table(both, form, out)


@app.command()
def gap(out: OutOption = None, form: FormatOption = Format.markdown) -> None:
    """Print how far open models are behind closed ones, from the published Table 2."""
    from mmdu_analysis.io.published import load_published
    from mmdu_analysis.stats.gap import gap_analysis

    print_table(gap_analysis(load_published("main_results")), form, out)


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
def sample(out: Annotated[Path, typer.Option("--out", help="Folder to write into.")]) -> None:
    """Write the synthetic sample as files: benchmark, pictures, answers, scores."""
    from mmdu_analysis.io.sample import write_sample

    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: got a file, expected a folder for the sample")
    print(f"{write_sample(out)} (synthetic, not MMDU)")


if __name__ == "__main__":
    main()
