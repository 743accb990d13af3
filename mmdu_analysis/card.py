"""The card that a notebook shows for a `Study`."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mmdu_analysis.schema import SYNTHETIC_LABEL, shorten

if TYPE_CHECKING:
    from mmdu_analysis.study import Study


def study_card(study: Study) -> str:
    """Return what a study holds as HTML.

    Parameters
    ----------
    study : Study
        Any study.

    Returns
    -------
    str
        Name, counts, models and problems; all texts are escaped.
    """
    mark = f' <b style="color:#b00020">{SYNTHETIC_LABEL}</b>' if study.synthetic else ""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(key)}</th><td style="text-align:left">{value}</td></tr>'
        for key, value in _rows(study)
    )
    return f"<div><b>Study: {escape(shorten(study.name, 80))}</b>{mark}<table>{rows}</table></div>"


def _rows(study: Study) -> list[tuple[str, str]]:
    bench = study.benchmark
    rows = [("benchmark", "not given: the published tables and measurements are shown")]
    if bench is not None:
        counts = f"{len(bench.dialogs):,} dialogues, {len(bench.turns):,} turns, {len(bench.images):,} images"
        references = int(bench.turns["answer"].notna().sum())
        rows = [("benchmark", f"{counts}, {references:,} references")]
    answers, scores = study.answers, study.scores
    if answers is not None:
        rows.append(("answers", f"{len(answers):,} of {answers['model'].nunique()} models"))
    if scores is not None:
        judges = ", ".join(escape(shorten(str(judge), 40)) for judge in scores["judge"].unique()[:5])
        dialogs = scores["dialog_id"].nunique()
        rows.append(
            (
                "scores",
                f"{scores['score'].notna().sum():,} of {scores['model'].nunique()} models on {dialogs} dialogues, by {judges}",
            )
        )
        numbered = scores.loc[scores["turn"].notna(), "dialog_id"].nunique()
        if numbered < dialogs:
            rows.append(("turn numbers", f"{numbered} of {dialogs} dialogues have them"))
    if study.ratings is not None:
        rows.append(("ratings", f"{len(study.ratings):,} of {study.ratings['judge'].nunique()} people"))
    if study.own_models:
        access = study.access
        named = (
            f"{escape(shorten(m, 40))} ({access.get(m, 'access unknown')})" for m in study.own_models[:12]
        )
        rest = len(study.own_models) - 12
        rows.append(("models", ", ".join(named) + (f" and {rest} more" if rest > 0 else "")))
    count = len(study.problems)
    rows.append(("problems", f"{count:,}, listed in study.problems" if count else "none"))
    return rows
