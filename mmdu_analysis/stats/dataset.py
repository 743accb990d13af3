"""How long the dialogues are: the one pass over the data, Table 1 and Figure 4."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark, frames, read_dialogs
from mmdu_analysis.schema import DataError, Problem, report, require_columns
from mmdu_analysis.stats.references import question_images
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, count_tokens, image_tokens, without_placeholders

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd

    Source: TypeAlias = Benchmark | pd.DataFrame | str | Path | Sequence[str | Path]

_BATCH = 2_000
_SUMS = ("text_tokens", "image_tokens", "image_text_tokens", "question_tokens", "answer_tokens")
KINDS = ("no_image_questions", "single_image_questions", "multi_image_questions")
STATISTICS = (
    "dialogs",
    "image_text_tokens",
    "images",
    "turns",
    "qa_pairs",
    "text_tokens",
    "unique_images",
    "single_image_questions",
    "multi_image_questions",
    "no_image_questions",
    "question_length",
    "answer_length",
)

BINS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "turns": (("<=10", 0, 10), ("11-15", 11, 15), ("16-20", 16, 20), (">20", 21, float("inf"))),
    "images": (
        ("<2", 0, 1),
        ("2", 2, 2),
        ("3-10", 3, 10),
        ("11-20", 11, 20),
        (">20", 21, float("inf")),
    ),
    "tokens": (
        ("<4k", 0, 3_999),
        ("4-8k", 4_000, 7_999),
        ("8-12k", 8_000, 12_000),
        (">12k", 12_001, float("inf")),
    ),
}
"""Figure 4's bins with both edges inside: label, lowest and highest value.

