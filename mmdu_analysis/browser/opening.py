"""Data that are loaded while the page is open: first what the list needs, then all texts."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.filters import from_link
from mmdu_analysis.browser.replies import Reply
from mmdu_analysis.io.pictures import picture_source
from mmdu_analysis.schema import DataError, ProblemWarning, shorten

if TYPE_CHECKING:
    from mmdu_analysis.browser.finding import Index
    from mmdu_analysis.browser.session import Session
    from mmdu_analysis.study import Study

_SMALL = 16 << 20  # bytes; what is smaller is loaded before the page opens
_SECONDS_TO_SHOW = 1.0  # the rest waits so long for the first list, which needs the cores as well
_SECONDS_TO_END = 5.0  # what is not read part by part can't be stopped
_SECONDS_TO_TELL = 2.0  # the page asks several times within it


@dataclass(frozen=True)
class Source:
    """What a browser is opened on, as the options of a command name it.

    Attributes
    ----------
    benchmark : str
        As `load_benchmark` takes it.
    picture_folder : pathlib.Path or None
        Folder or zip archive of the pictures.
    answers, scores : list of pathlib.Path or None
        As `Study.from_options` takes them.
    rubric : pathlib.Path or None
        TOML file.
    """

    benchmark: str
    picture_folder: Path | None = None
    answers: list[Path] | None = None
    scores: list[Path] | None = None
    rubric: Path | None = None

    def study(self, progress: Reading | None = None) -> Study:
        """Return the study, completely loaded."""
        from mmdu_analysis.io.benchmark import load_benchmark
        from mmdu_analysis.study import Study

        parts: dict[str, Any] = {"answers": self.answers, "scores": self.scores, "rubric": self.rubric}
        if self.benchmark == "sample":
            if self.picture_folder is not None:
                raise DataError("the sample has pictures of its own; leave the folder of pictures out")
            return Study.from_options("sample", **parts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ProblemWarning)  # the study warns once for all its parts
            loaded = load_benchmark(self.benchmark, picture_folder=self.picture_folder, progress=progress)
        return Study.from_options(loaded, **parts)

    def stages(self, progress: Reading | None = None) -> Iterator[Index]:
        """Yield the turns: where the dialogues are in a Parquet copy first without references, then completely."""
        from mmdu_analysis.browser.finding import Index

        early = self._questions()
        if early is not None:
            yield early
        study = self.study(progress)
        assert study.benchmark is not None  # noqa: S101 - a source names one
        yield Index(study.benchmark, study.answers, study.scores, rubric=study.rubric)

    def _questions(self) -> Index | None:
        from mmdu_analysis.io import parquet_copy
        from mmdu_analysis.io.benchmark import Benchmark, resolve_source

        path = resolve_source(self.benchmark)
        models = (
            self.answers or self.scores or os.environ.get("MMDU_ANSWERS") or os.environ.get("MMDU_SCORES")
        )
        if path is None or models or not parquet_copy.is_copy(path):
            return None
        from mmdu_analysis.browser.finding import Index

        fields = parquet_copy.read_parquet(path, references=False)
        if self.picture_folder is not None:
            fields["folder"] = picture_source(self.picture_folder)
        return Index(Benchmark(**fields), whole=False)

    def size(self) -> int:
        """Return the bytes of the dialogues.

        Raises
        ------
        DataError
            If there are none.
        """
        from mmdu_analysis.io.benchmark import resolve_source
        from mmdu_analysis.io.stream import find_files

        path = resolve_source(self.benchmark)
        return 0 if path is None else sum(file.stat().st_size for file in find_files(path))


class _Stopped(BaseException):
    """The reader has ended the browser."""


class Reading:
    """How much has been read.

    Parameters
    ----------
    name : str
        What is read.
    size : int
        Bytes in all.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self.read = 0.0
        self.stopped = False

    def update(self, n: float, /) -> None:
        """Count bytes; raises where the reader has ended the browser."""
        if self.stopped:
            raise _Stopped
        self.read += n

    def state(self) -> dict[str, Any]:
        """Return what is being loaded, for the page."""
        read = min(self.read, self.size)
        if not read:
            text = f"{self.name} is being loaded ({self.size / 1e6:,.0f} MB)"
        elif read < self.size:
            text = f"{self.name}: {read / 1e6:,.0f} of {self.size / 1e6:,.0f} MB read"
        else:
            text = f"{self.name}: {self.size / 1e6:,.0f} MB read; the list is being made"
        return {"kind": "loading", "text": text, "read": read, "size": self.size}


