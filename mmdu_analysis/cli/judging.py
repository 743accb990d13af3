"""The commands that ask a server: ``mmdu answer`` and ``mmdu judge``."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.cli.options import DataOption, RubricOption, note, show
from mmdu_analysis.io.tables import Format
from mmdu_analysis.schema import MMDU, DataError, Rubric, shorten

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.judging.record import Run

_MOST_LINES = 40


class History(StrEnum):
    """The context that precedes a question."""

    own = "own"
    reference = "reference"
    none = "none"


class Overflow(StrEnum):
    """What happens when a conversation is too long for the model."""

    drop_oldest_images = "drop-oldest-images"
    stop = "stop"


class MissingPictures(StrEnum):
    """What happens when pictures are missing."""

    stop = "stop"
    tell = "tell"


class Images(StrEnum):
    """The pictures that a judge gets."""

    all = "all"
    none = "none"


ModelOption = Annotated[str, typer.Option("--model", help="Name of the model at the server.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Server that speaks the OpenAI chat protocol, such as http://localhost:8000/v1. "
        "By default $OPENAI_BASE_URL, else OpenAI. The key is read from $OPENAI_API_KEY.",
    ),
]
ConcurrencyOption = Annotated[
    int,
    typer.Option("--concurrency", min=1, help="Largest number of requests at the server at the same time."),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        help="NAME=VALUE, another parameter of the request, such as max_tokens=1024; for several, repeat the option, since values may have commas. "
        "temperature is 0 unless given; NAME=null leaves it out.",
    ),
]
SideOption = Annotated[
    int,
    typer.Option("--image-side", min=64, help="Longest side in pixels to which pictures are scaled down."),
]
MissingOption = Annotated[
    MissingPictures,
    typer.Option(
        "--missing-pictures",
        help="stop: don't start; tell: send a sentence in the position of each missing picture.",
    ),
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N dialogues.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=1, help="Longest time in seconds for a complete reply.")
]
RetriesOption = Annotated[
    int,
    typer.Option(
        "--retries", min=0, help="How often a request is sent again after 429, 5xx or a lost connection."
    ),
]
PromptPriceOption = Annotated[
    float | None,
    typer.Option("--prompt-price", min=0, help="Price of a million prompt tokens in US dollars."),
]
CompletionPriceOption = Annotated[
    float | None,
    typer.Option("--completion-price", min=0, help="Price of a million completion tokens in US dollars."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the number of turns, tokens and the cost; send no request.")
]


def answer(
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the answers, such as answers/NAME.")],
    data: DataOption = None,
    base_url: UrlOption = None,
    history: Annotated[
        History,
        typer.Option(
            "--history",
            help="The context that precedes a question: own: the model's earlier answers; reference: reference answers; none: neither.",
        ),
    ] = History.own,
    overflow: Annotated[
        Overflow, typer.Option("--overflow", help="What to do when a conversation is too long.")
    ] = Overflow.drop_oldest_images,
    missing_pictures: MissingOption = MissingPictures.stop,
    image_side: SideOption = 1536,
    parameter: ParameterOption = None,
    concurrency: ConcurrencyOption = 4,
    timeout: TimeoutOption = 600,
    retries: RetriesOption = 8,
    limit: LimitOption = None,
    prompt_price: PromptPriceOption = None,
    completion_price: CompletionPriceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Ask a model every question of a benchmark, turn by turn; the same command continues after any interruption."""
    from mmdu_analysis.judging import answering

    with logged():
        run = answering.answer(
            data,
            out,
            model,
            base_url=base_url,
            history=history.value,
            overflow=overflow.value,
            missing_pictures=missing_pictures.value,
            image_side=image_side,
            parameters=parse_parameters(parameter),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
            limit=limit,
            prompt_price=prompt_price,
            completion_price=completion_price,
            dry_run=dry_run,
            return_run=True,
        )
    finish(run, out)


def judge(
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the scores, such as scores/NAME.")],
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="Folder or file of one model's answers. Else $MMDU_ANSWERS."),
    ] = None,
    data: DataOption = None,
    base_url: UrlOption = None,
    prompt: Annotated[
        Path | None,
        typer.Option("--prompt", help="File with another prompt, such as the authors' own."),
    ] = None,
    rubric: RubricOption = None,
    structured: Annotated[
        bool, typer.Option("--json", help="Ask for structured output, where the server supports it.")
    ] = False,
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="How often each turn is judged.")] = 1,
    attempts: Annotated[
        int,
        typer.Option(
            "--attempts", min=1, help="Largest number of requests for a judgement that can't be read."
        ),
    ] = 3,
    images: Annotated[
        Images,
        typer.Option("--images", help="all: the dialogue's pictures with each turn; none: only texts."),
    ] = Images.all,
    missing_pictures: MissingOption = MissingPictures.stop,
    image_side: SideOption = 1536,
    parameter: ParameterOption = None,
    concurrency: ConcurrencyOption = 4,
    timeout: TimeoutOption = 600,
    retries: RetriesOption = 8,
    limit: LimitOption = None,
    prompt_price: PromptPriceOption = None,
    completion_price: CompletionPriceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Ask a judge to score a model's answers, one request per turn; the same command continues after any interruption."""
    from mmdu_analysis.judging import scoring

    judged = answers or os.environ.get("MMDU_ANSWERS")
    if not judged:
        raise DataError("no answers: name one model's folder or file with --answers")
    with logged():
        run = scoring.judge(
            data,
            judged,
            out,
            model,
            base_url=base_url,
            prompt=prompt,
            repeat=repeat,
            attempts=attempts,
            structured=structured,
            images=images.value,
            missing_pictures=missing_pictures.value,
            image_side=image_side,
            parameters=parse_parameters(parameter),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
            limit=limit,
            prompt_price=prompt_price,
            completion_price=completion_price,
            dry_run=dry_run,
            return_run=True,
            rubric=_rubric(rubric),
        )
    finish(run, out)


