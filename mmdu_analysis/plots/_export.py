"""Write the figures of a study as files: pictures, their numbers, and an index page."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.tables import without_formulas
from mmdu_analysis.plots._index import write_index
from mmdu_analysis.plots._style import Context
from mmdu_analysis.registry import Figure, find_figures
from mmdu_analysis.schema import DataError, NotAvailable

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

FORMATS = ("png", "pdf", "svg")

RESOLUTION = 200
"""Dots per inch of PNG files."""

SAMPLE_FOLDER = "sample"
"""Sub-folder for the figures that need the synthetic sample."""

_UNDATED: dict[str, Any] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}


@dataclass(frozen=True)
class Task:
    """One figure to draw, its options, and its folder."""

    figure: str
    folder: Path
    formats: tuple[str, ...]
    options: dict[str, Any]
    sample: bool = False


@dataclass(frozen=True)
class Result:
    """The result for a figure; the columns of `save_figures`."""

    figure: str
    available: bool
    reason: str = ""
    title: str = ""
    files: tuple[str, ...] = ()


def save_figures(
    study: Study,
    folder: str | Path = "figures",
    *,
    only: Iterable[str] | None = None,
    formats: Sequence[Literal["png", "pdf", "svg"]] = ("png", "pdf"),
    width: float | None = None,
    height: float | None = None,
    font_size: float | None = None,
    context: Context | None = "paper",
    title: bool = True,
    note: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Write the figures that a study supports, each with a CSV file of its numbers, and an index page.

    A study without any data writes the figures of the published and measured facts, and those that need
    judged scores or references into the sub-folder ``sample``, drawn from the synthetic sample and marked as
    such.

    Parameters
    ----------
    study : Study
        The study.
    folder : str or path, default "figures"
        Folder to write into; it is created.
    only : iterable of str, optional
        Names of figures; all by default. The index page is written only with all.
    formats : sequence of {"png", "pdf", "svg"}, default ("png", "pdf")
        Formats of the pictures. PNG files have 200 dots per inch.
    width, height : float, optional
        Size in inches; by default that of each figure.
    font_size : float, optional
        Size of labels in points; by default that of the context.
    context : {"paper", "notebook", "slides"}, optional
        Sizes and styles; None uses matplotlib's settings unchanged.
    title, note : bool, default True
        Whether to write the title, and the note with n, definitions and source.
    progress : callable, optional
        Called with the number of finished figures, the number of all figures, and the name of the last one.

    Returns
    -------
    pandas.DataFrame
        One row per figure: ``figure``, ``available`` (bool), ``reason`` (why it was left out), ``title``,
        ``files`` (paths, separated by semicolons). The same input writes the same bytes.

    Raises
    ------
    DataError
        If a name, a format or a size is unknown, or `folder` is a file.

    See Also
    --------
    Study.available : What can be drawn, without drawing it.

    Examples
    --------
    >>> import tempfile
    >>> import mmdu_analysis as mmdu
    >>> folder = tempfile.mkdtemp()
    >>> written = mmdu.save_figures(mmdu.Study(), folder, only=["benchmark_comparison"], formats=["png"])
    >>> written["available"].tolist()
    [True]
    """
    import pandas as pd

    path = Path(folder).expanduser()
    names = list(only) if only is not None else None
    _check(path, formats, width, height, font_size)
    options = {
        "width": width,
        "height": height,
        "font_size": font_size,
        "context": context,
        "title": title,
        "note": note,
    }
    found = find_figures(names)
    tasks, left_out = _plan(study, found, Task("", path, tuple(formats), options), sample=names is None)
    results = {result.figure: result for result in left_out}
    for done, result in enumerate(_run(tasks, study), start=1):
        results[result.figure] = result
        if progress is not None:
            progress(done, len(tasks), result.figure)
    rows = [results[figure.name] for figure in found]
    if names is None:
        for target in sorted({task.folder for task in tasks}):
            write_index(target, [(f, r) for f, r in zip(found, rows, strict=True) if _belongs(r, target)])
    frame = pd.DataFrame([asdict(row) | {"files": "; ".join(row.files)} for row in rows])
    return frame.astype(dict.fromkeys(("figure", "reason", "title", "files"), "str"))


def _belongs(result: Result, folder: Path) -> bool:
    """Return whether a figure is listed in the index of a folder; what was left out is listed in the main one."""
    if not result.files:
        return folder.name != SAMPLE_FOLDER
    return Path(result.files[0]).parent == folder


