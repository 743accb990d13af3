"""`dialog_lengths`: the one pass over the data that all statistics derive from."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mmdu_analysis.io import cache
from mmdu_analysis.io.benchmark import Benchmark, benchmark_files, load_benchmark, resolve_source
from mmdu_analysis.io.files import stem
from mmdu_analysis.schema import DataError, Problem, problems_frame, report, short_path
from mmdu_analysis.stats.measure import Lengths, Options, join_lengths, measure, texts_of_benchmark
from mmdu_analysis.stats.streaming import FileLengths, local_engine, measure_files
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, image_token_model

if TYPE_CHECKING:
    import pandas as pd

ENGINES = ("local", "dask")
Source: TypeAlias = "Benchmark | str | Path | Sequence[str | Path]"


@dataclass(frozen=True)
class DatasetLengths:
    """The lengths of a data set, with what belongs to the set as a whole.

    Attributes
    ----------
    table : pandas.DataFrame
        As `dialog_lengths` returns it.
    unique_images : int
        Distinct picture paths.
    problems : pandas.DataFrame
        What could not be used, as in `Benchmark`.
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
    use_cache: bool = True,
) -> pd.DataFrame:
    """Measure every dialogue in one pass over the data.

    Parameters
    ----------
    benchmark : Benchmark, path, name or list of paths
        Names as in `load_benchmark`. Files and folders, which may be globs: JSON, JSON Lines and VLMEvalKit's
        tables, plain, gzip or Zstandard. They are read block by block on all cores, and their texts are not kept.
    engine : {"local", "dask"}, default "local"
        Where the work is done: on this machine's cores, or on a Dask cluster (extra ``dask``).
    encoding : str, default "o200k_base"
        As in `count_tokens`. Placeholders are not text and don't count.
    image_model : str, default "paper"
        As in `image_tokens`.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers see the same
        files; by default a cluster of processes on this machine.
    use_cache : bool, default True
        Whether a large file that hasn't changed is answered from what was measured before. Estimators
        that look at pictures are always measured afresh.

    Returns
    -------
    pandas.DataFrame
        One row a dialogue (index ``dialog_id``): ``n_turns``, ``n_images``, the sums ``text_tokens``,
        ``image_tokens``, ``image_text_tokens``, ``question_tokens``, ``answer_tokens``, the maxima
        ``max_question_tokens``, ``max_answer_tokens``, the numbers of questions about one, several and no
        image (``single_image_questions``, ``multi_image_questions``, ``no_image_questions``), ``n_missing``
        (turns without an answer), ``n_sizes_assumed`` (pictures of unknown size for which the estimator
        assumed one), ``synthetic``, ``encoding``, ``image_model``.

    Raises
    ------
    DataError
        If there is no usable dialogue, a path doesn't exist, or the engine is unknown.

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
        use_cache=use_cache,
    ).table


def measure_dataset(
    benchmark: Source,
    engine: Literal["local", "dask"] = "local",
    *,
    encoding: str = DEFAULT_ENCODING,
    image_model: str = "paper",
    scheduler: str | None = None,
    use_cache: bool = True,
) -> DatasetLengths:
    """Measure every dialogue, and what belongs to the data set as a whole.

    Parameters
    ----------
    benchmark, engine, encoding, image_model, scheduler, use_cache
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
    options = Options(encoding, image_model)
    if isinstance(benchmark, str | Path):
        benchmark = resolve_source(benchmark) or load_benchmark("sample")
    if isinstance(benchmark, Benchmark):
        lengths = measure(texts_of_benchmark(benchmark, image_model), encoding)
        table, unique, _ = _join([FileLengths((), [lengths])], options, benchmark.name)
        return DatasetLengths(table, unique, benchmark.problems, benchmark.name)
    paths = find_paths(benchmark)
    parts = _measure_paths(paths, options, engine, scheduler, use_cache)
    name = stem(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
    table, unique, problems = _join(parts, options, name)
    if table.empty:
        hint = f"; the first fault: {problems[0]}" if problems else ""
        names = short_path(paths[0]) if len(paths) == 1 else f"{len(paths)} paths"
        if len(problems) == 1 and not problems[0].where:
            raise DataError(str(problems[0]))
        raise DataError(f"{names}: no usable dialogue, expected records with 'conversations'{hint}")
    report(problems, strict=False, advice="measure_dataset(...).problems")
    return DatasetLengths(table, unique, problems_frame(problems), name)


def find_paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """List the paths that are meant, globs resolved.

    Raises
    ------
    DataError
        If a path doesn't exist, or a pattern matches nothing.
    """
    items = [source] if isinstance(source, str | Path) else list(source)
    paths: list[Path] = []
    for item in items:
        path = Path(item).expanduser()
        if path.exists():
            paths.append(path)
            continue
        found = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
        if not found:
            what = "the pattern matches no file" if glob.has_magic(str(path)) else "no such file"
            raise DataError(f"{short_path(path)}: {what}; check the path")
        paths += map(Path, found)
    if not paths:
        raise DataError("no path was given; expected at least one file")
    return paths


def _measure_paths(
    paths: list[Path], options: Options, engine: str, scheduler: str | None, use_cache: bool
) -> list[FileLengths]:
    """Measure files; those that are known from before are not read again."""
    from tqdm import tqdm

    listed = [file for path in paths for file in benchmark_files(path)]
    caching = use_cache and not image_token_model(options.image_model).uses_size
    what = json.dumps(["dialog_lengths", *options])
    parts = _remembered(listed, what) if caching else {}
    wanted = [file for file in dict.fromkeys(listed) if file not in parts]
    stamps = {file: cache.stamp(file) for file in wanted} if caching else {}
    size = sum(file.stat().st_size for file in wanted)
    with (
        _engine(engine, options, size, scheduler) as run,
        tqdm(total=size, unit="B", unit_scale=True, unit_divisor=1024, desc="reading", disable=None) as bar,
    ):
        for part in measure_files(wanted, run, bar):
            parts[part.paths[0]] = part
            if caching and len(part.paths) == 1:
                _remember(part, what, stamps[part.paths[0]])
    return [parts[file] for file in dict.fromkeys(listed) if file in parts]


def _remembered(paths: list[Path], what: str) -> dict[Path, FileLengths]:
    """Give the files whose numbers are known from before."""
    parts = {}
    for path in paths:
        if (found := cache.load(path, what)) is not None:
            arrays, meta = found
            images = arrays.pop("images")
            problems = [Problem(short_path(path), *rest) for rest in meta["problems"]]
            parts[path] = FileLengths((path,), [Lengths(meta["ids"], arrays, images)], problems)
    return parts


def _remember(part: FileLengths, what: str, stamp: list[int] | None) -> None:
    lengths = join_lengths(part.lengths)
    meta = {
        "ids": lengths.ids,
        "problems": [problem[1:] for problem in part.problems],
    }
    cache.save(part.paths[0], what, stamp, lengths.columns | {"images": lengths.images}, meta)


def _engine(name: str, options: Options, size: int, scheduler: str | None) -> Any:
    from contextlib import nullcontext

    if name == "local":
        return nullcontext(local_engine(options, size))
    from mmdu_analysis.stats.cluster import dask_engine

    return dask_engine(options, scheduler)


def _join(parts: list[FileLengths], options: Options, name: str) -> tuple[pd.DataFrame, int, list[Problem]]:
    """Join measured parts in a frame; of two dialogues with one id the first is kept."""
    import pandas as pd

    lengths = join_lengths([item for part in parts for item in part.lengths])
    problems = [problem for part in parts for problem in part.problems]
    ids = pd.Index(lengths.ids, dtype="str", name="dialog_id")
    frame = pd.DataFrame(lengths.columns, index=ids)
    twice = ids.duplicated()
    problems += [
        Problem(name, f"id {key!r}", "the id is duplicated; the first dialogue is kept", key)
        for key in ids[twice]
    ]
    frame = frame.loc[~twice].assign(encoding=options.encoding, image_model=options.image_model)
    return frame.astype({"encoding": "str", "image_model": "str"}), len(lengths.images), problems
