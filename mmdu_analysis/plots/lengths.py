"""Lengths of texts in tokens, as cumulative distributions with the published means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import DASHES, GREY, OURS, points
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study


def _with_published(frame: pd.DataFrame, unit: str, dataset: str, statistic: str) -> pd.DataFrame:
    """Return lengths with the published mean and maximum of a row of Table 1 as columns."""
    table = load_published("statistics").set_index(["dataset", "statistic"]).loc[(dataset, statistic)]
    return frame.assign(
        unit=unit,
        published=dataset,
        published_mean=float(table["average"]),
        published_maximum=float(table["maximum"]),
    )


def _text_tokens(study: Study) -> pd.DataFrame:
    lengths = study.lengths()
    frame = lengths[["text_tokens"]].rename(columns={"text_tokens": "tokens"}).reset_index()
    frame = frame.assign(source=study.name, synthetic=study.synthetic, n_missing=0)
    return _with_published(frame, "dialogues", "MMDU", "text_tokens")


def _turn_lengths(field: str) -> Callable[[Study], pd.DataFrame]:
    """Return the function that measures every question or every reference."""

    def numbers(study: Study) -> pd.DataFrame:
        return _with_published(_measured(study, field), f"{field}s", "MMDU-45k", f"{field}_length")

    return numbers


def _measured(study: Study, field: str) -> pd.DataFrame:
    if study.benchmark is None:
        table = load_published("measured_questions")
        source = published_tables().loc["measured_questions", "source"]
        table = table.rename(columns={"reference_tokens": "answer_tokens"})
        synthetic = False
    else:
        from mmdu_analysis.stats.dataset import answer_tokens, question_tokens

        table = question_tokens(study.benchmark)
        table["answer_tokens"] = answer_tokens(study.benchmark)
        source, synthetic = study.benchmark.name, is_synthetic(study.benchmark.dialogs)
    frame = table[["dialog_id", "turn", f"{field}_tokens"]].rename(columns={f"{field}_tokens": "tokens"})
    missing = int(frame["tokens"].isna().sum())
    frame = frame.dropna(subset="tokens").astype({"tokens": "int64"}).reset_index(drop=True)
    return frame.assign(source=source, synthetic=synthetic, n_missing=missing)


def _draw(frame: pd.DataFrame, ax: Axes, what: str) -> Drawing:
    """Draw the cumulative distribution, its mean, and the published mean and maximum."""
    import seaborn as sns

    tokens = frame["tokens"].astype(float)
    first = frame.iloc[0]
    sns.ecdfplot(x=tokens.to_numpy(), stat="percent", color=OURS, ax=ax)
    lines: dict[str, tuple[float, str, Any]] = {
        f"mean {tokens.mean():,.0f}": (tokens.mean(), OURS, DASHES[1])
    }
    for name, column, dash in (("mean", "published_mean", 3), ("longest", "published_maximum", 2)):
        value = float(first[column])
        if value == value:
            lines[f"published {name} of {first['published']}: {value:,.0f}"] = (value, GREY, DASHES[dash])
    for label, (value, color, dash) in lines.items():
        ax.axvline(value, color=color, ls=dash, lw=points(1), label=label)
    ax.set_xlim(0, 1.04 * max(tokens.max(), *(value for value, *_ in lines.values())))
    ax.set_ylim(0, 102)
    ax.set_xlabel(f"{what}, o200k_base tokens")
    ax.set_ylabel(f"% of {first['unit']}")
    ax.grid(axis="both")
    missing = int(first["n_missing"])
    unknown = f" {missing:,} further ones are not in the data." if missing else ""
    return Drawing(
        f"{what[0].upper()}{what[1:]}: median {tokens.median():,.0f}, longest {tokens.max():,.0f} tokens",
        f"Share of {first['unit']} up to each length",
        f"n={len(tokens):,} {first['unit']}.{unknown} Placeholders of images are not counted.",
        legend=True,
    )


@figure(
    caption="Text tokens of a dialogue, with the published mean",
    numbers=_text_tokens,
    notebook="01_dataset_statistics",
    paper="Table 1",
    needs=("benchmark", "references"),
    size=(3.5, 1.9),
)
def text_tokens(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of dialogues up to each number of text tokens.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per dialogue: ``tokens``; ``unit``, ``n_missing``, ``published``, ``published_mean`` and
        ``published_maximum`` are the same in all rows.
    """
    return _draw(frame, ax, "text of a dialogue")


@figure(
    caption="Tokens of a question, with the published mean and maximum of MMDU-45k",
    numbers=_turn_lengths("question"),
    notebook="01_dataset_statistics",
    paper="Table 1",
    facts="benchmark",
    needs=("benchmark",),
    size=(3.5, 1.9),
)
def question_lengths(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of questions up to each number of tokens.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per question, with the columns of `text_tokens`.
    """
    return _draw(frame, ax, "length of a question")


@figure(
    caption="Tokens of a reference answer, with the published mean and maximum of MMDU-45k",
    numbers=_turn_lengths("answer"),
    notebook="01_dataset_statistics",
    paper="Table 1",
    facts="benchmark",
    needs=("benchmark", "some references"),
    size=(3.5, 1.9),
)
def answer_lengths(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the share of reference answers up to each number of tokens.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per reference, with the columns of `text_tokens`.
    """
    return _draw(frame, ax, "length of an answer")
