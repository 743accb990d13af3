"""The effects of fine-tuning on MMDU-45k and of a longer context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import source_of, stamped
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import beside, name_rows
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import ACCESS_COLORS, ACCESS_MARKERS, GREY, points, small
from mmdu_analysis.schema import MMDU

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

QUESTIONS = 1000
"""Number of questions of a benchmark for which plausible noise is computed; the paper doesn't state its number."""


def _mmdu_numbers(_: Any) -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.finetuning import finetuning_gain
    from mmdu_analysis.stats.noise import noise_of_labels

    metrics = list(MMDU.short_names.values())
    gains = finetuning_gain(load_published("main_results"), metrics=metrics)
    gains["noise"] = noise_of_labels(load_published("correctness"))
    gains["noise_basis"] = "labels"
    return stamped(gains.assign(block=gains["base_model"]), source_of("main_results", "correctness"))


def _benchmark_numbers(_: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.finetuning import finetuning_gain
    from mmdu_analysis.stats.noise import noise_of_questions

    parts = []
    for table, number in (("finetuning", 3), ("multi_image", 4)):
        gains = finetuning_gain(load_published(table), reference=None)
        gains = gains.loc[~gains["metric"].isin(["MMDU", "Avg"])]
        parts.append(gains.assign(block=gains["base_model"] + f", Table {number}", source=source_of(table)))
    frame = pd.concat(parts, ignore_index=True)
    frame["noise"] = noise_of_questions(frame["base"], QUESTIONS)
    frame["noise_basis"] = f"{QUESTIONS} questions"
    return frame.assign(synthetic=False)


def _deltas(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw gains from zero, block by block, with a band of plausible noise."""
    blocks = list(frame.groupby("block", sort=False))
    labels: list[str] = []
    row = 0
    for block, part in blocks:
        if labels or len(blocks) > 1:
            labels.append(str(block))
            row += 1
        rows = list(range(row, row + len(part)))
        noise = part["noise"].to_numpy(dtype=float)
        ax.barh(rows, 2 * noise, left=-noise, height=1.0, color="#E4E4E4", lw=0, zorder=0)
        ax.hlines(rows, 0, part["gain"], color=ACCESS_COLORS["finetuned"], lw=points(2))
        ax.plot(
            part["gain"],
            rows,
            ACCESS_MARKERS["finetuned"],
            color=ACCESS_COLORS["finetuned"],
            ms=points(4.5),
            zorder=3,
        )
        for y, line in zip(rows, part.to_dict("records"), strict=True):
            beside(ax, f"{line['gain']:+.1f} from {line['base']:.1f}", y)
        labels += part["metric"].astype(str).tolist()
        row += len(part)
    set_plot_height(ax, 0.45 + 0.165 * len(labels))
    names = {str(block) for block, _ in blocks}
    name_rows(ax, labels, [label in names for label in labels])
    ax.axvline(0, color="black", lw=points(0.8))
    reach = float(max(frame["noise"].max(), frame["gain"].abs().max()))
    ax.set_xlim(min(-float(frame["noise"].max()), float(frame["gain"].min())) - 0.5, reach + 0.7)
    ax.grid(axis="x")
    ax.set_xlabel("change by fine-tuning on MMDU-45k, points")


def _beyond(frame: pd.DataFrame) -> int:
    return int((frame["gain"].abs() > frame["noise"]).sum())


@figure(
    caption="Change of the MMDU scores by fine-tuning on MMDU-45k, with a band of plausible noise",
    numbers=_mmdu_numbers,
    notebook="05_finetuning_and_judges",
    paper="Table 2",
    facts="always",
    size=(3.5, 3.0),
)
def finetuning_mmdu(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the change of each dimension by fine-tuning, from zero.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and metric: ``block``, ``metric``, ``base``, ``finetuned``, ``gain``,
        ``share_closed``, ``reference``, ``noise`` (half width of the band, points).
    """
    _deltas(ax, frame)
    overall = frame.loc[frame["metric"] == "Avg"].to_dict("records")
    parts = [f"{row['base_model']} {row['gain']:+.1f}" for row in overall]
    shares = [
        f"{row['base_model']} {100 * row['share_closed']:.0f}%"
        for row in overall
        if row["share_closed"] == row["share_closed"]
    ]
    reference = frame["reference"].dropna()
    share = f"Share of the distance to {reference.iloc[0]} in Avg: {', '.join(shares)}. " if shares else ""
    return Drawing(
        f"Overall Score after fine-tuning on MMDU-45k: {', '.join(parts)} points",
        f"{_beyond(frame)} of {len(frame)} changes are outside the band.",
        f"{share}Band: differences that two equally good models show in 95% of benchmarks of 110 dialogues, estimated "
        "from right/wrong labels, which vary more than judges' scores; the paper states no errors.",
    )


@figure(
    caption="Change of other benchmarks' scores by fine-tuning on MMDU-45k, with a band of plausible noise",
    numbers=_benchmark_numbers,
    notebook="05_finetuning_and_judges",
    paper="Tables 3 and 4",
    facts="always",
    size=(3.5, 4.2),
)
def finetuning_benchmarks(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the change of each benchmark's score by fine-tuning, from zero.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `finetuning_mmdu`.
    """
    _deltas(ax, frame)
    return Drawing(
        f"Fine-tuning on MMDU-45k and other benchmarks: {frame['gain'].min():+.1f} to {frame['gain'].max():+.1f} points, "
        f"median {frame['gain'].median():+.1f}",
        f"{_beyond(frame)} of {len(frame)} changes are outside the band.",
        f"Band: differences that two equally good models show in 95% of tests on {frame['noise_basis'].iloc[0]} "
        "answered independently; the paper states neither errors nor numbers of questions.",
    )


def _ablation_numbers(_: Any) -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.finetuning import ablation_effects

    effects = ablation_effects(load_published("ablation"))
    return stamped(effects.loc[effects["metric"] == "Avg"].reset_index(drop=True), source_of("ablation"))


@figure(
    caption="Scores at 2k, 4k and 8k tokens of context, before and after fine-tuning",
    numbers=_ablation_numbers,
    notebook="05_finetuning_and_judges",
    paper="Table 5",
    facts="always",
    size=(3.5, 2.3),
)
def context_ablation(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the score at each context length, before and after fine-tuning.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `ablation_effects`, one metric: ``effect``, ``model``, ``before``, ``after``, ``at``,
        ``from_score``, ``to_score``, ``gain``.
    """
    steps = frame.loc[frame["effect"] == "context"]
    settings = list(dict.fromkeys([*steps["before"], *steps["after"]]))
    ends = []
    for number, (model, part) in enumerate(steps.groupby("model", sort=False)):
        access = "finetuned" if number else "open"
        names = [part["before"].iloc[0], *part["after"]]
        scores = [part["from_score"].iloc[0], *part["to_score"]]
        places = [settings.index(name) for name in names]
        ax.plot(
            places,
            scores,
            f"{ACCESS_MARKERS[access]}-",
            color=ACCESS_COLORS[access],
            ms=points(4.5),
            label=model,
        )
        ends.append(f"{scores[0]:.1f} to {scores[-1]:.1f} ({model}, {names[0]} to {names[-1]})")
        for x, score in zip(places, scores, strict=True):
            offset = (0, points(5)) if number else (0, points(-11))
            ax.annotate(
                f"{score:.1f}",
                (x, score),
                offset,
                textcoords="offset points",
                ha="center",
                fontsize=small(),
            )
    training = frame.loc[frame["effect"] == "training"]
    base_end = settings.index(steps.loc[steps["model"] == steps["model"].iloc[0], "after"].iloc[-1])
    for line in training.to_dict("records"):
        x = settings.index(line["at"])
        ax.vlines(x, line["from_score"], line["to_score"], color=GREY, lw=points(0.8), ls=":")
        ax.annotate(
            f"{line['gain']:+.1f}",
            (x, (line["from_score"] + line["to_score"]) / 2),
            (points(5 if x >= base_end else -5), 0),
            textcoords="offset points",
            fontsize=small(),
            color=GREY,
            va="center",
            ha="left" if x >= base_end else "right",
        )
    ax.set_xticks(range(len(settings)), settings)
    ax.set_xlim(-0.35, len(settings) - 0.7)
    ax.set_ylim(0, max(50.0, float(frame["to_score"].max()) * 1.2))
    ax.set_xlabel("context length, tokens")
    ax.set_ylabel("Overall Score, 0-100")
    ax.grid(axis="y")
    return Drawing(
        f"Overall Score with a longer context: {'; '.join(ends)}",
        "Dotted: change by fine-tuning at the same context.",
        f"The base model was not run at {settings[-1]}. One run each; the paper states no errors.",
        legend=True,
    )
