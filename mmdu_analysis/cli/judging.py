"""The commands that ask a server: ``mmdu answer`` and ``mmdu judge``."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmdu_analysis.io.tables import Format, print_table
from mmdu_analysis.schema import DataError, DataWarning, Problem

if TYPE_CHECKING:
    import pandas as pd

_LISTED_BELOW = r".*attrs\[.missing.\]"  # the warning that counts them

DataOption = Annotated[
    str | None,
    typer.Option("--data", help="Benchmark file or folder, or a name: sample, benchmark, mmdu-45k."),
]
ModelOption = Annotated[str, typer.Option("--model", help="Its name at the server.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Server that speaks the OpenAI chat protocol, such as http://localhost:8000/v1. "
        "By default OPENAI_BASE_URL, else OpenAI. The key is read from OPENAI_API_KEY.",
    ),
]
ConcurrencyOption = Annotated[
    int, typer.Option("--concurrency", min=1, help="Requests at the server at once, at most.")
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        help="NAME=VALUE, another parameter of the request, such as max_tokens=1024; may be repeated. "
        "temperature is 0 unless given; NAME=null leaves it out.",
    ),
]
SideOption = Annotated[
    int,
    typer.Option("--image-side", min=64, help="Longest side in pixels to which pictures are scaled down."),
]
MissingOption = Annotated[
    str, typer.Option("--missing-pictures", help="stop: don't start; tell: a sentence in their place.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many dialogues.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds that one reply may take.")]
RetriesOption = Annotated[
    int,
    typer.Option("--retries", min=0, help="How often a request is sent again after 429, 5xx, a lost line."),
]
PromptPriceOption = Annotated[
    float | None, typer.Option("--prompt-price", min=0, help="US dollars for a million tokens read.")
]
CompletionPriceOption = Annotated[
    float | None, typer.Option("--completion-price", min=0, help="US dollars for a million tokens written.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count turns, tokens and cost; ask nothing.")]


def answer(
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the answers, such as answers/NAME.")],
    data: DataOption = None,
    base_url: UrlOption = None,
    history: Annotated[
        str, typer.Option("--history", help="own: its own earlier answers; reference; none.")
    ] = "own",
    overflow: Annotated[
        str, typer.Option("--overflow", help="When a context is too long: drop-oldest-images or stop.")
    ] = "drop-oldest-images",
    missing_pictures: MissingOption = "stop",
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
    """Ask a model every question of a benchmark, turn by turn; the same command goes on after any break."""
    from mmdu_analysis.judging import answering

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _LISTED_BELOW, DataWarning)
        frame = answering.answer(
            data,
            out,
            model,
            base_url=base_url,
            history=history,
            overflow=overflow,
            missing_pictures=missing_pictures,
            image_side=image_side,
            parameters=parse_parameters(parameter),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
            limit=limit,
            prompt_price=prompt_price,
            completion_price=completion_price,
            dry_run=dry_run,
        )
    _finish(frame, out, dry_run)


def judge(
    model: ModelOption,
    answers: Annotated[Path, typer.Option("--answers", help="Folder or file of one model's answers.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the scores, such as scores/NAME.")],
    data: DataOption = None,
    base_url: UrlOption = None,
    prompt: Annotated[
        Path | None,
        typer.Option("--prompt", help="File with another prompt, such as the authors' own."),
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="How often each turn is judged.")] = 1,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, help="How often a judgement that can't be read is asked for.")
    ] = 3,
    images: Annotated[
        str, typer.Option("--images", help="all: the dialogue's pictures with each turn; none: texts alone.")
    ] = "all",
    missing_pictures: MissingOption = "stop",
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
    """Let a judge score a model's answers, one request a turn; the same command goes on after any break."""
    from mmdu_analysis.judging import scoring

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _LISTED_BELOW, DataWarning)
        frame = scoring.judge(
            data,
            answers,
            out,
            model,
            base_url=base_url,
            prompt=prompt,
            repeat=repeat,
            attempts=attempts,
            images=images,
            missing_pictures=missing_pictures,
            image_side=image_side,
            parameters=parse_parameters(parameter),
            concurrency=concurrency,
            timeout=timeout,
            retries=retries,
            limit=limit,
            prompt_price=prompt_price,
            completion_price=completion_price,
            dry_run=dry_run,
        )
    if not dry_run:
        print(f"mmdu: {frame.attrs['run']['comparable']}", file=sys.stderr)
    _finish(frame, out, dry_run)


def parse_parameters(pairs: list[str] | None) -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs; a value that is JSON is taken as such, another as text.

    Raises
    ------
    DataError
        If one isn't of that form.
    """
    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise DataError(f"--parameter got {pair!r}, expected NAME=VALUE such as max_tokens=1024")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _finish(frame: pd.DataFrame, out: Path, dry_run: bool) -> None:
    """Print what came of a run; exit code 1 if turns are missing, with their list."""
    if dry_run:
        print_table(frame, Format.markdown, None)
        return
    run, missing = frame.attrs["run"], frame.attrs["missing"]
    tokens = sum(run["usage"].values())
    cost = "" if run["cost_usd"] is None else f", ${run['cost_usd']:.2f}"
    print(f"{out}: {run['turns_done']:,} of {run['turns']:,} turns, {tokens:,} tokens{cost}")
    endings = run["finish_reasons"]
    for name, what in (("length", "were cut at the limit of tokens"), ("empty", "are empty")):
        if endings.get(name):
            print(f"mmdu: warning: {endings[name]:,} replies {what}", file=sys.stderr)
    if missing:
        print(f"mmdu: {len(missing):,} turns are missing; the same command asks them again:", file=sys.stderr)
        print(*list_missing(missing), sep="\n", file=sys.stderr)
        raise typer.Exit(1)


def list_missing(missing: Sequence[Problem]) -> list[str]:
    """Write turns that are missing as lines: those of a dialogue with the same reason together.

    Parameters
    ----------
    missing : sequence of Problem
        From ``attrs["missing"]``.

    Returns
    -------
    list of str
        Such as ``"  dialogue 3, turns 1-4, 7: there is no answer to judge"``.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for problem in missing:
        dialogue, _, turn = problem.where.rpartition(", turn ")
        groups.setdefault((dialogue, problem.problem), []).append(turn)
    lines = []
    for (dialogue, why), turns in groups.items():
        noun = "turn" if len(turns) == 1 else "turns"
        lines.append(f"  {dialogue}, {noun} {_ranges(turns)}: {why}")
    return lines


def _ranges(turns: list[str]) -> str:
    """Write neighbours as ranges; what is no number, such as ``3, judgement 2``, stands for itself."""
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
