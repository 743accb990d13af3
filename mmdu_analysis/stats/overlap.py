"""`find_overlap`: training dialogues that share pictures or text with a benchmark, and duplicates among them."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark, resolve_source
from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.export import benchmark_dialogs
from mmdu_analysis.io.formats import InputFormat, check_input_format
from mmdu_analysis.io.pictures import PictureNames, data_url_bytes, find_picture, names_of
from mmdu_analysis.io.stream import Work, find_files, stream
from mmdu_analysis.schema import DataError, Problem, ProblemWarning, report, shorten
from mmdu_analysis.stats.lengths import Source, find_folder, find_paths
from mmdu_analysis.stats.measure import plain_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

OVERLAP_COLUMNS = ("dialog_id", "kind", "other", "count", "example", "synthetic")
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")
_FACTOR = 0x9E3779B97F4A7C15


class Index(NamedTuple):
    """The index of a benchmark.

    Attributes
    ----------
    n : int
        Number of words of a run.
    vocabulary : dict of str to int
        Word -> number, from 1.
    words : numpy.ndarray
        The numbers of all words of all texts, one text after another.
    hashes : numpy.ndarray
        uint64, one per run of `n` words, sorted.
    starts : numpy.ndarray
        Position in `words` of each run of `hashes`.
    owners : numpy.ndarray
        Number of the dialogue of each run.
    dialogs : list of str
        Ids by number.
    paths : dict of str to str
        Picture path -> id of the first dialogue that has it.
    files : dict of tuple of (int, str) to str
        Size and SHA-256 of a picture -> id of the first dialogue that has it.
    lost : int
        Pictures that were not found.
    """

    n: int
    vocabulary: dict[str, int]
    words: np.ndarray
    hashes: np.ndarray
    starts: np.ndarray
    owners: np.ndarray
    dialogs: list[str]
    paths: dict[str, str]
    files: dict[tuple[int, str], str]
    lost: int


class Found(NamedTuple):
    """The overlap of one dialogue: rows of `kind`, `other`, `count`, `example`; the keys to find duplicates; lost pictures."""

    dialog_id: str
    synthetic: bool
    digest: bytes
    rows: list[tuple[str, str, int, str]]
    lost: int


def find_overlap(
    benchmark: Source,
    against: Benchmark | str | Path,
    *,
    n: int = 13,
    input_format: InputFormat | None = None,
    ids: Literal["keep", "prefix"] = "keep",
) -> pd.DataFrame:
    """Find dialogues that share pictures or text with a benchmark, and duplicates.

    Parameters
    ----------
    benchmark : Benchmark, path, name or list of paths
        The data to check, such as a training set; as in `dialog_lengths`.
    against : Benchmark, path or name
        The benchmark with which it should not overlap.
    n : int, default 13
        Minimum length in words of a shared run of text.
    input_format, ids
        As in `dialog_lengths`.

    Returns
    -------
    pandas.DataFrame
        One row per dialogue, kind and other dialogue: ``dialog_id``; ``kind``: ``text`` (runs of `n` words),
        ``image path``, ``image file`` (the same bytes), ``duplicate`` (the same texts and pictures as an
        earlier dialogue of the data); ``other``: id in `against`, for duplicates in the data; ``count``: runs
        or pictures, int64; ``example``; ``synthetic``. A warning counts the pictures that were not found, which
        are compared by their paths only.

    Raises
    ------
    DataError
        If a file can't be read, or `n` is below 3.

    Notes
    -----
    Counts are exact: runs are found by hashes and compared word by word. Words are compared without case and
    punctuation, within one message; each Chinese or Japanese character is a word. The data is streamed
    on all cores; memory is needed for the benchmark, and some bytes per dialogue.

    References
    ----------
    Runs of 13 words: Brown et al. 2020 (arXiv 2005.14165), appendix C.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> from mmdu_analysis.stats.overlap import find_overlap
    >>> sample = mmdu.load_benchmark("sample")
    >>> found = find_overlap(sample.select(["3", "4"]), sample.select(["4"]))
    >>> found.loc[found["kind"] == "image path", "dialog_id"].unique().tolist()
    ['4']
    """
    import pandas as pd

    if n < 3:
        raise DataError(f"n is {n}, expected at least 3 words")
    check_input_format(input_format)
    index = build_index(against if isinstance(against, Benchmark) else load_benchmark(against), n)
    rows: list[tuple[str, str, str, int, str, bool]] = []
    seen: dict[bytes, str] = {}
    lost = 0
    for found in _compare_all(benchmark, index, input_format, ids):
        lost += found.lost
        first = seen.setdefault(found.digest, found.dialog_id)
        shared = [*found.rows, ("duplicate", first, 1, "")] if first is not found.dialog_id else found.rows
        rows += [(found.dialog_id, *row, found.synthetic) for row in shared]
    for name, count in (("data", lost), ("benchmark", index.lost)):
        if count:
            text = f"{count:,} pictures of the {name} were not found, and are compared by their paths only"
            warnings.warn(text, ProblemWarning, stacklevel=2)
    frame = pd.DataFrame(rows, columns=list(OVERLAP_COLUMNS))
    texts = dict.fromkeys(("dialog_id", "kind", "other", "example"), "str")
    return frame.astype(texts | {"count": "int64", "synthetic": "bool"})


def build_index(benchmark: Benchmark, n: int) -> Index:
    """Index the texts and pictures of a benchmark."""
    import numpy as np

    vocabulary: dict[str, int] = {}
    texts, hashes, starts, owners = [], [], [], []
    at, lost, dialogs = 0, 0, []
    paths: dict[str, str] = {}
    files: dict[tuple[int, str], str] = {}
    names = names_of(benchmark.folder) if benchmark.folder else PictureNames([])
    for number, dialog in enumerate(benchmark_dialogs(benchmark)):
        dialogs.append(dialog.dialog_id)
        for text in (*dialog.questions, *dialog.answers):
            words = [vocabulary.setdefault(word, len(vocabulary) + 1) for word in split_words(text)]
            found = _hash_runs(np.array(words, dtype=np.uint64), n)
            texts.append(np.array(words, dtype=np.int64))
            hashes.append(found)
            starts.append(at + np.arange(len(found)))
            owners.append(np.full(len(found), number))
            at += len(words)
        for path in dialog.images:
            paths.setdefault(_plain_path(path), dialog.dialog_id)
            content = _content(path, None, names)
            lost += content is None
            if content is not None:
                files.setdefault(content, dialog.dialog_id)
    joined = np.concatenate(hashes or [np.zeros(0, np.uint64)])
    order = np.argsort(joined, kind="stable")
    return Index(
        n,
        vocabulary,
        np.concatenate(texts or [np.zeros(0, np.int64)]),
        joined[order],
        np.concatenate(starts or [np.zeros(0, np.int64)])[order],
        np.concatenate(owners or [np.zeros(0, np.int64)])[order],
        dialogs,
        paths,
        files,
        lost,
    )


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without placeholders and punctuation."""
    return _WORD.findall(plain_text(text).lower())


