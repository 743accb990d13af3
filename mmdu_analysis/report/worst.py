"""The dialogues with the lowest scores: excerpts, and a page of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.schema import NotAvailable, shorten
from mmdu_analysis.stats.scores import only_dimension

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

N_DIALOGS = 10
_EXCERPT = 280


@dataclass(frozen=True)
class WorstDialog:
    """A dialogue in which a model scored low.

    Attributes
    ----------
    title : str
        Model, dialogue and mean score.
    texts : tuple of str
        Excerpts: question and answer of the turn with the lowest score.
    dialog_id : str
        The dialogue.
    """

    title: str
    texts: tuple[str, ...]
    dialog_id: str


def worst_dialogs(study: Study, count: int = N_DIALOGS) -> list[WorstDialog]:
    """Return the dialogues with the lowest mean scores.

    Parameters
    ----------
    study : Study
        With scores.
    count : int, default 10
        Number of dialogues over all models.

    Returns
    -------
    list of WorstDialog
        The lowest first.

    Raises
    ------
    NotAvailable
        If the scores don't name their dialogues.
    """
    scores = only_dimension(study.need_scores(), None, rubric=study.rubric)
    means = scores.dropna(subset="score").groupby(["model", "dialog_id"], observed=True)["score"].mean()
    if means.empty:
        raise NotAvailable("the scores have no dialogue ids")
    lowest = means.sort_values(kind="stable").head(count)
    return [_worst(study, scores, str(model), str(key), mean) for (model, key), mean in lowest.items()]


def _worst(study: Study, scores: pd.DataFrame, model: str, dialog_id: str, mean: float) -> WorstDialog:
    rows = scores.loc[(scores["model"] == model) & (scores["dialog_id"] == dialog_id)].dropna(subset="score")
    points = float(study.rubric.to_percent(mean))
    title = f"{model}, dialogue {dialog_id}: {points:.1f} of 100 over {len(rows)} turns"
    numbered = rows.dropna(subset="turn")
    if numbered.empty:
        return WorstDialog(title, (), dialog_id)
    row = numbered.loc[numbered["score"].idxmin()]
    turn, value = int(row["turn"]), float(study.rubric.to_percent(row["score"]))
    texts = [f"Lowest turn: {turn}, {value:.0f} of 100."]
    texts += [
        text for text in (_question(study, dialog_id, turn), _answer(study, model, dialog_id, turn)) if text
    ]
    return WorstDialog(title, tuple(texts), dialog_id)


def _question(study: Study, dialog_id: str, turn: int) -> str:
    if study.benchmark is None:
        return ""
    turns = study.benchmark.turns
    questions = turns.loc[(turns["dialog_id"] == dialog_id) & (turns["turn"] == turn), "question"]
    return "Question: " + shorten(str(questions.iloc[0]), _EXCERPT) if len(questions) else ""


def _answer(study: Study, model: str, dialog_id: str, turn: int) -> str:
    if study.answers is None:
        return ""
    frame = study.answers
    mine = (frame["model"] == model) & (frame["dialog_id"] == dialog_id) & (frame["turn"] == turn)
    texts = frame.loc[mine, "answer"].dropna()
    return "Answer: " + shorten(str(texts.iloc[0]), _EXCERPT) if len(texts) else ""


def write_pages(study: Study, worst: list[WorstDialog], folder: Path) -> dict[str, str]:
    """Write a page of each dialogue into a folder.

    Parameters
    ----------
    study : Study
        With a benchmark; without one nothing is written.
    worst : list of WorstDialog
        The dialogues.
    folder : pathlib.Path
        The folder; it is created if it doesn't exist.

    Returns
    -------
    dict of str to str
        Dialogue to its page, relative to the folder that holds `folder`.
    """
    from mmdu_analysis.browser.export import export_page
    from mmdu_analysis.browser.session import Session

    if study.benchmark is None or not worst:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    session = Session(study.benchmark, study.answers, study.scores, rubric=study.rubric)
    wanted = dict.fromkeys(item.dialog_id for item in worst)
    known = [key for key in wanted if key in study.benchmark.dialogs.index]
    links = {}
    for number, key in enumerate(known, 1):
        page = folder / f"dialogue_{number:02}.html"
        export_page(session, key, page)
        links[key] = f"{folder.name}/{page.name}"
    return links
