"""The streamed pass: files -> tasks -> dialogues -> whatever is made of them, on all cores or on a cluster.

A task is a block of a large file, row groups of a Parquet file, some small files, or records that had to be split
one by one. Whoever works on it reads it, decodes it, and does the work: no text outlives its task unless the work
returns it. Loading, measuring, converting and comparing are users of `stream`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mmdu_analysis.io import files, records
from mmdu_analysis.io.decode import Place, decode_block, decode_records, fault_problems
from mmdu_analysis.io.dialogs import Dialog, Fault
from mmdu_analysis.io.formats import file_kind, mmdu_tsv, parquet
from mmdu_analysis.io.parallel import WORTH_SPLITTING, count_cores, in_order
from mmdu_analysis.io.pictures import names_of
from mmdu_analysis.io.walk import exact_records
from mmdu_analysis.schema import DataError, Problem, short_path

if TYPE_CHECKING:
    from tqdm import tqdm

Work: TypeAlias = Callable[[list[Dialog], Path], Any]
"""What is done with some dialogues of a file: a callable that can be pickled."""

_GROUP_FILES = 200
_BATCH = 2_000
_PICTURES_BATCH = 64
NAMED = ("benchmark.json", "mmdu-45k.json", "MMDU.tsv")
"""Files that a folder is read for, before all others."""


class Group(NamedTuple):
    """Small files that are read together."""

    paths: tuple[Path, ...]


class Split(NamedTuple):
    """Records of one file that were split off one by one."""

    path: Path
    records: list[records.RawRecord]
    keys: records.Keys


class Rows(NamedTuple):
    """Rows of a table, or of some row groups of a Parquet file."""

    path: Path
    groups: tuple[int, int] | None = None


Task: TypeAlias = records.Block | Group | Split | Rows


class Result(NamedTuple):
    """What comes back from a task.

    Attributes
    ----------
    results : list
        What the work returned, batch by batch.
    faults : list of Place
        What could not be used, numbered within the task.
    places : int
        Records (lines) that the task had.
    problems : list of Problem
        Problems that name their file already.
    unsplit : bool
        True where the block doesn't hold whole records; then nothing else counts.
    """

    results: list[Any]
    faults: list[Place]
    places: int
    problems: list[Problem]
    unsplit: bool = False


class Part(NamedTuple):
    """What is known of a part of the files: the results of the work, and the problems."""

    results: list[Any]
    problems: list[Problem]


Do: TypeAlias = Callable[[Task], Result]
Engine: TypeAlias = Callable[[Iterable[Task], Do], Iterator[tuple[Task, Result]]]
"""Runs tasks, and yields each with its result in their order."""


def do_task(task: Task, work: Work, input_format: str | None = None) -> Result:
    """Do one task; this is what runs on other cores and machines.

    Parameters
    ----------
    task : Block, Group, Split or Rows
        What to read.
    work : callable
        What to do with the dialogues.
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
    """Do the work on one small file; what is wrong with the file as a whole is a problem."""
    name = short_path(path)
    try:
        yield from _batches(read_dialogs(path, problems, input_format), path, work)
    except DataError as error:
        problems.append(Problem(name, "", str(error).removeprefix(f"{name}: ")))


def _batches(dialogs: Iterator[Dialog], path: Path, work: Work) -> Iterator[Any]:
    """Do the work on some dialogues after another: few at once where they carry their pictures."""
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
    engine: Engine,
    *,
    input_format: str | None = None,
    progress: tqdm | None = None,
) -> Iterator[Part]:
    """Do some work on all dialogues of some files in one pass.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Files, no folders.
    work : callable
        Gets some dialogues of a file and the file's path; can be pickled, as what it returns.
    engine : callable
        `sequential`, `local_engine`, or Dask's.
    input_format : str, optional
        Format of the files; by default each is recognised.
    progress : tqdm, optional
        Is advanced by each task's bytes.

    Yields
    ------
    Part
        In the order of the files and their records.
    """
    names_of.cache_clear()  # folders are listed anew by each pass
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
        Its own faults are among the problems.

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
    tasks: Iterable[Task], layouts: dict[Path, records.Layout], engine: Engine, do: Do, progress: tqdm | None
) -> Iterator[Part]:
    """Run tasks, number their faults through each file, and split by record what isn't whole in its block."""
    path: Path | None = None
    count, stopped = 0, None
    with closing(engine(tasks, do)) as results:  # type: ignore[type-var]
        for task, result in results:
            if isinstance(task, Group) or task.path != path:
                yield from _rest(path, stopped, count, layouts, engine, do)
                path, count, stopped = None if isinstance(task, Group) else task.path, 0, None
            if isinstance(task, records.Block) and (result.unsplit or stopped is not None):
                stopped = task.start if stopped is None else stopped
                continue
            if isinstance(task, records.Block | Split):
                base = count if isinstance(task, records.Block) else 0  # split records know their places
                result.problems.extend(fault_problems(task.path, result.faults, base))
                count += result.places
            _advance(progress, task)
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
    """Do the rest of a file record by record, from the first block that didn't hold whole ones."""
    if path is None or stopped is None:
        return
    layout = layouts[path]
    rest = _split_tasks(path, exact_records(path, layout, stopped, count), layout.keys)
    yield from _parts(rest, layouts, engine, do, None)


def _advance(progress: tqdm | None, task: Task) -> None:
    if progress is None:
        return
    if isinstance(task, Group):
        progress.update(sum(path.stat().st_size for path in task.paths))
    elif isinstance(task, records.Block):
        before = getattr(progress, "in_file", (task.path, 0))
        progress.update(task.read - (before[1] if before[0] == task.path else 0))
        progress.in_file = (task.path, task.read)


def _tasks(
    paths: Sequence[Path], layouts: dict[Path, records.Layout], input_format: str | None
) -> Iterator[Task]:
    """Yield the tasks of files; how they hold their records is remembered in `layouts`."""
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
            yield Group((path,))  # it becomes a problem there
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


def local_engine(
    total_bytes: int, prepare: Callable[[], object], meanwhile: Callable[[], object] | None = None
) -> Engine:
    """Run tasks on all cores of this machine; where there is little to read, in this process.

    Parameters
    ----------
    total_bytes : int
        How much there is to read.
    prepare : callable
        Loads what the work needs, before processes are forked: they share it then.
    meanwhile : callable, optional
        Loads what is needed at the end, while the processes work.
    """
    if total_bytes < WORTH_SPLITTING or count_cores() == 1:
        return sequential

    def run(tasks: Iterable[Task], do: Do) -> Iterator[tuple[Task, Result]]:
        return in_order(do, tasks, prepare, meanwhile)

    return run


def with_prefix(dialogs: list[Dialog], path: Path, work: Work) -> Any:
    """Do some work on dialogues whose ids get the name of their file before them, for shards whose ids repeat."""
    for dialog in dialogs:
        dialog.dialog_id, dialog.number_id = f"{files.stem(path)}-{dialog.dialog_id}", False
    return work(dialogs, path)


def find_files(path: Path) -> list[Path]:
    """List the files of a path: itself, the known one in a folder, or all JSON or Parquet files there.

    Raises
    ------
    DataError
        If a folder holds none.
    """
    if not path.is_dir():
        with files.open_bytes(path):
            return [path]
    named = [path / name for name in NAMED if (path / name).is_file()]
    if named:
        return named[:1]
    shards = [p for p in sorted(path.rglob("*.parquet")) if not files.is_hidden(p.relative_to(path))]
    return shards or files.json_files(path)
