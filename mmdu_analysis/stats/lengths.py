"""`dialog_lengths`: the one pass over the data that all statistics derive from."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io import cache
from mmdu_analysis.io.benchmark import Benchmark, benchmark_files
from mmdu_analysis.schema import DataError, Problem, report, short_path
from mmdu_analysis.stats.measure import Lengths, Options, join_lengths, measure, texts_of_benchmark
from mmdu_analysis.stats.streaming import FileLengths, local_engine, measure_files
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, image_token_model

if TYPE_CHECKING:
    import pandas as pd

ENGINES = ("local", "dask")


def dialog_lengths(
    source: Benchmark | str | Path | Sequence[str | Path],
    engine: str = "local",
    *,
    encoding: str = DEFAULT_ENCODING,
    image_model: str = "paper",
    scheduler: str | None = None,
    use_cache: bool = True,
) -> pd.DataFrame:
    """Measure every dialogue: the one pass over the data that all statistics derive from.

    Parameters
    ----------
    source : Benchmark, or path or paths
        Files and folders, which may be globs: JSON, JSON Lines and VLMEvalKit's tables, plain, gzip or
        Zstandard. They are read block by block on all cores, and their texts are not kept.
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
        ``max_question_tokens``, ``max_answer_tokens``, and how many questions are about one, several
        and no image. ``attrs``: ``encoding``, ``image_token_model``, ``unique_images``, ``synthetic``,
        ``missing_answers``, ``fallback_images``, ``problems``, ``name``.

    Raises
    ------
    DataError
        If there is no usable dialogue, a path doesn't exist, or the engine is unknown.

    Notes
    -----
    Where a file is at fault, the file, the record and the JSON path stand in ``attrs["problems"]``, and
    the rest is counted.
    """
    if engine not in ENGINES:
        raise DataError(f"engine {engine!r} is unknown; expected {' or '.join(map(repr, ENGINES))}")
    options = Options(encoding, image_model)
    if isinstance(source, Benchmark):
        lengths = measure(texts_of_benchmark(source, image_model), encoding)
        measured = FileLengths((), [lengths], list(source.problems), source.synthetic)
        return _frame([measured], options, source.name)
    paths = find_paths(source)
    parts = _measure_paths(paths, options, engine, scheduler, use_cache)
    frame = _frame(parts, options, paths[0].stem if len(paths) == 1 else f"{len(paths)} files")
    problems = frame.attrs["problems"]
    if frame.empty:
        hint = f"; the first fault: {problems[0]}" if problems else ""
        names = short_path(paths[0]) if len(paths) == 1 else f"{len(paths)} paths"
        if len(problems) == 1 and not problems[0].where:
            raise DataError(str(problems[0]))
        raise DataError(f"{names}: no usable dialogue, expected records with 'conversations'{hint}")
    report(problems, strict=False, advice='lengths.attrs["problems"]')
    return frame


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
            lengths = Lengths(meta["ids"], arrays, images, meta["missing_answers"], meta["fallback_images"])
            problems = [Problem(short_path(path), *rest) for rest in meta["problems"]]
            parts[path] = FileLengths((path,), [lengths], problems, meta["synthetic"])
    return parts


def _remember(part: FileLengths, what: str, stamp: list[int] | None) -> None:
    lengths = join_lengths(part.lengths)
    meta = {
        "ids": lengths.ids,
        "missing_answers": lengths.missing_answers,
        "fallback_images": lengths.fallback_images,
        "synthetic": part.synthetic,
        "problems": [problem[1:] for problem in part.problems],
    }
    cache.save(part.paths[0], what, stamp, lengths.columns | {"images": lengths.images}, meta)


def _engine(name: str, options: Options, size: int, scheduler: str | None) -> Any:
    from contextlib import nullcontext

    if name == "local":
        return nullcontext(local_engine(options, size))
    from mmdu_analysis.stats.cluster import dask_engine

    return dask_engine(options, scheduler)


def _frame(parts: list[FileLengths], options: Options, name: str) -> pd.DataFrame:
    """Put the parts together; of two dialogues with one id the first is kept."""
    import pandas as pd

    lengths = join_lengths([item for part in parts for item in part.lengths])
    problems = [problem for part in parts for problem in part.problems]
    ids = pd.Index(lengths.ids, dtype="str", name="dialog_id")
    frame = pd.DataFrame(lengths.columns, index=ids)
    twice = ids.duplicated()
    problems += [Problem(name, f"id {key!r}", "the id stands twice; the first is kept") for key in ids[twice]]
    frame = frame.loc[~twice]
    frame.attrs = {
        "missing_answers": lengths.missing_answers,
        "fallback_images": lengths.fallback_images,
        "synthetic": any(part.synthetic for part in parts),
        "encoding": options.encoding,
        "image_token_model": options.image_model,
        "unique_images": len(lengths.images),
        "problems": tuple(problems),
        "name": name,
    }
    return frame
