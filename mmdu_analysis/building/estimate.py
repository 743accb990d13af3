"""The cost of writing, estimated before any request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.building.planning import Plan, Step
from mmdu_analysis.building.prompting import Prompts
from mmdu_analysis.judging.folder import RunFolder
from mmdu_analysis.judging.record import Request
from mmdu_analysis.judging.run import is_done
from mmdu_analysis.stats.tokens import count_tokens

if TYPE_CHECKING:
    import pandas as pd

IMAGE_TOKENS = 471
"""Tokens of an image in the paper's averages (Table 1)."""
FACTS_TOKENS = 160
PAIR_TOKENS = 420
"""Tokens of a question and its answer, from the averages of MMDU-45k (Table 1)."""


def estimate_writing(
    plans: Sequence[Plan], prompts: Prompts, folder: RunFolder, request: Request
) -> pd.DataFrame:
    """Estimate the cost of the remaining requests for writing dialogues.

    Parameters
    ----------
    plans : sequence of Plan
        The dialogues.
    prompts : Prompts
        The prompts.
    folder : RunFolder
        Folder with the completed requests.
    request : Request
        With the prices.

    Returns
    -------
    pandas.DataFrame
        One row: ``dialogues``, ``requests``, ``turns_done`` (requests that are done), ``prompt_tokens``,
        ``completion_tokens``, ``cost_usd`` (NaN without prices), ``synthetic``. An image counts 471 tokens, a
        pair 420; repeated requests after unusable replies are not included.
    """
    import pandas as pd

    folder.read([plan.id for plan in plans])
    texts: list[str] = []
    left: list[tuple[Plan, Step]] = []
    for plan in plans:
        entries = folder.entries[plan.id]
        done = {number: entry for (number, _), entry in entries.items() if is_done(entry)}
        for step in plan.steps:
            if step.number not in done:
                left.append((plan, step))
                texts.append(plan.prompt(step, prompts, done))
    images = sum(len(plan.items(step)) for plan, step in left if step.kind != "facts")
    prompt = int(sum(count_tokens(texts))) + IMAGE_TOKENS * images
    completion = sum(PAIR_TOKENS * step.n or FACTS_TOKENS for _, step in left)
    cost = request.prices.cost(prompt, completion)
    row = {
        "dialogues": len({plan.id for plan, _ in left}),
        "requests": len(left),
        "turns_done": sum(len(plan.steps) for plan in plans) - len(left),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cost_usd": float("nan") if cost is None else cost,
        "synthetic": bool(request.fixed["synthetic"]),
    }
    return pd.DataFrame([row])
