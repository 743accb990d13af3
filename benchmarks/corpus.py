"""A large file to measure with: synthetic dialogues in MMDU-45k's published shape, of real sentences where they are.

Nothing of it is MMDU-45k: sentences of ``../shared/data`` (else of the synthetic sample) are drawn by chance. It
is written to the folder for temporary files and stays there for the next run.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

SHARED = Path(__file__).parents[2] / "shared"
DIALOGS, TURNS, IMAGES, ANSWER_TOKENS = 45_000, 9.1, 3, 368
"""Table 1 of arXiv 2406.11833: dialogues, and turns, images and tokens of an answer on average."""
PROSE_TOKENS = 405
"""Tokens of GPT-4o's references on average."""
Kind: TypeAlias = Literal["mixed", "prose"]
KINDS: tuple[Kind, ...] = ("mixed", "prose")


def sentences(kind: Kind) -> tuple[list[str], list[str]]:
    """Questions and sentences of answers: the real ones, or the sample's.

    ``mixed`` draws from answers of three models, ``prose`` from the benchmark's references, which GPT-4o wrote.
    """
    from mmdu_analysis import load_answers, load_benchmark

    folder = SHARED / "data" / "mmdu"
    if folder.is_dir():
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            questions = load_benchmark(folder / "benchmark.json").turns["question"]
            if kind == "prose":
                answers = load_benchmark(SHARED / "data" / "mmdu_qa" / "en.json").turns["answer"].dropna()
            else:
                answers = load_answers(folder / "answers")["answer"].dropna()
    else:
        turns = load_benchmark("sample").turns
        questions, answers = turns["question"], turns["answer"].dropna()
    plain = [re.sub(r"(?:Image\s*\d+:?\s*)?<ImageHere>[.,]?\s*", "", text).strip() for text in questions]
    parts = [part for text in answers for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]
    return [text for text in plain if text], parts


def write_corpus(path: Path, dialogs: int, seed: int = 0, kind: Kind = "mixed") -> Path:
    """Write `dialogs` synthetic dialogues as one JSON list, in the authors' form.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    dialogs : int
        How many.
    seed : int, default 0
        Of the draw.
    kind : {"mixed", "prose"}, default "mixed"
        As in `sentences`; answers of ``prose`` are as long as GPT-4o's.

    Returns
    -------
    pathlib.Path
        `path`.
    """
    from mmdu_analysis.stats.tokens import count_tokens

    questions, parts = sentences(kind)
    mean = ANSWER_TOKENS if kind == "mixed" else PROSE_TOKENS
    lengths = count_tokens(parts)
    rng = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8") as out:
        out.write("[")
        for number in range(dialogs):
            turns = int(np.clip(rng.negative_binomial(3, 0.27) + 1, 1, 27))
            images = int(rng.choice([2, 3, 4, 5], p=[0.4, 0.3, 0.2, 0.1]))
            conversations = []
            for turn in range(turns):
                first = (
                    "".join(f"Image{place}: <ImageHere>. " for place in range(1, images + 1))
                    if not turn
                    else ""
                )
                target = min(1_518, rng.lognormal(np.log(mean) - 0.08, 0.4))
                drawn = rng.integers(0, len(parts), 120)
                count = int(np.searchsorted(np.cumsum(lengths[drawn]), target)) + 1
                question = first + questions[rng.integers(0, len(questions))]
                answer = " ".join(parts[place] for place in drawn[:count])
                conversations += [{"from": "user", "value": question}, {"from": "assistant", "value": answer}]
            record = {
                "id": number,
                "image": [f"/mmdu-45k_pics/{rng.integers(0, 200_000)}.jpg" for _ in range(images)],
                "conversations": conversations,
            }
            out.write((", " if number else "") + json.dumps(record, ensure_ascii=False))
        out.write("]")
    return path


def corpus(dialogs: int = DIALOGS, kind: Kind = "mixed") -> Path:
    """Return the path of a corpus, which the first call writes."""
    path = Path(tempfile.gettempdir()) / "mmdu_analysis_benchmarks" / f"{kind}-{dialogs}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_corpus(path.with_suffix(".part"), dialogs, kind=kind).rename(path)
    return path
