"""`dialog_lengths`: the pass over the data from which all statistics are computed."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal, TypeAlias

from mmdu_analysis.io.benchmark import Benchmark, duplicate_problems, load_benchmark, resolve_source
from mmdu_analysis.io.files import stem
from mmdu_analysis.io.formats import InputFormat, check_input_format
from mmdu_analysis.io.stream import Engine, find_files, stream, total_size
from mmdu_analysis.schema import DataError, Problem, problems_frame, report, short_path
from mmdu_analysis.stats.measure import (
    Lengths,
    Options,
    join_lengths,
    measure,
    measure_batch,
    texts_of_benchmark,
)
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, FALLBACK_SIZE, count_tokens, image_token_model

if TYPE_CHECKING:
    import pandas as pd

ENGINES = ("local", "dask")
Source: TypeAlias = "Benchmark | str | Path | Sequence[str | Path]"


@dataclass(frozen=True)
class DatasetLengths:
    """The lengths of a data set, with properties of the whole set.

    Attributes
    ----------
    table : pandas.DataFrame
        As `dialog_lengths` returns it.
    unique_images : int
        Distinct picture paths.
    problems : pandas.DataFrame
        Parts that could not be used, as in `Benchmark`.
    name : str
        Name of the data set.
    """

    table: pd.DataFrame
    unique_images: int
    problems: pd.DataFrame
    name: str


def dialog_lengths(
    benchmark: Source,
    engine: Literal["local", "dask"] = "local",
    *,
    encoding: str = DEFAULT_ENCODING,
    image_model: str = "paper",
    scheduler: str | None = None,
    input_format: InputFormat | None = None,
    ids: Literal["keep", "prefix"] = "keep",
    picture_folder: str | Path | None = None,
) -> pd.DataFrame:
    """Measure every dialogue in one pass over the data.

    Parameters
    ----------
    benchmark : Benchmark, path, name or list of paths
        Names and formats as in `load_benchmark`; paths may be globs. Files are read block by block on all
        cores, and their texts are not kept.
    engine : {"local", "dask"}, default "local"
        Run on the cores of this machine, or on a Dask cluster (extra ``dask``).
    encoding : str, default "o200k_base"
        As in `count_tokens`. Placeholders and system messages don't count.
    image_model : str, default "paper"
        As in `image_tokens`.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers see the same
        files; by default a cluster of processes on this machine.
    input_format : str, optional
        Format of the files; by default each is recognised by its content.
    ids : {"keep", "prefix"}, default "keep"
        With ``prefix`` each id is preceded by its file's name, for shards whose ids repeat.
    picture_folder : str or path, optional
        Folder of the pictures, for estimators that use their sizes; by default that of the data.

    Returns
    -------
    pandas.DataFrame
        One row per dialogue (index ``dialog_id``): ``n_turns``, ``n_images``, the sums ``text_tokens``,
        ``image_tokens``, ``image_text_tokens``, ``question_tokens``, ``answer_tokens``, the maxima
        ``max_question_tokens``, ``max_answer_tokens``, the numbers of questions about one, several and no
        image (``single_image_questions``, ``multi_image_questions``, ``no_image_questions``), ``n_missing``
        (turns without an answer), ``n_sizes_assumed`` (pictures of unknown size for which the estimator
        assumed one), ``synthetic``, ``encoding``, ``image_model``.

    Raises
    ------
    DataError
        If there is no usable dialogue, a path doesn't exist, or the engine is unknown.

    Notes
    -----
    While files are streamed, a picture that is found by its file name alone (see `load_benchmark`) counts as
    one of unknown size; `Benchmark` objects know its size.

    See Also
    --------
    measure_dataset : The same with the problems and the number of distinct images.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> int(mmdu.dialog_lengths("sample")["n_turns"].sum())
    1645
    """
    return measure_dataset(
        benchmark,
        engine,
        encoding=encoding,
        image_model=image_model,
        scheduler=scheduler,
        input_format=input_format,
        ids=ids,
        picture_folder=picture_folder,
    ).table


def measure_dataset(
    benchmark: Source,
    engine: Literal["local", "dask"] = "local",
    *,
    encoding: str = DEFAULT_ENCODING,
    image_model: str = "paper",
    scheduler: str | None = None,
    input_format: InputFormat | None = None,
    ids: Literal["keep", "prefix"] = "keep",
    picture_folder: str | Path | None = None,
) -> DatasetLengths:
    """Measure every dialogue, and properties of the whole data set.

    Parameters
    ----------
    benchmark, engine, encoding, image_model, scheduler, input_format, ids, picture_folder
        As in `dialog_lengths`.

    Returns
    -------
    DatasetLengths
        The table of `dialog_lengths`, the number of distinct images, and the problems.

    Raises
    ------
    DataError
        As in `dialog_lengths`.
    """
    if engine not in ENGINES:
        raise DataError(f"engine {engine!r} is unknown; expected {' or '.join(map(repr, ENGINES))}")
    check_input_format(input_format)
    image_token_model(image_model)  # an unknown name is refused before files are read
    if isinstance(benchmark, str | Path):
        benchmark = resolve_source(benchmark) or load_benchmark("sample")
    options = Options(encoding, image_model, find_folder(benchmark, picture_folder))
    if isinstance(benchmark, Benchmark):
        lengths = join_lengths([measure(texts_of_benchmark(benchmark, image_model), encoding)])
        table, _ = _table(lengths, options, benchmark.name)
        return DatasetLengths(table, len(lengths.images), benchmark.problems, benchmark.name)
    paths = find_paths(benchmark)
    name = stem(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
    parts, problems = _measure_paths(paths, options, engine, scheduler, input_format, ids)
    lengths = join_lengths(parts)
    table, twice = _table(lengths, options, name)
    problems += twice
    if table.empty:
        _raise_empty(paths, problems)
    if assumed := assumed_sizes(table):
        problems.insert(0, Problem(name, "", assumed))
    report(problems, strict=False, advice="measure_dataset(...).problems")
    return DatasetLengths(table, len(lengths.images), problems_frame(problems), name)


def find_folder(source: Source, given: str | Path | None) -> Path | None:
    """Return the folder of the pictures of a data set: the given one, or its own; None for that of each file.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise DataError(f"{short_path(folder)}: no such folder of pictures; check the path")
        return folder
    if isinstance(source, Benchmark):
        return source.folder
    return source if isinstance(source, Path) and source.is_dir() else None


