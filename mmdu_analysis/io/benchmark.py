"""Load a benchmark: benchmark.json, mmdu-45k.json, MMDU.tsv, in every form in which they are met."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from mmdu_analysis.io import export, files, parquet_copy
from mmdu_analysis.io.dialogs import Dialog, Place, decode_block, fault_problems, json_dialogs, tsv_dialogs
from mmdu_analysis.io.frames import Frames, batched_columns, columns, frames, map_columns, save_columns
from mmdu_analysis.io.parallel import WORTH_SPLITTING, count_cores, in_order
from mmdu_analysis.io.pictures import PictureNames, picture_roots
from mmdu_analysis.io.records import Block, Layout, UnsplitError, file_blocks, find_layout
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
        One row a dialogue (index ``dialog_id``): ``n_turns``, ``n_images``, ``synthetic``.
    turns : pandas.DataFrame
        One row a question: ``dialog_id``, ``turn``, ``question``, ``answer`` (the reference, NA
        where empty), ``new_images``, ``images_so_far``, ``synthetic``.
    images : pandas.DataFrame
        One row an image of a dialogue: ``dialog_id``, ``image``, ``path``, ``first_turn``,
        ``width``, ``height`` (pixels; NA where the file isn't there).
    problems : pandas.DataFrame
        What could not be used as it stands: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``.
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
        """Keep some dialogues.

        Parameters
        ----------
        dialog_ids : iterable of str
            Which; in their order.

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
            order = frame["dialog_id"].map({key: place for place, key in enumerate(wanted)})
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
            ``.json`` for a list of records, ``.jsonl`` for one record a line; with ``.gz`` it is packed.

        Raises
        ------
        DataError
            If the name ends otherwise, or is a folder's.

        Notes
        -----
        Ids, speakers, placeholders and texts are as they came in; a reference that is NA becomes ``""``,
        and what other keys a record had is not kept (``mmdu subset`` keeps records as they stand).
        """
        export.write_json(self, Path(path).expanduser())

    def to_parquet(self, folder: str | Path) -> None:
        """Write the frames as Parquet, for a start within a second: ``load_benchmark(folder)``.

        Parameters
        ----------
        folder : str or path
            A new or empty folder, or one that this wrote before.

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
    source: str | Path | None = None, *, strict: bool = False, pictures: str | Path | None = None
) -> Benchmark:
    """Load a benchmark into frames.

    Parameters
    ----------
    source : str or path, optional
        A file (JSON list or dict of records, JSON Lines, gzip or Zstandard of each, VLMEvalKit's TSV), a
        folder that holds ``benchmark.json``, one JSON a dialogue, or what `Benchmark.to_parquet` wrote,
        or a name: ``"sample"`` (the synthetic sample), ``"benchmark"``, ``"mmdu-45k"`` (from the hub's
        cache). By default the path or name in ``$MMDU_DATA``.
    strict : bool, default False
        Raise the first problem instead of collecting them.
    pictures : str or path, optional
        Folder of the pictures. By default the folder of the file.

    Returns
    -------
    Benchmark
        With what could not be used in ``.problems``, which one warning counts.

    Raises
    ------
    DataError
        If no source is given, if there is no usable record, or with `strict` at the first problem.

    Notes
    -----
    The texts of a large JSON file (16 MiB and more) lie in a file without a name in ``$TMPDIR``, about as
    large as they are, which the frames map: they take memory only as they are used. Where there is no room
    for it they are held in memory.

    Examples
    --------
    >>> load_benchmark("sample")
    Benchmark('synthetic sample': 110 dialogues, 1645 turns, 421 images, 0 problems, synthetic sample)
    """
    found = resolve_source(source)
    if found is None:
        from mmdu_analysis.synthetic.sample import sample_benchmark

        return sample_benchmark()
    bench = Benchmark(**parquet_copy.read_parquet(found)) if parquet_copy.is_copy(found) else _build(found)
    if pictures is not None:
        bench = replace(bench, folder=_picture_folder(pictures))
    rows = bench.problems.astype(object).where(bench.problems.notna(), None)
    problems = [
        Problem(row.file, row.where, row.problem, row.dialog_id, row.turn) for row in rows.itertuples()
    ]
    report(problems, strict=strict, advice="benchmark.problems")
    return bench


def _picture_folder(given: str | Path) -> Path:
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise DataError(f"{short_path(folder)}: no such folder of pictures; check the path")
    return folder


