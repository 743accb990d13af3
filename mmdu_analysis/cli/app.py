"""The command line: ``mmdu`` with its commands, each of which answers ``--help``."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from mmdu_analysis import __version__
from mmdu_analysis.cli import build, convert, data, figures, judging, plan, reading, scores, validate
from mmdu_analysis.cli.options import note
from mmdu_analysis.schema import DataError, DataWarning, shorten

app = typer.Typer(
    name="mmdu",
    help="Analyse MMDU, MMDU-45k and data of the same kind, and models on them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (
    figures.figures,
    data.stats,
    scores.scores,
    scores.gap,
    scores.audit,
    plan.plan,
    validate.validate,
    data.subset,
    convert.convert,
    data.download,
    data.sample,
    reading.browse,
    reading.report,
    judging.answer,
    judging.judge,
):
    app.command()(command)
app.add_typer(build.app, name="build")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mmdu {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Analyse MMDU, MMDU-45k and data of the same kind, and models on them."""


def main() -> None:
    """Run the command line; bad input ends in one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    for category in (DataWarning, RuntimeWarning, UserWarning):
        warnings.filterwarnings("default" if category is not DataWarning else "always", category=category)
    try:
        app()
    except DataError as error:
        _end(str(error))
    except KeyboardInterrupt:
        note("stopped")
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, closed the pipe
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _end(f"{error.filename or 'a file'}: {error.strerror or error}")


def _end(text: str) -> None:
    note(shorten(text, 600))
    sys.exit(2)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    prefix = "warning" if issubclass(category, DataWarning) else category.__name__
    note(f"{prefix}: {shorten(str(message), 600)}")
