"""Tokens of images in each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import write_out_powers
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, HIGHLIGHT, OURS, PAPER, points, small
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

_ALLOWED = (441, 507)
"""Tokens per image that are consistent with the rounded numbers of the paper."""


def _images(study: Study) -> tuple[pd.DataFrame, str, str, int, bool]:
    """Return images, a description of their sizes, their source, the number of dialogues, and whether they are synthetic."""
    if study.benchmark is None:
        source = published_tables().loc["measured_images", "source"]
        dialogs = len(load_published("measured_dialogs"))
        return load_published("measured_images"), "original sizes", source, dialogs, False
    bench = study.benchmark
    synthetic = is_synthetic(bench.dialogs)
    return bench.images, "sizes of the supplied files", bench.name, len(bench.dialogs), synthetic


def _image_tokens(study: Study) -> pd.DataFrame:
    """Return the tokens of each image, one row per image and model; one row per model if all images have the same number."""
    import pandas as pd

    from mmdu_analysis.stats.tokens import FALLBACK_SIZE, IMAGE_TOKEN_MODELS, image_tokens

    images, sizes, source, _, synthetic = _images(study)
    known = images["width"].notna() & images["height"].notna()
    parts = []
    for model, rule in IMAGE_TOKEN_MODELS.items():
        tokens = image_tokens(images, model)
        if rule.uses_size:
            part = images.loc[known, ["dialog_id", "image"]].assign(tokens=tokens.loc[known])
        else:
            part = pd.DataFrame({"dialog_id": [None], "image": [float("nan")], "tokens": [tokens.iloc[0]]})
        parts.append(part.assign(model=model, by_size=rule.uses_size))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(
        n_images=len(images),
        n_unknown=int((~known).sum()),
        fallback="x".join(map(str, FALLBACK_SIZE)),
        sizes=sizes,
        source=source,
        synthetic=synthetic,
    )


@figure(
    caption="Tokens of each image in each model, compared with the paper's 471",
    numbers=_image_tokens,
    notebook="01_dataset_statistics",
    facts="benchmark",
    needs=("benchmark", "image sizes"),
    size=(3.5, 2.4),
)
def image_tokens(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the tokens of every image in each model on a logarithmic axis.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and image: ``model``, ``tokens``, ``by_size`` (bool; False: one row, all images have
        the same number), ``sizes`` (which sizes of the pictures), ``n_images``, ``n_unknown``.
    """
    order = list(frame.groupby("model")["tokens"].median().sort_values(kind="stable").index)
    set_plot_height(ax, 0.5 + 0.2 * len(order))
    ax.set_xscale("log")
    write_out_powers(ax.xaxis)
    ax.axvspan(*_ALLOWED, color=HIGHLIGHT, alpha=0.35, lw=0, zorder=0)
    by_size = frame.loc[frame["by_size"].astype(bool)]
    models = [model for model in order if (by_size["model"] == model).any()]
    boxes = ax.boxplot(
        [by_size.loc[by_size["model"] == model, "tokens"].astype(float) for model in models],
        positions=[order.index(model) for model in models],
        orientation="horizontal",
        whis=(0, 100),
        widths=0.6,
        manage_ticks=False,
    )
    for artist in (line for lines in boxes.values() for line in lines):
        artist.set(color=OURS, linewidth=points(0.9))
    for row in frame.loc[~frame["by_size"].astype(bool)].itertuples():
        color = PAPER if row.model == "paper" else OURS
        ax.plot(row.tokens, order.index(row.model), "D", color=color, ms=points(4))
    medians = frame.groupby("model")["tokens"].median()
    right = frame["tokens"].max() * 1.25
    for height, model in enumerate(order):
        ax.annotate(
            f"{medians[model]:,.0f}", (right, height), va="center", ha="left", fontsize=small(), color=GREY
        )
    ax.set_xlim(frame["tokens"].min() / 1.4, right * 3)
    ax.set_xlabel("tokens of an image (logarithmic)")
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    first = frame.iloc[0]
    unknown = (
        f" {first['n_unknown']} of them have no known size and are left out." if first["n_unknown"] else ""
    )
    return Drawing(
        f"Tokens of an image by model: medians from {medians.min():,.0f} to {medians.max():,.0f}",
        f"For the {first['sizes']}; box: quartiles, whiskers: all images, diamond: the same for every image",
        f"Numbers: medians. Shaded: {_ALLOWED[0]}-{_ALLOWED[1]}, consistent with the rounding of the paper's "
        f"estimate of 471. n={first['n_images']} images.{unknown}",
    )


def _by_estimator(study: Study) -> pd.DataFrame:
    """Return the mean tokens of a dialogue by estimator, text and images."""
    from mmdu_analysis.stats.tokens import tokens_by_image_model

    images, sizes, source, n_dialogs, synthetic = _images(study)
    table = load_published("statistics").set_index(["dataset", "statistic"])["average"]
    if study.benchmark is None:
        text, origin = float(table[("MMDU", "text_tokens")]), "the paper's mean (Table 1)"
    else:
        text, origin = float(study.lengths()["text_tokens"].mean()), "measured"
    frame = tokens_by_image_model(images, text, n_dialogs).rename(columns={"image_model": "model"})
    return frame.assign(
        published=float(table[("MMDU", "image_text_tokens")]),
        text_origin=origin,
        n_dialogs=n_dialogs,
        n_images=len(images),
        sizes=sizes,
        source=source,
        synthetic=synthetic,
    )


@figure(
    caption="Mean tokens of a dialogue, text and images, by image-token estimator",
    numbers=_by_estimator,
    notebook="01_dataset_statistics",
    facts="benchmark",
    needs=("benchmark", "references", "image sizes"),
    size=(3.5, 2.4),
)
def tokens_by_estimator(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean tokens of a dialogue as stacked bars, one for each image-token estimator.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``model``, ``text``, ``images``, ``total``, ``published``; ``sizes`` and ``text_origin`` for the note.
    """
    set_plot_height(ax, 0.5 + 0.2 * len(frame))
    names = frame["model"].astype(str).tolist()
    ax.barh(names, frame["text"], color=PAPER, height=0.65, label="text")
    bars = ax.barh(names, frame["images"], left=frame["text"], color=OURS, height=0.65, label="images")
    labels = [f"{total:,.0f}" for total in frame["total"]]
    for text in ax.bar_label(bars, labels, fontsize=small(), padding=points(3)):
        text.set_bbox(
            {"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": points(0.5)}
        )  # above the line
    published = float(frame["published"].iloc[0])
    ax.axvline(
        published, color=HIGHLIGHT, lw=points(1.2), zorder=0, label=f"published mean: {published:,.0f}"
    )
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, frame["total"].max() * 1.22)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("mean tokens of a dialogue")
    low, high = frame["total"].min(), frame["total"].max()
    first = frame.iloc[0]
    return Drawing(
        f"The estimator changes the mean length of a dialogue by a factor of {high / low:.1f}",
        f"Images by the {first['sizes']}",
        f"Text: {first['text_origin']}. n={first['n_dialogs']} dialogues, {first['n_images']} images.",
        legend=True,
    )