def assumed_sizes(lengths: pd.DataFrame) -> str:
    """Describe how many sizes of pictures are assumed in a table of `dialog_lengths`; empty if none is."""
    assumed = int(lengths["n_sizes_assumed"].sum()) if "n_sizes_assumed" in lengths else 0
    if not assumed:
        return ""
    width, height = FALLBACK_SIZE
    return (
        f"{assumed:,} of {int(lengths['n_images'].sum()):,} pictures were not found; their tokens are those of "
        f"{width} x {height} pixels"
    )


def _raise_empty(paths: list[Path], problems: list[Problem]) -> None:
    if len(problems) == 1 and not problems[0].where:
        raise DataError(str(problems[0]))
    hint = f"; the first problem: {problems[0]}" if problems else ""
    names = short_path(paths[0]) if len(paths) == 1 else f"{len(paths)} paths"
    text = "no usable dialogue, expected records with 'conversations' or 'messages'"
    raise DataError(f"{names}: {text}{hint}")


def find_paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """List the paths, with globs resolved.

    Raises
    ------
    DataError
        If a path doesn't exist, a pattern matches nothing, or something else is given.
    """
    items = list(source) if isinstance(source, Iterable) and not isinstance(source, str) else [source]
    if wrong := [type(item).__name__ for item in items if not isinstance(item, str | Path)]:
        raise DataError(f"got {wrong[0]}, expected a Benchmark, or paths of data sets")
    paths: list[Path] = []
    for item in items:
        path = Path(item).expanduser()
        if path.exists():
            paths.append(path)
            continue
        found = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
        if not found:
            fault = "the pattern matches no file" if glob.has_magic(str(path)) else "no such file"
            raise DataError(f"{short_path(path)}: {fault}; check the path")
        paths += map(Path, found)
    if not paths:
        raise DataError("no path is given; expected at least one file")
    return paths


def _measure_paths(
    paths: list[Path],
    options: Options,
    engine: str,
    scheduler: str | None,
    input_format: str | None,
    ids: str,
) -> tuple[list[Lengths], list[Problem]]:
    """Measure files in one pass."""
    from tqdm import tqdm

    listed = list(dict.fromkeys(file for path in paths for file in find_files(path)))
    size = total_size(listed)
    work = partial(measure_batch, options=options)
    parts: list[Lengths] = []
    problems: list[Problem] = []
    with (
        _engine(engine, scheduler) as run,
        tqdm(total=size, unit="B", unit_scale=True, unit_divisor=1024, desc="reading", disable=None) as bar,
    ):
        count_tokens([""], options.encoding, threads=1)  # loads the encoding, which forked processes share
        for part in stream(listed, work, run, input_format=input_format, ids=ids, progress=bar):
            if not parts:  # the table needs it: loading it now costs no time, where processes do the work
                Thread(target=import_module, args=("pandas",)).start()
            parts += part.results
            problems += part.problems
    return parts, problems


def _engine(name: str, scheduler: str | None) -> AbstractContextManager[Engine | None]:
    if name == "local":
        return nullcontext()
    from mmdu_analysis.stats.cluster import dask_engine

    return dask_engine(scheduler)


def _table(lengths: Lengths, options: Options, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the lengths as a frame; if an id is duplicated, the first dialogue is kept."""
    import pandas as pd

    ids = pd.Index(lengths.ids, dtype="str", name="dialog_id")
    frame = pd.DataFrame(lengths.columns, index=ids)
    twice = ids.duplicated()
    frame = frame.loc[~twice].assign(encoding=options.encoding, image_model=options.image_model)
    frame = frame.astype({"encoding": "str", "image_model": "str"})
    return frame, duplicate_problems(name, ids[twice])