def resolve_source(source: str | Path | None) -> Path | None:
    """Return the path of a data set given by its path or name; None for the sample.

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


def read_dialogs(path: Path, problems: list[Problem]) -> Iterator[Dialog]:
    """Read the dialogues of a file or folder one by one.

    Parameters
    ----------
    path : pathlib.Path
        As `load_benchmark` takes it.
    problems : list of Problem
        Extended with what can't be used.

    Yields
    ------
    Dialog
        With its own faults already reported.
    """
    count = 0
    for file in benchmark_files(path):
        source = tsv_dialogs if files.has_suffix(file, files.TABLE_SUFFIXES) else json_dialogs
        for where, dialog in source(file, problems):
            count += 1
            problems.extend(
                Problem(short_path(file), where + fault.place, fault.problem, dialog.dialog_id, fault.turn)
                for fault in dialog.faults
            )
            yield dialog
    if not count:
        hint = f"; the first fault: {problems[0]}" if problems else ""
        raise DataError(
            f"{short_path(path)}: no usable dialogue, expected records with 'conversations'{hint}"
        )


def benchmark_files(path: Path) -> list[Path]:
    """List the files of a path: itself, the known one in a folder, or all JSON files there."""
    if not path.is_dir():
        return [path]
    named = [
        path / name for name in ("benchmark.json", "mmdu-45k.json", "MMDU.tsv") if (path / name).is_file()
    ]
    return named[:1] or files.json_files(path)


def _build(path: Path) -> Benchmark:
    """Lay dialogues out as frames and look the pictures up."""
    name, problems = short_path(path), list[Problem]()
    folder = path if path.is_dir() else path.parent
    names = PictureNames(picture_roots(folder))
    made = _large_file(path, names, problems)
    if made is None:
        made = frames(batched_columns(read_dialogs(path, problems), names))
    for key in made.twice:
        problems.append(Problem(name, f"id {key!r}", "the id is duplicated; the first dialogue is kept", key))
    problems += _missing_references(made.turns, name)
    problems += _missing_pictures(made.images, name)
    return Benchmark(
        files.stem(path),
        made.dialogs,
        made.turns,
        made.images,
        problems_frame(problems),
        folder,
        path,
        made.forms,
    )


def _missing_references(turns: pd.DataFrame, name: str) -> list[Problem]:
    """Name a single empty reference with its turn, and count several."""
    missing = turns.loc[turns["answer"].isna()]
    if len(missing) == 1:
        key, turn = missing["dialog_id"].iloc[0], int(missing["turn"].iloc[0])
        return [Problem(name, f"dialogue {key}, turn {turn}", "the reference is empty; it is NA", key, turn)]
    if missing.empty:
        return []
    return [Problem(name, "", f"{len(missing):,} of {len(turns):,} references are empty; they are NA")]


def _large_file(path: Path, names: PictureNames, problems: list[Problem]) -> Frames | None:
    """Read a large JSON file on all cores; None where it is small, or must be read record by record."""
    if (
        not path.is_file()
        or path.stat().st_size < WORTH_SPLITTING
        or count_cores() == 1
        or files.has_suffix(path, files.TABLE_SUFFIXES)
    ):
        return None
    layout = find_layout(path)
    if layout.name not in ("list", "lines"):
        return None
    with (
        suppress(OSError),
        TemporaryDirectory(prefix="mmdu_") as scratch,
    ):  # a full disk: in this process then
        return _read_blocks(path, layout, partial(_lay_out, names=names, scratch=Path(scratch)), problems)
    return None


def _read_blocks(
    path: Path, layout: Layout, lay_out: Callable[[Block], _LaidOut | None], problems: list[Problem]
) -> Frames | None:
    arrow = partial(import_module, "pandas")  # which Arrow's arrays load
    parts, found, number = [], list[Problem](), 0
    for _, laid_out in in_order(lay_out, file_blocks(path, layout), arrow):
        if laid_out is None:
            return None
        found += fault_problems(path, laid_out.faults, number)
        parts.append(map_columns(laid_out.path))
        number += laid_out.places
    made = frames(parts)
    if made.dialogs.empty:
        return None  # read again one by one, which tells why
    problems += found
    return made


class _LaidOut(NamedTuple):
    """A block's dialogues in a file of `save_columns`, and the rest of its `Batch`."""

    path: Path
    faults: list[Place]
    places: int


def _lay_out(block: Block, names: PictureNames, scratch: Path) -> _LaidOut | None:
    """Decode one block and lay it out; None where it doesn't hold whole records."""
    try:
        batch = decode_block(block)
    except UnsplitError:
        return None
    path = scratch / f"{block.start}.arrow"
    save_columns(columns(batch.dialogs, names), path)
    return _LaidOut(path, batch.faults, batch.places)


def _missing_pictures(images: pd.DataFrame, name: str) -> list[Problem]:
    lost = images.loc[images["width"].isna()]
    if lost.empty:
        return []
    if len(lost) == len(images):
        text = (
            f"none of the {len(lost)} pictures lies beside the file; unpack mmdu_pics.zip there to see them"
        )
        return [Problem(name, "", text)]
    return [
        Problem(
            name,
            f"dialogue {row.dialog_id}, image {row.image}",
            f"picture {shorten(row.path, 120)} is missing or unreadable",
            row.dialog_id,
        )
        for row in lost.itertuples()
    ]
