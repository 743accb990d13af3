"""The streamed pass: files -> tasks -> lengths, on this machine's cores or on a Dask cluster.

A task is a block of a large file, some small files, or records that had to be split one by one. Whoever
works on it reads it, decodes and measures it, and gives back numbers only: no text outlives its task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mmdu_analysis.io import files, records
from mmdu_analysis.io.benchmark import read_dialogs
from mmdu_analysis.io.dialogs import Dialog, Place, decode_block, decode_records, fault_problems
from mmdu_analysis.io.parallel import WORTH_SPLITTING, count_cores, in_order
from mmdu_analysis.schema import DataError, Problem, short_path
from mmdu_analysis.stats.measure import Lengths, Options, measure, texts_of_dialogs
from mmdu_analysis.stats.tokens import count_tokens

if TYPE_CHECKING:
    from tqdm import tqdm

_GROUP_FILES = 200
_BATCH = 2_000


class Group(NamedTuple):
    """Small files that are measured together."""

    paths: tuple[Path, ...]


class Split(NamedTuple):
    """Records of one file that were split off one by one."""

    path: Path
    records: list[records.RawRecord]


Task: TypeAlias = records.Block | Group | Split


class Result(NamedTuple):
    """What comes back from a task.

    Attributes
    ----------
    lengths : list of Lengths
        The numbers, batch by batch.
    faults : list of Place
        As `Batch` holds them, numbered within the task.
    places : int
        Records (lines) that the task had.
    problems : list of Problem
        What is told with its file already.
    unsplit : bool
        True where the block doesn't hold whole records; then nothing else counts.
    """

    lengths: list[Lengths] = []  # noqa: RUF012 - never changed
    faults: list[Place] = []  # noqa: RUF012
    places: int = 0
    problems: list[Problem] = []  # noqa: RUF012
    unsplit: bool = False


Engine: TypeAlias = Callable[[Iterable[Task]], Iterator[tuple[Task, Result]]]


def work(task: Task, options: Options) -> Result:
    """Do one task; this is what runs on other cores and machines.

    Parameters
    ----------
    task : Block, Group or Split
        What to read.
    options : Options
        How to measure.

    Returns
    -------
    Result
        Numbers and faults, no texts.
    """
    if isinstance(task, Group):
        return _work_group(task, options)
    if isinstance(task, Split):
        batch = decode_records(task.records, len(task.records))
    else:
        try:
            batch = decode_block(task)
        except records.UnsplitError:
            return Result(unsplit=True)
    dialogs = batch.dialogs
    lengths = [_measured(dialogs, task.path.parent, options)] if dialogs else []
    return Result(lengths, batch.faults, batch.places)


def _work_group(task: Group, options: Options) -> Result:
    problems: list[Problem] = []
    lengths = []
    for path in task.paths:
        try:
            dialogs = read_dialogs(path, problems)
            while batch := list(islice(dialogs, _BATCH)):
                lengths.append(_measured(batch, path.parent, options))
        except DataError as error:
            problems.append(Problem(short_path(path), "", str(error).removeprefix(f"{short_path(path)}: ")))
    return Result(lengths, problems=problems)


def _measured(dialogs: list[Dialog], folder: Path, options: Options) -> Lengths:
    return measure(texts_of_dialogs(dialogs, folder, options.image_model), options.encoding, threads=1)


@dataclass
class FileLengths:
    """All that is known of one file, or of some small ones."""

    paths: tuple[Path, ...]
    lengths: list[Lengths] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    stopped: int | None = None
    """Where the first block begins that doesn't hold whole records, in unpacked bytes."""

    def add(self, task: Task, result: Result) -> None:
        """Put a task's result behind what is there, and number its faults through."""
        if isinstance(task, records.Block) and (result.unsplit or self.stopped is not None):
            self.stopped = task.start if self.stopped is None else self.stopped
            return
        base = self.count if isinstance(task, records.Block) else 0
        self.lengths += result.lengths
        self.problems += result.problems
        self.problems += fault_problems(self.paths[0], result.faults, base)
        self.count += result.places


