"""Load a benchmark or a training set into frames, in any known format."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.io import export, files, parquet_copy
from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.formats import InputFormat, check_input_format
from mmdu_analysis.io.frames import Columns, columns, frames, map_columns, save_columns
from mmdu_analysis.io.lost_pictures import find_missing, size_by_name
from mmdu_analysis.io.parallel import WORTH_SPLITTING, count_cores
from mmdu_analysis.io.pictures import names_of, picture_source
from mmdu_analysis.io.stream import (
    Engine,
    Progress,
    Work,
    find_files,
    parallel,
    sequential,
    stream,
    total_size,
)
from mmdu_analysis.schema import DataError, Problem, is_synthetic, problems_frame, report, short_path, shorten

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as three tidy frames, and what could not be used.

    Attributes
    ----------
    name : str
        Name in figures and tables.
    dialogs : pandas.DataFrame
        One row per dialogue (index ``dialog_id``): ``n_turns``, ``n_images``, ``system`` (the system message,
        NA where there is none), ``synthetic``.
    turns : pandas.DataFrame
        One row per question: ``dialog_id``, ``turn``, ``question``, ``answer`` (the reference, NA
        where empty), ``new_images``, ``images_so_far``, ``synthetic``.
    images : pandas.DataFrame
        One row per image of a dialogue: ``dialog_id``, ``image``, ``path``, ``first_turn``,
        ``width``, ``height`` (pixels; NA where the file isn't there).
    problems : pandas.DataFrame
        Parts that could not be used: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``.
    folder : pathlib.Path or None
        Folder of the pictures.
    path : pathlib.Path or None
        File or folder that it was loaded from.
    forms : pandas.DataFrame or None
        How the file wrote each dialogue, for `to_json`: ``number_id``, ``user``, ``assistant``.
    """

    name: str
    dialogs: pd.DataFrame
    turns: pd.DataFrame
    images: pd.DataFrame
    problems: pd.DataFrame = field(default_factory=problems_frame)
    folder: Path | None = None
    path: Path | None = None
    forms: pd.DataFrame | None = None

    @property
    def synthetic(self) -> bool:
        """Whether any dialogue or turn is marked synthetic."""
        return is_synthetic(self.dialogs, self.turns)

    def select(self, dialog_ids: Any) -> Benchmark:
        """Return a benchmark with a selection of its dialogues.

        Parameters
        ----------
        dialog_ids : iterable of str
            Ids of the dialogues, in the wanted order.

        Returns
        -------
        Benchmark
            With the same name.

        Raises
        ------
        DataError
            If a dialogue isn't there.
        """
        wanted = [str(key) for key in dialog_ids]
        unknown = [key for key in wanted if key not in self.dialogs.index]
        if unknown:
            raise DataError(
                f"no dialogue {unknown[0]!r} in {self.name} ({len(unknown)} of {len(wanted)} unknown)"
            )

        def rows(frame: pd.DataFrame) -> pd.DataFrame:
            order = frame["dialog_id"].map({key: rank for rank, key in enumerate(wanted)})
            kept = frame.assign(_order=order).dropna(subset="_order").sort_values("_order", kind="stable")
            return kept.drop(columns="_order").reset_index(drop=True)

        forms = self.forms.loc[wanted] if self.forms is not None else None
        return replace(
            self,
            dialogs=self.dialogs.loc[wanted],
            turns=rows(self.turns),
            images=rows(self.images),
            forms=forms,
        )

    def to_json(self, path: str | Path) -> None:
        """Write the dialogues in the authors' form, as `load_benchmark` reads it.

        Parameters
        ----------
        path : str or path
            ``.json`` for a list of records, ``.jsonl`` for one record per line; with ``.gz`` it is
            compressed.

        Raises
        ------
        DataError
            If the name has another suffix, or is the name of a folder.

        Notes
        -----
        Ids, speakers, placeholders and texts are unchanged; a reference that is NA becomes ``""``, and other
        keys of a record are dropped (``mmdu subset`` copies records unchanged).
        """
        export.write_json(self, Path(path).expanduser())

    def to_parquet(self, folder: str | Path) -> None:
        """Write the frames as Parquet, which `load_benchmark` reads within a second.

        Parameters
        ----------
        folder : str or path
            A new or empty folder, or one that this method wrote.

        Raises
        ------
        DataError
            If the folder holds other files.
        """
        parquet_copy.write_parquet(self, Path(folder).expanduser())

    def __repr__(self) -> str:
        mark = ", synthetic sample" if self.synthetic else ""
        return (
            f"Benchmark({self.name!r}: {len(self.dialogs)} dialogues, {len(self.turns)} turns, "
            f"{len(self.images)} images, {len(self.problems)} problems{mark})"
        )


