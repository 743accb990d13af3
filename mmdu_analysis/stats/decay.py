"""Memory decay: how scores change along the dialogue, and with the time since an image was shown."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.schema import MMDU, QUESTION_KINDS, DataError, Rubric
from mmdu_analysis.stats.decay_data import KEYS, PREDICTORS, Weights, decay_rows, is_binary
from mmdu_analysis.stats.resampling import FEW_DIALOGS
from mmdu_analysis.stats.scores import summarize_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.stats.decay_data import Images


def memory_decay(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    *,
    by: Literal["kind"] | None = None,
    weights: Weights = "turn",
    dimension: str | None = None,
    adjust: bool = False,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate how a model's scores change through a dialogue, one predictor at a time.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or a person's labels such as ``load_published("correctness")``.
    benchmark : Benchmark, path, name or pandas.DataFrame, optional
        The images that each turn is about: a benchmark, or a frame from `question_images`. By default the
        scores' own column ``images`` (``2;5``), which a person's labels have.
    by : {"kind"}, optional
        Estimate for each kind of question separately.
    weights : {"turn", "image"}, default "turn"
        ``turn``: one row per turn; its distance and revisit are the means over the images that it is about.
        ``image``: one row per image that a turn is about, so that a turn about ten images counts ten times.
        This is the definition of the published coefficients.
    dimension : str, optional
        Name or short name; by default the overall score, or the only dimension.
    adjust : bool, default False
        Adjust for whether the question is about one image or several.
    ci : float, default 0.95
        Width of the interval.
    rubric : Rubric, optional
        The rubric of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per model and predictor (and kind): ``model``, ``predictor``, ``coef``, ``low``, ``high``,
        ``p_value``, ``n_rows``, ``n_dialogs``, ``se``, ``kind`` (``all`` without `by`), ``scale``,
        ``weights``, ``adjusted``, ``n_without_image`` (scored turns about no image, left out), ``note``,
        ``ci``, ``synthetic``. ``scale`` is ``log-odds`` for right-or-wrong outcomes and ``points`` (0-100)
        otherwise; the coefficient is for a step of one: from the first to the last turn (``progress``), a
        turn (``distance``), a question about the image (``revisit``). Negative is worse. NA where the scores
        or the predictor don't vary or there is one dialogue only.

    Raises
    ------
    DataError
        If nothing tells which images the turns are about, or no scored turn has a number.

    See Also
    --------
    decay_verdict : What may be concluded, by kind of question.
    decay_support : How much the data can tell.

    Notes
    -----
    A generalised estimating equation for each predictor alone, exchangeable within a dialogue (statsmodels),
    as in the repository Baozpy/Analysis_VLM_memory_decay (2026). With ``weights="turn"`` the errors are the
    bias-reduced sandwich of Mancl and DeRouen (2001, Biometrics 57:1) with Student's t and one degree of
    freedom less than there are dialogues; the plain sandwich with the normal distribution, which the
    published intervals use and ``weights="image"`` reproduces, finds a change where there is none in 13 % of
    the data sets with 10 dialogues and 8 % with 110, instead of 5 %.

    A fall along the dialogue is not forgetting: MMDU's late questions ask about several images at once,
    which is harder at any turn. ``by="kind"`` and ``adjust=True`` compare questions of the same kind.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> decay = memory_decay(load_published("correctness"), weights="image")
    >>> decay["coef"].round(3).tolist()[:1]
    [-1.042]
    """
    import pandas as pd

    if by not in (None, "kind") or weights not in ("turn", "image"):
        raise DataError(
            f"by is {by!r} and weights {weights!r}, expected by='kind' and weights 'turn' or 'image'"
        )
    rows = decay_rows(scores, benchmark, weights=weights, dimension=dimension, rubric=rubric)
    binary = is_binary(rows["points"])
    results = []
    for model, kind, part in _parts(rows, by):
        for predictor in PREDICTORS:
            fit = _fit(part, predictor, binary=binary, adjust=adjust, robust=weights == "turn", ci=ci)
            results.append({"model": model, "predictor": predictor, "kind": kind} | fit)
    frame = pd.DataFrame(results).assign(scale="log-odds" if binary else "points", weights=weights)
    without = rows.groupby("model")["n_without_image"].first()
    frame = frame.assign(adjusted=adjust, n_without_image=frame["model"].map(without), ci=ci)
    frame["synthetic"] = frame["model"].map(rows.groupby("model")["synthetic"].any())
    first = ["model", "predictor", "coef", "low", "high", "p_value", "n_rows", "n_dialogs", "se", "kind"]
    text = dict.fromkeys(("model", "predictor", "kind", "note"), "str")
    return frame[
        [*first, "scale", "weights", "adjusted", "n_without_image", "note", "ci", "synthetic"]
    ].astype(text)


