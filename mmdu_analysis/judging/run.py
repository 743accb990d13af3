"""Ask a list of turns: dialogues in parallel, turns in order; stop gently, and name what is missing."""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmdu_analysis.judging.endpoint import Endpoint, Server, TurnError
from mmdu_analysis.judging.folder import Entry, Key, RunFolder
from mmdu_analysis.judging.slots import StoppedError
from mmdu_analysis.schema import DataError, Problem, short_path

_AHEAD = 2
"""Dialogues under way for each request at the server: the next requests are ready when a slot is free."""
_FAILURES_IN_A_ROW = 10


@dataclass(frozen=True)
class Track:
    """Turns that are asked one after another.

    Attributes
    ----------
    dialog_id : str
        Their dialogue.
    keys : list of Key
        The turns that aren't done.
    """

    dialog_id: str
    keys: list[Key]


class Job(Protocol):
    """What is asked."""

    def tracks(self) -> list[Track]:
        """List what isn't done, in the order in which it is begun."""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask one turn."""

    def ends_track(self, error: TurnError) -> str:
        """Say why the turns after one that failed can't be asked; empty where they can."""

    def ended(self, dialog_id: str) -> None:
        """Learn that a dialogue is done."""


@dataclass
class Prices:
    """US dollars for a million tokens; None where they aren't given."""

    prompt: float | None = None
    completion: float | None = None

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float | None:
        """Give the cost of tokens in US dollars."""
        if self.prompt is None and self.completion is None:
            return None
        return (prompt_tokens * (self.prompt or 0) + completion_tokens * (self.completion or 0)) / 1e6


@dataclass
class Outcome:
    """What came of a run.

    Attributes
    ----------
    missing : list of Problem
        The turns without a result, with the reason.
    stopped : bool
        Whether the user ended it.
    """

    missing: list[Problem] = field(default_factory=list)
    stopped: bool = False