def load_benchmark(
    benchmark: str | Path | None = None,
    *,
    strict: bool = False,
    picture_folder: str | Path | None = None,
    input_format: InputFormat | None = None,
    ids: Literal["keep", "prefix"] = "keep",
    progress: Progress | None = None,
) -> Benchmark:
    """Load a benchmark into frames.

    Parameters
    ----------
    benchmark : str or path, optional
        A file, a folder that holds ``benchmark.json``, JSON or Parquet files, or what `Benchmark.to_parquet`
        wrote; or a name: ``"sample"`` (the synthetic sample), ``"benchmark"``, ``"mmdu-45k"`` (from the hub's
        cache). By default the path or name in ``$MMDU_DATA``.
    strict : bool, default False
        Raise the first problem instead of collecting them.
    picture_folder : str or path, optional
        Folder of the pictures. By default the folder of the file. A zip archive is accepted for the browser;
        the sizes of its pictures are unknown.
    input_format : str, optional
        ``mmdu``, ``llava``, ``llama-factory``, ``ms-swift``, ``openai``, ``internvl``, ``mantis``,
        ``parquet``, ``mmdu-tsv``; by default it is recognised by the content.
    ids : {"keep", "prefix"}, default "keep"
        With ``prefix`` each id is preceded by its file's name, for shards whose ids repeat.
    progress : object, optional
        Its method ``update`` gets the number of bytes of each part that was read, such as a bar of tqdm.

    Returns
    -------
    Benchmark
        Parts that could not be used are listed in ``.problems`` and counted in one warning.

    Raises
    ------
    DataError
        If no source is given, if there is no usable record, or with `strict` at the first problem.

    Notes
    -----
    Formats: the authors' own and VLMEvalKit's table (``MMDU.tsv``), and those of trainers: LLaVA,
    LLaMA-Factory, ms-swift, OpenAI chat, Mantis, InternVL and Hugging Face data sets as Parquet. JSON may be
    a list or a dict of records, JSON Lines, or one record, plain or packed with gzip or Zstandard. Records
    without ids get their position as id where the first record of the file has none; with several files the
    name of the file precedes it.

    The texts of a large JSON file (16 MiB and more) lie in a file without a name in ``$TMPDIR``, about as
    large as they are, which the frames map: they take memory only as they are used. Where there is no room
    for it they are held in memory.

    Examples
    --------
    >>> load_benchmark("sample")
    Benchmark('synthetic sample': 110 dialogues, 1645 turns, 421 images, 0 problems, synthetic sample)
    """
    check_input_format(input_format)
    source = resolve_source(benchmark)
    if source is None:
        from mmdu_analysis.synthetic.sample import sample_benchmark

        return sample_benchmark()
    folder = None if picture_folder is None else picture_source(picture_folder)
    if parquet_copy.is_copy(source):
        loaded = Benchmark(**parquet_copy.read_parquet(source, progress=progress))
        loaded = replace(loaded, folder=folder or source)
    else:
        loaded = _build(
            source, folder or (source if source.is_dir() else source.parent), input_format, ids, progress
        )
    rows = loaded.problems.astype(object).where(loaded.problems.notna(), None)
    problems = [
        Problem(row.file, row.where, row.problem, row.dialog_id, row.turn) for row in rows.itertuples()
    ]
    report(problems, strict=strict, advice="benchmark.problems")
    return loaded


