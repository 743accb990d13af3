"""The answers of one model in the form that a judge receives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.io.thinking import split_thinking
from mmdu_analysis.judging.folder import Key
from mmdu_analysis.judging.messages import Dialogue
from mmdu_analysis.schema import DataError, Problem, require_columns, short_path

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class JudgedAnswers:
    """The answers of one model.

    Attributes
    ----------
    model : str
        Its name.
    texts : dict
        Dialogue and turn -> answer, without thinking.
    unusable : dict
        Dialogue and turn -> reason why the answer can't be judged.
    lost_images : dict
        Dialogue and turn -> number of pictures that the model was not sent.
    """

    model: str
    texts: dict[tuple[str, int], str]
    unusable: dict[tuple[str, int], str]
    lost_images: dict[tuple[str, int], int]


def take_answers(answers: pd.DataFrame | str | Path) -> JudgedAnswers:
    """Return the answers of one model by dialogue and turn.

    Parameters
    ----------
    answers : pandas.DataFrame, str or path
        From `load_answers`, or a path.

    Returns
    -------
    JudgedAnswers
        The answers without thinking.

    Raises
    ------
    DataError
        If there are several models.
    """
    frame = load_answers(answers) if isinstance(answers, str | Path) else answers
    require_columns(frame, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
    models = list(frame["model"].unique())
    if len(models) != 1:
        raise DataError(f"got answers of {models}, expected those of one model; name its folder")
    found = JudgedAnswers(str(models[0]), {}, {}, {})
    for row in frame.dropna(subset=["dialog_id", "turn", "answer"]).itertuples(index=False):
        key = (str(row.dialog_id), int(row.turn))
        split = split_thinking(str(row.answer))
        if not split.complete:
            found.unusable[key] = "the answer was truncated inside its thinking part"
        elif not split.rest.strip():
            found.unusable[key] = "the answer is empty"
        else:
            found.texts[key] = split.rest
        if lost := int(getattr(row, "n_lost_images", 0)):
            found.lost_images[key] = lost
    return found


def list_judged_turns(
    dialogues: list[Dialogue], judged: JudgedAnswers, repeat: int, out: Path
) -> tuple[list[tuple[str, Key]], list[Problem]]:
    """List the judgements to make, and the turns without an answer.

    Parameters
    ----------
    dialogues : list of Dialogue
        The dialogues of the run.
    judged : JudgedAnswers
        The answers.
    repeat : int
        Number of judgements per turn.
    out : pathlib.Path
        Folder of the run, for the problems.

    Returns
    -------
    tuple of (list of (str, Key), list of Problem)
        The judgements, and the turns without an answer.

    Raises
    ------
    DataError
        If no answer belongs to a turn of the benchmark.
    """
    keys: list[tuple[str, Key]] = []
    unanswered = []
    for dialogue in dialogues:
        for turn in range(1, len(dialogue.questions) + 1):
            at = (dialogue.dialog_id, turn)
            if at in judged.texts:
                keys += [(dialogue.dialog_id, (turn, number)) for number in range(1, repeat + 1)]
            else:
                why = judged.unusable.get(at, "there is no answer to judge")
                where = f"dialogue {dialogue.dialog_id}, turn {turn}"
                unanswered.append(Problem(short_path(out), where, why, dialogue.dialog_id, turn))
    if not keys:
        raise DataError(
            "none of the answers belongs to a turn of the benchmark; are they of the same data set?"
        )
    return keys, unanswered
