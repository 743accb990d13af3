"""Memory decay: does a model get worse as the dialogue goes on, or the longer ago an image was shown."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import DataError, require_columns
from mmdu_analysis.stats.references import question_images
from mmdu_analysis.stats.scores import as_scores, only_dimension, summarize_scores

if TYPE_CHECKING:
    import pandas as pd

PREDICTORS = ("progress", "distance", "revisit")
_KEYS = ["dialog_id", "turn"]
_FEWEST_DIALOGS = 20


def memory_decay(
    scores: pd.DataFrame,
    images: pd.DataFrame | Benchmark | None = None,
    *,
    dimension: str | None = None,
    adjust: bool = False,
    ci: float = 0.95,
) -> pd.DataFrame:
    """Estimate how a model's scores change through a dialogue, one predictor at a time.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores` (0-10), or a person's labels such as ``load_published("correctness")``.
    images : pandas.DataFrame or Benchmark, optional
        The images that each turn is about: a benchmark, or a frame from `question_images`. By default the
        scores' own column ``images`` (``2;5``), which a person's labels have.
    dimension : str, optional
        Name or short name; by default the Overall Score, or the only dimension there is.
    adjust : bool, default False
        Hold equal whether the question is about one image or several.
    ci : float, default 0.95
        Width of the interval.

    Returns
    -------
    pandas.DataFrame
        One row a model and predictor: ``model``, ``predictor``, ``coef``, ``low``, ``high``, ``p_value``,
        ``n_rows``, ``n_dialogs``. For right-or-wrong outcomes ``coef`` is in log-odds, else in points
        (0-100), for a step of one: from the first to the last turn (``progress``), a turn
        (``distance``), a question about the image (``revisit``). Negative is worse. NA where the
        scores or the predictor don't vary or there is just one dialogue.
        ``attrs["family"]`` says which, ``attrs["n_without_image"]`` how many scored turns are about no image.

    Raises
    ------
    DataError
        If nothing says which images the turns are about, or no scored turn has a number.

    Notes
    -----
    One row for each image that a turn is about, with the turn's outcome. A generalised estimating equation
    for each predictor alone, exchangeable within a dialogue (statsmodels), as in the repository
    Baozpy/Analysis_VLM_memory_decay (2026), whose published coefficients it gives for their labels.

    A fall along the dialogue is not yet forgetting: MMDU's late questions ask about several images at once,
    which is harder at any turn. With ``adjust=True`` the equation has a term for that too, and what is
    left of ``coef`` is the change among questions of the same kind.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> memory_decay(load_published("correctness"))["coef"].round(3).tolist()[:1]
    [-1.042]
    """
    import pandas as pd

    rows = decay_rows(scores, images, dimension=dimension)
    binary = bool(rows["score"].isin((0, 10)).all())
    results = [
        (
            model,
            predictor,
            *_estimate(part, predictor, binary, adjust, ci),
            len(part),
            part["dialog_id"].nunique(),
        )
        for model, part in rows.groupby("model", sort=False)
        for predictor in PREDICTORS
    ]
    columns = ["model", "predictor", "coef", "low", "high", "p_value", "n_rows", "n_dialogs"]
    frame = pd.DataFrame(results, columns=columns).astype({"model": "str", "predictor": "str"})
    frame.attrs = dict(rows.attrs) | {
        "family": "logistic" if binary else "gaussian",
        "adjusted": adjust,
        "ci": ci,
    }
    return frame


def decay_rows(
    scores: pd.DataFrame, images: pd.DataFrame | Benchmark | None = None, *, dimension: str | None = None
) -> pd.DataFrame:
    """Give one row for each image that a scored turn is about, with the predictors of memory decay.

    Parameters
    ----------
    scores, images, dimension
        As in `memory_decay`.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``judge``, ``dialog_id``, ``turn``, ``dimension``, ``image``, ``score`` (0-10; the mean where
        several judges scored), ``progress`` (turn / last turn of the dialogue), ``distance`` (turns
        since the image was first asked about), ``revisit`` (0 for the first question about it),
        ``n_about`` (images that the turn is about).
    """
    import pandas as pd

    scores = as_scores(scores)
    attrs: dict[str, Any] = {key: scores.attrs[key] for key in ("synthetic", "source") if key in scores.attrs}
    about = _images_of(scores, images)
    if isinstance(images, Benchmark):
        last = images.dialogs["n_turns"]
        attrs |= {"synthetic": images.synthetic or attrs.get("synthetic", False)}
    else:
        last = pd.concat([scores[_KEYS], about[_KEYS]]).dropna().groupby("dialog_id")["turn"].max()
    about["distance"] = about["turn"] - about.groupby(["dialog_id", "image"])["turn"].transform("min")
    about["revisit"] = about.groupby(["dialog_id", "image"]).cumcount()
    about["n_about"] = about.groupby(_KEYS)["image"].transform("size")
    kept = only_dimension(scores, dimension).dropna(subset=["score", "turn"])
    if kept.empty:
        raise DataError("no score says which turn it belongs to; load the scores with benchmark=")
    means = kept.groupby(["model", *_KEYS, "dimension"], as_index=False, sort=False, observed=True)[
        "score"
    ].mean()
    means = means.astype({"turn": "int64"})
    rows = means.merge(about, on=_KEYS, how="left")
    attrs["n_without_image"] = int(rows["image"].isna().sum())
    rows = rows.dropna(subset="image").astype(
        dict.fromkeys(("image", "distance", "revisit", "n_about"), "int64")
    )
    rows["progress"] = rows["turn"] / rows["dialog_id"].map(last)
    rows = rows.assign(judge="mean" if kept["judge"].nunique() > 1 else kept["judge"].iloc[0])
    rows = rows.sort_values(["model", *_KEYS, "image"], kind="stable", ignore_index=True)
    rows.attrs = attrs
    return rows


def _images_of(scores: pd.DataFrame, images: pd.DataFrame | Benchmark | None) -> pd.DataFrame:
    """Give ``dialog_id, turn, image``, each once, in the order of the dialogue."""
    if isinstance(images, Benchmark):
        about = question_images(images)
    elif images is not None:
        require_columns(images, [*_KEYS, "image"], "images, a frame of question_images")
        about = images[[*_KEYS, "image"]]
    elif "images" in scores:
        stated = scores.dropna(subset=["images", "turn"]).drop_duplicates(_KEYS)
        about = stated[_KEYS].assign(image=stated["images"].astype("str").str.split(";")).explode("image")
        about = about.loc[about["image"] != ""].astype({"image": "int64"})
    else:
        raise DataError(
            "nothing says which images a turn is about; give images=, a benchmark or question_images()"
        )
    about = about.drop_duplicates().astype({"turn": "int64"})
    return about.sort_values([*_KEYS, "image"], ignore_index=True)


def _estimate(rows: pd.DataFrame, predictor: str, binary: bool, adjust: bool, ci: float) -> tuple[float, ...]:
    """Fit one estimating equation; NaN where there is nothing to estimate."""
    import numpy as np
    import statsmodels.api as sm

    outcome = rows["score"].to_numpy(float) * (0.1 if binary else 10.0)
    x = rows[predictor].to_numpy(float)
    if rows["dialog_id"].nunique() < 2 or np.ptp(outcome) == 0 or np.ptp(x) == 0:
        return (float("nan"),) * 4
    several = (rows["n_about"] > 1).to_numpy(float)
    terms = [x, several] if adjust and np.ptp(several) else [x]
    model = sm.GEE(
        outcome,
        sm.add_constant(np.column_stack(terms)),
        groups=rows["dialog_id"].to_numpy(),
        family=sm.families.Binomial() if binary else sm.families.Gaussian(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounding in a nearly separated fit; the interval tells it
        fit = model.fit()
    low, high = fit.conf_int(alpha=1 - ci)[1]
    return float(fit.params[1]), float(low), float(high), float(fit.pvalues[1])


def decay_curve(
    scores: pd.DataFrame,
    images: pd.DataFrame | Benchmark | None = None,
    along: str = "distance",
    *,
    dimension: str | None = None,
    ci: float = 0.95,
) -> pd.DataFrame:
    """Average the scores behind `memory_decay` along one of its predictors.

    Parameters
    ----------
    scores, images, dimension, ci
        As in `memory_decay`.
    along : {"distance", "revisit", "turn", "progress"}, default "distance"
        Progress is cut into tenths.

    Returns
    -------
    pandas.DataFrame
        One row a model and step: ``model``, the predictor, and the columns of `summarize_scores`; each
        image that a turn is about counts once, the bands are clustered by dialogue. The last steps are
        taken together so that the last one rests on 20 dialogues at least:
        ``attrs["open_end"]`` is its number, and stands for it and all above.

    Raises
    ------
    DataError
        If `along` is unknown, or as in `memory_decay`.
    """
    import numpy as np

    if along not in (*PREDICTORS, "turn"):
        raise DataError(f"along is {along!r}, expected distance, revisit, turn or progress")
    rows = decay_rows(scores, images, dimension=dimension)
    attrs = dict(rows.attrs)
    if along == "progress":
        rows["progress"] = np.ceil(rows["progress"] * 10 - 1e-9) / 10
    else:
        reach = rows.groupby("dialog_id")[along].max()
        steps = np.arange(int(rows[along].max()) + 1)
        kept = [step for step in steps if (reach >= step).sum() >= min(_FEWEST_DIALOGS, len(reach))]
        attrs["open_end"] = int(kept[-1])
        rows[along] = rows[along].clip(upper=kept[-1])
    frame = summarize_scores(rows, ["model", along], ci=ci)
    frame.attrs |= attrs | {"along": along, "binary": bool(rows["score"].isin((0, 10)).all())}
    return frame