def _rubric(path: Path | None) -> Rubric:
    chosen = path or os.environ.get("MMDU_RUBRIC")
    return Rubric.from_file(chosen) if chosen else MMDU


class _Notes(logging.Handler):
    """Print the log messages of the library."""

    def emit(self, record: logging.LogRecord) -> None:
        note(shorten(record.getMessage(), 600))


@contextmanager
def logged() -> Iterator[None]:
    """Print the library's log on standard error while a command runs."""
    logger, handler = logging.getLogger("mmdu_analysis"), _Notes(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def parse_parameters(pairs: list[str] | None) -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs; a value is decoded as JSON if possible, otherwise it is text.

    Raises
    ------
    DataError
        If one doesn't have that form.
    """
    found: dict[str, Any] = {}
    for number, pair in enumerate(pairs or [], 1):
        name, sign, value = pair.partition("=")
        if not sign or not name:  # it isn't repeated: it may be a key in the wrong option
            raise DataError(f"--parameter number {number}: expected NAME=VALUE such as max_tokens=1024")
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            found[name] = value
    return found


def finish(run: Run | pd.DataFrame, out: Path, unit: str = "turns") -> None:
    """Print the result of a run; exit code 1 if turns (`unit`) are missing or degraded, with their lists."""
    from mmdu_analysis.judging.record import Run

    if not isinstance(run, Run):  # the estimate of a dry run
        show(run, Format.markdown, None)
        return
    info = run.info
    tokens = sum(info["usage"].values())
    cost = "" if info["cost_usd"] is None else f", ${info['cost_usd']:.2f}"
    print(f"{out}: {info['turns_done']:,} of {info['turns']:,} {unit}, {tokens:,} tokens{cost}")
    if "comparable" in info:
        note(info["comparable"])
    if info["turns_with_thinking"]:
        note(f"{info['turns_with_thinking']:,} replies had a thinking part, which is stored separately")
    for name, what in (
        ("turns_with_lost_pictures", "turns lost pictures (n_lost_images in the results)"),
        ("turns_cut", "answers were truncated at the token limit"),
    ):
        if info[name]:
            note(f"warning: {info[name]:,} {what}")
    for turns, what in (
        (run.degraded, "turns are degraded"),
        (run.missing, "turns are missing; the same command asks them again"),
    ):
        if len(turns):
            note(f"{len(turns):,} {what}:")
            _print_lines(list_turns(turns))
    if len(run.missing) or len(run.degraded):
        raise typer.Exit(1)


def _print_lines(lines: list[str]) -> None:
    for line in lines[:_MOST_LINES]:
        typer.echo(f"  {shorten(line, 400)}", err=True)
    if len(lines) > _MOST_LINES:
        typer.echo(f"  and {len(lines) - _MOST_LINES:,} more lines; all are in run.json", err=True)


def list_turns(problems: pd.DataFrame) -> list[str]:
    """Format turns as lines: those of a dialogue with the same reason are joined.

    Parameters
    ----------
    problems : pandas.DataFrame
        ``Run.missing`` or ``Run.degraded``.

    Returns
    -------
    list of str
        Such as ``"dialogue 3, turns 1-4, 7: there is no answer to judge"``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for row in problems.itertuples(index=False):
        turn = str(row.where).rpartition(", turn ")[2]
        groups.setdefault((str(row.dialog_id), str(row.problem)), []).append(turn)
    lines = []
    for (dialogue, why), turns in groups.items():
        noun = "turn" if len(turns) == 1 else "turns"
        lines.append(f"dialogue {dialogue}, {noun} {_ranges(turns)}: {why}")
    return lines


def _ranges(turns: list[str]) -> str:
    """Join consecutive turns to ranges; other entries, such as ``3, judgement 2``, are kept unchanged."""
    numbers = sorted({int(turn) for turn in turns if turn.isdigit()})
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ", ".join(
        ["-".join(map(str, span)) for span in spans] + [turn for turn in turns if not turn.isdigit()]
    )
