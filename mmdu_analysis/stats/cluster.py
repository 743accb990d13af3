"""The streamed pass on a Dask cluster, with the same tasks and results."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.records import Block
from mmdu_analysis.io.stream import Do, Engine, Group, Result, Task
from mmdu_analysis.schema import DataError, Problem, short_path, shorten

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 3
"""Number of retries of a task that fails or whose worker is lost."""


@contextmanager
def dask_engine(scheduler: str | None = None) -> Iterator[Engine]:
    """Run tasks on a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler; by default a cluster of one process per core on this machine.

    Yields
    ------
    callable
        An `Engine`. Tasks that fail after all retries become problems with file name and position.

    Raises
    ------
    DataError
        If Dask isn't installed, or no scheduler answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise DataError("engine 'dask' needs the extra: pip install 'mmdu-analysis[dask]'") from None
    if scheduler is None:
        with (
            LocalCluster(processes=True, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield partial(_run, client=client)
        return
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise DataError(f"no Dask scheduler responds at {scheduler} ({error}); check the address") from None
    with client:
        yield partial(_run, client=client)


def _run(tasks: Iterable[Task], do: Do, client: Client) -> Iterator[tuple[Task, Result]]:
    """Keep every worker busy with a few tasks, and yield the results in the order of the tasks."""
    waiting: deque[tuple[Task, Any]] = deque()
    source = iter(tasks)
    try:
        while True:
            wanted = 4 * max(1, sum(client.ncores().values()))
            for task in islice(source, max(0, wanted - len(waiting))):
                waiting.append((task, client.submit(do, task, pure=False, retries=RETRIES)))
            if not waiting:
                return
            task, future = waiting.popleft()
            yield task, _result(task, future)
    finally:
        client.cancel([future for _, future in waiting])


def _result(task: Task, future: Any) -> Result:
    try:
        return future.result()
    except Exception as error:  # any error of a worker
        reason = shorten(str(error), 120)
        paths = task.paths if isinstance(task, Group) else (task.path,)
        where = f"bytes {task.start:,} to {task.stop:,}" if isinstance(task, Block) else ""
        text = f"could not be read after {RETRIES + 1} tries ({type(error).__name__}: {reason}); left out"
        return Result([], [], 0, [Problem(short_path(path), where, text) for path in paths])
