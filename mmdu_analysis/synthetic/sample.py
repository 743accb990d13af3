"""The synthetic sample: MMDU's published shape with made-up content and a known truth.

Nothing here is MMDU. It serves where texts, pictures or scores are needed and no data is at hand, and
for tests that need to know the right answer.
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

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL.Image import Image

SEED = 20240617
SCORES_SEED = SEED + 3
"""An ordinary draw, in which the known gap and fall lie inside their 95 % intervals."""
TOKENS_PER_IMAGE = 471
MODELS = {"closed-A": "closed", "closed-B": "closed", "open-A": "open", "open-B": "open", "open-C": "open"}
"""The sample's made-up models and their access."""
GAP = 25.0
"""Points (0-100) by which the sample's closed models are above its open ones."""
FALL = -0.5
"""Points (0-100) that each further turn costs, in every model."""

_TOPICS = {
    "gardens": "garden flower tree path fountain bench hedge rose pond statue",
    "buildings": "tower bridge castle temple palace church museum roof window door",
    "animals": "horse bird dog cat lion bear wolf fish elephant tiger",
    "food": "bread cheese fruit soup rice pasta cake salad coffee wine",
    "transport": "train plane boat car bicycle ship truck bus station road",
    "landscape": "mountain river forest desert island lake valley beach snow cloud",
    "art": "painting sculpture portrait canvas mask drawing gallery artist frame poster",
    "sport": "team player ball stadium coach race goal match crowd medal",
}
_ADJECTIVES = [
    "old",
    "bright",
    "small",
    "large",
    "quiet",
    "red",
    "green",
    "ancient",
    "modern",
    "simple",
    "dark",
    "open",
    "wide",
    "narrow",
    "famous",
]
_VERBS = [
    "shows",
    "holds",
    "meets",
    "follows",
    "recalls",
    "suggests",
    "supports",
    "reflects",
    "frames",
    "repeats",
]
_STARTS = ("The", "This", "Each", "One", "Here")
_SIZES = ((640, 480), (480, 640), (512, 512), (800, 600), (320, 240))


@dataclass(frozen=True)
class SampleTruth:
    """What is known about the sample because it was planned, not measured.

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
        Source of chance.
    low, high : sequence of int
        Inclusive bounds, one pair a number.
    total : int
        The sum, between the sums of the bounds.

    Returns
    -------
    list of int
        As many as there are bounds.

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
    turns = [turns[place] for place in rng.permutation(110)]
    images = [images[place] for place in rng.permutation(110)]
    weight = np.array(turns) * 400 + np.array(images) * TOKENS_PER_IMAGE
    tokens = [0] * 110
    for place, length in zip(np.argsort(weight, kind="stable"), sorted(lengths), strict=True):
        tokens[place] = length - images[place] * TOKENS_PER_IMAGE
    return turns, images, tokens


def _question_kinds(rng: np.random.Generator, count: int) -> list[int]:
    """Plan how many images each question names, with Figure 4's shares of one and of several."""
    single, several = round(count * 0.271), round(count * 0.629)
    kinds = [0] * (count - single - several) + [1] * single + [2] * several
    return [kinds[place] for place in rng.permutation(count)]


def _introductions(rng: np.random.Generator, turns: int, images: int) -> list[int]:
    """Say how many images each turn introduces; two at least stand in the first."""
    first = min(images, int(rng.integers(2, 5)))
    new = [first] + [0] * (turns - 1)
    for turn in rng.integers(0, turns, images - first):
        new[int(turn)] += 1
    return new


def _question(
    rng: np.random.Generator, nouns: list[str], new: list[int], about: list[int]
) -> tuple[str, int]:
    """Write a question and count its tokens: every word and mark here is one of o200k_base."""
    labels = "".join(f"Image{number}: <ImageHere>. " for number in new)
    adjective, noun = rng.choice(_ADJECTIVES), rng.choice(nouns)
    if not about:
        text, tokens = f"What makes the {adjective} {noun} so {rng.choice(_ADJECTIVES)}?", 8
    elif len(about) == 1:
        text, tokens = f"How does the {adjective} {noun} look in Image{about[0]}?", 10
    else:
        names = ", ".join(f"Image{number}" for number in about[:-1]) + f" and Image{about[-1]}"
        text, tokens = f"How does the {adjective} {noun} look in {names}?", 10 + 3 * (len(about) - 1)
    return labels + text, tokens + 4 * len(new)


