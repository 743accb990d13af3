"""Ask a list of turns: dialogues in parallel, turns in order; stop gracefully, and list what is missing."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmdu_analysis.judging.endpoint import Endpoint, Server
from mmdu_analysis.judging.folder import Entry, Key, RunFolder, usage_of
from mmdu_analysis.judging.reply import TurnError, Usage
from mmdu_analysis.judging.slots import StoppedError
from mmdu_analysis.schema import DataError, Problem, short_path

logger = logging.getLogger(__name__)

_AHEAD = 2
"""Number of active dialogues per concurrent request, so that the next requests are ready when a slot is free."""


@dataclass(frozen=True)
class Track:
    """Turns that are asked sequentially.

    Attributes
    ----------
    dialog_id : str
        Their dialogue.
    keys : list of Key
        The remaining turns.
    """

    dialog_id: str
    keys: list[Key]


class Job(Protocol):
    """The requests of a run."""

    def tracks(self) -> list[Track]:
        """List the remaining tracks, in the order in which they are started."""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask one turn."""

    def ends_track(self, error: TurnError) -> str:
        """Return the reason why the turns after a failed one can't be asked; empty if they can."""

    def ended(self, dialog_id: str) -> None:
        """Release the resources of a completed dialogue."""


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars of a million tokens; None if unknown."""

    prompt: float | None = None
    completion: float | None = None

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float | None:
        """Compute the cost of tokens in US dollars; None without prices."""
        if self.prompt is None and self.completion is None:
            return None
        return (prompt_tokens * (self.prompt or 0) + completion_tokens * (self.completion or 0)) / 1e6


@dataclass
class Outcome:
    """The result of a run.

    Attributes
    ----------
    missing : list of Problem
        The turns without a result, with the reason.
    stopped : bool
        Whether the user stopped it.
    notes : list of str
        Unsupported parameters and their replacements.
    """

    missing: list[Problem] = field(default_factory=list)
    stopped: bool = False
    notes: list[str] = field(default_factory=list)


class Meter:
    """The progress bar: turns, tokens, cost and time left."""

    def __init__(
        self, total: int, done: int, prices: Prices, title: str, progress: bool | None = None
    ) -> None:
        from tqdm.auto import tqdm
        from tqdm.notebook import tqdm_notebook

        hidden: bool | None = None  # except on a terminal
        if progress is not None or issubclass(tqdm, tqdm_notebook):
            hidden = progress is False
        self._bar = tqdm(total=total, initial=done, desc=title, unit="turn", disable=hidden)
        self._prices, self._usage = prices, Usage()

    def count(self, usage: Usage, turns: int = 1) -> None:
        """Count turns that are done, and the tokens of a reply."""
        self._usage = self._usage.plus(usage)
        cost = self._prices.cost(*self._usage)
        text = f"{sum(self._usage):,} tokens" + ("" if cost is None else f", ${cost:.2f}")
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(turns)

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Runner:
    """A run: threads that send requests, and the main thread, which waits and can be interrupted.

    Parameters
    ----------
    job : Job
        The requests.
    folder : RunFolder
        Folder of the results, already opened.
    server : Server
        The model that is asked.
    meter : Meter
        The progress bar.
    """

    def __init__(self, job: Job, folder: RunFolder, server: Server, meter: Meter) -> None:
        self._job, self._folder, self._server, self._meter = job, folder, server, meter
        self._queue = deque(job.tracks())
        self._left = Counter(track.dialog_id for track in self._queue)
        self.outcome = Outcome()
        self._error: Exception | None = None
        self._stopping = False
        self._counting = threading.Lock()
        self._running, self._finished = 0, threading.Event()

    def run(self) -> None:
        """Ask all turns; the first Ctrl-C waits for the requests in progress, the second one stops immediately.

        The result is in `outcome`, also if an exception is raised.

        Raises
        ------
        DataError
            If no request can succeed; completed turns are kept.
        """
        if not self._queue:
            return
        with self._server.connect() as endpoint:
            self.outcome.notes = endpoint.notes
            self._running = min(len(self._queue), _AHEAD * self._server.concurrency)
            for _ in range(self._running):
                threading.Thread(target=self._work, args=(endpoint,), daemon=True).start()
            self._wait(endpoint)
        if self._error is not None:
            raise self._error

    def _wait(self, endpoint: Endpoint) -> None:
        """Wait for the end of all turns, or of the requests in progress when the run is stopped.

        It waits for an event, since a `join` that Ctrl-C interrupts regards its thread as ended (in Python
        3.11).
        """
        while True:
            try:
                if self._finished.wait(0.1):
                    return
                if self._stopping and endpoint.slots.wait_until_idle(0.1):
                    return  # the other threads wait for a slot or for the end of a back-off
            except KeyboardInterrupt:
                if self.outcome.stopped:
                    return
                self.outcome.stopped = True
                logger.warning("stopping after the requests in progress; press Ctrl-C again to cancel them")
                self._stop(endpoint)

    def _stop(self, endpoint: Endpoint) -> None:
        self._stopping = True
        endpoint.slots.stop()

    def _work(self, endpoint: Endpoint) -> None:
        try:
            while self._queue and not self._stopping:
                self._follow(endpoint, self._queue.popleft())
        except (StoppedError, IndexError):  # the end, or another thread took the last one
            pass
        except Exception as error:  # no request can succeed, the disk is full, or a bug
            self._error = self._error or error
            self._stop(endpoint)
        finally:
            with self._counting:
                self._running -= 1
                if not self._running:
                    self._finished.set()

    def _follow(self, endpoint: Endpoint, track: Track) -> None:
        for position, key in enumerate(track.keys):
            if self._stopping:
                return
            try:
                with endpoint.slots.hold():
                    entry = self._job.ask(endpoint, track.dialog_id, key)
                    self._folder.append(track.dialog_id, entry)
                self._folder.sync(track.dialog_id)
                self._done(endpoint, track.dialog_id, key, entry)
            except TurnError as error:
                self._failed(endpoint, track.dialog_id, key, error)
                if why := self._job.ends_track(error):
                    for later in track.keys[position + 1 :]:
                        self._miss(track.dialog_id, later, why)
                    break
        with self._counting:
            self._left[track.dialog_id] -= 1
            last = not self._left[track.dialog_id]
        if last:
            self._folder.finish(track.dialog_id)
            self._job.ended(track.dialog_id)

    def _done(self, endpoint: Endpoint, dialog_id: str, key: Key, entry: Entry) -> None:
        with self._counting:
            self._meter.count(usage_of(entry))
        if problem := entry.get("problem"):  # unreadable replies of a judge are counted in its `ask`
            self._miss(dialog_id, key, problem)
            self._give_up(endpoint, "consecutive replies could not be read", problem)
        else:
            endpoint.streak.clear()

    def _failed(self, endpoint: Endpoint, dialog_id: str, key: Key, error: TurnError) -> None:
        self._miss(dialog_id, key, str(error))
        if any(error.usage) or error.thinking:  # a paid reply is stored and its tokens are counted
            self._folder.append(dialog_id, _entry_of(key, error))
            with self._counting:
                self._meter.count(error.usage, 0)
        endpoint.streak.add()
        self._give_up(endpoint, "consecutive turns failed", str(error))

    def _give_up(self, endpoint: Endpoint, what: str, last: str) -> None:
        """Stop a run without successful requests."""
        if endpoint.streak.is_over and not self._stopping:
            raise DataError(
                f"{self._server.model}: {endpoint.streak.count} {what}, the last: {last}; "
                "completed turns are kept, the same command continues"
            )

    def _miss(self, dialog_id: str, key: Key, why: str) -> None:
        turn, repeat = key
        where = f"dialogue {dialog_id}, turn {turn}" + (f", judgement {repeat}" if repeat > 1 else "")
        self.outcome.missing.append(Problem(short_path(self._folder.path), where, why, dialog_id, turn))


def _entry_of(key: Key, error: TurnError) -> Entry:
    """Return the entry of a turn without a usable reply."""
    entry: Entry = {"turn": key[0]} | ({"repeat": key[1]} if key[1] > 1 else {})
    entry |= {"problem": str(error), "usage": list(error.usage)}
    return entry | ({"thinking": error.thinking} if error.thinking else {})


def sum_usage(folder: RunFolder) -> dict[str, int]:
    """Return the tokens of all replies in a folder, of this run and earlier ones."""
    total = Usage()
    for part in folder.entries.values():
        for entry in part.values():
            total = total.plus(usage_of(entry))
    return {"prompt_tokens": total.prompt, "completion_tokens": total.completion}


def count_endings(folder: RunFolder) -> dict[str, int]:
    """Count the finish reasons of completed turns, such as ``stop``, or ``length`` for truncated replies."""
    entries = [entry for part in folder.entries.values() for entry in part.values() if is_done(entry)]
    return dict(Counter(str(entry.get("finish_reason")) for entry in entries).most_common())


def count_done(folder: RunFolder, keys: Sequence[tuple[str, Key]]) -> int:
    """Count the completed turns."""
    return sum(is_done(folder.entries[dialog_id].get(key)) for dialog_id, key in keys)


def is_done(entry: Any) -> bool:
    """Return whether a turn has its result."""
    return entry is not None and "problem" not in entry
