"""The data sheet of a benchmark: numbers, sources, licences, and what reviewers did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.review import Review, is_multi, reviewer_agreement
from mmdu_analysis.schema import shorten

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.building.export import Exported

_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+!|$~-])")
_MOST_SOURCES = 20


def write_data_sheet(
    name: str, review: Review, found: Sequence[Exported], table: pd.DataFrame, accepted: int
) -> str:
    """Return the data sheet as Markdown.

    Parameters
    ----------
    name : str
        Of the benchmark.
    review : Review
        The dialogues and their decisions.
    found : sequence of Exported
        What is exported.
    table : pandas.DataFrame
        One row per dialogue, as `export_benchmark` returns it.
    accepted : int
        Reviewers who had to accept a turn.

    Returns
    -------
    str
        Sections on content, creation, review, sources and licences.
    """
    synthetic = any(exported.dialog.synthetic for exported in found)
    lines = [f"# Data sheet: {_safe(name)}", ""]
    if synthetic:
        lines += ["**Synthetic: made from generated items or by a simulated model. Not for evaluation.**", ""]
    lines += ["## Content", "", *_pairs(_content(found)), ""]
    lines += ["## How it was created", "", *_pairs(_making(found)), ""]
    lines += ["## Review", "", *_pairs(_reviewing(table, accepted)), "", *_agreement(review), ""]
    items = _items(found)
    lines += [
        "## Licences of the items",
        "",
        *_counted([item.get("licence", "") for item in items], "licence"),
        "",
    ]
    lines += [
        "## Sources of the items",
        "",
        *_counted([item.get("source", "") for item in items], "source"),
        "",
    ]
    return "\n".join(lines)


def _items(found: Sequence[Exported]) -> list[dict[str, str]]:
    """Return the items whose pictures are exported, each once."""
    used = [item for exported in found for item in exported.dialog.items[: exported.n_images]]
    return list({item["id"]: item for item in used}.values())


def _content(found: Sequence[Exported]) -> list[tuple[str, Any]]:
    turns = [pair for exported in found for pair in exported.pairs]
    multi = sum(is_multi(pair.question) for pair in turns)
    images = sum(exported.n_images for exported in found)
    return [
        ("Dialogues", len(found)),
        ("Turns", len(turns)),
        ("Turns of a dialogue, mean", f"{len(turns) / len(found):.1f}"),
        ("Images", images),
        ("Images of a dialogue, mean", f"{images / len(found):.1f}"),
        ("Different items", len(_items(found))),
        ("Questions about several images", f"{multi} ({100 * multi / len(turns):.1f} %)"),
    ]


def _making(found: Sequence[Exported]) -> list[tuple[str, Any]]:
    origins = [pair.origin for exported in found for pair in exported.pairs]
    named = {key: sorted({str(origin.get(key, "")) for origin in origins}) for key in ("model", "prompt")}
    return [("Model", ", ".join(named["model"])), ("Prompts", ", ".join(named["prompt"]))]


def _reviewing(table: pd.DataFrame, accepted: int) -> list[tuple[str, Any]]:
    total, kept = int(table["n_turns"].sum()), int(table["n_accepted"].sum())
    edited, rejected = int(table["n_edited"].sum()), int(table["n_rejected"].sum())
    return [
        ("Reviewers who had to accept a turn", accepted),
        ("Turns written", total),
        ("Turns kept", f"{kept} ({100 * kept / total:.1f} %)"),
        ("Kept turns that were edited", f"{edited} ({100 * edited / max(1, kept):.1f} %)"),
        ("Turns rejected", f"{rejected} ({100 * rejected / total:.1f} %)"),
        ("Turns without enough decisions", int(table["n_open"].sum())),
    ]


def _agreement(review: Review) -> list[str]:
    """Return the agreement of each two reviewers as a table."""
    agreement = reviewer_agreement(review.table())
    if agreement.empty:
        return ["Fewer than two reviewers have decided: there is no agreement to compute."]
    lines = ["| Reviewers | Turns of both | Same decision | Cohen's kappa |", "|---|---:|---:|---:|"]
    for row in agreement.itertuples():
        kappa = f"{row.kappa:.2f}" if row.kappa == row.kappa else "not defined"
        same = f"{row.agreement:.1f} %" if row.n_turns else "not defined"
        lines.append(
            f"| {_safe(row.reviewer_a)}, {_safe(row.reviewer_b)} | {row.n_turns} | {same} | {kappa} |"
        )
    return lines


def _counted(values: Sequence[str], what: str) -> list[str]:
    counts = Counter(value.strip() or f"(no {what} stated)" for value in values)
    lines = [f"| {what.title()} | Items |", "|---|---:|"]
    lines += [f"| {_safe(value)} | {count} |" for value, count in counts.most_common(_MOST_SOURCES)]
    left = len(counts) - _MOST_SOURCES
    return (
        [
            *lines,
            f"| {left} others | {sum(counts.values()) - sum(n for _, n in counts.most_common(_MOST_SOURCES))} |",
        ]
        if left > 0
        else lines
    )


def _pairs(rows: Sequence[tuple[str, Any]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {label} | {_safe(str(value))} |" for label, value in rows)]


def _safe(text: str) -> str:
    """Return a text on one line, with markup escaped."""
    return _ACTIVE.sub(r"\\\1", shorten(text, 200))