def _prose(rng: np.random.Generator, nouns: list[str], tokens: int) -> str:
    """Write sentences of exactly `tokens` tokens: each word is one, each full stop is one."""
    sentences = []
    while tokens > 0:
        words = int(rng.integers(9, 16)) if tokens > 24 else tokens - 1
        pools = (_ADJECTIVES, nouns, _VERBS, ("the",))
        drawn = rng.integers(0, 1 << 30, words).tolist()
        picked = [_STARTS[drawn[0] % len(_STARTS)]]
        picked += [pools[place % 4][number % len(pools[place % 4])] for place, number in enumerate(drawn[1:])]
        sentences.append(" ".join(picked) + ".")
        tokens -= words + 1
    return " ".join(sentences)


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
        dialog.sizes = [_SIZES[(number + image) % len(_SIZES)] for image in dialog.image_numbers]
        nouns = list(_TOPICS.values())[number % len(_TOPICS)].split()
        question_tokens, shown = 0, 0
        for turn, new in enumerate(_introductions(rng, n_turns, n_images), 1):
            shown += new
            several = min(shown, int(rng.integers(2, 4)))
            about = sorted(rng.permutation(shown)[: (0, 1, several)[next(kinds)]] + 1)
            text, cost = _question(rng, nouns, list(range(shown - new + 1, shown + 1)), about)
            dialog.questions.append(text)
            question_tokens += cost
            references += [(dialog.dialog_id, turn, int(image)) for image in about]
        rest = text_tokens - question_tokens
        lengths = bounded_integers(
            rng, [rest // (2 * n_turns)] * n_turns, [2 * rest // n_turns] * n_turns, rest
        )
        dialog.answers = [_prose(rng, nouns, length) for length in lengths]
        dialogs.append(dialog)
        plan.append((n_turns, n_images, text_tokens, question_tokens, rest))
    columns = ["n_turns", "n_images", "text_tokens", "question_tokens", "answer_tokens"]
    index = pd.Index([dialog.dialog_id for dialog in dialogs], dtype="str", name="dialog_id")
    named = pd.DataFrame(references, columns=["dialog_id", "turn", "image"]).astype({"dialog_id": "str"})
    return dialogs, SampleTruth(pd.DataFrame(plan, columns=columns, index=index), named)


def sample_benchmark() -> Benchmark:
    """Make the synthetic benchmark: 110 dialogues, 1,645 questions, 421 images.

    Returns
    -------
    Benchmark
        With ``synthetic=True``. The same on every call.
    """
    made = frames([columns(_sample()[0], PictureNames([]))])
    return Benchmark(SYNTHETIC_LABEL, made.dialogs, made.turns, made.images, forms=made.forms)


def sample_truth() -> SampleTruth:
    """Give what is known about the sample from its plan."""
    return _sample()[1]


def sample_answers() -> pd.DataFrame:
    """Make the sample's model answers: closed models write longer ones.

    Returns
    -------
    pandas.DataFrame
        As `load_answers` returns it, ``attrs["synthetic"]`` set.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(SEED + 1)
    rows = []
    for model, access in MODELS.items():
        for number, dialog in enumerate(_sample()[0]):
            nouns = list(_TOPICS.values())[number % len(_TOPICS)].split()
            for turn in range(1, len(dialog.questions) + 1):
                length = int(rng.integers(60, 120) * (2 if access == "closed" else 1))
                rows.append((model, dialog.dialog_id, turn, _prose(rng, nouns, length)))
    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "answer"])
    frame = frame.astype({"model": "str", "dialog_id": "str", "answer": "str"})
    frame.attrs |= {"problems": (), "synthetic": True}
    return frame.assign(synthetic=True)


def sample_scores(
    models: Mapping[str, str] | None = None, *, gap: float = GAP, fall: float = FALL, seed: int = SCORES_SEED
) -> pd.DataFrame:
    """Make judge scores with a known gap and a known fall over the turns.

    Whole scores are rounded at random so that their expectation is exact, and stay inside 1-10 so
    that nothing is clipped. Turns of a dialogue share its difficulty.

    Parameters
    ----------
    models : mapping of str to str, optional
        Model -> access (``closed`` or ``open``); by default `MODELS`.
    gap : float, default 25
        Points on 0-100 between closed and open models; 0 to 25.
    fall : float, default -0.5
        Points on 0-100 that each further turn adds; -0.5 to 0.
    seed : int
        Another seed, another draw.

    Returns
    -------
    pandas.DataFrame
        As `load_scores` returns it, ``attrs["synthetic"]`` set.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    turns = [
        (dialog.dialog_id, turn) for dialog in _sample()[0] for turn in range(1, len(dialog.questions) + 1)
    ]
    places = pd.factorize(np.array([dialog_id for dialog_id, _ in turns]))[0]
    steps = np.array([turn - 1 for _, turn in turns])
    difficulty = rng.uniform(-0.6, 0.6, places.max() + 1)[places]
    offsets = [*np.linspace(-0.3, 0.3, len(DIMENSION_NAMES) - 1).tolist(), 0.0]
    parts = []
    for model, access in (models or MODELS).items():
        base = 4.5 + (gap / 10 if access == "closed" else 0.0)
        level = base + fall / 10 * steps + difficulty + rng.uniform(-0.7, 0.7, len(turns))
        latent = level[:, None] + np.array(offsets) + rng.uniform(-0.3, 0.3, (len(turns), len(offsets)))
        scores = np.floor(latent + rng.uniform(0, 1, latent.shape))
        part = pd.DataFrame(scores, columns=list(DIMENSION_NAMES))
        part.insert(0, "turn", steps + 1)
        part.insert(0, "dialog_id", [dialog_id for dialog_id, _ in turns])
        parts.append(part.assign(model=model))
    wide = pd.concat(parts).assign(judge="made-up judge")
    keys = ["model", "judge", "dialog_id", "turn"]
    long = wide.melt(keys, list(DIMENSION_NAMES), "dimension", "score")
    long = long.sort_values(["model", "dialog_id", "turn"], kind="stable", ignore_index=True)
    long = long.astype(
        {"turn": "Int64", **dict.fromkeys(("model", "judge", "dialog_id", "dimension"), "str")}
    )
    long.attrs |= {"problems": (), "synthetic": True, "gap": gap, "fall": fall}
    return long.assign(synthetic=True)


def sample_picture(dialog_id: str, image: int) -> Image:
    """Draw one of the sample's pictures: a coloured field with its number.

    Parameters
    ----------
    dialog_id : str
        The dialogue.
    image : int
        1-based number in the dialogue.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    from PIL import Image, ImageDraw

    number = int(dialog_id)
    width, height = _SIZES[(number + image) % len(_SIZES)]
    hue = (number * 37 + image * 61) % 256
    picture = Image.new("HSV", (width, height), (hue, 120, 215)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    radius = min(width, height) // 4
    centre = (width // 2, height // 2)
    draw.ellipse(
        [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius], fill="white"
    )
    text = f"Image{image}\n{SYNTHETIC_LABEL}"
    draw.multiline_text(
        centre, text, fill="black", anchor="mm", align="center", font_size=max(14, radius // 5)
    )
    return picture


def write_sample(folder: Path) -> Path:
    """Write the sample as files, in the forms in which the real data is met.

    Parameters
    ----------
    folder : pathlib.Path
        Gets ``benchmark.json``, ``mmdu_pics/``, ``answers/MODEL/{id}.json``, ``scores/MODEL/{id}.json``.

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
            sample_picture(dialog.dialog_id, image).save(
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