def measure_files(paths: Sequence[Path], engine: Engine, progress: tqdm) -> Iterator[FileLengths]:
    """Measure files in one pass.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Files, no folders.
    engine : callable
        Runs tasks and gives each with its result, in their order: `local_engine`, or Dask's.
    progress : tqdm
        Told of each task's bytes.

    Yields
    ------
    FileLengths
        One a large file, or some small ones, in the order of `paths`.
    """
    layouts: dict[Path, records.Layout] = {}
    current: FileLengths | None = None
    with closing(engine(_tasks(paths, layouts))) as results:  # type: ignore[type-var]
        for task, result in results:
            task_paths = task.paths if isinstance(task, Group) else (task.path,)
            if current is None or current.paths != task_paths:
                if current is not None:
                    yield _finish(current, engine, layouts)
                current = FileLengths(task_paths)
            current.add(task, result)
            _advance(progress, task)
    if current is not None:
        yield _finish(current, engine, layouts)


def _finish(found: FileLengths, engine: Engine, layouts: dict[Path, records.Layout]) -> FileLengths:
    """Do the rest of a file record by record, from the first block that didn't hold whole ones."""
    if found.stopped is not None:
        path = found.paths[0]
        rest = records.exact_records(path, layouts[path], found.stopped, found.count)
        for task, result in engine(_split_tasks(path, rest)):
            found.add(task, result)
    return found


def _advance(progress: tqdm, task: Task) -> None:
    if isinstance(task, Group):
        progress.update(sum(path.stat().st_size for path in task.paths))
    elif isinstance(task, records.Block):
        done = getattr(progress, "in_file", (None, 0))
        before = done[1] if done[0] == task.path else 0
        progress.update(task.read - before)
        progress.in_file = (task.path, task.read)


def _tasks(paths: Sequence[Path], layouts: dict[Path, records.Layout]) -> Iterator[Task]:
    """Make tasks of files; what they look like is remembered in `layouts`."""
    group: list[Path] = []
    grouped = 0
    for path in paths:
        size = path.stat().st_size
        small = size < WORTH_SPLITTING or files.has_suffix(path, files.TABLE_SUFFIXES)
        if group and (not small or len(group) >= _GROUP_FILES or grouped + size > WORTH_SPLITTING):
            yield Group(tuple(group))
            group, grouped = [], 0
        if small:
            group.append(path)
            grouped += size
        else:
            yield from _file_tasks(path, layouts)
    if group:
        yield Group(tuple(group))


def _file_tasks(path: Path, layouts: dict[Path, records.Layout]) -> Iterator[Task]:
    try:
        layouts[path] = layout = records.find_layout(path)
    except DataError:
        yield Group((path,))  # it is told there
        return
    if layout.name == "one":
        yield Group((path,))
    elif layout.name == "dict":
        yield from _split_tasks(path, records.exact_records(path, layout))
    else:
        yield from records.file_blocks(path, layout)


def _split_tasks(path: Path, found: Iterator[records.RawRecord]) -> Iterator[Split]:
    batch: list[records.RawRecord] = []
    size = 0
    for record in found:
        batch.append(record)
        size += len(bytes(record.raw))
        if size > records.BLOCK_SIZE:
            yield Split(path, batch)
            batch, size = [], 0
    if batch:
        yield Split(path, batch)


def local_engine(options: Options, total_bytes: int) -> Engine:
    """Run tasks on this machine: on all cores, or where there is little to do in this process.

    Parameters
    ----------
    options : Options
        How to measure.
    total_bytes : int
        How much there is to read.

    Returns
    -------
    callable
        An `Engine`.
    """
    do = partial(work, options=options)
    if total_bytes < WORTH_SPLITTING or count_cores() == 1:
        return lambda tasks: ((task, do(task)) for task in tasks)
    return partial(in_order, do, prepare=partial(count_tokens, [""], options.encoding, threads=1))
