"""A dialogue, a turn and the list of dialogues as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.texts import cut, first_words, question_parts, render_markdown
from mmdu_analysis.schema import LABEL
from mmdu_analysis.stats.references import turn_images
from mmdu_analysis.stats.tokens import context_tokens, count_tokens, without_placeholders

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.browser.finding import Index


def list_rows(
    index: Index, positions: np.ndarray, mask: np.ndarray, model: str, *, narrowed: bool
) -> list[dict[str, Any]]:
    """Return rows of the list of dialogues.

    Parameters
    ----------
    index : Index
        The benchmark.
    positions : numpy.ndarray
        Of the dialogues.
    mask : numpy.ndarray of bool
        Turns that meet the filters; means are over these.
    model : str
        Model whose scores are shown; empty: the mean of all.
    narrowed : bool
        Whether a filter is set, so that the number of matching turns is shown.
    """
    scores = index.turn_scores(model)
    means = None if scores is None else index.dialog_means(scores, mask)
    rows = []
    for position in positions.tolist():
        start, stop = index.starts[position : position + 2]
        dialog_id = str(index.ids[position])
        images = index.rows.images(dialog_id)["image"]
        row = {
            "dialog_id": cut(dialog_id),
            "turns": int(index.n_turns[position]),
            "images": int(index.n_images[position]),
            "tokens": int(index.tokens[position]) if index.whole else None,
            "hits": int(mask[start:stop].sum()) if narrowed else None,
            "words": first_words(index.turns["question"].iloc[start]) if stop > start else "no turns",
            "image": int(images.iloc[0]) if len(images) else None,
        }
        if means is not None:
            row["score"] = _number(means[position])
        rows.append(row)
    return rows


def draw_turns(
    index: Index, dialog_id: str, mask: np.ndarray, noted: set[int], model: str
) -> list[dict[str, Any]]:
    """Return the turns of a dialogue, without the models' answers; without tokens before all texts are loaded."""
    start, stop = index.rows.span(dialog_id)
    rows = index.turns.iloc[start:stop]
    have = index.rows.images(dialog_id)["image"].tolist()
    lengths = _lengths(index, dialog_id, rows) if index.whole else dict[str, list[int]]()
    scores = index.turn_scores(model)
    turns = []
    for at, row in enumerate(rows.itertuples(index=False)):
        asked, _ = turn_images(row.question, have, row.images_so_far)
        turns.append(
            {
                "turn": int(row.turn),
                "question": question_parts(row.question, row.images_so_far - row.new_images, have),
                "reference": render_markdown(row.answer) if isinstance(row.answer, str) else None,
                "about": asked,
                "so_far": int(row.images_so_far),
                **{name: values[at] for name, values in lengths.items()},
                "hit": bool(mask[start + at]),
                "noted": int(row.turn) in noted,
                "score": None if scores is None else _number(scores[start + at]),
            }
        )
    return turns


def _lengths(index: Index, dialog_id: str, rows: pd.DataFrame) -> dict[str, list[int]]:
    """Return tokens of the question, of the reference and of the context, of each turn."""
    keys = rows[["dialog_id", "turn"]]
    questions = count_tokens(without_placeholders(rows["question"]))
    answers = count_tokens(without_placeholders(rows["answer"].fillna("")))
    counted = context_tokens(
        keys.assign(question_tokens=questions),
        keys.assign(answer_tokens=answers),
        index.rows.images(dialog_id),
    )
    context = counted["context_tokens"]
    columns = {"question_tokens": questions, "answer_tokens": answers, "context": context}
    return {name: [int(value) for value in values] for name, values in columns.items()}


def draw_images(index: Index, dialog_id: str) -> list[dict[str, Any]]:
    """Return the images of a dialogue: number and path."""
    images = index.rows.images(dialog_id)
    pairs = zip(images["image"].tolist(), images["path"].tolist(), strict=True)
    return [{"image": number, "path": _shown_path(str(path))} for number, path in pairs]


def _shown_path(path: str) -> str:
    # A picture embedded in the file has a data URL of a megabyte as its "path".
    return cut(path, 200, "…")


def draw_answers(index: Index, row: int) -> list[dict[str, Any]]:
    """Return the answers of a turn with their scores and reasons, one for each model."""
    answers = []
    for model in index.models:
        text = answer_text(index, row, model)
        scores, reason = _scores_of(index, row, model)
        answers.append(
            {
                "model": cut(model, 300, "…"),
                "html": None if text is None else render_markdown(text),
                "tokens": None if text is None else int(count_tokens([text])[0]),
                "scores": scores,
                "reason": cut(reason),
            }
        )
    return answers


def answer_text(index: Index, row: int, model: str) -> str | None:
    """Return the answer of a model to the turn of a row; None if there is none."""
    texts = index.answers.get(model)
    text = texts.get(row) if texts is not None else None
    return text if isinstance(text, str) else None


def _scores_of(index: Index, row: int, model: str) -> tuple[list[dict[str, Any]], str]:
    """Return a model's scores of a turn, judge by judge in the order of the rubric, and the reasons."""
    table = index.score_rows
    if table is None:
        return [], ""
    low, high = table["_row"].searchsorted([row, row + 1])
    part = table.iloc[low:high]
    part = part.loc[part["model"] == model]
    judges = [
        {"judge": cut(str(judge), 300, "…"), "bars": _bars(index, lines)}
        for judge, lines in part.groupby("judge", sort=False, observed=True)
    ]
    reasons = list(dict.fromkeys(part["reason"].dropna())) if "reason" in part else []
    return judges, "\n\n".join(reasons)


def _bars(index: Index, lines: Any) -> list[dict[str, Any]]:
    short = index.rubric.short_names
    by_name = {str(line.dimension): line.score for line in lines.itertuples()}
    bars = []
    for name in index.rubric.order(by_name):
        score = _number(by_name[name])
        percent = None if score is None else float(index.rubric.to_percent(score))
        text = "–" if score is None else f"{score:.4g}"
        if name == LABEL and percent in (0.0, 100.0):
            text = "right" if percent else "wrong"
        bars.append(
            {"name": short.get(name, name), "full": name, "score": score, "percent": percent, "text": text}
        )
    return bars


def _number(value: Any) -> float | None:
    return None if value != value else float(value)
