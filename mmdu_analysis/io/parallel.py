"""Run a function on many pieces on all cores of this machine, and return the results in order."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import Thread
from typing import Any, TypeVar

from mmdu_analysis.schema import DataError

T = TypeVar("T")
R = TypeVar("R")

WORTH_SPLITTING = 16 << 20
"""Bytes below which files aren't worth splitting up: other processes would start as they are done."""


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[T], R],
    tasks: Iterable[T],
    prepare: Callable[[], object],
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[tuple[T, R]]:
    """Run tasks on all cores.

    Parameters
    ----------
    work : callable
        Can be pickled, as its results can.
    tasks : iterable
        Taken as they are needed, a few ahead of the results.
    prepare : callable
        Loads what `work` needs, before processes are forked: they share it then.
    meanwhile : callable, optional
        Called once in a thread of this process while the others work.

    Yields
    ------
    tuple
        Each task and its result, in the order of the tasks.

    Raises
    ------
    DataError
        If a process is killed.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A fork starts at once and works from a notebook and from a script without a main guard. What the tasks
    # use holds no locks across it: they decode, count and add.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    waiting: deque[tuple[T, Any]] = deque()
    source, cores = iter(tasks), count_cores()
    prepare()
    with warnings.catch_warnings(), ProcessPoolExecutor(cores, context, gc.disable) as pool:
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        try:
            while True:
                for task in islice(source, 2 * cores - len(waiting)):
                    waiting.append((task, pool.submit(work, task)))
                if not waiting:
                    return
                if meanwhile is not None:
                    Thread(target=meanwhile).start()
                    meanwhile = None
                task, future = waiting.popleft()
                yield task, future.result()
        except BrokenProcessPool:
            raise DataError(
                "a process that read the data was killed, perhaps because memory ran out; "
                "free some, or pass fewer files at once"
            ) from None
        finally:
            for _, future in waiting:
                future.cancel()
