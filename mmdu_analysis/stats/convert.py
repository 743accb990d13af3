"""`convert`: convert a data set from any format to a trainer's, with selection and checks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, get_args

from mmdu_analysis.io import files
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark, resolve_source
from mmdu_analysis.io.conversion import Recipe, Totals, open_output, write_part, write_sidecar
from mmdu_analysis.io.export import benchmark_dialogs, refuse_own_input
from mmdu_analysis.io.formats import FORMATS, FormatName, InputFormat, check_input_format
from mmdu_analysis.io.placing import Lost, PictureMode, Placing
from mmdu_analysis.io.stream import Part, find_files, stream, total_size
from mmdu_analysis.schema import DataError, Problem, ProblemWarning, problems_frame, report, short_path
from mmdu_analysis.stats.lengths import Source, assumed_sizes, dialog_lengths, find_folder, find_paths
from mmdu_analysis.stats.measure import Options, measure_batch
from mmdu_analysis.stats.subsets import choose_dialogs
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, count_tokens, image_token_model

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.dialogs import Dialog

_BATCH = 500


@dataclass(frozen=True)
class Converted:
    """The output of `convert`, and the omitted dialogues.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    sidecar : pathlib.Path or None
        Additional file for the trainer: ``dataset_info.json``, InternVL's meta file.
    n_dialogs : int
        Dialogues in the file.
    n_missing_pictures : int
        Pictures of these dialogues that were not found.
    n_pictures_elsewhere : int
        Pictures that were found, but not at their listed paths as seen from the folder of the written file.
    n_unanswered : int
        Turns of these dialogues with an empty answer.
    n_unmatched : int
        Dialogues whose placeholders don't match their pictures; 0 for ``mmdu``, which needs no placeholders.
    first_missing : str
        The first picture that was not found, and the reason; empty if there is none.
    steps : pandas.DataFrame
        One row per step: ``step``, ``n_dialogs`` left after it, ``n_cut``, ``synthetic``.
    problems : pandas.DataFrame
        Parts that could not be read, and with `check` omitted dialogues with the reason.
    """

    path: Path
    sidecar: Path | None
    n_dialogs: int
    n_missing_pictures: int
    n_pictures_elsewhere: int
    n_unanswered: int
    n_unmatched: int
    first_missing: str
    steps: pd.DataFrame
    problems: pd.DataFrame


def convert(
    benchmark: Source,
    out: str | Path,
    to: FormatName,
    *,
    input_format: InputFormat | None = None,
    pictures: PictureMode | None = None,
    picture_folder: str | Path | None = None,
    where: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    check: bool = False,
    max_tokens: int | None = None,
    image_model: str = "paper",
    encoding: str = DEFAULT_ENCODING,
    ids: Literal["keep", "prefix"] = "keep",
) -> Converted:
    """Convert a data set to a trainer's format.

    Parameters
    ----------
    benchmark : Benchmark, path, name or list of paths
        As in `dialog_lengths`.
    out : str or path
        File to write, or a folder (a name without a suffix), in which a file with the name of the data is
        created. Formats of JSON Lines (``ms-swift``, ``openai``, ``internvl``) need ``.jsonl``, Parquet
        ``.parquet``; the others are lists in ``.json`` or lines in ``.jsonl``. With ``.gz`` JSON is
        compressed.
    to : {"mmdu", "llava", "llama-factory", "ms-swift", "openai", "internvl", "mantis", "parquet"}
        Format to write.
    input_format : str, optional
        Format to read; by default it is recognised.
    pictures : {"keep", "copy", "link", "embed"}, optional
        ``keep`` lists the paths unchanged, ``copy`` and ``link`` put the pictures into the folder
        ``NAME_pictures`` next to the file, ``embed`` writes them into it. By default ``embed`` for Parquet
        and ``keep`` for the others. Pictures that are embedded in the input are written as files with
        ``keep``.
    picture_folder : str or path, optional
        Folder of the pictures; by default that of each file.
    where, sample, seed
        As in `choose_dialogs`.
    check : bool, default False
        Leave out, and report, what a trainer would reject: placeholders that don't match the images, missing
        and unreadable pictures, empty messages, messages out of turn. For ``openai`` also more than 10 images, and pictures
        that are neither web addresses nor data URLs (``pictures="embed"`` writes the latter); for ``llava``,
        ``llama-factory``, ``internvl`` and ``mantis``, whose trainers open files, pictures that are either.
    max_tokens : int, optional
        Leave out, and report, dialogues of more tokens: of the texts, with the system message, and of the images.
        The trainer's chat template adds some for each message.
    image_model, encoding : str
        As in `dialog_lengths`, for `where` and `max_tokens`.
    ids : {"keep", "prefix"}, default "keep"
        With ``prefix`` each id is preceded by its file's name, for shards whose ids repeat.

    Returns
    -------
    Converted
        Paths, counts and problems; one warning counts the problems, others the empty answers, the dialogues
        whose placeholders don't match their pictures, the pictures that were not found, and those that the paths of the written file don't lead to.

    Raises
    ------
    DataError
        If an argument is not valid, nothing can be read, or `out` is a file that is read.

    Notes
    -----
    Files are read and written block by block on all cores. Texts are not changed, except for the spelling of
    placeholders; ids, system messages and references are kept, other keys of a record are not. The file is
    written whole or not at all.

    See Also
    --------
    load_benchmark : Lists the formats.

    Examples
    --------
    >>> import mmdu_analysis as mmdu, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> mmdu.convert("sample", f"{folder}/train.jsonl", "ms-swift", where="n_turns <= 10").n_dialogs
    27
    """
    check_input_format(input_format)
    image_token_model(image_model)
    source = _source(benchmark)
    out = _output(Path(out).expanduser(), to, source)
    _check_arguments(out, to, pictures, max_tokens)
    listed = [] if isinstance(source, Benchmark) else [f for p in find_paths(source) for f in find_files(p)]
    refuse_own_input(listed, out)
    folder = find_folder(source, picture_folder)
    options = Options(encoding, image_model, folder)
    chosen, steps, found = None, None, list[Problem]()
    if where is not None or sample is not None:
        lengths = dialog_lengths(
            source,
            encoding=encoding,
            image_model=image_model,
            input_format=input_format,
            ids=ids,
            picture_folder=folder,
        )
        chosen, steps = choose_dialogs(lengths, where, sample, seed)
        if where is not None and (assumed := assumed_sizes(lengths)):
            found.append(Problem(short_path(out), "", assumed))
    limit = None if max_tokens is None else partial(too_long, max_tokens=max_tokens, options=options)
    totals = Totals(short_path(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name[:50]}.", suffix=files.TEMPORARY, dir=out.parent) as scratch:
        recipe = Recipe(
            to,
            Placing(
                _mode(pictures, to), out.parent / f"{files.stem(out)}_pictures", out.parent, to == "parquet"
            ),
            Path(scratch),
            ".jsonl" in out.name.lower(),
            folder,
            None if chosen is None else frozenset(chosen),
            check,
            limit,
        )
        with open_output(out, to, totals) as take:
            for part in _parts(source, listed, recipe, input_format, ids, encoding):
                found += part.problems
                for written in part.results:
                    take(written)
            if not totals.seen:
                raise DataError(_why_empty(short_path(out), [*totals.problems, *found]))
    sidecar = write_sidecar(out, to, len(totals.seen))
    problems = [*found, *totals.problems]
    report(problems, strict=False, advice="convert(...).problems")
    for text in _lost(totals.lost, isinstance(source, Benchmark)):
        warnings.warn(f"{short_path(out)}: {text}", ProblemWarning, stacklevel=2)
    return Converted(
        out,
        sidecar,
        len(totals.seen),
        totals.lost.missing,
        totals.lost.elsewhere,
        totals.lost.unanswered,
        totals.lost.unmatched,
        totals.lost.why,
        _steps(steps, totals, source),
        problems_frame(problems),
    )


def _lost(lost: Lost, from_frames: bool) -> Iterator[str]:
    """Describe what a reader of the written file will not find, and what to do."""
    if lost.missing:
        text = f"{lost.missing:,} pictures were not found and are listed as they were, the first: {lost.why}"
        inside = "; pictures inside of a file are written if its path is given instead of a Benchmark"
        yield text + inside * from_frames
    if lost.unmatched:
        yield (
            f"{lost.unmatched:,} dialogues have other numbers of placeholders than of pictures; check=True leaves them out"
        )
    if lost.unanswered:
        yield f"{lost.unanswered:,} answers are empty; check=True leaves out their dialogues"
    if lost.elsewhere:
        yield (
            f"{lost.elsewhere:,} pictures are not at their listed paths as seen from the folder of this file; pass "
            "pictures='copy' or 'link', or give its readers the folder of the pictures"
        )


def too_long(dialogs: list[Dialog], path: Path, max_tokens: int, options: Options) -> list[str]:
    """Return for each dialogue the reason why it is too long; empty if it isn't."""
    if not dialogs:
        return []
    columns = measure_batch(dialogs, path, options).columns
    system = count_tokens([dialog.system for dialog in dialogs], options.encoding, threads=1)
    tokens = (columns["image_text_tokens"] + system).tolist()
    assumed = columns["n_sizes_assumed"].tolist()
    return [
        f"{n:,} tokens, more than {max_tokens:,}" + (f"; the sizes of {k} pictures are assumed" if k else "")
        if n > max_tokens
        else ""
        for n, k in zip(tokens, assumed, strict=True)
    ]