def _check(
    folder: Path, formats: Sequence[str], width: float | None, height: float | None, font_size: float | None
) -> None:
    """Raise a DataError for options that can't be used."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: got a file, expected a folder for the figures")
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        raise DataError(f"formats are {list(formats)}, expected some of {', '.join(FORMATS)}")
    for name, value in (("width", width), ("height", height), ("font_size", font_size)):
        if value is not None and not 0 < value <= 100:
            raise DataError(f"{name} is {value}, expected a number above 0 and at most 100")


def _plan(
    study: Study, figures: Sequence[Figure], pattern: Task, *, sample: bool
) -> tuple[list[Task], list[Result]]:
    """Return the figures to draw, and the others with the reason."""
    facts_only = study.benchmark is None and not study.own_models and study.ratings is None
    tasks, left_out = [], []
    for figure in figures:
        reason = study.unavailable(figure)
        if reason is None:
            tasks.append(replace(pattern, figure=figure.name))
        elif sample and facts_only and figure.missing_package() is None:
            folder = pattern.folder / SAMPLE_FOLDER
            tasks.append(replace(pattern, figure=figure.name, folder=folder, sample=True))
        else:
            left_out.append(Result(figure.name, False, reason))
    return tasks, left_out


def _run(tasks: list[Task], study: Study) -> Iterator[Result]:
    """Draw figures on all cores; yield each as soon as it is written."""
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers <= 1:
        _start(study)
        yield from (_draw(task) for task in tasks)
        return
    # A fork shares the loaded data; with other threads, as in a notebook, it could deadlock.
    alone = sys.platform == "linux" and threading.active_count() == 1
    method = multiprocessing.get_context("fork" if alone else "spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=method, initializer=_start_worker, initargs=(study,))
    try:
        for done in as_completed([pool.submit(_draw, task) for task in tasks]):
            yield done.result()
        pool.shutdown()
    except BaseException:  # also after an interrupt: no worker process may remain
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_studies: dict[str, Any] = {}


def _start(study: Study) -> None:
    _studies.clear()
    _studies["own"] = study


def _start_worker(study: Study) -> None:
    """Prepare a worker process: the parent handles interrupts, no window is opened, and it ends with its parent."""
    import matplotlib as mpl

    mpl.use("agg")
    gc.freeze()  # objects inherited from the parent need no further checks
    gc.set_threshold(100_000)  # a figure has many objects and few cycles
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _start(study)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _study_of(task: Task) -> Study:
    if not task.sample:
        return _studies["own"]
    if "sample" not in _studies:
        _studies["sample"] = type(_studies["own"]).sample()
    return _studies["sample"]


def _draw(task: Task) -> Result:
    """Compute a figure's numbers, draw it and write its files."""
    (figure,) = find_figures([task.figure])
    study = _study_of(task)
    reason = study.unavailable(figure)  # of the sample, which also lacks some parts
    if reason is not None:
        return Result(task.figure, False, reason)
    try:
        frame = study.numbers(task.figure)
    except NotAvailable as error:
        return Result(task.figure, False, str(error))
    return write_figure(figure, frame, task.folder, task.formats, task.options)


def write_figure(
    figure: Figure, frame: pd.DataFrame, folder: Path, formats: Sequence[str], options: dict[str, Any]
) -> Result:
    """Draw a figure from its numbers and write pictures and CSV.

    Parameters
    ----------
    figure : Figure
        From the registry.
    frame : pandas.DataFrame
        Its numbers.
    folder : pathlib.Path
        Folder to write into.
    formats : sequence of str
        Of `FORMATS`.
    options : dict
        Keywords of the plot.

    Returns
    -------
    Result
        With the title and the files.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from mmdu_analysis.plots._texts import read_texts

    with mpl.rc_context({"svg.hashsalt": "mmdu"}):
        ax = figure.draw(frame, **options)
        drawn: Any = ax.figure
        files = [folder / f"{figure.name}.{form}" for form in formats]
        for path, form in zip(files, formats, strict=True):
            with atomic_path(path) as temporary, _plain_fonts():
                drawn.savefig(temporary, format=form, dpi=RESOLUTION, metadata=_UNDATED[form])
            drawn.set_layout_engine("none")  # the other formats reuse the layout of the first one
        title = read_texts(ax).get("title", "")
        plt.close(drawn)
    files.append(folder / f"{figure.name}.csv")
    with atomic_path(files[-1]) as temporary:
        write_numbers(frame, temporary)
    return Result(figure.name, True, "", title, tuple(str(path) for path in files))


@contextmanager
def _plain_fonts() -> Iterator[None]:
    """Leave the tables for shaping, kerning and formulas out of embedded fonts: PDF readers don't use them, and they are slow to cut."""
    from fontTools.subset import Options

    before = getattr(Options, "_drop_tables_default", None)
    if before is None:  # another version of fontTools: slower, and the same pictures
        yield
        return
    Options._drop_tables_default = [*before, "GDEF", "GPOS", "GSUB", "MATH", "kern"]
    try:
        yield
    finally:
        Options._drop_tables_default = before


def write_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Write the numbers of a figure as CSV, from which `pandas.read_csv` reads what the plot needs.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `Study.numbers`.
    path : pathlib.Path
        File to write.
    """
    keep_index = frame.index.name is not None
    without_formulas(frame).to_csv(path, index=keep_index, lineterminator="\n", float_format="%.10g")
