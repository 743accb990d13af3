"""A report to send to someone: one page, or tables for a paper or a model card."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.figures.inputs import Inputs
from mmdu_analysis.figures.registry import find_specs, render
from mmdu_analysis.figures.score_inputs import model_table
from mmdu_analysis.figures.style import house_style
from mmdu_analysis.io.tables import Format, format_table
from mmdu_analysis.schema import DIMENSIONS, SYNTHETIC_LABEL
from mmdu_analysis.stats.audit import audit_paper
from mmdu_analysis.stats.compare import compare_statistics
from mmdu_analysis.stats.gap import gap_analysis
from mmdu_analysis.stats.scores import compare_all_models, only_dimension, rank_models, summarize_scores

if TYPE_CHECKING:
    import pandas as pd


class Section(NamedTuple):
    """One part of a report.

    Attributes
    ----------
    title, text : str
        Heading, and what to see.
    table : pandas.DataFrame or None
        Numbers.
    figures : tuple of str
        Names of figures.
    """

    title: str
    text: str
    table: pd.DataFrame | None = None
    figures: tuple[str, ...] = ()


def sections(inputs: Inputs) -> Iterator[Section]:
    """Give the report's parts for what is there: the user's data, or the published numbers.

    Yields
    ------
    Section
    """
    if inputs.bench is not None:
        name = inputs.bench.name
        yield Section(
            "The data",
            f"{name} beside the paper's Table 1; {len(inputs.bench.problems)} problems were met on loading.",
            compare_statistics(inputs.lengths, load_published("statistics")),
            ("turns", "images", "tokens", "questions"),
        )
    overall = score_rows(inputs)
    own = overall["Avg"].str.contains("[", regex=False).any() and not any(_synthetic(inputs))
    what = "Your models stand among the published ones, with intervals." if own else ""
    yield Section(
        "Scores",
        f"Avg is the judge's Overall Score, not the mean of the six. The paper gives no intervals. {what}".strip(),
        overall,
        ("main_results", "dimension_heatmap"),
    )
    if inputs.scores is not None:
        yield from _own_scores(inputs)
    yield from _gap(inputs)
    audit = audit_paper(inputs.bench)
    differs = audit.loc[audit["verdict"] == "differs", ["claim", "where", "stated", "recomputed", "note"]]
    yield Section(
        "The paper's own numbers",
        f"Of {len(audit)} claims these {len(differs)} come out differently; many differences are of rounding.",
        differs.reset_index(drop=True),
    )


def score_rows(inputs: Inputs) -> pd.DataFrame:
    """Give Table 2 as text cells: each best value of its access in bold, own means with their intervals.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``access``, the dimensions; bold is ``**70.2**``.
    """
    table = model_table(inputs)
    dimensions = [short for short in DIMENSIONS if short in table]
    table = table.sort_values(dimensions[-1], ascending=False, ignore_index=True)
    cells = table[["model", "access"]].fillna("not given").astype(object)
    for short in dimensions:
        best = table.groupby(table["access"].fillna(""))[short].transform("max")
        texts = [f"{value:.1f}" for value in table[short]]
        texts = [
            f"**{text}**" if top else text for text, top in zip(texts, table[short] == best, strict=True)
        ]
        if short == "Avg" and "low" in table:
            spans = zip(texts, table["low"], table["high"], strict=True)
            texts = [text if low != low else f"{text} [{low:.1f}, {high:.1f}]" for text, low, high in spans]
        cells[short] = texts
    cells.attrs = dict(table.attrs)
    return cells


def _own_scores(inputs: Inputs) -> Iterator[Section]:
    scores = inputs.scores
    if scores is None:
        return
    summary = summarize_scores(scores)
    yield Section(
        "Your scores, dimension by dimension",
        "Means with 95 % intervals, clustered by dialogue; each judged turn counts once.",
        summary,
        ("turn_curves", "scores_by_dimension"),
    )
    if scores["model"].nunique() > 1 and scores["dialog_id"].nunique() > 1:
        one = only_dimension(scores, None)
        yield Section(
            "Which differences are sure",
            "Ranks with intervals; models that share a letter can't be told apart. Pairs are compared on shared turns.",
            rank_models(one),
            ("rank_intervals", "pairwise_differences"),
        )
        yield Section(
            "Each two models", "With Holm's correction for the number of pairs.", compare_all_models(one)
        )
    if inputs.bench is not None:
        figures = ("scores_by_kind", "scores_by_context", "memory_coefficients")
        yield Section(
            "What the scores go with", "By kind of question, by context, through the dialogue.", None, figures
        )
    if inputs.answers is not None and scores["model"].nunique() > 1:
        yield Section(
            "Scores and answer length", "As given, and at equal length.", None, ("score_and_length",)
        )


def _gap(inputs: Inputs) -> Iterator[Section]:
    table = model_table(inputs)
    counts = table["access"].value_counts()
    if min(counts.get("closed", 0), counts.get("open", 0)) < 2:
        return
    yield Section(
        "Open against closed",
        "Means of closed less open models, with a bootstrap interval over models and an exact permutation test.",
        gap_analysis(table),
        ("gap_by_dimension", "gap_pairs"),
    )


def write_tables(inputs: Inputs, form: Format) -> str:
    """Give the report's tables as Markdown or LaTeX, best values in bold, ready for a paper or a model card."""
    mark = "#" if form is Format.markdown else "%"
    parts = []
    for section in sections(inputs):
        if section.table is not None:
            parts.append(f"{mark}{mark} {section.title}\n\n{format_table(section.table, form, bold=True)}")
    if any(_synthetic(inputs)):
        parts.insert(
            0,
            f"{mark if form is Format.latex else '**'}{SYNTHETIC_LABEL}{'' if form is Format.latex else '**'}\n",
        )
    return "\n".join(parts)