class Meter:
    """The progress bar: turns, tokens, cost and time left."""

    def __init__(
        self, total: int, done: int, prices: Prices, title: str, progress: bool | None = None
    ) -> None:
        from tqdm.auto import tqdm
        from tqdm.notebook import tqdm_notebook

        hidden: bool | None = None  # but on a terminal
        if progress is not None or issubclass(tqdm, tqdm_notebook):
            hidden = progress is False
        self._bar = tqdm(total=total, initial=done, desc=title, unit="turn", disable=hidden)
        self._prices, self._tokens, self.failures = prices, [0, 0], 0

    def count(self, entry: Entry) -> None:
        """Count a turn that is done."""
        self.failures = 0
        usage = entry.get("usage") or [0, 0]
        self._tokens = [total + new for total, new in zip(self._tokens, usage, strict=True)]
        cost = self._prices.cost(*self._tokens)
        told = f"{sum(self._tokens):,} tokens" + ("" if cost is None else f", ${cost:.2f}")
        self._bar.set_postfix_str(told, refresh=False)
        self._bar.update()

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Runner:
    """A run: threads that ask, and the main one, which waits and can be interrupted.

    Parameters
    ----------
    job : Job
        What is asked.
    folder : RunFolder
        Where it is kept; open.
    server : Server
        Who is asked.
    meter : Meter
        Told of every turn.
    """

    def __init__(self, job: Job, folder: RunFolder, server: Server, meter: Meter) -> None:
        self._job, self._folder, self._server, self._meter = job, folder, server, meter
        self._queue = deque(job.tracks())
        self._left = Counter(track.dialog_id for track in self._queue)
        self._outcome = Outcome()
        self._error: Exception | None = None
        self._stopping = False
        self._counting = threading.Lock()
        self._running, self._finished = 0, threading.Event()

    def run(self) -> Outcome:
        """Ask everything; the first Ctrl-C waits for the requests at the server, the second doesn't.

        Raises
        ------
        DataError
            If no request can succeed; the turns before are kept.
        """
        if not self._queue:
            return self._outcome
        with self._server.connect() as endpoint:
            self._running = min(len(self._queue), _AHEAD * self._server.concurrency)
            for _ in range(self._running):
                threading.Thread(target=self._work, args=(endpoint,), daemon=True).start()
            self._wait(endpoint)
        if self._error is not None:
            raise self._error
        return self._outcome

    def _wait(self, endpoint: Endpoint) -> None:
        """Wait for the end: of all, or of what is at the server when the run is to stop.

        For an event, since a `join` that Ctrl-C interrupts takes its thread for dead (in Python 3.11).
        """
        while True:
            try:
                if self._finished.wait(0.1):
                    return
                if self._stopping and endpoint.slots.wait_until_idle(0.1):
                    return  # the others wait for a slot, or for a back-off to pass
            except KeyboardInterrupt:
                if self._outcome.stopped:
                    return
                self._outcome.stopped = True
                text = "mmdu: stopping after the requests that are under way; Ctrl-C again drops them"
                print(text, file=sys.stderr)
                self._stop(endpoint)

    def _stop(self, endpoint: Endpoint) -> None:
        self._stopping = True
        endpoint.slots.stop()

    def _work(self, endpoint: Endpoint) -> None:
        try:
            while self._queue and not self._stopping:
                self._follow(endpoint, self._queue.popleft())
        except (StoppedError, IndexError):  # the end, or another thread took the last
            pass
        except Exception as error:  # no request can succeed, the disk is full, or a fault of ours
            self._error = self._error or error
            self._stop(endpoint)
        finally:
            with self._counting:
                self._running -= 1
                if not self._running:
                    self._finished.set()

    def _follow(self, endpoint: Endpoint, track: Track) -> None:
        for place, key in enumerate(track.keys):
            if self._stopping:
                return
            try:
                with endpoint.slots.hold():
                    entry = self._job.ask(endpoint, track.dialog_id, key)
                    self._folder.append(track.dialog_id, entry)
                self._folder.sync(track.dialog_id)
                self._done(track.dialog_id, key, entry)
            except TurnError as error:
                self._failed(track.dialog_id, key, error)
                if why := self._job.ends_track(error):
                    for later in track.keys[place + 1 :]:
                        self._miss(track.dialog_id, later, why)
                    break
        with self._counting:
            self._left[track.dialog_id] -= 1
            last = not self._left[track.dialog_id]
        if last:
            self._folder.finish(track.dialog_id)
            self._job.ended(track.dialog_id)

    def _done(self, dialog_id: str, key: Key, entry: Entry) -> None:
        with self._counting:
            self._meter.count(entry)
        if "problem" in entry:
            self._miss(dialog_id, key, entry["problem"])

    def _failed(self, dialog_id: str, key: Key, error: TurnError) -> None:
        self._miss(dialog_id, key, str(error))
        with self._counting:
            self._meter.failures += 1
        if self._meter.failures >= max(_FAILURES_IN_A_ROW, self._server.concurrency) and not self._stopping:
            raise DataError(
                f"{self._server.model}: {self._meter.failures} turns in a row failed, the last: {error}; "
                "the turns before are kept, the same command goes on"
            )

    def _miss(self, dialog_id: str, key: Key, why: str) -> None:
        turn, repeat = key
        where = f"dialogue {dialog_id}, turn {turn}" + (f", judgement {repeat}" if repeat > 1 else "")
        self._outcome.missing.append(Problem(short_path(self._folder.path), where, why))


def sum_usage(folder: RunFolder) -> dict[str, int]:
    """Add up the tokens of all turns in a folder, of this run and those before."""
    usage = [entry.get("usage") or [0, 0] for part in folder.entries.values() for entry in part.values()]
    totals = [sum(column) for column in zip(*usage, strict=True)] or [0, 0]
    return {"prompt_tokens": totals[0], "completion_tokens": totals[1]}


def count_endings(folder: RunFolder) -> dict[str, int]:
    """Count why replies ended, such as ``stop``, or ``length`` where they were cut; and those without a word."""
    entries = [entry for part in folder.entries.values() for entry in part.values()]
    endings = Counter(str(entry.get("finish_reason")) for entry in entries)
    empty = sum(not str(entry.get("answer", entry.get("reason", ""))).strip() for entry in entries)
    return dict(endings.most_common()) | ({"empty": empty} if empty else {})


def count_done(folder: RunFolder, keys: Sequence[tuple[str, Key]]) -> int:
    """Count the turns that are done."""
    return sum(is_done(folder.entries[dialog_id].get(key)) for dialog_id, key in keys)


def is_done(entry: Any) -> bool:
    """Tell whether a turn needs no more asking."""
    return entry is not None and "problem" not in entry
