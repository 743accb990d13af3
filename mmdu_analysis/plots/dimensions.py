"""All models in all dimensions: as a table of colours, and as one small profile for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import model_scores
from mmdu_analysis.plots._layout import columns_that_fit, panels, set_plot_height
from mmdu_analysis.plots._marks import access_style, own_note, plural
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import points, small
from mmdu_analysis.schema import MMDU

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DARK = 65
"""Score from which the text of a cell of the heat map is white."""


def _order(frame: pd.DataFrame) -> list[str]:
    """Return the models, the highest in the last dimension (the overall score if there is one) first."""
    last = frame["dimension"].iloc[-1]
    top = frame.loc[frame["dimension"] == last].sort_values("mean", ascending=False, kind="stable")
    rest = [model for model in dict.fromkeys(frame["model"]) if model not in set(top["model"])]
    return [*top["model"], *rest]


@figure(
    caption="All models in all dimensions",
    numbers=model_scores,
    notebook="03_model_scores",
    paper="Table 2",
    facts="scores",
    needs=("judged dimensions",),
    size=(3.5, 3.0),
)
def dimension_heatmap(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the scores of all models in all dimensions as a table of colours.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and dimension: ``model``, ``access``, ``dimension``, ``short``, ``mean``, ``own``,
        ``judge``. The last dimension orders the models.
    """
    import seaborn as sns

    models, shorts = _order(frame), list(dict.fromkeys(frame["short"]))
    set_plot_height(ax, max(1.0, 0.35 + 0.165 * len(models)))
    wide = frame.pivot(index="model", columns="short", values="mean").loc[models, shorts]
    figure_: Any = ax.figure
    digits = 1 if figure_.get_figwidth() / points(1) > 1.2 + 0.24 * len(shorts) else 0
    sns.heatmap(
        wide.astype(float),
        ax=ax,
        cmap=sns.color_palette("blend:#FFFFFF,#00425F", as_cmap=True),
        vmin=0,
        vmax=100,
        cbar=False,
        annot=wide.map(lambda value: "" if value != value else f"{value:.{digits}f}").to_numpy(),
        fmt="",
        annot_kws={"fontsize": small()},
        linewidths=points(0.5),
        linecolor="white",
    )
    shown = [value for value in wide.to_numpy(dtype=float).ravel() if value == value]  # others have no text
    for text, value in zip(ax.texts, shown, strict=True):
        text.set_color("white" if value > _DARK else "black")
    if shorts[-1] == "Avg":
        ax.axvline(len(shorts) - 1, color="white", lw=points(3))
    facts = frame.drop_duplicates("model").set_index("model").loc[models]
    labels = [f"{model} {_sign(access)}" for model, access in zip(models, facts["access"], strict=True)]
    ax.set_yticks([row + 0.5 for row in range(len(models))], labels, rotation=0)
    for tick, access, own in zip(
        ax.get_yticklabels(), facts["access"], facts["own"].astype(bool), strict=True
    ):
        tick.set_color(access_style(access)["color"])
        tick.set_fontweight("bold" if own else "normal")
    ax.tick_params(length=0)
    ax.tick_params(axis="x", rotation=0)
    ax.set(xlabel="", ylabel="")
    return Drawing(
        f"Scores of {plural(len(models), 'model')} in {plural(len(shorts), 'dimension')}",
        _signs(facts["access"]),
        f"{_average_note(shorts)} {own_note(frame)}".strip(),
    )


_SIGNS = {"closed": "c", "open": "o", "finetuned": "f"}


def _sign(access: object) -> str:
    return _SIGNS.get(str(access), "")


def _signs(accesses: pd.Series) -> str:
    """Return a subtitle with the meaning of the signs that are shown."""
    words = [f"{sign} {access}" for access, sign in _SIGNS.items() if (accesses == access).any()]
    shown = f"; after the name: {', '.join(words)}" if words else ""
    return f"Points on 0-100{shown.replace('finetuned', 'fine-tuned')}."


def _average_note(shorts: list[str]) -> str:
    return "Avg is the judge's own score, not the mean of the six." if "Avg" in shorts else ""


def _profile_numbers(study: Any) -> pd.DataFrame:
    rows = model_scores(study)
    several = rows["dimension"].nunique() > 2 and (rows["dimension"] != MMDU.overall).sum() > 2
    if not several:
        from mmdu_analysis.schema import NotAvailable

        raise NotAvailable("a profile needs three dimensions or more")
    return rows


@figure(
    caption="The dimensions of each model as a small profile, with all other models in grey",
    numbers=_profile_numbers,
    notebook="03_model_scores",
    paper="Table 2",
    facts="scores",
    needs=("judged dimensions",),
    size=(7.0, 2.4),
)
def dimension_profiles(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the dimensions of each model in a separate panel, with the other models in grey.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `dimension_heatmap`. The overall score orders the panels and is not drawn.
    """
    overall = frame["dimension"].iloc[-1] if MMDU.overall in set(frame["dimension"]) else None
    kept = frame.loc[frame["dimension"] != overall]
    shorts = list(dict.fromkeys(kept["short"]))
    wide = kept.pivot(index="model", columns="short", values="mean")[shorts].astype(float)
    models = [model for model in _order(frame) if model in wide.index]  # others have the overall score only
    facts = frame.drop_duplicates("model").set_index("model")
    columns = columns_that_fit(ax, 1.05, len(models))
    rows = -(-len(models) // columns)
    parts = panels(ax, rows, columns, sharex=True, sharey=True, row_height=0.95)
    positions = list(range(len(shorts)))
    for part, model in zip(parts, models, strict=False):
        for other in wide.index:
            part.plot(positions, wide.loc[other], color="#D0D0D0", lw=points(0.6), zorder=1)
        style = access_style(facts.loc[model, "access"])
        part.plot(
            positions,
            wide.loc[model],
            color=style["color"],
            marker=style["marker"],
            ms=points(2.5),
            lw=points(1.4),
            label=style["label"],
            zorder=3,
        )
        weight = "bold" if facts.loc[model, "own"] else "normal"
        part.set_title(model.replace("+MMDU", "\n+MMDU"), fontsize=small(), fontweight=weight, pad=points(2))
        part.set_ylim(0, 100)
        part.set_yticks([0, 50, 100])
        part.set_xticks(positions, shorts, rotation=90)
        part.grid(axis="y")
    for part in parts[len(models) :]:
        part.set_axis_off()
    for number in range(max(0, len(models) - columns), len(models)):
        parts[number].tick_params(labelbottom=True)
    note = f"n={len(models)} models, in the order of {overall or frame['dimension'].iloc[-1]}. {own_note(frame)}".strip()
    return Drawing(
        f"The {len(shorts)} dimensions of {plural(len(models), 'model')}",
        "Points on 0-100; grey: all models.",
        note,
        legend=True,
    )
