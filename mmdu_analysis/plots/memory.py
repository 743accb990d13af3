"""Memory decay: scores along the dialogue, by kind of question, and the published coefficients."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import main_dimension, own_source, source_of, stamped
from mmdu_analysis.plots._labels import labels
from mmdu_analysis.plots._layout import panels, set_plot_height
from mmdu_analysis.plots._marks import level_note, name_rows, score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, band_line, model_styles, points, small
from mmdu_analysis.schema import MMDU, DataError, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KINDS = {
    "all": {"color": "#555555", "marker": "X", "ls": ":", "label": "all questions"},
    "no image": {"color": "#C9A227", "marker": "^", "ls": "-.", "label": "about no image"},
    "single image": {"color": "#56A0D3", "marker": "o", "ls": "-", "label": "about one image"},
    "multi image": {"color": "#00425F", "marker": "s", "ls": "--", "label": "about several images"},
}
_AXES = {
    "distance": "turns since the first question about the image",
    "progress": "progress through the dialogue (turn / last turn)",
}


def _inputs(study: Any) -> tuple[Any, Any, dict[str, Any], str]:
    """Return scores, benchmark, options (dimension, rubric) and source."""
    if study.scores is None:
        return labels(), None, {"rubric": MMDU}, source_of("correctness")
    options = {"dimension": main_dimension(study), "rubric": study.rubric}
    return study.scores, study.need_benchmark(), options, own_source(study)


def _computed(function: Any, *arguments: Any, **options: Any) -> pd.DataFrame:
    """Return the result of a function of `mmdu_analysis.stats`; raise `NotAvailable` if it can't use the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            return function(*arguments, **options)
        except DataError as error:
            raise NotAvailable(str(error)) from None


def _curve_numbers(study: Any, by: str) -> pd.DataFrame:
    from mmdu_analysis.stats.decay import decay_curve, decay_support

    scores, benchmark, options, source = _inputs(study)
    curve = _computed(decay_curve, scores, benchmark, by, **options)
    support = _computed(decay_support, scores, benchmark, **options)
    shares = support.set_index("fifth")["share_multi"]
    curve = curve.rename(columns={by: "step"}).astype({"step": "float64"})
    curve["share_multi_first"], curve["share_multi_last"] = shares.iloc[0], shares.iloc[-1]
    return stamped(curve, source)


def _lines(frame: pd.DataFrame, ax: Axes) -> Drawing:
    by = str(frame["predictor"].iloc[0])
    styles = model_styles(frame["model"])
    for model, line in frame.groupby("model", sort=False):
        band_line(ax, line["step"], line, styles[str(model)], str(model))
    low, high = frame["step"].min(), frame["step"].max()
    ax.set_xlim(low, max(high, low + 0.1))
    ax.set_ylim(0, 100)
    if by != "progress":
        ax.locator_params(axis="x", integer=True)
    ax.set_xlabel(_AXES[by])
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y")
    first, last = (frame.loc[frame["step"] == end, "mean"] for end in (low, high))
    share = frame.iloc[0]
    open_end = (
        f" The last point includes all from {high:g} on." if frame["open_end"].astype(bool).any() else ""
    )
    several = (
        f"Questions about several images are {100 * share['share_multi_first']:.0f}% of the first and "
        f"{100 * share['share_multi_last']:.0f}% of the last fifth of the turns: see memory_by_kind."
    )
    unit = "% right" if share["dimension"] == "Correct" else " points"
    where = (
        ("in the first tenth", "in the last")
        if by == "progress"
        else ("at first", f"after {high:g} or more turns")
    )
    return Drawing(
        f"{_span(first)}{unit} {where[0]}, {_span(last)} {where[1]}, all kinds of questions mixed",
        "",
        f"{several} {level_note(frame).replace('Lines', 'Bands')}{open_end}",
        legend=True,
    )


def _span(values: pd.Series) -> str:
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low}-{high}"


def _progress_numbers(study: Any) -> pd.DataFrame:
    return _curve_numbers(study, "progress")