The paper's labels share their edges (``0-10``, ``10-15``); here 10 turns are in the first, 15 in the
second, 10 images in ``3-10``, 8,000 tokens in ``8-12k`` and 12,000 too. ``<2`` and ``>20`` images, which
the paper doesn't have, appear only where there are any.
"""
_COLUMN = {"turns": "n_turns", "images": "n_images", "tokens": "image_text_tokens"}


def dialog_lengths(
    source: Benchmark | str | Path | Sequence[str | Path],
    engine: str = "local",
    *,
    encoding: str = DEFAULT_ENCODING,
    image_model: str = "paper",
) -> pd.DataFrame:
    """Measure every dialogue: the one pass over the data that all statistics derive from.

    Parameters
    ----------
    source : Benchmark, or path or paths
        Files are read in batches, and may be globs.
    engine : {"local"}, default "local"
        Where the work is done.
    encoding : str, default "o200k_base"
        As in `count_tokens`. Placeholders are not text and don't count.
    image_model : str, default "paper"
        As in `image_tokens`.

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
        If a file has no usable dialogue, or the engine is unknown.
    """
    import pandas as pd

    if engine != "local":
        raise DataError(f"engine {engine!r} is unknown; expected 'local'")
    problems: list[Problem] = []
    if isinstance(source, Benchmark):
        benches: Iterable[Benchmark] = [source]
        name, problems = source.name, list(source.problems)
    else:
        paths = _paths(source)
        benches, name = _batches(paths, problems), paths[0].stem if len(paths) == 1 else f"{len(paths)} files"
    parts, paths_seen, attrs = [], set(), {"missing_answers": 0, "fallback_images": 0, "synthetic": False}
    for bench in benches:
        part = _measure(bench, encoding, image_model)
        paths_seen.update(bench.images["path"])
        attrs["missing_answers"] += part.attrs["missing_answers"]
        attrs["fallback_images"] += part.attrs["fallback_images"]
        attrs["synthetic"] |= bench.synthetic
        parts.append(part)
    for part in parts:
        part.attrs = {}
    frame = pd.concat(parts)
    twice = frame.index.duplicated()
    problems += [
        Problem(name, f"id {key!r}", "the id stands twice; the first is kept") for key in frame.index[twice]
    ]
    frame = frame.loc[~twice]
    if not isinstance(source, Benchmark):
        report(problems, strict=False, advice='lengths.attrs["problems"]')
    frame.attrs = attrs | {
        "encoding": encoding,
        "image_token_model": image_model,
        "unique_images": len(paths_seen),
        "problems": tuple(problems),
        "name": name,
    }
    return frame


def _paths(source: str | Path | Sequence[str | Path]) -> list[Path]:
    items = [source] if isinstance(source, str | Path) else list(source)
    paths: list[Path] = []
    for item in items:
        found = (
            sorted(glob.glob(str(item)))
            if glob.has_magic(str(item)) and not Path(item).exists()
            else [str(item)]
        )
        if not found:
            raise DataError(f"{item}: the pattern matches no file; check the path")
        paths += map(Path, found)
    return paths


def _batches(paths: list[Path], problems: list[Problem]) -> Iterator[Benchmark]:
    for path in paths:
        dialogs = read_dialogs(path, problems)
        while batch := list(islice(dialogs, _BATCH)):
            unique = {dialog.dialog_id: dialog for dialog in reversed(batch)}
            extra = [dialog for dialog in batch if unique[dialog.dialog_id] is not dialog]
            problems += [
                Problem(str(path), f"id {dialog.dialog_id!r}", "the id stands twice; the first is kept")
                for dialog in extra
            ]
            ordered = [dialog for dialog in batch if unique[dialog.dialog_id] is dialog]
            folder, made_up = path if path.is_dir() else path.parent, any(d.synthetic for d in ordered)
            yield frames(ordered, name=path.stem, folder=folder, synthetic=made_up)


def _measure(bench: Benchmark, encoding: str, image_model: str) -> pd.DataFrame:
    """Measure the dialogues of one batch."""
    import pandas as pd

    turns = question_tokens(bench, encoding)
    turns["answer_tokens"] = answer_tokens(bench, encoding)
    by_turn = turns.groupby("dialog_id", sort=False)
    costs = image_tokens(bench.images, image_model)
    image_sums = costs.groupby(bench.images["dialog_id"], sort=False).sum()
    frame = pd.DataFrame(
        {
            "n_turns": bench.dialogs["n_turns"],
            "n_images": bench.dialogs["n_images"],
            "image_tokens": image_sums.reindex(bench.dialogs.index, fill_value=0),
            "question_tokens": by_turn["question_tokens"].sum(),
            "answer_tokens": by_turn["answer_tokens"].sum(),
            "max_question_tokens": by_turn["question_tokens"].max(),
            "max_answer_tokens": by_turn["answer_tokens"].max(),
            **{kind: (turns["kind"] == kind).groupby(turns["dialog_id"]).sum() for kind in KINDS},
        },
        index=bench.dialogs.index,
    )
    frame = frame.fillna(0).astype("int64")  # a dialogue without turns has no group
    frame.insert(2, "text_tokens", frame["question_tokens"] + frame["answer_tokens"])
    frame.insert(4, "image_text_tokens", frame["text_tokens"] + frame["image_tokens"])
    frame.attrs = {
        "missing_answers": int(turns["answer_tokens"].isna().sum()),
        "fallback_images": costs.attrs["fallback"],
    }
    order = ["n_turns", "n_images", *_SUMS, "max_question_tokens", "max_answer_tokens"]
    return frame[[*order, "single_image_questions", "multi_image_questions", "no_image_questions"]]


def question_tokens(bench: Benchmark, encoding: str = DEFAULT_ENCODING) -> pd.DataFrame:
    """Measure every question: its length, and how many images it is about.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.DataFrame
        ``bench.turns`` with ``question_tokens``, ``n_referenced`` (images that the question is about)
        and ``kind`` (one of `KINDS`).
    """
    turns = bench.turns.copy()
    turns["question_tokens"] = count_tokens(without_placeholders(turns["question"]), encoding)
    counts = question_images(bench).groupby(["dialog_id", "turn"]).size().rename("n_referenced")
    turns = turns.join(counts, on=["dialog_id", "turn"])
    turns["n_referenced"] = turns["n_referenced"].fillna(0).astype("int64")
    turns["kind"] = turns["n_referenced"].clip(upper=2).map(dict(enumerate(KINDS)))
    return turns


def answer_tokens(bench: Benchmark, encoding: str = DEFAULT_ENCODING) -> pd.Series:
    """Measure every reference answer.

    Parameters
    ----------
    bench : Benchmark
        The dialogues.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.Series
        Int64 tokens with the index of ``bench.turns``; NA where the reference is.
    """
    import pandas as pd

    texts = without_placeholders(bench.turns["answer"].dropna())
    counts = pd.Series(count_tokens(texts, encoding), index=texts.index, dtype="Int64")
    return counts.reindex(bench.turns.index)


def as_lengths(source: Source) -> pd.DataFrame:
    """Give the `dialog_lengths` frame of a source, or the frame itself if it is one already.

    Raises
    ------
    DataError
        If a frame lacks the columns of `dialog_lengths`.
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        require_columns(source, ("n_turns", "n_images", *_SUMS), "a frame of dialog_lengths")
        return source
    return dialog_lengths(source)