def _parts(rows: pd.DataFrame, by: str | None) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the rows of each model, and of each kind of question."""
    models = rows.groupby("model", sort=False, observed=True)
    if by is None:
        return [(str(model), "all", part) for model, part in models]
    return [
        (str(model), kind, part.loc[part["kind"] == kind])
        for model, part in models
        for kind in QUESTION_KINDS
        if (part["kind"] == kind).any()
    ]


def _fit(
    rows: pd.DataFrame, predictor: str, *, binary: bool, adjust: bool, robust: bool, ci: float
) -> dict[str, Any]:
    """Fit one estimating equation; NaN and a note if nothing can be estimated."""
    import numpy as np
    import statsmodels.api as sm

    outcome = rows["points"].to_numpy(float) / (100.0 if binary else 1.0)
    x = rows[predictor].to_numpy(float)
    n_dialogs = int(rows["dialog_id"].nunique())
    nothing = dict.fromkeys(("coef", "low", "high", "p_value", "se"), float("nan"))
    counts = {"n_rows": len(rows), "n_dialogs": n_dialogs}
    if n_dialogs < 2 or np.ptp(outcome) == 0 or np.ptp(x) == 0:
        reason = "one dialogue" if n_dialogs < 2 else "the scores or the predictor do not vary"
        return nothing | counts | {"note": f"{reason}: no estimate"}
    several = (rows["n_referenced"] > 1).to_numpy(float)
    terms = [x, several] if adjust and np.ptp(several) else [x]
    model = sm.GEE(
        outcome,
        sm.add_constant(np.column_stack(terms)),
        groups=rows["dialog_id"].to_numpy(),
        family=sm.families.Binomial() if binary else sm.families.Gaussian(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounding in a nearly separated fit, which has a wide interval
        fit = model.fit(cov_type="bias_reduced" if robust else "robust")
    few = f"based on only {n_dialogs} dialogues" if n_dialogs < FEW_DIALOGS else ""
    found = _tested(float(fit.params[1]), float(fit.bse[1]), n_dialogs if robust else None, ci)
    return found | counts | {"note": few}


def _tested(coef: float, se: float, n_dialogs: int | None, ci: float) -> dict[str, float]:
    """Return interval and p-value by Student's t with G-1 degrees of freedom, or the normal distribution."""
    from scipy.stats import norm, t

    reference = norm if n_dialogs is None else t(n_dialogs - 1)
    reach = float(reference.ppf((1 + ci) / 2)) * se
    p_value = float(2 * reference.sf(abs(coef) / se)) if se > 0 else float("nan")
    return {"coef": coef, "low": coef - reach, "high": coef + reach, "p_value": p_value, "se": se}


