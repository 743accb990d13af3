"""Estimate the cost of a run before any request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.judging.folder import Key, RunFolder
from mmdu_analysis.judging.prompts import NO_REFERENCE, JudgePrompt
from mmdu_analysis.judging.record import Request
from mmdu_analysis.judging.run import is_done
from mmdu_analysis.stats.dataset import answer_tokens, question_tokens
from mmdu_analysis.stats.tokens import context_tokens, count_tokens, image_tokens

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

TYPICAL_ANSWER = 368
"""Tokens of an answer to a question without reference: the mean of MMDU-45k (Table 1)."""
TYPICAL_REPLY = 400
"""Tokens of a judge's reply: a sentence or two on seven scores."""


def estimate_answers(
    bench: Benchmark,
    images: pd.DataFrame,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    request: Request,
) -> pd.DataFrame:
    """Estimate the cost of the remaining turns of a benchmark.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    images : pandas.DataFrame
        Pictures that are sent, from `sent_images`.
    folder : RunFolder
        Folder with the completed turns.
    keys : sequence of (str, Key)
        The turns of the run.
    request : Request
        The request.

    Returns
    -------
    pandas.DataFrame
        One row: ``dialogues``, ``requests``, ``turns_done``, ``prompt_tokens``, ``completion_tokens``,
        ``cost_usd`` (NaN without prices), ``synthetic``. It is assumed that answers are as long as their
        references and that an image has as many tokens as the paper counts; the server's own count will
        differ.
    """
    asked = question_tokens(bench)
    lengths = answer_tokens(bench)
    lengths_by_turn = bench.turns[["dialog_id", "turn"]].assign(answer_tokens=lengths.to_numpy())
    lengths_by_turn["answer_tokens"] = (
        lengths_by_turn["answer_tokens"].fillna(lengths.mean()).fillna(TYPICAL_ANSWER)
    )
    history = (
        lengths_by_turn if request.fixed["history"] != "none" else lengths_by_turn.assign(answer_tokens=0)
    )
    read = context_tokens(asked, history, images)
    if request.fixed["history"] == "none":  # the pictures so far and the current question
        before = asked.groupby("dialog_id")["question_tokens"].cumsum() - asked["question_tokens"]
        read["context_tokens"] -= before.to_numpy()
    tokens = read.merge(lengths_by_turn, on=["dialog_id", "turn"])
    return _table(folder, keys, request, tokens)


def estimate_scores(
    bench: Benchmark,
    images: pd.DataFrame,
    answers: Mapping[tuple[str, int], str],
    prompt: JudgePrompt,
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    request: Request,
) -> pd.DataFrame:
    """Estimate the cost of judging the remaining turns.

    Parameters
    ----------
    bench : Benchmark
        The answered questions.
    answers : mapping
        Dialogue and turn -> one model's answer.
    prompt : JudgePrompt
        The prompt for the judge.
    images, folder, keys, request
        As in `estimate_answers`.

    Returns
    -------
    pandas.DataFrame
        As `estimate_answers`; it is assumed that a reply has 400 tokens.
    """
    model_answer = [
        answers.get(key) for key in zip(bench.turns["dialog_id"], bench.turns["turn"], strict=True)
    ]
    turns = bench.turns.assign(model_answer=model_answer).dropna(subset="model_answer")
    texts = turns["question"] + "\n" + turns["answer"].fillna(NO_REFERENCE) + "\n" + turns["model_answer"]
    turns["context_tokens"] = count_tokens(texts) + count_tokens([prompt.fill("", "-", "")])[0]
    if request.fixed["images"] == "all":
        costs = image_tokens(images).groupby(images["dialog_id"]).sum()
        turns["context_tokens"] += turns["dialog_id"].map(costs).fillna(0).astype(int)
    turns["answer_tokens"] = TYPICAL_REPLY
    return _table(folder, keys, request, turns)


def _table(
    folder: RunFolder,
    keys: Sequence[tuple[str, Key]],
    request: Request,
    tokens: pd.DataFrame,
) -> pd.DataFrame:
    """Sum up the remaining turns; a turn counts once per request."""
    import pandas as pd

    folder.read(dict.fromkeys(dialog_id for dialog_id, _ in keys))
    left = [(dialog, key[0]) for dialog, key in keys if not is_done(folder.entries[dialog].get(key))]
    wanted = pd.DataFrame(left, columns=["dialog_id", "turn"])
    left_tokens = wanted.merge(tokens, on=["dialog_id", "turn"])
    prompt, completion = left_tokens["context_tokens"].sum(), left_tokens["answer_tokens"].sum()
    cost = request.prices.cost(prompt, completion)
    row = {
        "dialogues": wanted["dialog_id"].nunique(),
        "requests": len(left),
        "turns_done": len(keys) - len(left),
        "prompt_tokens": int(prompt),
        "completion_tokens": int(completion),
        "cost_usd": float("nan") if cost is None else cost,
        "synthetic": bool(request.fixed["benchmark"]["synthetic"]),
    }
    return pd.DataFrame([row])
