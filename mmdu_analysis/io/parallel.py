"""Run a function on many pieces on all cores of this machine, and return the results in order."""

from __future__ import annotations

import gc
import os
import sys
import time
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
"""Files below this size in bytes are not split: starting processes would take longer than reading them."""


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin_worker(parent: int) -> None:
    gc.disable()
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent was killed: it would wait for tasks forever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def in_order(work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Run tasks on all cores.

    On Linux processes are forked: they share what was loaded before.

    Parameters
    ----------
    work : callable
        The function; it and its results can be pickled.
    tasks : iterable
        Consumed lazily, a few ahead of the results.

    Yields
    ------
    tuple
        Each task and its result, in the order of the tasks.

    Raises
    ------
    DataError
        If a worker process is killed.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A fork starts immediately and works from a notebook and from a script without a main guard. The tasks
    # only decode, count and add, and use nothing that holds a lock during the fork.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    waiting: deque[tuple[T, Any]] = deque()
    source, cores = iter(tasks), count_cores()
    with (
        warnings.catch_warnings(),
        ProcessPoolExecutor(cores, context, _begin_worker, (os.getpid(),)) as pool,
    ):
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        try:
            while True:
                for task in islice(source, 2 * cores - len(waiting)):
                    waiting.append((task, pool.submit(work, task)))
                if not waiting:
                    return
                task, future = waiting.popleft()
                yield task, future.result()
        except BrokenProcessPool:
            raise DataError(
                "a process that read the data was killed, possibly because memory ran out; "
                "free memory, or pass fewer files at once"
            ) from None
        finally:
            for _, future in waiting:
                future.cancel()
