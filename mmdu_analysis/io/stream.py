"""The streamed pass: files -> tasks -> dialogues -> results, on all cores or on a cluster.

A task is a block of a large file, row groups of a Parquet file, some small files, or records that had to be
split one by one. A worker reads and decodes the task and does the work: no text is kept after its task unless
the work returns it. Loading, measuring, converting and comparing are users of `stream`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from mmdu_analysis.io import files, records
from mmdu_analysis.io.decode import Place, decode_block, decode_records, fault_problems
from mmdu_analysis.io.dialogs import Dialog, Fault
from mmdu_analysis.io.formats import file_kind, mmdu_tsv, parquet
from mmdu_analysis.io.parallel import WORTH_SPLITTING, count_cores, in_order
from mmdu_analysis.io.pictures import names_of
from mmdu_analysis.io.walk import exact_records
from mmdu_analysis.schema import DataError, Problem, short_path

Work: TypeAlias = Callable[[list[Dialog], Path], Any]
"""The work on a batch of dialogues of a file: a callable that can be pickled."""

_GROUP_FILES = 200
_BATCH = 2_000
_PICTURES_BATCH = 64
NAMED = ("benchmark.json", "mmdu-45k.json", "MMDU.tsv")
"""File names that are preferred when a folder is read."""


class Group(NamedTuple):
    """Small files that form one task."""

    paths: tuple[Path, ...]


class Split(NamedTuple):
    """Records of one file that were split record by record."""

    path: Path
    records: list[records.RawRecord]
    keys: records.Keys


class Rows(NamedTuple):
    """Rows of a table, or of some row groups of a Parquet file."""

    path: Path
    groups: tuple[int, int] | None = None


Task: TypeAlias = records.Block | Group | Split | Rows


class Result(NamedTuple):
    """The result of a task.

    Attributes
    ----------
    results : list
        The values returned by the work, batch by batch.
    faults : list of Place
        What could not be used, numbered within the task.
    places : int
        Number of records (lines) of the task.
    problems : list of Problem
        Problems that include their file.
    unsplit : bool
        True if the block doesn't contain complete records; the other fields are then unused.
    """

    results: list[Any]
    faults: list[Place]
    places: int
    problems: list[Problem]
    unsplit: bool = False


class Part(NamedTuple):
    """The results of the work on a part of the files, and the problems."""

    results: list[Any]
    problems: list[Problem]


class Progress(Protocol):
    """What is told of the bytes that are read, such as a bar of tqdm."""

    def update(self, n: float, /) -> object:
        """Add bytes; an exception that it raises ends the pass."""


Do: TypeAlias = Callable[[Task], Result]
Engine: TypeAlias = Callable[[Iterable[Task], Do], Iterator[tuple[Task, Result]]]
"""Runs tasks, and yields each with its result in their order."""


def do_task(task: Task, work: Work, input_format: str | None = None) -> Result:
    """Do one task; this function runs in worker processes and on other machines.

    Parameters
    ----------
    task : Block, Group, Split or Rows
        The input.
    work : callable
        Function of a batch of dialogues.
    input_format : str, optional
        Format of the files.

    Returns
    -------
    Result
        What `work` returned, and the faults.
    """
    problems: list[Problem] = []
    if isinstance(task, Group):
        values = [value for path in task.paths for value in _file_values(path, problems, work, input_format)]
        return Result(values, [], 0, problems)
    if isinstance(task, Rows):
        return Result(list(_batches(_rows(task, problems), task.path, work)), [], 0, problems)
    try:
        if isinstance(task, Split):
            batch = decode_records(task.records, len(task.records), task.keys)
        else:
            batch = decode_block(task)
    except records.UnsplitError:
        return Result([], [], 0, problems, unsplit=True)
    values = [work(batch.dialogs, task.path)] if batch.dialogs else []
    return Result(values, batch.faults, batch.places, problems)


def _file_values(path: Path, problems: list[Problem], work: Work, input_format: str | None) -> Iterator[Any]:
    """Do the work on one small file; a fault of the whole file is a problem."""
    name = short_path(path)
    try:
        yield from _batches(read_dialogs(path, problems, input_format), path, work)
    except DataError as error:
        problems.append(Problem(name, "", str(error).removeprefix(f"{name}: ")))


def _batches(dialogs: Iterator[Dialog], path: Path, work: Work) -> Iterator[Any]:
    """Do the work batch by batch; batches are small if the records contain pictures."""
    size = _BATCH if file_kind(path) == "json" else _PICTURES_BATCH
    while batch := list(islice(dialogs, size)):
        yield work(batch, path)


def _rows(task: Rows, problems: list[Problem]) -> Iterator[Dialog]:
    """Read the rows of a table or a Parquet file."""
    name = short_path(task.path)
    found = mmdu_tsv.read(task.path) if task.groups is None else parquet.read(task.path, task.groups)
    for where, row in found:
        if isinstance(row, Fault):
            problems.append(Problem(name, where + row.place, row.problem))
            continue
        for fault in row.faults:
            problems.append(Problem(name, where + fault.place, fault.problem, row.dialog_id, fault.turn))
        yield row


def stream(
    paths: Sequence[Path],
    work: Work,
    engine: Engine | None = None,
    *,
    input_format: str | None = None,
    ids: str = "keep",
    progress: Progress | None = None,
) -> Iterator[Part]:
    """Apply a function to all dialogues of several files in one pass.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Files, no folders.
    work : callable
        Function of a batch of dialogues and the path of their file; it and its results can be pickled.
    engine : callable, optional
        `sequential`, `parallel`, or Dask's; by default all cores of this machine, or this process for small
        files. Load what the work needs before the pass: processes that are forked share it.
    input_format : str, optional
        Format of the files; by default each is recognised.
    ids : {"keep", "prefix"}, default "keep"
        With ``prefix`` each id is preceded by its file's name; if there are several files, positions always are.
    progress : Progress, optional
        Gets the bytes of each task.

    Yields
    ------
    Part
        In the order of the files and their records.
    """
    if ids not in ("keep", "prefix"):
        raise DataError(f"ids is {ids!r}, expected 'keep' or 'prefix'")
    names_of.cache_clear()  # each pass lists folders again
    if ids == "prefix" or len(paths) > 1:
        work = partial(_with_prefix, work=work, positions_only=ids != "prefix")
    if engine is None:
        engine = parallel if total_size(paths) >= WORTH_SPLITTING and count_cores() > 1 else sequential
    layouts: dict[Path, records.Layout] = {}
    do = partial(do_task, work=work, input_format=input_format)
    yield from _parts(_tasks(paths, layouts, input_format), layouts, engine, do, progress)


def read_dialogs(path: Path, problems: list[Problem], input_format: str | None = None) -> Iterator[Dialog]:
    """Read the dialogues of one file, one by one, in this process.

    Parameters
    ----------
    path : pathlib.Path
        JSON in all layouts and formats, MMDU.tsv, Parquet.
    problems : list of Problem
        Extended with what can't be used.
    input_format : str, optional
        Format of the file; by default it is recognised.

    Yields
    ------
    Dialog
        Faults of a dialogue are added to the problems.

    Raises
    ------
    DataError
        If the file can't be read, or holds no dialogue.
    """
    count, before = 0, len(problems)
    layouts: dict[Path, records.Layout] = {}
    tasks = _file_tasks(path, layouts, input_format)
    for part in _parts(tasks, layouts, sequential, partial(do_task, work=_themselves), None):
        problems += part.problems
        for dialogs in part.results:
            count += len(dialogs)
            yield from dialogs
    if not count:
        hint = f"; the first problem: {problems[before]}" if len(problems) > before else ""
        text = "no usable dialogue, expected records with 'conversations' or 'messages'"
        raise DataError(f"{short_path(path)}: {text}{hint}")


def _themselves(dialogs: list[Dialog], _path: Path) -> list[Dialog]:
    return dialogs


def _parts(
    tasks: Iterable[Task],
    layouts: dict[Path, records.Layout],
    engine: Engine,
    do: Do,
    progress: Progress | None,
) -> Iterator[Part]:
    """Run tasks, number their faults by file, and split blocks with incomplete records record by record."""
    path: Path | None = None
    count, stopped, read = 0, None, 0
    with closing(engine(tasks, do)) as results:  # type: ignore[type-var]
        for task, result in results:
            if isinstance(task, Group) or task.path != path:
                yield from _rest(path, stopped, count, layouts, engine, do)
                path, count, stopped = None if isinstance(task, Group) else task.path, 0, None
                read = 0
            if isinstance(task, records.Block) and (result.unsplit or stopped is not None):
                stopped = task.start if stopped is None else stopped
                continue
            if isinstance(task, records.Block | Split):
                base = count if isinstance(task, records.Block) else 0  # split records have their positions
                result.problems.extend(fault_problems(task.path, result.faults, base))
                count += result.places
            if progress is not None and isinstance(task, Group):
                progress.update(sum(path.stat().st_size for path in task.paths))
            elif progress is not None and isinstance(task, records.Block):
                progress.update(task.read - read)
                read = task.read
            yield Part(result.results, result.problems)
    yield from _rest(path, stopped, count, layouts, engine, do)


def _rest(
    path: Path | None,
    stopped: int | None,
    count: int,
    layouts: dict[Path, records.Layout],
    engine: Engine,
    do: Do,
) -> Iterator[Part]:
    """Process the rest of a file record by record, from the first block with incomplete records."""
    if path is None or stopped is None:
        return
    layout = layouts[path]
    rest = _split_tasks(path, exact_records(path, layout, stopped, count), layout.keys)
    yield from _parts(rest, layouts, engine, do, None)


def _tasks(
    paths: Sequence[Path], layouts: dict[Path, records.Layout], input_format: str | None
) -> Iterator[Task]:
    """Yield the tasks of files; their layouts are stored in `layouts`."""
    group: list[Path] = []
    grouped = 0
    for path in paths:
        size = path.stat().st_size
        kind = _kind(path, input_format)
        small = kind == "table" or size < WORTH_SPLITTING
        if group and (not small or len(group) >= _GROUP_FILES or grouped + size > WORTH_SPLITTING):
            yield Group(tuple(group))
            group, grouped = [], 0
        if small:
            group.append(path)
            grouped += size
            continue
        try:
            yield from _file_tasks(path, layouts, input_format)
        except DataError:
            yield Group((path,))  # reported as a problem by the task
    if group:
        yield Group(tuple(group))


def _file_tasks(path: Path, layouts: dict[Path, records.Layout], input_format: str | None) -> Iterator[Task]:
    kind = _kind(path, input_format)
    if kind == "table":
        yield Rows(path)
        return
    if kind == "parquet":
        yield from (Rows(path, (group, group + 1)) for group in range(parquet.count_groups(path)))
        return
    layouts[path] = layout = records.find_layout(path, input_format)
    if layout.name == "one":
        yield Split(path, [records.RawRecord("one", 0, files.read_bytes(path))], layout.keys)
    elif layout.name == "dict":
        yield from _split_tasks(path, exact_records(path, layout), layout.keys)
    else:
        yield from records.file_blocks(path, layout)


def _kind(path: Path, input_format: str | None) -> str:
    if input_format is None:
        return file_kind(path)
    return {"mmdu-tsv": "table", "parquet": "parquet"}.get(input_format, "json")


def _split_tasks(path: Path, found: Iterator[records.RawRecord], keys: records.Keys) -> Iterator[Split]:
    batch: list[records.RawRecord] = []
    size = 0
    for record in found:
        batch.append(record)
        size += len(bytes(record.raw))
        if size > records.BLOCK_SIZE:
            yield Split(path, batch, keys)
            batch, size = [], 0
    if batch:
        yield Split(path, batch, keys)


def sequential(tasks: Iterable[Task], do: Do) -> Iterator[tuple[Task, Result]]:
    """Run tasks in this process."""
    return ((task, do(task)) for task in tasks)


def parallel(tasks: Iterable[Task], do: Do) -> Iterator[tuple[Task, Result]]:
    """Run tasks on all cores of this machine."""
    return in_order(do, tasks)


def total_size(paths: Iterable[Path]) -> int:
    """Return the bytes of the files; those that are missing have none."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def _with_prefix(dialogs: list[Dialog], path: Path, work: Work, *, positions_only: bool) -> Any:
    """Apply the work to dialogues whose ids (or only those that are positions) are prefixed with their file's name."""
    for dialog in dialogs:
        if dialog.positional or not positions_only:
            dialog.dialog_id, dialog.number_id = f"{files.stem(path)}-{dialog.dialog_id}", False
    return work(dialogs, path)


def find_files(path: Path) -> list[Path]:
    """List the files of a path: the file itself, the known file of a folder, or all its JSON or Parquet files.

    Raises
    ------
    DataError
        If a folder holds none, or JSON files with dialogues beside Parquet files.
    """
    if not path.is_dir():
        with files.open_bytes(path):
            return [path]
    named = [path / name for name in NAMED if (path / name).is_file()]
    if named:
        return named[:1]
    shards = [p for p in sorted(path.rglob("*.parquet")) if not files.is_hidden(p.relative_to(path))]
    beside = files.find_json(path) if shards else []
    if both := [p for p in beside if p.parent == shards[0].parent and records.has_dialogs(p)]:
        raise DataError(f"{short_path(both[0])}: is beside Parquet files with dialogues; name one of them")
    return shards or files.json_files(path)
