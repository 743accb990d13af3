"""The synthetic sample: dialogues of MMDU's published shape with generated content and a known truth.

It is used only if requested by name, and in tests with known results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.io.dialogs import Dialog
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.frames import columns, frames
from mmdu_analysis.io.pictures import PictureNames
from mmdu_analysis.schema import DIMENSION_NAMES, SYNTHETIC_LABEL
from mmdu_analysis.synthetic.pictures import SIZES, draw_scene
from mmdu_analysis.synthetic.prose import TOPICS, write_prose, write_question
from mmdu_analysis.synthetic.scores import FALL, GAP, MODELS, simulate_ratings, simulate_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SEED = 20240617
SCORES_SEED = SEED + 3
"""Seed of a draw in which the 95 % intervals contain the known gap and the known slope."""
TOKENS_PER_IMAGE = 471
RATERS = ("simulated rater 1", "simulated rater 2")


@dataclass(frozen=True)
class SampleTruth:
    """The known truth of the sample, which was planned, not measured.

    Attributes
    ----------
    dialogs : pandas.DataFrame
        Index ``dialog_id``: ``n_turns``, ``n_images``, ``text_tokens``, ``question_tokens``,
        ``answer_tokens`` (o200k_base).
    references : pandas.DataFrame
        ``dialog_id``, ``turn``, ``image``: what each question was written about.
    gap, fall : float
        Points on 0-100, see `GAP` and `FALL`.
    """

    dialogs: pd.DataFrame
    references: pd.DataFrame
    gap: float = GAP
    fall: float = FALL


def bounded_integers(
    rng: np.random.Generator, low: Sequence[int], high: Sequence[int], total: int
) -> list[int]:
    """Draw integers between bounds that have a given sum.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    low, high : sequence of int
        Inclusive bounds, one pair a number.
    total : int
        The sum, between the sums of the bounds.

    Returns
    -------
    list of int
        One per pair of bounds.

    Raises
    ------
    ValueError
        If no such numbers exist.
    """
    import numpy as np

    lows, highs = np.asarray(low), np.asarray(high)
    if not lows.sum() <= total <= highs.sum():
        raise ValueError(f"no integers between the bounds add up to {total}")
    share = (total - lows.sum()) / max(1, (highs - lows).sum())
    weights = np.clip(share * rng.uniform(0.4, 1.6, len(lows)), 0, 1)
    values = lows + np.floor(weights * (highs - lows)).astype(int)
    while (rest := total - int(values.sum())) != 0:
        room = np.flatnonzero(values < highs if rest > 0 else values > lows)
        chosen = rng.permutation(room)[: abs(rest)]
        values[chosen] += 1 if rest > 0 else -1
    return values.tolist()


def _plan_shape(rng: np.random.Generator) -> tuple[list[int], list[int], list[int]]:
    """Plan turns, images and text tokens with the bins of Figure 4 and the totals of Table 1."""
    import numpy as np

    turns = bounded_integers(
        rng,
        [5] * 27 + [11] * 25 + [16] * 47 + [21] * 10 + [27],
        [10] * 27 + [15] * 25 + [20] * 47 + [26] * 10 + [27],
        1645,
    )
    images = bounded_integers(
        rng, [2] * 52 + [3] * 51 + [11] * 6 + [20], [2] * 52 + [10] * 51 + [20] * 6 + [20], 421
    )
    lengths = bounded_integers(
        rng,
        [2_500] * 7 + [4_000] * 55 + [8_000] * 31 + [12_001] * 16 + [18_000],
        [3_999] * 7 + [7_999] * 55 + [12_000] * 31 + [17_500] * 16 + [18_000],
        110 * 6_400 + 421 * TOKENS_PER_IMAGE,
    )
    turns = [turns[index] for index in rng.permutation(110)]
    images = [images[index] for index in rng.permutation(110)]
    weight = np.array(turns) * 400 + np.array(images) * TOKENS_PER_IMAGE
    tokens = [0] * 110
    for index, length in zip(np.argsort(weight, kind="stable"), sorted(lengths), strict=True):
        tokens[index] = length - images[index] * TOKENS_PER_IMAGE
    return turns, images, tokens


def _question_kinds(rng: np.random.Generator, count: int) -> list[int]:
    """Plan the number of images that each question names, with Figure 4's shares of one and of several."""
    single, several = round(count * 0.271), round(count * 0.629)
    kinds = [0] * (count - single - several) + [1] * single + [2] * several
    return [kinds[index] for index in rng.permutation(count)]