def _hash_runs(words: np.ndarray, n: int) -> np.ndarray:
    """Return a hash of each run of `n` words; they wrap around at 64 bits."""
    import numpy as np

    size = len(words) - n + 1
    if size <= 0:
        return np.zeros(0, np.uint64)
    result = np.zeros(size, np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(n):
            result = result * np.uint64(_FACTOR) + words[offset : offset + size]
    return result


def _compare_all(benchmark: Source, index: Index, input_format: str | None, ids: str) -> Iterator[Found]:
    """Compare all dialogues of the data, in their order."""
    if isinstance(benchmark, str | Path):
        benchmark = resolve_source(benchmark) or load_benchmark("sample")
    if isinstance(benchmark, Benchmark):
        folder = benchmark.folder or Path("/nonexistent")
        yield from compare_dialogs(list(benchmark_dialogs(benchmark)), folder / "benchmark.json", index)
        return
    below = find_folder(benchmark, None)
    listed = [file for path in find_paths(benchmark) for file in find_files(path)]
    work: Work = partial(compare_dialogs, index=index, folder=below)
    problems: list[Problem] = []
    for part in stream(listed, work, input_format=input_format, ids=ids):
        problems += part.problems
        for batch in part.results:
            yield from batch
    report(problems, strict=False, advice="measure_dataset(...).problems")


def compare_dialogs(
    dialogs: list[Dialog], path: Path, index: Index, folder: Path | None = None
) -> list[Found]:
    """Compare a batch of dialogues with the benchmark; this function runs in worker processes."""
    names = names_of(folder or path.parent)
    return [_compare(dialog, names, index) for dialog in dialogs]


def _compare(dialog: Dialog, names: PictureNames, index: Index) -> Found:
    images, lost = _shared_images(dialog, names, index)
    rows = [*_shared_texts(dialog, index), *images]
    return Found(dialog.dialog_id, dialog.synthetic, _digest(dialog), rows, lost)


def _digest(dialog: Dialog) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    images = [data or path for path, data in zip(dialog.images, dialog.carried, strict=True)]
    for part in (*dialog.questions, "", *dialog.answers, "", *images):
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.digest()


def _shared_texts(dialog: Dialog, index: Index) -> list[tuple[str, str, int, str]]:
    """Return the runs that a dialogue shares, counted for each dialogue of the benchmark."""
    import numpy as np

    words: list[str] = []
    for text in (*dialog.questions, *dialog.answers):
        words += split_words(text)
        words.append("")  # not a word, so that no run extends across messages
    starts, owners = _shared_runs(words, index)
    rows = []
    for owner, first, count in zip(*np.unique(owners, return_index=True, return_counts=True), strict=True):
        start = int(starts[first])
        example = shorten(" ".join(words[start : start + index.n]), 120)
        rows.append(("text", index.dialogs[owner], int(count), example))
    return rows


def _shared_runs(words: list[str], index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the start of each shared run, and the first dialogue of the benchmark that has it."""
    import numpy as np

    get = index.vocabulary.get
    numbers = np.array([get(word, 0) for word in words], dtype=np.int64)
    hashes = _hash_runs(numbers.astype(np.uint64), index.n)
    if not len(index.hashes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(index.hashes, hashes), len(index.hashes) - 1)
    starts = np.flatnonzero(index.hashes[places] == hashes)
    places = places[starts]
    equal = _equal_runs(numbers, starts, places, index)
    for at in np.flatnonzero(
        ~equal
    ).tolist():  # the first run with this hash is different: check the next one
        candidate = int(places[at]) + 1
        while (
            not equal[at] and candidate < len(index.hashes) and index.hashes[candidate] == hashes[starts[at]]
        ):
            places[at] = candidate
            equal[at] = _equal_runs(numbers, starts[at : at + 1], places[at : at + 1], index)[0]
            candidate += 1
    return starts[equal], index.owners[places[equal]]


def _equal_runs(numbers: np.ndarray, starts: np.ndarray, places: np.ndarray, index: Index) -> np.ndarray:
    """Compare runs word by word; return whether each is equal."""
    import numpy as np

    steps = np.arange(index.n)
    ours = numbers[starts[:, None] + steps]
    return (ours == index.words[index.starts[places][:, None] + steps]).all(axis=1)


def _shared_images(
    dialog: Dialog, names: PictureNames, index: Index
) -> tuple[list[tuple[str, str, int, str]], int]:
    """Return the pictures that a dialogue shares, by path and by content, and the number of those that were not found."""
    by_path = [(index.paths.get(_plain_path(path)), path) for path in dialog.images]
    sizes = {size for size, _ in index.files}
    pictures = zip(dialog.images, dialog.carried, strict=True)
    contents = [_content(path, data, names, sizes) for path, data in pictures]
    by_file = [
        (index.files.get(content) if content else None, path)
        for content, path in zip(contents, dialog.images, strict=True)
    ]
    return [*_counted("image path", by_path), *_counted("image file", by_file)], contents.count(None)


def _counted(kind: str, found: Iterable[tuple[str | None, str]]) -> Iterator[tuple[str, str, int, str]]:
    counts: dict[str, list[str]] = {}
    for other, path in found:
        if other is not None:
            counts.setdefault(other, []).append(path)
    for other, paths in counts.items():
        yield kind, other, len(paths), shorten(paths[0], 120)


def _plain_path(path: str) -> str:
    return path if path.startswith("data:") else path.replace("\\", "/").lstrip("/")


def _content(
    path: str, data: bytes | None, names: PictureNames, sizes: set[int] | None = None
) -> tuple[int, str] | None:
    """Return size and SHA-256 of a picture (empty if its size is not among `sizes`); None if it was not found."""
    data = data or data_url_bytes(path)
    file = None if data or not names.may_exist(path) else find_picture(names.roots, path)
    if data is None and file is None:
        return None
    size = len(data) if data is not None else file.stat().st_size  # type: ignore[union-attr]
    if sizes is not None and size not in sizes:
        return size, ""
    content = data if data is not None else file.read_bytes()  # type: ignore[union-attr]
    return size, hashlib.sha256(content).hexdigest()