def _output(out: Path, to: str, source: Any) -> Path:
    """Return the file to write; a folder gets one with the name of the data."""
    if to not in FORMATS:
        raise DataError(f"no format {to!r} to write; expected one of {', '.join(FORMATS)}")
    if out.suffix and not out.is_dir():
        return out
    if isinstance(source, Benchmark):
        name = (
            "sample" if source.synthetic and source.path is None else files.stem(source.path or Path("data"))
        )
    else:
        name = files.stem(source) if isinstance(source, Path) else "data"
    return out / f"{name}{FORMATS[to].suffixes[0]}"


def _check_arguments(out: Path, to: str, pictures: str | None, max_tokens: int | None) -> None:
    suffixes = FORMATS[to].suffixes
    if not out.name.lower().endswith(suffixes):
        raise DataError(
            f"{short_path(out)}: {to} is written to files with the suffix {' or '.join(suffixes)}"
        )
    if pictures is not None and pictures not in get_args(PictureMode):
        raise DataError(f"pictures is {pictures!r}, expected {', '.join(get_args(PictureMode))}")
    if max_tokens is not None and max_tokens < 1:
        raise DataError(f"max_tokens is {max_tokens}, expected a positive number")


def _source(benchmark: Source) -> Benchmark | Path | Sequence[str | Path]:
    if isinstance(benchmark, str | Path):
        return resolve_source(benchmark) or load_benchmark("sample")
    return benchmark