def _introductions(rng: np.random.Generator, turns: int, images: int) -> list[int]:
    """Plan the number of images that each turn introduces; the first one introduces at least two."""
    first = min(images, int(rng.integers(2, 5)))
    new = [first] + [0] * (turns - 1)
    for turn in rng.integers(0, turns, images - first):
        new[int(turn)] += 1
    return new


@lru_cache(maxsize=1)
def _sample() -> tuple[list[Dialog], SampleTruth]:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(SEED)
    turns, images, tokens = _plan_shape(rng)
    kinds = iter(_question_kinds(rng, sum(turns)))
    dialogs, plan, references = [], [], []
    for number, (n_turns, n_images, text_tokens) in enumerate(zip(turns, images, tokens, strict=True)):
        dialog = Dialog(str(number), image_numbers=list(range(1, n_images + 1)), synthetic=True)
        dialog.images = [f"/mmdu_pics/{number}_{image}.png" for image in dialog.image_numbers]
        dialog.sizes = [SIZES[(number + image) % len(SIZES)] for image in dialog.image_numbers]
        nouns = list(TOPICS.values())[number % len(TOPICS)].split()
        question_tokens, shown = 0, 0
        for turn, new in enumerate(_introductions(rng, n_turns, n_images), 1):
            shown += new
            several = min(shown, int(rng.integers(2, 4)))
            referenced = sorted(rng.permutation(shown)[: (0, 1, several)[next(kinds)]] + 1)
            text, cost = write_question(rng, nouns, list(range(shown - new + 1, shown + 1)), referenced)
            dialog.questions.append(text)
            question_tokens += cost
            references += [(dialog.dialog_id, turn, int(image)) for image in referenced]
        rest = text_tokens - question_tokens
        lengths = bounded_integers(
            rng, [rest // (2 * n_turns)] * n_turns, [2 * rest // n_turns] * n_turns, rest
        )
        dialog.answers = [write_prose(rng, nouns, length) for length in lengths]
        dialogs.append(dialog)
        plan.append((n_turns, n_images, text_tokens, question_tokens, rest))
    columns = ["n_turns", "n_images", "text_tokens", "question_tokens", "answer_tokens"]
    index = pd.Index([dialog.dialog_id for dialog in dialogs], dtype="str", name="dialog_id")
    named = pd.DataFrame(references, columns=["dialog_id", "turn", "image"]).astype({"dialog_id": "str"})
    return dialogs, SampleTruth(pd.DataFrame(plan, columns=columns, index=index), named)


def sample_benchmark() -> Benchmark:
    """Return the synthetic benchmark: 110 dialogues, 1,645 questions, 421 images.

    Returns
    -------
    Benchmark
        With ``synthetic=True``. The same on every call.
    """
    built = frames([columns(_sample()[0], PictureNames([]))])
    return Benchmark(SYNTHETIC_LABEL, built.dialogs, built.turns, built.images, forms=built.forms)


def sample_truth() -> SampleTruth:
    """Return the known truth of the sample.

    Returns
    -------
    SampleTruth
        Numbers that were planned, not measured.
    """
    return _sample()[1]


def sample_answers() -> pd.DataFrame:
    """Return simulated answers of the models; those of closed models are twice as long.

    Returns
    -------
    pandas.DataFrame
        As `load_answers` returns it, with ``synthetic`` True.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(SEED + 1)
    rows = []
    for model, access in MODELS.items():
        for number, dialog in enumerate(_sample()[0]):
            nouns = list(TOPICS.values())[number % len(TOPICS)].split()
            for turn in range(1, len(dialog.questions) + 1):
                length = int(rng.integers(60, 120) * (2 if access == "closed" else 1))
                rows.append((model, dialog.dialog_id, turn, write_prose(rng, nouns, length)))
    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "answer"])
    return frame.astype({"model": "str", "dialog_id": "str", "answer": "str"}).assign(synthetic=True)


def sample_scores(
    models: Mapping[str, str] | None = None, *, gap: float = GAP, fall: float = FALL, seed: int = SCORES_SEED
) -> pd.DataFrame:
    """Return simulated judge scores with a known gap and a known decrease over the turns.

    Parameters
    ----------
    models : mapping of str to str, optional
        Model to ``closed`` or ``open``; by default `MODELS`, which differ in level, slope and noise.
    gap : float, default 25
        Points on 0-100 between the means of closed and open models; 0 to 25.
    fall : float, default -0.5
        Change in points on 0-100 per turn, on average over the models; -0.5 to 0.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    pandas.DataFrame
        As `load_scores` returns it, with ``synthetic`` True.

    See Also
    --------
    sample_truth : The known truth of the sample.
    """
    turns = [(d.dialog_id, turn) for d in _sample()[0] for turn in range(1, len(d.questions) + 1)]
    return simulate_scores(turns, models or MODELS, gap=gap, fall=fall, seed=seed)


def sample_ratings() -> pd.DataFrame:
    """Return simulated ratings by two people of 25 dialogues, which were drawn at random.

    Returns
    -------
    pandas.DataFrame
        As `load_ratings` returns it, with ``synthetic`` True.

    See Also
    --------
    sample_scores : The judge's scores, around which the ratings vary.
    """
    return simulate_ratings(sample_scores(), RATERS, 25, noise=1.5, seed=SEED)


def write_sample(folder: Path) -> Path:
    """Write the sample as files, in the forms of the real data.

    Parameters
    ----------
    folder : pathlib.Path
        Receives ``benchmark.json``, ``mmdu_pics/``, ``answers/MODEL/{id}.json``, ``scores/MODEL/{id}.json``.

    Returns
    -------
    pathlib.Path
        The benchmark file.
    """
    dialogs = _sample()[0]
    records = {dialog.dialog_id: _record(dialog, dialog.answers) for dialog in dialogs}
    (folder / "mmdu_pics").mkdir(parents=True, exist_ok=True)
    for dialog in dialogs:
        for image in dialog.image_numbers:
            draw_scene(int(dialog.dialog_id), image).save(
                folder / "mmdu_pics" / f"{dialog.dialog_id}_{image}.png"
            )
    for (model, dialog_id), rows in sample_answers().groupby(["model", "dialog_id"], sort=False):
        dialog = dialogs[int(str(dialog_id))]
        _write_json(
            folder / "answers" / str(model) / f"{dialog_id}.json", _record(dialog, rows["answer"].tolist())
        )
    for (model, dialog_id), rows in sample_scores().groupby(["model", "dialog_id"], sort=False):
        wide = rows.pivot(index="turn", columns="dimension", values="score")[list(DIMENSION_NAMES)]
        entries = wide.astype(int).assign(synthetic=True).to_dict("records")
        _write_json(folder / "scores" / str(model) / f"{dialog_id}.json", entries)
    _write_json(folder / "benchmark.json", list(records.values()))
    return folder / "benchmark.json"


def _record(dialog: Dialog, answers: Sequence[str]) -> dict[str, Any]:
    talk = []
    for question, answer in zip(dialog.questions, answers, strict=True):
        talk += [{"from": "user", "value": question}, {"from": "assistant", "value": answer}]
    return {"id": int(dialog.dialog_id), "synthetic": True, "image": dialog.images, "conversations": talk}


def _write_json(path: Path, value: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