def write_page(inputs: Inputs) -> str:
    """Give the report as one HTML page without a server or the web.

    Returns
    -------
    str
        HTML with its figures inside; every text from data is escaped.
    """
    parts = list(sections(inputs))
    contents = "".join(
        f'<li><a href="#s{place}">{html.escape(part.title)}</a></li>' for place, part in enumerate(parts)
    )
    body = "".join(_section(place, part, inputs) for place, part in enumerate(parts))
    name = inputs.bench.name if inputs.bench is not None else "published numbers"
    made_up = f'<p class="synthetic">{SYNTHETIC_LABEL}: these numbers are made up</p>'
    mark = made_up if any(_synthetic(inputs)) else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>MMDU report: {html.escape(name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>MMDU report: {html.escape(name)}</h1>{mark}<nav><ol>{contents}</ol></nav>{body}"
        f"<footer>Made with mmdu-analysis. The benchmark: arXiv 2406.11833. A click on a column's head sorts by it.</footer>"
        f"<script>{_SORT}</script></body></html>\n"
    )


def _synthetic(inputs: Inputs) -> list[object]:
    frames = [frame.attrs.get("synthetic") for frame in (inputs.scores, inputs.answers) if frame is not None]
    return [*frames, inputs.bench.synthetic if inputs.bench is not None else False]


def _section(place: int, part: Section, inputs: Inputs) -> str:
    figures = "".join(_figure(name, inputs) for name in part.figures)
    table = "" if part.table is None else _table(part.table)
    text = html.escape(part.text)
    return f'<section id="s{place}"><h2>{html.escape(part.title)}</h2><p>{text}</p><div class="figures">{figures}</div>{table}</section>'


def _figure(name: str, inputs: Inputs) -> str:
    import matplotlib.pyplot as plt

    (spec,) = find_specs([name])
    _, figure = render(spec, inputs)
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    alt = html.escape(spec.shows, quote=True)
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"><figcaption>{html.escape(spec.shows)}</figcaption></figure>'


def _table(table: pd.DataFrame) -> str:
    cells = format_table(table, "html", bold=True)
    return f'<div class="scroll">{cells}</div>'


_STYLE = """
:root { color-scheme: light dark; --line: #ccc; --quiet: #555; --back: #fff; --text: #1a1a1a; --stripe: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --line: #444; --quiet: #aaa; --back: #151515; --text: #e6e6e6; --stripe: #202020; } }
body { max-width: 1000px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, sans-serif; background: var(--back); color: var(--text); }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 9px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child, .text { text-align: left; }
th { cursor: pointer; white-space: nowrap; }
th[aria-sort="ascending"]::after { content: " \\25B2"; } th[aria-sort="descending"]::after { content: " \\25BC"; }
tr:nth-child(even) td { background: var(--stripe); }
.scroll { overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0 0 12px; width: 470px; max-width: 100%; }
figure img { width: 100%; background: #fff; }
figcaption, footer, nav { color: var(--quiet); font-size: 13px; }
.synthetic { color: light-dark(#b00020, #ff8a8a); font-weight: bold; }
@media print { nav, footer { display: none; } section { break-inside: avoid-page; } body { margin: 0; } }
"""
_SORT = """
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => row.cells[column].textContent.trim();
    const number = (text) => { const value = parseFloat(text.replaceAll(",", "")); return isNaN(value) ? null : value; };
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [number(x), number(y)];
      return m !== null && n !== null ? m - n : x.localeCompare(y);
    });
    table.tBodies[0].append(...(falling ? rows.reverse() : rows));
  }));
}
"""
