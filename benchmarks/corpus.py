"""A large file to measure with: made-up dialogues in MMDU-45k's published shape, of real sentences where they are.

Nothing of it is MMDU-45k: sentences of ``../shared/data`` (else of the synthetic sample) are drawn by chance. It
is written to the folder for temporary files and stays there for the next run.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np

SHARED = Path(__file__).parents[2] / "shared"
DIALOGS, TURNS, IMAGES, ANSWER_TOKENS = 45_000, 9.1, 3, 368
"""Table 1 of arXiv 2406.11833: dialogues, and turns, images and tokens of an answer on average."""


def sentences() -> tuple[list[str], list[str]]:
    """Questions and sentences of answers: the real ones, or the sample's."""
    from mmdu_analysis import load_answers, load_benchmark

    folder = SHARED / "data" / "mmdu"
    if folder.is_dir():
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            questions = load_benchmark(folder / "benchmark.json").turns["question"]
            answers = load_answers(folder / "answers")["answer"].dropna()
    else:
        turns = load_benchmark("sample").turns
        questions, answers = turns["question"], turns["answer"].dropna()
    plain = [re.sub(r"(?:Image\s*\d+:?\s*)?<ImageHere>[.,]?\s*", "", text).strip() for text in questions]
    parts = [part for text in answers for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]
    return [text for text in plain if text], parts


def write_corpus(path: Path, dialogs: int, seed: int = 0) -> Path:
    """Write `dialogs` made-up dialogues as one JSON list, in the authors' form.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    dialogs : int
        How many.
    seed : int, default 0
        Of the draw.

    Returns
    -------
    pathlib.Path
        `path`.
    """
    from mmdu_analysis.stats.tokens import count_tokens

    questions, parts = sentences()
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
                target = min(1_518, rng.lognormal(np.log(ANSWER_TOKENS) - 0.08, 0.4))
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


def corpus(dialogs: int = DIALOGS) -> Path:
    """Give the path of a corpus, made on the first call."""
    path = Path(tempfile.gettempdir()) / "mmdu_analysis_benchmarks" / f"made-up-{dialogs}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_corpus(path.with_suffix(".part"), dialogs).rename(path)
    return path