def decay_verdict(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    *,
    delta: float = 5.0,
    dimension: str | None = None,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate the change from the first to the last turn, in points, with a conclusion.

    Parameters
    ----------
    scores, benchmark, dimension, ci, rubric
        As in `memory_decay`.
    delta : float, default 5
        The smallest relevant decrease in points. ``no fall`` is concluded only if the data excludes a
        decrease of this size for each kind of question.

    Returns
    -------
    pandas.DataFrame
        One row per model and kind of question, and one of ``all`` kinds together (the raw change): ``model``,
        ``kind``, ``change`` (points on 0-100 from the first to the last turn), ``se``, ``low``, ``high``,
        ``p_value``, ``n_turns``, ``n_dialogs``, ``verdict`` of the row (``fall``: the interval is below 0;
        ``no fall``: its lower limit is above -`delta`; else ``undecided``), ``conclusion`` of the model
        (``fall`` or ``no fall`` only if all its kinds have this verdict), ``delta``, ``note``, ``ci``,
        ``synthetic``.

    Notes
    -----
    A linear estimating equation of the points on progress, one row per turn, exchangeable within a dialogue,
    with bias-reduced errors and Student's t: slopes in points also for right-or-wrong outcomes. The row
    ``all`` mixes kinds of questions whose share changes along the dialogue, so it is not used for the
    conclusion.
    """
    import pandas as pd

    rows = decay_rows(scores, benchmark, dimension=dimension, rubric=rubric)
    results = []
    for by in (None, "kind"):
        for model, kind, part in _parts(rows, by):
            fit = _fit(part, "progress", binary=False, adjust=False, robust=True, ci=ci)
            results.append({"model": model, "kind": kind} | fit)
    frame = pd.DataFrame(results).rename(columns={"coef": "change", "n_rows": "n_turns"})
    frame["verdict"] = "undecided"
    frame.loc[frame["low"] > -delta, "verdict"] = "no fall"
    frame.loc[frame["high"] < 0, "verdict"] = "fall"
    kinds = frame.loc[frame["kind"] != "all"]
    agreed = kinds.groupby("model")["verdict"].agg(
        lambda all_: all_.iloc[0] if all_.nunique() == 1 else "undecided"
    )
    frame["conclusion"] = frame["model"].map(agreed)
    frame["synthetic"] = frame["model"].map(rows.groupby("model")["synthetic"].any())
    first = ["model", "kind", "change", "se", "low", "high", "p_value", "n_turns", "n_dialogs", "verdict"]
    frame = frame.assign(delta=float(delta), ci=ci)[
        [*first, "conclusion", "delta", "note", "ci", "synthetic"]
    ]
    text = dict.fromkeys(("model", "kind", "verdict", "conclusion", "note"), "str")
    order = {model: position for position, model in enumerate(rows["model"].unique())}
    return frame.sort_values(
        "model", key=lambda names: names.map(order), kind="stable", ignore_index=True
    ).astype(text)


def decay_support(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    *,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Count the turns that can separate forgetting from other changes along the dialogue.

    Parameters
    ----------
    scores, benchmark, dimension, rubric
        As in `memory_decay`.

    Returns
    -------
    pandas.DataFrame
        One row per fifth of the dialogues (``fifth`` 1-5): ``n_turns``, ``single_image``, ``multi_image``
        (turns of that kind), ``share_multi`` (0-1), ``single_image_late`` (turns about one image that was
        first asked about more than two turns before), ``n_dialogs``, ``synthetic``. A turn counts once,
        independent of the number of models.

    Notes
    -----
    Only questions about one image long after it was shown could show forgetting; if there are few, the data
    is not informative about it, whatever the slope.
    """
    import numpy as np

    rows = decay_rows(scores, benchmark, dimension=dimension, rubric=rubric)
    turns = rows.drop_duplicates(KEYS)
    single = turns["kind"] == "single image"
    turns = turns.assign(
        fifth=np.ceil(turns["progress"] * 5 - 1e-9).astype("int64").clip(1, 5),
        single_image=single,
        multi_image=turns["kind"] == "multi image",
        late=single & (turns["distance"] > 2),
    )
    frame = turns.groupby("fifth").agg(
        n_turns=("turn", "size"),
        single_image=("single_image", "sum"),
        multi_image=("multi_image", "sum"),
        single_image_late=("late", "sum"),
        n_dialogs=("dialog_id", "nunique"),
        synthetic=("synthetic", "any"),
    )
    frame.insert(3, "share_multi", frame["multi_image"] / frame["n_turns"])
    return frame.reset_index()


def decay_curve(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    by: Literal["distance", "revisit", "turn", "progress"] = "distance",
    *,
    weights: Weights = "turn",
    dimension: str | None = None,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Average the scores of `memory_decay` along one of its predictors.

    Parameters
    ----------
    scores, benchmark, weights, dimension, ci, rubric
        As in `memory_decay`.
    by : {"distance", "revisit", "turn", "progress"}, default "distance"
        Progress is divided into tenths; means of distances and revisits are rounded.

    Returns
    -------
    pandas.DataFrame
        One row per model and step: ``model``, the predictor, the columns of `summarize_scores`, and
        ``predictor``, ``open_end``, ``outcome`` (``labels`` or ``scores``), ``weights``. The last steps are
        merged so that the last one has at least 20 dialogues; ``open_end`` is True for that step, which
        includes all above.

    Raises
    ------
    DataError
        If `by` is unknown, or as in `memory_decay`.
    """
    import numpy as np

    if by not in (*PREDICTORS, "turn"):
        raise DataError(f"by is {by!r}, expected distance, revisit, turn or progress")
    rows = decay_rows(scores, benchmark, weights=weights, dimension=dimension, rubric=rubric)
    # The rows of a turn, one for each image, are not repeated judgements: they differ in `judge`.
    rows = rows.assign(judge=rows["image"].astype("str") if "image" in rows else "mean")
    end: float | None = None
    if by == "progress":
        rows["progress"] = np.ceil(rows["progress"] * 10 - 1e-9) / 10
    else:
        rows[by] = np.floor(rows[by] + 0.5).astype("int64")
        end = _last_step(rows, by)
        rows[by] = rows[by].clip(upper=end)
    outcome = "labels" if is_binary(rows["points"]) else "scores"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the notes of the rows mention steps with few dialogues
        frame = summarize_scores(rows, ["model", by], ci=ci, rubric=rubric)
    frame["open_end"] = (frame[by] == end) if end is not None else False
    return frame.assign(predictor=by, outcome=outcome, weights=weights)


def _last_step(rows: pd.DataFrame, by: str) -> int:
    """Return the highest step that 20 dialogues (or all, if there are fewer) reach."""
    import numpy as np

    reach = rows.groupby("dialog_id")[by].max()
    steps: np.ndarray = np.arange(int(rows[by].max()) + 1)
    return int(max(step for step in steps if (reach >= step).sum() >= min(FEW_DIALOGS, len(reach))))