class Opening:
    """Dialogues that are loaded in a thread of their own.

    Parameters
    ----------
    source : Source
        What to load. What is small is loaded at once.

    Attributes
    ----------
    index : Index or None
        What is loaded so far.
    listed : threading.Event
        Set once a window shows the first dialogues.

    Raises
    ------
    DataError
        If the dialogues don't exist, or are small and can't be loaded.
    """

    def __init__(self, source: Source) -> None:
        size = source.size()
        if source.picture_folder is not None:
            picture_source(source.picture_folder)  # one that doesn't exist is told at once
        self.index: Index | None = None
        self.error: Exception | None = None
        self._failed_at = 0.0
        self._ended = Event()
        self.listed = Event()
        self.reading = Reading(shorten(Path(source.benchmark).name, 100), size)
        self._load(source.stages) if size < _SMALL else self._start(source.stages)

    def _load(self, stages: Callable[[Reading], Iterator[Index]]) -> None:
        *_, self.index = stages(self.reading)
        self._ended.set()

    def _start(self, stages: Callable[[Reading], Iterator[Index]]) -> None:
        def run() -> None:
            try:
                for index in stages(self.reading):
                    if index.whole:
                        _ = index.tokens  # the list shows them
                    self.index = index
                    if not index.whole:
                        self.listed.wait(_SECONDS_TO_SHOW)
                    self.reading.update(0)
            except _Stopped:
                return
            except Exception as error:  # raised by `check`, in the thread of the server
                self._failed_at, self.error = time.monotonic(), error
            finally:
                self._ended.set()
            if self.index is not None and self.error is None:
                _ = self.index.facts  # before a filter needs them

        Thread(target=run, name="opening", daemon=True).start()

    def check(self) -> None:
        """Raise the error that has ended the loading, once the page has had the time to ask for it."""
        if self.error is not None and time.monotonic() > self._failed_at + _SECONDS_TO_TELL:
            raise self.error

    def close(self) -> None:
        """End the loading."""
        self.reading.stopped = True
        self.listed.set()
        self._ended.wait(_SECONDS_TO_END)


class Window:
    """The session of one window, which begins when the list is there and is completed with all texts.

    Parameters
    ----------
    opening : Opening
        What is being loaded.
    notes : pathlib.Path or None
        As in `Session`.
    """

    def __init__(self, opening: Opening, notes: Path | None) -> None:
        self.opening, self.notes = opening, notes
        self.session: Session | None = None

    def handle(self, message: Any) -> Reply:
        """Return the reply to a message; `start` also moves on to what has been loaded since."""
        if isinstance(message, dict) and message.get("kind") == "start":
            waiting = self._continue(str(message.get("link", "")))
            if waiting is not None:
                return Reply(waiting, [])
        if self.session is None:
            return Reply({"kind": "error", "text": "the dialogues are still being loaded"}, [])
        reply = self.session.handle(message)
        if reply.content["kind"] == "dialog":  # asked for once the list is drawn
            self.opening.listed.set()
        return reply

    def _continue(self, link: str) -> dict[str, Any] | None:
        """Begin or complete the session; return what the page shows where it can't begin yet."""
        from mmdu_analysis.browser.session import Session

        opening, index = self.opening, self.opening.index
        if opening.error is not None:
            return {"kind": "error", "text": shorten(str(opening.error), 1_000)}
        filters, _, _ = from_link(link)
        if index is None or (not index.whole and filters.needs_texts()):
            return opening.reading.state()
        try:
            if self.session is None:
                self.session = Session.of(index, self.notes)
            elif self.session.index is not index:
                self.session.complete(index)
        except DataError as error:
            return {"kind": "error", "text": shorten(str(error), 1_000)}
        return None
