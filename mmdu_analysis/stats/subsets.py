"""Choose dialogues by their lengths, and count the dialogues that each condition removes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mmdu_analysis.schema import DataError, is_synthetic

if TYPE_CHECKING:
    import pandas as pd

_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Compare,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.In,
    ast.NotIn,
    ast.List,
    ast.Tuple,
    ast.Load,
    ast.Name,
    ast.Constant,
)
"""Allowed parts of a condition: no calls, no attributes, no subscripts."""


def choose_dialogs(
    lengths: pd.DataFrame, where: str | None = None, sample: int | None = None, seed: int = 0
) -> tuple[list[str], pd.DataFrame]:
    """Choose dialogues for a smaller data set.

    Parameters
    ----------
    lengths : pandas.DataFrame
        From `dialog_lengths`.
    where : str, optional
        A condition in its columns and ``dialog_id``, such as ``n_images <= 3 and text_tokens < 8000``:
        comparisons, ``and``, ``or``, ``not``, ``in``, arithmetic, numbers and texts.
    sample : int, optional
        Number of dialogues to draw from these, without replacement.
    seed : int, default 0
        Seed of the random draw.

    Returns
    -------
    tuple of (list of str, pandas.DataFrame)
        The ids in the order of the data, and one row per step: ``step``, ``n_dialogs`` left after it,
        ``n_cut``, ``synthetic``. Each part joined by ``and`` is one step.

    Raises
    ------
    DataError
        If the condition can't be read or keeps no dialogue, or the sample is larger than the data.
    """
    import pandas as pd

    left = lengths
    steps = [("read", len(left), 0)]
    for part in _parts(where, lengths) if where else []:
        kept = left.loc[_holds(left, part)]
        steps.append((part, len(kept), len(left) - len(kept)))
        left = kept
    if left.empty:
        raise DataError(f"the condition {where!r} keeps none of {len(lengths):,} dialogues; loosen it")
    if sample is not None:
        if not isinstance(sample, int) or sample < 1:
            raise DataError(f"sample is {sample!r}, expected a whole number of dialogues, at least 1")
        if sample > len(left):
            raise DataError(f"a sample of {sample:,} of {len(left):,} dialogues was requested; request fewer")
        drawn = left.sample(sample, random_state=seed)
        steps.append((f"draw of {sample:,}, seed {seed}", len(drawn), len(left) - len(drawn)))
        left = left.loc[left.index.isin(drawn.index)]
    table = pd.DataFrame(steps, columns=["step", "n_dialogs", "n_cut"])
    return left.index.tolist(), table.assign(synthetic=is_synthetic(lengths))


def _parts(where: str, lengths: pd.DataFrame) -> list[str]:
    """Validate a condition, and split it at ``and``."""
    known = ["dialog_id", *lengths.columns]
    try:
        tree = ast.parse(where.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise DataError(f"the condition {where!r} can't be read; expected such as 'n_images <= 3'") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known:
            raise DataError(f"the condition names {node.id!r}; expected {', '.join(known)}")
        if not isinstance(node, _ALLOWED):
            raise DataError(
                f"the condition {where!r}: got a {type(node).__name__.lower()}, "
                "expected comparisons of columns, joined by and, or, not"
            )
    match tree.body:
        case ast.BoolOp(op=ast.And(), values=parts):
            return [ast.unparse(part) for part in parts]
    return [ast.unparse(tree.body)]


def _holds(frame: pd.DataFrame, condition: str) -> pd.Series:
    """Evaluate a condition that `_parts` has checked."""
    try:
        result = frame.eval(condition, engine="python")
    except Exception as error:  # pandas' own exceptions: a text compared with a number, a division of texts
        raise DataError(f"the condition {condition!r} can't be evaluated ({error})") from None
    if getattr(getattr(result, "dtype", None), "kind", None) != "b":
        raise DataError(f"{condition!r} is not a condition; expected such as 'n_images <= 3'")
    return result
