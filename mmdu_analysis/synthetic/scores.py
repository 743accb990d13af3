"""Simulated judge scores with a known gap, known slopes and known levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmdu_analysis.schema import DIMENSION_NAMES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MODELS = {"closed-A": "closed", "closed-B": "closed", "open-A": "open", "open-B": "open", "open-C": "open"}
"""The simulated models and their access."""
GAP = 25.0
"""Points (0-100) by which the mean of the closed models is above that of the open ones."""
FALL = -0.5
"""Change in points (0-100) per turn, on average over the models."""
GAP_SLOPE = 0.25
"""Change of the gap in points (0-100) per turn, since the slopes of the models differ."""
JUDGE = "simulated judge"
_OPEN_LEVEL = 4.15
"""Mean score (0-10) of the open models at the middle of a dialogue."""


@dataclass(frozen=True)
class Traits:
    """Differences of a simulated model from the mean of its access.

    Attributes
    ----------
    level : float
        Points on 0-10.
    slope : float
        Factor of the decrease over the turns.
    noise : float
        Half of the width of the noise of a turn, on 0-10.
    """

    level: float = 0.0
    slope: float = 1.0
    noise: float = 0.7


TRAITS = {
    "closed-A": Traits(0.4, 0.4, 0.5),
    "closed-B": Traits(-0.4, 1.0, 0.7),
    "open-A": Traits(0.7, 0.6, 0.6),
    "open-B": Traits(0.0, 1.4, 0.8),
    "open-C": Traits(-0.7, 1.6, 0.7),
}
"""Levels average to 0 within an access, slopes to 1 over all models."""


def simulate_scores(
    turns: Sequence[tuple[str, int]],
    models: Mapping[str, str],
    *,
    gap: float,
    fall: float,
    seed: int,
) -> pd.DataFrame:
    """Simulate the scores of models on some turns.

    Whole scores are rounded at random so that their expectation is exact, and stay inside 0-10 so that
    nothing is clipped. Turns of a dialogue share its difficulty.

    Parameters
    ----------
    turns : sequence of (str, int)
        Dialogue and turn.
    models : mapping of str to str
        Model to ``closed`` or ``open``.
    gap, fall : float
        See `GAP` and `FALL`.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    pandas.DataFrame
        As `load_scores` returns it, with ``synthetic`` True.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    codes = pd.factorize(np.array([dialog_id for dialog_id, _ in turns]))[0]
    steps = np.array([turn for _, turn in turns], dtype=float)
    difficulty = rng.uniform(-0.6, 0.6, codes.max() + 1)[codes]
    parts = []
    for model, access in models.items():
        traits = TRAITS.get(model, Traits())
        level = _OPEN_LEVEL + traits.level + (gap / 10 if access == "closed" else 0.0)
        level = level + traits.slope * fall / 10 * (steps - steps.mean())
        parts.append(_wide(rng, level + difficulty, traits.noise, turns).assign(model=model))
    keys = ["model", "judge", "dialog_id", "turn"]
    long = pd.concat(parts).assign(judge=JUDGE).melt(keys, list(DIMENSION_NAMES), "dimension", "score")
    long = long.sort_values(["model", "dialog_id", "turn"], kind="stable", ignore_index=True)
    texts = dict.fromkeys(("model", "judge", "dialog_id", "dimension"), "str")
    return long.astype(texts | {"turn": "Int64"}).assign(synthetic=True)


def _wide(
    rng: np.random.Generator, level: np.ndarray, noise: float, turns: Sequence[tuple[str, int]]
) -> pd.DataFrame:
    """Return whole scores of all dimensions, whose levels spread evenly around the model's."""
    import numpy as np
    import pandas as pd

    offsets = np.array([*np.linspace(-0.3, 0.3, len(DIMENSION_NAMES) - 1), 0.0])
    latent = (level + rng.uniform(-noise, noise, len(turns)))[:, None] + offsets
    latent = latent + rng.uniform(-0.3, 0.3, latent.shape)
    frame = pd.DataFrame(np.floor(latent + rng.uniform(0, 1, latent.shape)), columns=list(DIMENSION_NAMES))
    return frame.assign(dialog_id=[key for key, _ in turns], turn=[turn for _, turn in turns])


def simulate_ratings(
    scores: pd.DataFrame, raters: Sequence[str], n_dialogs: int, *, noise: float, seed: int
) -> pd.DataFrame:
    """Simulate people's ratings of some dialogues, which are drawn at random.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `simulate_scores`; a rating is the score with normal noise, in whole numbers.
    raters : sequence of str
        Names of the people; each rates all drawn dialogues.
    n_dialogs : int
        Number of dialogues to draw.
    noise : float
        Standard deviation of a rating around the score, on 0-10.
    seed : int
        Seed of the random numbers, kept in the column ``seed``.

    Returns
    -------
    pandas.DataFrame
        As `load_ratings` returns it, with ``synthetic`` True.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.sort(scores["dialog_id"].unique()), n_dialogs, replace=False)
    part = scores.loc[scores["dialog_id"].isin(drawn)]
    parts = []
    for rater in raters:
        rating = (part["score"] + rng.normal(0, noise, len(part))).round().clip(0, 10)
        parts.append(part.assign(judge=rater, score=rating, person=True))
    frame = pd.concat(parts, ignore_index=True).assign(
        seed=pd.array([seed], dtype="Int64")[0], synthetic=True
    )
    return frame.astype({"judge": "str", "seed": "Int64"})