def _mode(pictures: PictureMode | None, to: str) -> PictureMode:
    return pictures or ("embed" if to == "parquet" else "keep")


def _parts(
    source: Any, listed: list[Path], recipe: Recipe, input_format: str | None, ids: str, encoding: str
) -> Iterator[Part]:
    """Yield the written parts of a data set in their order."""
    work: Any = partial(write_part, recipe=recipe)
    if isinstance(source, Benchmark):
        dialogs = benchmark_dialogs(source)
        folder = source.folder or recipe.scratch
        while batch := list(islice(dialogs, _BATCH)):
            yield Part([work(batch, folder / "benchmark.json")], [])
        return
    from tqdm import tqdm

    if recipe.limit:
        count_tokens([""], encoding, threads=1)  # loads the encoding, which forked processes share
    with tqdm(
        total=total_size(listed),
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc="converting",
        disable=None,
    ) as bar:
        yield from stream(listed, work, input_format=input_format, ids=ids, progress=bar)


def _why_empty(name: str, problems: list[Problem]) -> str:
    if len(problems) == 1 and not problems[0].where and problems[0].file != name:
        return str(problems[0])
    hint = f"; the first problem: {problems[0]}" if problems else ""
    return f"{name}: not written, since no dialogue is left{hint}"


def _steps(steps: pd.DataFrame | None, totals: Totals, source: Any) -> pd.DataFrame:
    """Return one row per step of the selection, and one for the dialogues in the file."""
    import pandas as pd

    synthetic = isinstance(source, Benchmark) and source.synthetic
    left = len(totals.seen)
    before = int(steps["n_dialogs"].iloc[-1]) if steps is not None else left + len(totals.problems)
    last = pd.DataFrame(
        [("written", left, before - left, synthetic)], columns=["step", "n_dialogs", "n_cut", "synthetic"]
    )
    return last if steps is None else pd.concat([steps, last], ignore_index=True)
