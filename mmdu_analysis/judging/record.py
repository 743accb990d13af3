"""One run from its request to its result: the folder, ``run.json``, the frame that comes back."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.judging.endpoint import Server
from mmdu_analysis.judging.folder import Key, RunFolder
from mmdu_analysis.judging.run import (
    Job,
    Meter,
    Outcome,
    Prices,
    Runner,
    count_done,
    count_endings,
    sum_usage,
)
from mmdu_analysis.schema import DataError, Problem, report

if TYPE_CHECKING:
    import pandas as pd

_PACKAGES = ("mmdu-analysis", "openai", "pillow")
_SECRET = ("api_key", "apikey", "secret", "password", "authorization", "access_token")


@dataclass(frozen=True)
class Request:
    """What a run was asked for.

    Attributes
    ----------
    out : pathlib.Path
        Folder for the results.
    server : Server
        Who is asked.
    prices : Prices
        Of its tokens.
    fixed : dict
        What must not change between the parts of the run.
    told : dict
        What ``run.json`` tells beside.
    progress : bool or None
        Whether there is a bar; None shows it on a terminal and in a notebook.
    """

    out: Path
    server: Server
    prices: Prices
    fixed: dict[str, Any]
    told: dict[str, Any] = field(default_factory=dict)
    progress: bool | None = None


def choose_parameters(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the parameters that are sent: ``temperature`` is 0 unless given; None leaves one out.

    Raises
    ------
    DataError
        If one is set by the run itself, or looks like a secret, which must not be written down.
    """
    chosen = {"temperature": 0, **(given or {})}
    for name in chosen:
        if name in ("model", "messages", "stream", "n"):
            raise DataError(f"parameter {name!r} is set by the run itself; leave it out")
        if any(word in name.lower() for word in _SECRET):
            raise DataError(f"parameter {name!r} looks like a secret; set OPENAI_API_KEY instead")
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"parameters: got {chosen!r}, expected what JSON can hold ({error})") from None
    return {name: value for name, value in chosen.items() if value is not None}


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that isn't one of those known.

    Raises
    ------
    DataError
        If it isn't.
    """
    if value not in known:
        raise DataError(f"{name}: got {value!r}, expected one of {', '.join(known)}")


def take_benchmark(data: Benchmark | str | Path | None) -> Benchmark:
    """Load a benchmark, unless it is one."""
    return data if isinstance(data, Benchmark) else load_benchmark(data)


def fingerprint(bench: Benchmark) -> dict[str, Any]:
    """Tell which benchmark it is: its size, and a fingerprint of its questions and references."""
    digest = hashlib.sha256()
    columns = (bench.turns[name] for name in ("dialog_id", "turn", "question", "answer"))
    for row in zip(*columns, strict=True):
        digest.update("\x1f".join(str(cell) for cell in row).encode("utf-8", "surrogatepass"))
    return {
        "dialogs": len(bench.dialogs),
        "turns": len(bench.turns),
        "sha256": digest.hexdigest(),
        "synthetic": bench.synthetic,
    }


def run_job(
    request: Request,
    job: Job,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    what: str,
    load: Callable[[Path], pd.DataFrame],
    missing: Sequence[Problem] = (),
) -> pd.DataFrame:
    """Do a run, write what came of it, and load it.

    Parameters
    ----------
    request : Request
        What was asked for.
    job : Job
        What is asked.
    folder : RunFolder
        Where it is kept.
    keys : sequence of (str, Key)
        All turns of the run.
    what : str
        What comes back, for the messages: ``answers`` or ``scores``.
    load : callable
        Folder -> frame.
    missing : sequence of Problem
        Turns that can't be asked at all.

    Returns
    -------
    pandas.DataFrame
        With ``attrs["run"]``, what ``run.json`` says, and ``attrs["missing"]``, the turns without a result,
        which stand in ``attrs["problems"]`` too.

    Raises
    ------
    DataError
        If no request can succeed.
    KeyboardInterrupt
        If the user stopped the run; all that is done is kept.
    """
    before = folder.open([dialog_id for dialog_id, _ in keys])
    history = [*before.get("runs", []), {"started": _now(), "ended": None}]
    outcome = Outcome()
    try:
        _write(request, folder, keys, history)
        if folder.outdated:
            print(
                f"mmdu: {folder.outdated:,} turns have changed since; they are asked again", file=sys.stderr
            )
        with Meter(len(keys), count_done(folder, keys), request.prices, what, request.progress) as meter:
            outcome = Runner(job, folder, request.server, meter).run()
    finally:
        try:
            history[-1] |= {"ended": _now(), "concurrency": request.server.concurrency}
            _write(request, folder, keys, history, [*missing, *outcome.missing])
        finally:
            folder.close()
    if outcome.stopped:
        done = folder.run["turns_done"]
        text = f"mmdu: {done:,} of {len(keys):,} turns are done; the same command goes on"
        print(text, file=sys.stderr)
        raise KeyboardInterrupt
    return _result(request, folder, [*missing, *outcome.missing], what, load)


def _result(
    request: Request,
    folder: RunFolder,
    missing: list[Problem],
    what: str,
    load: Callable[[Path], pd.DataFrame],
) -> pd.DataFrame:
    if not any(folder.entries.values()):
        hint = f"; the first: {missing[0]}" if missing else ""
        raise DataError(f"{request.server.model}: no turn has a result{hint}")
    frame = load(request.out)
    frame.attrs["missing"] = tuple(missing)
    frame.attrs["run"] = folder.run
    frame.attrs["problems"] = (*missing, *frame.attrs["problems"])
    report(missing, strict=False, advice=f'{what}.attrs["missing"]')
    return frame


def _write(
    request: Request,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    history: list[dict[str, Any]],
    missing: Sequence[Problem] = (),
) -> None:
    usage = sum_usage(folder)
    cost = request.prices.cost(*usage.values())
    folder.write_run(
        {
            **request.told,
            "base_url": request.server.address,
            "turns": len(keys),
            "turns_done": count_done(folder, keys),
            "missing": [f"{problem.where}: {problem.problem}" for problem in missing],
            "finish_reasons": count_endings(folder),
            "usage": usage,
            "cost_usd": cost,
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
