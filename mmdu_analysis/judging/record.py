"""One run from its request to its result: the folder, ``run.json`` and the resulting frame."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.judging.endpoint import Server
from mmdu_analysis.judging.folder import Entry, Key, RunFolder
from mmdu_analysis.judging.run import (
    Job,
    Meter,
    Outcome,
    Prices,
    Runner,
    count_done,
    count_endings,
    is_done,
    sum_usage,
)
from mmdu_analysis.schema import DataError, Problem, problems_frame, report, short_path

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_PACKAGES = ("mmdu-analysis", "openai", "pillow")
_SECRET = ("key", "secret", "passw", "authorization", "bearer", "credential", "cookie")
_SECRET_ENDS = frozenset({"auth", "token", "pwd", "pass"})


@dataclass(frozen=True)
class Request:
    """The settings of a run.

    Attributes
    ----------
    out : pathlib.Path
        Folder for the results.
    server : Server
        The model.
    prices : Prices
        Prices of tokens.
    fixed : dict
        Settings that must be the same when the run is continued.
    details : dict
        Further content of ``run.json``.
    progress : bool or None
        Whether to show a progress bar; None shows it on a terminal and in a notebook.
    """

    out: Path
    server: Server
    prices: Prices
    fixed: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)
    progress: bool | None = None


@dataclass(frozen=True)
class Run:
    """The result of asking a model or a judge.

    Attributes
    ----------
    table : pandas.DataFrame
        The answers or the scores.
    missing : pandas.DataFrame
        The turns without a result, with the reason: ``file``, ``where``, ``dialog_id``, ``turn``,
        ``problem``.
    degraded : pandas.DataFrame
        The same for turns with an incomplete request or result: pictures were left out, or the reply was
        truncated.
    info : dict
        Content of ``run.json``.
    """

    table: pd.DataFrame
    missing: pd.DataFrame
    degraded: pd.DataFrame
    info: dict[str, Any]


def choose_parameters(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters that are sent: ``temperature`` is 0 unless given; None leaves one out.

    Raises
    ------
    DataError
        If one is set by the run itself, or looks like a secret, which must not be written to a file.
    """
    chosen = {"temperature": 0, **(given or {})}
    for name in chosen:
        if name in ("model", "messages", "stream", "n"):
            raise DataError(f"parameter {name!r} is set by the run itself; leave it out")
    if name := _secret_in(chosen):
        raise DataError(
            f"parameter {name!r} looks like a secret, and parameters are written to run.json; set OPENAI_API_KEY instead"
        )
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"parameters: got {chosen!r}, expected values that can be written as JSON ({error})"
        ) from None
    return {name: value for name, value in chosen.items() if value is not None}


def _secret_in(value: Any) -> str:
    """Return the first key in a nested value that looks like the name of a secret."""
    if isinstance(value, list | tuple):
        return next((name for part in value if (name := _secret_in(part))), "")
    if not isinstance(value, Mapping):
        return ""
    for name, inner in value.items():
        if _is_secret(str(name)):
            return str(name)
        if found := _secret_in(inner):
            return found
    return ""