@figure(
    caption="Scores along the dialogue, all kinds of questions mixed",
    numbers=_progress_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "dialogs", "main dimension"),
    size=(3.5, 2.2),
)
def memory_decay(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean score of each model along the dialogue.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `decay_curve`, with the predictor as ``step``: ``model``, ``step``, ``dimension``, ``mean``,
        ``low``, ``high``, ``predictor``, ``open_end``, ``ci``, and ``share_multi_first``,
        ``share_multi_last`` of `decay_support`.
    """
    return _lines(frame, ax)


def _distance_numbers(study: Any) -> pd.DataFrame:
    return _curve_numbers(study, "distance")


@figure(
    caption="Scores by the turns since the first question about an image, all kinds of questions mixed",
    numbers=_distance_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "dialogs", "main dimension"),
    size=(3.5, 2.2),
)
def memory_distance(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean score of each model by the turns since the first question about the image.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `memory_decay`.
    """
    return _lines(frame, ax)


def _kind_numbers(study: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.stats.decay import decay_support, decay_verdict
    from mmdu_analysis.stats.decay_kinds import decay_curve_by_kind

    scores, benchmark, options, source = _inputs(study)
    curve = _computed(decay_curve_by_kind, scores, benchmark, **options).assign(part="curve")
    changes = _computed(decay_verdict, scores, benchmark, **options).rename(columns={"change": "mean"})
    support = _computed(decay_support, scores, benchmark, **options)[
        ["single_image", "single_image_late"]
    ].sum()
    changes = changes.assign(n_single=int(support.iloc[0]), n_single_late=int(support.iloc[1]))
    changes["dimension"] = curve["dimension"].iloc[0]
    kept = ["model", "kind", "mean", "low", "high", "n_turns", "n_dialogs", "dimension", "ci", "synthetic"]
    parts = [
        curve[["part", "fifth", *kept]],
        changes[[*kept, "verdict", "conclusion", "delta", "n_single", "n_single_late"]].assign(part="change"),
    ]
    return stamped(pd.concat(parts, ignore_index=True), source)


@figure(
    caption="Scores along the dialogue by kind of question, and the change from the first to the last turn in points",
    numbers=_kind_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "dialogs", "main dimension"),
    size=(7.0, 3.6),
)
def memory_by_kind(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the scores of each kind of question along the dialogue, and the change as a forest plot.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``part`` is ``curve`` (one row per model, ``kind`` and ``fifth`` of the dialogue: ``mean``, ``low``,
        ``high``) or ``change`` (one row per model and kind, with ``all``: ``mean``, ``low`` and ``high`` of
        the change from the first to the last turn in points, ``conclusion``, ``delta``).
    """
    curve, change = (frame.loc[frame["part"] == part] for part in ("curve", "change"))
    models = list(dict.fromkeys(change["model"]))
    parts = panels(ax, len(models), 2, width_ratios=(1, 1), row_height=0.95 + 0.3 / len(models))
    reach = 1.1 * float(change[["low", "high"]].abs().max().max())
    for row, model in enumerate(models):
        left, right = parts[2 * row], parts[2 * row + 1]
        _kind_curves(left, curve.loc[curve["model"] == model])
        _kind_forest(right, change.loc[change["model"] == model])
        left.set_title(model, fontsize=small(), fontweight="bold", pad=points(3))
        right.set_xlim(-reach, reach)
        if row < len(models) - 1:
            left.tick_params(labelbottom=False)
            right.tick_params(labelbottom=False)
    parts[-2].set_xlabel("fifth of the dialogue")
    parts[-1].set_xlabel("change, points")
    delta = float(change["delta"].iloc[0])
    n = int(change.loc[change["kind"] == "all", "n_turns"].max())
    late, single = (int(change[name].iloc[0]) for name in ("n_single_late", "n_single"))
    return Drawing(
        _kind_title(change, delta),
        f"Left: {score_label(frame['dimension'])}. Right: linear change from first to last turn.",
        f"{level_note(change)} n={n:,} turns per model. The change over all questions mixes kinds whose shares change along "
        f"the dialogue. {late} of {single} questions about one image come more than two turns after it: only such questions "
        "could show forgetting.",
        legend=True,
    )


def _kind_curves(ax: Axes, frame: pd.DataFrame) -> None:
    for kind, style in _KINDS.items():
        line = frame.loc[frame["kind"] == kind]
        if line.empty:
            continue
        ax.vlines(
            line["fifth"],
            line["low"].astype(float),
            line["high"].astype(float),
            color=style["color"],
            lw=points(1),
        )
        ax.plot(
            line["fifth"],
            line["mean"],
            color=style["color"],
            ls=style["ls"],
            marker=style["marker"],
            ms=points(3.5),
            label=style["label"],
        )
    ax.set_ylim(0, 100)
    ax.set_xlim(0.7, 5.3)
    ax.set_xticks(range(1, 6))
    ax.grid(axis="y")


def _kind_forest(ax: Axes, frame: pd.DataFrame) -> None:
    kinds = [kind for kind in _KINDS if kind in set(frame["kind"])]
    for row, kind in enumerate(kinds):
        style, line = _KINDS[kind], frame.loc[frame["kind"] == kind].iloc[0]
        ax.hlines(row, float(line["low"]), float(line["high"]), color=style["color"], lw=points(1.5))
        ax.plot(
            line["mean"], row, style["marker"], color=style["color"], ms=points(4.5), label=style["label"]
        )
        ax.annotate(
            f"{line['mean']:+.0f}",
            (line["mean"], row),
            (0, points(4)),
            textcoords="offset points",
            ha="center",
            fontsize=small(),
            color=GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
        )
    ax.axvline(0, color="black", lw=points(0.7), zorder=0)
    ax.set_yticks([])
    ax.set_ylim(len(kinds) - 0.5, -0.8)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def _kind_title(change: pd.DataFrame, delta: float) -> str:
    """Return a title; it excludes a decrease of `delta` points only if the data do so for each kind and model."""
    conclusions = change.drop_duplicates("model")["conclusion"].tolist()
    within = change.loc[change["kind"] != "all"]
    raw = change.loc[change["kind"] == "all", "mean"]
    if set(conclusions) == {"no fall"}:
        return f"Within kinds of questions, a decrease of {delta:g} points is excluded"
    if set(conclusions) == {"fall"}:
        return "Scores decrease along the dialogue, also within kinds of questions"
    parts = []
    for kind in ("single image", "multi image"):
        rows = within.loc[within["kind"] == kind]
        if len(rows):
            parts.append(f"{rows['mean'].min():+.0f} to {rows['mean'].max():+.0f} {_KINDS[kind]['label']}")
    if len(change["model"].unique()) == 1:
        parts = [f"{row['mean']:+.0f} {_KINDS[row['kind']]['label']}" for row in within.to_dict("records")]
        return f"Change along the dialogue: {raw.iloc[0]:+.0f} points over all questions; {', '.join(parts)}"
    return f"Change along the dialogue: {raw.min():+.0f} to {raw.max():+.0f} points over all questions; {', '.join(parts)}"


def _published_numbers(_: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.decay import memory_decay as estimate

    columns = ["model", "predictor", "coef", "low", "high"]
    published = load_published("published_decay")[columns].assign(estimate="published")
    parts = [published]
    for weights in ("image", "turn"):
        found = _computed(estimate, labels(), weights=weights)
        found = found.loc[
            found["predictor"] == "progress", [*columns, "n_rows", "n_dialogs", "ci", "synthetic"]
        ]
        parts.append(found.assign(estimate=f"one row per {weights}"))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.loc[frame["model"].isin(set.intersection(*(set(part["model"]) for part in parts)))]
    return stamped(frame.reset_index(drop=True), source_of("published_decay", "correctness"))


@figure(
    caption="The published coefficients of memory decay, reproduced, and with one row per turn",
    numbers=_published_numbers,
    notebook="03_model_scores",
    facts="always",
    size=(3.5, 1.9),
)
def memory_published(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the published and the recomputed coefficients of progress.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and ``estimate`` (``published``, ``one row per image``, ``one row per turn``):
        ``model``, ``coef``, ``low``, ``high`` (log-odds from the start to the end of a dialogue),
        ``n_dialogs``, ``ci``.
    """
    models = list(dict.fromkeys(frame["model"]))
    looks = {
        "published": ("D", "#A0A0A0", -0.24),
        "one row per image": ("o", "#0072B2", 0.0),
        "one row per turn": ("s", "#4B2E83", 0.24),
    }
    set_plot_height(ax, 0.45 + 0.38 * len(models))
    for name, (marker, color, shift) in looks.items():
        part = frame.loc[frame["estimate"] == name]
        rows = [models.index(model) + shift for model in part["model"]]
        ax.hlines(rows, part["low"], part["high"], color=color, lw=points(1.6))
        ax.plot(part["coef"], rows, marker, color=color, ms=points(4.5), label=name)
    name_rows(ax, models)
    ax.axvline(0, color="black", lw=points(0.7))
    ax.grid(axis="x")
    ax.set_xlabel("coefficient of progress, log-odds")
    wide = frame.pivot(index="model", columns="estimate", values="coef")
    distance = (wide["published"] - wide["one row per image"]).abs().max()
    matches = "are reproduced" if distance < 0.0015 else f"differ by up to {distance:.3f}"
    return Drawing(
        f"The published coefficients of {len(models)} models {matches}",
        "All kinds of questions mixed.",
        "Published: one row for each image of a turn, so turns about several images count several times. Lines: 95% "
        "intervals. The coefficient does not measure forgetting: see memory_by_kind.",
        legend=True,
    )
