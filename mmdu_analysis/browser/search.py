"""Search in texts: Arrow's RE2, which takes linear time for every expression."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DataError, shorten

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_PIECE = 50_000  # number of texts that one thread searches at a time


def pieces_of(texts: pd.Series) -> list[Any]:
    """Return texts as chunks of Arrow arrays that share memory with the frame."""
    import pyarrow as pa

    column = pa.array(texts)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [chunk.slice(at, _PIECE) for chunk in chunks for at in range(0, max(1, len(chunk)), _PIECE)]


def text_bytes(texts: pd.Series) -> np.ndarray:
    """Return the length of each text in bytes of UTF-8, from Arrow's offsets; 0 for an absent one."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = [
        pc.binary_length(piece).fill_null(0).to_numpy(zero_copy_only=False) for piece in pieces_of(texts)
    ]
    return np.concatenate(lengths)


def pattern_of(query: str, *, whole_word: bool = False, regex: bool = False) -> str:
    """Return the RE2 expression of a query; empty if it is searched as plain text.

    Parameters
    ----------
    query : str
        What the reader typed.
    whole_word : bool, default False
        Match whole words only. Letters of all scripts are word characters.
    regex : bool, default False
        Interpret it as a regular expression.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If it isn't a valid RE2 expression.
    """
    if not whole_word and not regex:
        return ""
    inner = query if regex else re.sub(r"([^\w\s])", r"\\\1", query, flags=re.ASCII)
    pattern = rf"(?:^|[^\pL\pN_])(?:{inner})(?:$|[^\pL\pN_])" if whole_word else inner
    try:
        import pyarrow as pa
        import pyarrow.compute as pc

        pc.match_substring_regex(pa.array([""]), pattern, ignore_case=True)
    except (pa.ArrowInvalid, UnicodeError) as error:
        reason = shorten(str(error).partition(": ")[2] or str(error), 150)
        raise DataError(f"not a regular expression of RE2: {reason}") from None
    return pattern


def contains(pieces: list[Any], query: str, pattern: str = "") -> np.ndarray:
    """Return a mask of the texts that contain a query.

    Parameters
    ----------
    pieces : list of pyarrow.Array
        From `pieces_of`.
    query : str
        Searched as plain text, ignoring case, unless there is a pattern.
    pattern : str
        From `pattern_of`.

    Returns
    -------
    numpy.ndarray of bool, shape (n_texts,)
    """
    import numpy as np
    import pyarrow.compute as pc

    # Arrow ignores case with RE2, which is four times as fast as its plain search; one thread per chunk.
    def search(piece: Any) -> np.ndarray:
        match = pc.match_substring_regex if pattern else pc.match_substring
        mask = match(piece, pattern or query, ignore_case=True).fill_null(False)
        return mask.to_numpy(zero_copy_only=False)

    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(search, pieces)))