def _is_secret(name: str) -> bool:
    """Return whether a name is that of a secret: ``token`` is, ``max_tokens`` isn't."""
    lower = name.casefold()
    parts = lower.replace("-", "_").replace(".", "_").split("_")
    return any(word in lower for word in _SECRET) or parts[-1] in _SECRET_ENDS or parts[0] == "auth"


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Validate that a value is one of the known choices.

    Raises
    ------
    DataError
        If it isn't.
    """
    if value not in known:
        raise DataError(f"{name}: got {value!r}, expected one of {', '.join(known)}")


def take_benchmark(benchmark: Benchmark | str | Path | None) -> Benchmark:
    """Load a benchmark from a path, or return it if it is already loaded."""
    return benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark)


def run_job(
    request: Request,
    job: Job,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    what: str,
    load: Callable[[Path], tuple[pd.DataFrame, pd.DataFrame]],
    missing: Sequence[Problem] = (),
) -> Run:
    """Execute a run, write its results, and load them.

    Parameters
    ----------
    request : Request
        The settings.
    job : Job
        The questions.
    folder : RunFolder
        Folder of the results.
    keys : sequence of (str, Key)
        All turns of the run.
    what : str
        Kind of the results for the progress bar: ``answers`` or ``scores``.
    load : callable
        Folder -> frame and problems; the latter concern turns that the run lists as missing.
    missing : sequence of Problem
        Turns that can't be asked.

    Returns
    -------
    Run
        Its result.

    Raises
    ------
    DataError
        If no request can succeed.
    KeyboardInterrupt
        If the user stopped the run; completed turns are kept.
    """
    before = folder.open([dialog_id for dialog_id, _ in keys])
    runs = before.get("runs", [])
    history = [*(runs if isinstance(runs, list) else []), {"started": _now(), "ended": None}]
    outcome = Outcome()
    try:
        _write(request, folder, keys, history, outcome)
        if folder.outdated:
            logger.warning(
                "%s turns have changed since the last run; they are asked again", f"{folder.outdated:,}"
            )
        with Meter(len(keys), count_done(folder, keys), request.prices, what, request.progress) as meter:
            runner = Runner(job, folder, request.server, meter)
            outcome = runner.outcome
            runner.run()
    finally:
        try:
            history[-1] |= {"ended": _now(), "concurrency": request.server.concurrency}
            _write(request, folder, keys, history, outcome, missing)
        finally:
            folder.close()
    if outcome.stopped:
        done = folder.run["turns_done"]
        logger.warning("%s of %s turns are done; the same command continues", f"{done:,}", f"{len(keys):,}")
        raise KeyboardInterrupt
    return _result(request, folder, keys, [*missing, *outcome.missing], load)


def _result(
    request: Request,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    missing: list[Problem],
    load: Callable[[Path], tuple[pd.DataFrame, pd.DataFrame]],
) -> Run:
    if not any(is_done(entry) for part in folder.entries.values() for entry in part.values()):
        hint = f"; the first: {missing[0]}" if missing else ""
        raise DataError(f"{request.server.model}: no turn has a result{hint}")
    table = _with_losses(load(request.out)[0], folder)
    return Run(table, problems_frame(missing), problems_frame(list_degraded(folder, keys)), folder.run)


def _with_losses(table: pd.DataFrame, folder: RunFolder) -> pd.DataFrame:
    """Add ``n_lost_images`` to the rows of answers or scores."""
    lost = {
        (dialog_id, key[0]): count_lost_images(entry)
        for dialog_id, part in folder.entries.items()
        for key, entry in part.items()
    }
    turns = zip(table["dialog_id"], table["turn"], strict=True)
    return table.assign(n_lost_images=[int(lost.get(turn, 0)) for turn in turns])


def warn_about(run: Run) -> None:
    """Warn about turns that are missing or degraded.

    Warns
    -----
    ProblemWarning
        One for each kind.
    """
    advice = (
        f"{short_path(Path(run.missing['file'].iloc[0]) / 'run.json')}" if len(run.missing) else "run.json"
    )
    for frame in (run.missing, run.degraded):
        problems = [
            Problem(row.file, row.where, row.problem, row.dialog_id, row.turn)
            for row in frame.itertuples(index=False)
        ]
        report(problems, strict=False, advice=f"{advice} or with return_run=True")


def list_degraded(folder: RunFolder, keys: Sequence[tuple[str, Key]]) -> list[Problem]:
    """List the turns whose request or result is incomplete.

    Parameters
    ----------
    folder : RunFolder
        The entries.
    keys : sequence of (str, Key)
        The turns of the run.

    Returns
    -------
    list of Problem
        Turns for which pictures were left out, or whose reply was truncated at the token limit.
    """
    problems = []
    for dialog_id, key in keys:
        entry = folder.entries[dialog_id].get(key)
        if entry is not None and is_done(entry) and (text := fault_of(entry)):
            where = f"dialogue {dialog_id}, turn {key[0]}"
            problems.append(Problem(short_path(folder.path), where, text, dialog_id, key[0]))
    return list(dict.fromkeys(problems))  # a turn that is judged three times is listed once


def fault_of(entry: Entry) -> str:
    """Return a description of what is incomplete in a result; empty if it is complete."""
    faults = []
    if lost := count_lost_images(entry):
        faults.append(f"{lost} {'picture was' if lost == 1 else 'pictures were'} left out")
    if is_cut(entry):
        faults.append("the reply was truncated at the token limit")
    return "; ".join(faults)


def is_cut(entry: Entry) -> bool:
    """Return whether an answer was truncated at the token limit; a truncated but readable judgement is complete."""
    return "answer" in entry and entry.get("finish_reason") == "length"


def count_lost_images(entry: Entry) -> int:
    """Return the number of pictures of the conversation that were not sent for an answer, or for the judged answer."""
    count = entry.get("n_lost_images", 0)
    return len(entry["left_out_images"]) if "left_out_images" in entry else count


def _write(
    request: Request,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    history: list[dict[str, Any]],
    outcome: Outcome,
    missing: Sequence[Problem] = (),
) -> None:
    usage = sum_usage(folder)
    entries = [entry for part in folder.entries.values() for entry in part.values() if is_done(entry)]
    folder.write_run(
        {
            **request.details,
            "base_url": request.server.address.url,
            "turns": len(keys),
            "turns_done": count_done(folder, keys),
            "turns_with_lost_pictures": sum(count_lost_images(entry) > 0 for entry in entries),
            "turns_cut": sum(map(is_cut, entries)),
            "turns_with_thinking": sum(bool(entry.get("thinking")) for entry in entries),
            "missing": [f"{problem.where}: {problem.problem}" for problem in [*missing, *outcome.missing]],
            "degraded": [f"{problem.where}: {problem.problem}" for problem in list_degraded(folder, keys)],
            "notes": outcome.notes,
            "finish_reasons": count_endings(folder),
            "usage": usage,
            "cost_usd": request.prices.cost(*usage.values()),
            "prices_usd_per_million": {
                "prompt": request.prices.prompt,
                "completion": request.prices.completion,
            },
            "versions": _versions(),
            "runs": history,
        }
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