def dataset_statistics(source: Source) -> pd.DataFrame:
    """Compute Table 1 for any data.

    Parameters
    ----------
    source : Benchmark, `dialog_lengths` frame, or path or paths
        The data.

    Returns
    -------
    pandas.DataFrame
        One row a statistic (index ``statistic``): ``average`` and ``maximum`` over dialogues (over
        questions or answers for the two lengths), ``value`` for counts; NA where it has no meaning.
        Lengths in tokens. ``attrs`` as in `dialog_lengths`.

    Notes
    -----
    Table 1 of arXiv 2406.11833. Statistics of answers use the references that are there;
    ``attrs["missing_answers"]`` says how many are not.
    """
    import pandas as pd

    lengths = as_lengths(source)
    questions = int(lengths["n_turns"].sum())
    answers = questions - lengths.attrs.get("missing_answers", 0)
    rows: dict[str, tuple[Any, Any, Any]] = {
        "dialogs": (None, None, len(lengths)),
        "qa_pairs": (None, None, questions),
        "unique_images": (None, None, lengths.attrs.get("unique_images")),
        "question_length": (
            _ratio(lengths["question_tokens"].sum(), questions),
            lengths["max_question_tokens"].max(),
            None,
        ),
        "answer_length": (
            _ratio(lengths["answer_tokens"].sum(), answers),
            lengths["max_answer_tokens"].max() if answers else None,
            None,
        ),
    }
    for statistic, column in {
        "image_text_tokens": "image_text_tokens",
        "images": "n_images",
        "turns": "n_turns",
        "text_tokens": "text_tokens",
    }.items():
        rows[statistic] = (lengths[column].mean(), lengths[column].max(), None)
    for kind in KINDS:
        rows[kind] = (None, None, int(lengths[kind].sum()))
    frame = pd.DataFrame.from_dict(
        rows, orient="index", columns=["average", "maximum", "value"], dtype="Float64"
    )
    frame = frame.loc[list(STATISTICS)].rename_axis("statistic")
    frame.attrs = dict(lengths.attrs)
    return frame


def _ratio(total: float, count: int) -> float | None:
    return total / count if count else None


def distribution(source: Source, what: str = "turns", bins: Sequence[float] | None = None) -> pd.DataFrame:
    """Compute one panel of Figure 4 for any data.

    Parameters
    ----------
    source : Benchmark, `dialog_lengths` frame, or path or paths
        The data.
    what : {"turns", "images", "tokens", "questions"}, default "turns"
        What is counted; ``tokens`` are text and image tokens, ``questions`` the kinds of questions.
    bins : sequence of numbers, optional
        Other edges than the paper's, rising. Each bin holds its upper edge, as `pandas.cut` does.

    Returns
    -------
    pandas.DataFrame
        One row a bin: ``bin``, ``count``, ``percent``. ``attrs["edges"]`` says which side an edge is on,
        ``attrs["outside"]`` how many dialogues lie outside of all bins.

    Raises
    ------
    DataError
        If `what` is unknown or `bins` don't rise.

    Notes
    -----
    Figure 4 of arXiv 2406.11833; the paper's bins are in `BINS`.
    """
    import pandas as pd

    lengths = as_lengths(source)
    if what == "questions":
        counts = pd.Series(
            {kind.replace("_questions", "").replace("_", " "): int(lengths[kind].sum()) for kind in KINDS}
        )
        edges = "Each question counts once"
    elif what not in _COLUMN:
        raise DataError(f"no distribution {what!r}; expected turns, images, tokens or questions")
    elif bins is None:
        values = lengths[_COLUMN[what]]
        counts = pd.Series({label: int(values.between(low, high).sum()) for label, low, high in BINS[what]})
        counts = counts.loc[
            [label not in ("<2", ">20") or what == "turns" or n > 0 for label, n in counts.items()]
        ]
        edges = "Both numbers of a label are inside its bin"
    else:
        if len(bins) < 2 or sorted(set(bins)) != list(bins):
            raise DataError(f"bins are {list(bins)}, expected at least two rising edges")
        counts = pd.cut(lengths[_COLUMN[what]], list(bins)).value_counts(sort=False)
        counts.index = counts.index.astype("str")
        edges = "Each bin holds its upper edge"
    total = int(counts.sum())
    frame = pd.DataFrame({"bin": counts.index.astype("str"), "count": counts.to_numpy()})
    frame["percent"] = frame["count"] * (100 / total) if total else float("nan")
    outside = 0 if what == "questions" else len(lengths) - total
    frame.attrs = dict(lengths.attrs) | {"edges": edges, "distribution": what, "n": total, "outside": outside}
    return frame