def resolve_source(source: str | Path | None) -> Path | None:
    """Return the path of a data set given as path or name; None for the sample.

    Raises
    ------
    DataError
        If no source is given, or a name's file is not in the hub's cache.
    """
    from mmdu_analysis.io.hub import cached

    source = source or os.environ.get("MMDU_DATA")
    if not source:
        raise DataError(
            "no data set is given; pass a path, 'benchmark' or 'mmdu-45k' (downloaded before), or 'sample' "
            "for the synthetic sample, or set MMDU_DATA"
        )
    if not isinstance(source, str | os.PathLike):
        raise DataError(f"got {type(source).__name__}, expected the path or the name of one data set")
    if source == "sample":
        return None
    if source in ("benchmark", "mmdu-45k") and not Path(source).exists():
        found = cached(str(source))
        if found is None:
            raise DataError(
                f"{source}: not in the hub's cache; fetch it with 'mmdu download {source}', or give a path"
            )
        return found
    return Path(source).expanduser()


def _build(
    path: Path, folder: Path, input_format: str | None, ids: str, progress: Progress | None
) -> Benchmark:
    """Build the frames of all dialogues and find their pictures."""
    name, problems = short_path(path), list[Problem]()
    listed = find_files(path)
    built = None
    if total_size(listed) >= WORTH_SPLITTING and count_cores() > 1:
        with (
            suppress(OSError),
            TemporaryDirectory(prefix="mmdu_") as scratch,
        ):  # the disk is full: do the work in this process
            import pandas  # noqa: F401 - forked processes share it

            work: Work = partial(_save, folder=folder, scratch=Path(scratch))
            built = frames(
                map(map_columns, _values(listed, work, parallel, input_format, ids, problems, progress))
            )
    if built is None:
        problems.clear()
        work = partial(_lay_out, folder=folder)
        built = frames(_values(listed, work, sequential, input_format, ids, problems, progress))
    if built.dialogs.empty:
        _raise_empty(name, problems)
    problems += duplicate_problems(name, built.twice)
    problems += _missing_references(built.turns, name)
    problems += size_by_name(built.images, folder, name)
    problems += find_missing(built.images, folder, name)
    faults = problems_frame(problems)
    return Benchmark(
        files.stem(path), built.dialogs, built.turns, built.images, faults, folder, path, built.forms
    )


def _values(
    listed: list[Path],
    work: Work,
    engine: Engine,
    input_format: str | None,
    ids: str,
    problems: list[Problem],
    progress: Progress | None,
) -> Iterator[Any]:
    """Yield the result of the work for all dialogues; problems are added to `problems`."""
    for part in stream(listed, work, engine, input_format=input_format, ids=ids, progress=progress):
        problems += part.problems
        yield from part.results


def _lay_out(dialogs: list[Dialog], _path: Path, folder: Path) -> Columns:
    return columns(dialogs, names_of(folder))


def _save(dialogs: list[Dialog], _path: Path, folder: Path, scratch: Path) -> Path:
    """Write the columns of dialogues to a file, which another process reads faster than a pipe."""
    path = scratch / f"{uuid.uuid4().hex}.arrow"
    save_columns(columns(dialogs, names_of(folder)), path)
    return path


def _raise_empty(name: str, problems: list[Problem]) -> None:
    if len(problems) == 1 and not problems[0].where:
        raise DataError(str(problems[0]))
    hint = f"; the first problem: {problems[0]}" if problems else ""
    text = "no usable dialogue, expected records with 'conversations' or 'messages'"
    raise DataError(f"{name}: {text}{hint}")


def duplicate_problems(name: str, ids: Iterable[str]) -> list[Problem]:
    """Return a problem for each duplicated id."""
    text = "the id is duplicated; the first dialogue is kept (prefix the ids with their files' names to keep all)"
    return [Problem(name, f"id {shorten(key, 60)!r}", text, key) for key in ids]


def _missing_references(turns: pd.DataFrame, name: str) -> list[Problem]:
    """Report a single empty reference with its turn, or the number of several."""
    missing = turns.loc[turns["answer"].isna()]
    if len(missing) == 1:
        key, turn = missing["dialog_id"].iloc[0], int(missing["turn"].iloc[0])
        return [Problem(name, f"dialogue {key}, turn {turn}", "the reference is empty; it is NA", key, turn)]
    if missing.empty:
        return []
    return [Problem(name, "", f"{len(missing):,} of {len(turns):,} references are empty; they are NA")]
