"""Measure a batch of dialogues: lengths in tokens, images, kinds of questions. It doesn't use frames, so that it is fast to import."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.schema import PLACEHOLDERS
from mmdu_analysis.stats.references import count_turn_images
from mmdu_analysis.stats.tokens import count_tokens, image_token_model, image_tokens

if TYPE_CHECKING:
    import numpy as np

    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.io.dialogs import Dialog

KINDS = ("no_image_questions", "single_image_questions", "multi_image_questions")
SUMS = ("text_tokens", "image_tokens", "image_text_tokens", "question_tokens", "answer_tokens")
LENGTH_COLUMNS = (
    "n_turns",
    "n_images",
    *SUMS,
    "max_question_tokens",
    "max_answer_tokens",
    "single_image_questions",
    "multi_image_questions",
    "no_image_questions",
    "n_missing",
    "n_sizes_assumed",
    "synthetic",
)


class Options(NamedTuple):
    """Options of the measurement: the encoding of texts, the estimator of image tokens, the folder of the pictures."""

    encoding: str
    image_model: str
    folder: Path | None = None
    """By default that of each file."""


class Texts(NamedTuple):
    """Flattened dialogues: one entry per dialogue, or one per turn with the position of its dialogue in `owner`."""

    ids: list[str]
    owner: np.ndarray
    questions: list[str]
    answers: list[str | None]
    images_so_far: list[int]
    image_numbers: list[list[int]]
    image_tokens: np.ndarray
    sizes_assumed: np.ndarray
    image_paths: Iterable[str]
    synthetic: list[bool]


class Lengths(NamedTuple):
    """The measured batches that `dialog_lengths` joins.

    Attributes
    ----------
    ids : list of str
        One per dialogue.
    columns : dict of str to numpy.ndarray
        `LENGTH_COLUMNS`, int64 (``synthetic`` bool), one number per dialogue.
    images : numpy.ndarray
        uint64 fingerprints of the picture paths; without repetition after parts are joined.
    """

    ids: list[str]
    columns: dict[str, np.ndarray]
    images: np.ndarray


def texts_of_dialogs(dialogs: list[Dialog], folder: Path, model: str) -> Texts:
    """Flatten decoded dialogues; the sizes of pictures in `folder` are read only if the estimator needs them."""
    import numpy as np

    rule = image_token_model(model)
    counts = np.array([len(dialog.images) for dialog in dialogs], dtype=np.int64)
    assumed = np.zeros(len(dialogs), dtype=np.int64)
    if rule.uses_size:
        from mmdu_analysis.io.frames import image_frame

        images = image_frame(dialogs, folder)
        owner = np.repeat(np.arange(len(dialogs)), counts)
        costs = _sums(owner, image_tokens(images, model).to_numpy(), len(dialogs))
        assumed = _sums(owner, images["width"].isna().to_numpy(dtype=np.int64), len(dialogs))
    else:
        costs = counts * rule.rule(0, 0)
    return Texts(
        [dialog.dialog_id for dialog in dialogs],
        np.repeat(np.arange(len(dialogs)), [len(dialog.questions) for dialog in dialogs]),
        [question for dialog in dialogs for question in dialog.questions],
        [
            None if not answer or answer.isspace() else answer
            for dialog in dialogs
            for answer in dialog.answers
        ],
        [so_far for dialog in dialogs for _, so_far in dialog.placed()],
        [dialog.image_numbers for dialog in dialogs],
        costs,
        assumed,
        (path for dialog in dialogs for path in dialog.images),
        [dialog.synthetic for dialog in dialogs],
    )


def texts_of_benchmark(bench: Benchmark, model: str) -> Texts:
    """Flatten the frames of a benchmark."""
    import numpy as np

    ids = bench.dialogs.index
    owner = ids.get_indexer(bench.images["dialog_id"])
    unknown = bench.images["width"].isna().to_numpy(dtype=np.int64) * image_token_model(model).uses_size
    marks = bench.dialogs["synthetic"].tolist() if "synthetic" in bench.dialogs else [False] * len(ids)
    costs = image_tokens(bench.images, model)
    numbers = bench.images.groupby("dialog_id", sort=False)["image"].agg(list).to_dict()
    answers = bench.turns["answer"]
    return Texts(
        ids.tolist(),
        ids.get_indexer(bench.turns["dialog_id"]),
        bench.turns["question"].tolist(),
        answers.astype(object).where(answers.notna(), None).tolist(),
        bench.turns["images_so_far"].tolist(),
        [numbers.get(key, []) for key in ids],
        _sums(owner, costs.to_numpy(), len(ids)),
        _sums(owner, unknown, len(ids)),
        bench.images["path"],
        marks,
    )


def measure_batch(dialogs: list[Dialog], path: Path, options: Options) -> Lengths:
    """Measure a batch of dialogues; the work of the streamed pass."""
    texts = texts_of_dialogs(dialogs, options.folder or path.parent, options.image_model)
    return measure(texts, options.encoding, threads=1)


def measure(texts: Texts, encoding: str, threads: int = 0) -> Lengths:
    """Measure dialogues.

    Parameters
    ----------
    texts : Texts
        The dialogues.
    encoding : str
        As in `count_tokens`.
    threads : int, default 0
        Number of threads to count tokens; 0 uses all cores.

    Returns
    -------
    Lengths
        One number per dialogue and column.
    """
    import numpy as np

    size = len(texts.ids)
    has_answer = np.array([answer is not None for answer in texts.answers], dtype=bool)
    answers = [plain_text(t) if "<" in t else t for t in texts.answers if t is not None]
    questions_only = [plain_text(t) if "<" in t else t for t in texts.questions]
    question_tokens = count_tokens(questions_only, encoding, threads=threads)
    answer_tokens = count_tokens(answers, encoding, threads=threads)
    kinds = np.array(_kinds(texts), dtype=np.int64)
    questions = _sums(texts.owner, question_tokens, size)
    answered = _sums(texts.owner[has_answer], answer_tokens, size)
    columns = {
        "n_turns": np.bincount(texts.owner, minlength=size),
        "n_images": np.array([len(numbers) for numbers in texts.image_numbers]),
        "text_tokens": questions + answered,
        "image_tokens": texts.image_tokens,
        "image_text_tokens": questions + answered + texts.image_tokens,
        "question_tokens": questions,
        "answer_tokens": answered,
        "max_question_tokens": _maxima(texts.owner, question_tokens, size),
        "max_answer_tokens": _maxima(texts.owner[has_answer], answer_tokens, size),
        **{kind: np.bincount(texts.owner[kinds == code], minlength=size) for code, kind in enumerate(KINDS)},
        "n_missing": np.bincount(texts.owner[~has_answer], minlength=size),
        "n_sizes_assumed": texts.sizes_assumed,
        "synthetic": np.array(texts.synthetic, dtype=bool),
    }
    return Lengths(
        texts.ids,
        {name: columns[name].astype(_dtype(name)) for name in LENGTH_COLUMNS},
        _fingerprints(texts.image_paths),
    )


def _dtype(column: str) -> str:
    return "bool" if column == "synthetic" else "int64"


def plain_text(text: str) -> str:
    """Remove placeholders from one text; see `without_placeholders`."""
    if "<" in text:
        for placeholder in PLACEHOLDERS:
            text = text.replace(placeholder, "")
    return text


def _kinds(texts: Texts) -> list[int]:
    """Return for each question whether it is about no image (0), one, or several (2)."""
    have = [frozenset(numbers) for numbers in texts.image_numbers]
    return [
        count_turn_images(question, have[owner], so_far)
        for owner, question, so_far in zip(
            texts.owner.tolist(), texts.questions, texts.images_so_far, strict=True
        )
    ]


def _sums(owner: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    import numpy as np

    result = np.zeros(size, dtype=np.int64)
    np.add.at(result, owner, values)
    return result


def _maxima(owner: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    import numpy as np

    result = np.zeros(size, dtype=np.int64)
    np.maximum.at(result, owner, values)
    return result


def _fingerprints(paths: Iterable[str]) -> np.ndarray:
    """Return a fingerprint of 8 bytes of each path, to count distinct paths without storing them."""
    import numpy as np

    digests = b"".join(
        blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest() for path in paths
    )
    return np.frombuffer(digests, dtype="<u8")


def join_lengths(parts: list[Lengths]) -> Lengths:
    """Join measured batches."""
    import numpy as np

    columns = {
        name: np.concatenate([part.columns[name] for part in parts] or [np.zeros(0, _dtype(name))])
        for name in LENGTH_COLUMNS
    }
    return Lengths(
        [key for part in parts for key in part.ids],
        columns,
        np.unique(np.concatenate([part.images for part in parts] or [np.zeros(0, np.uint64)])),
    )
