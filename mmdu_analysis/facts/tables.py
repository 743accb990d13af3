"""The paper's tables, and what was measured on the real benchmark, as shipped with the package."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = "facts"
_TEXT_COLUMNS = ("dialog_id", "images", "word")


def published_tables() -> pd.DataFrame:
    """List the shipped tables.

    Returns
    -------
    pandas.DataFrame
        One row per table (index ``name``): ``kind`` (``paper`` or ``measured``), ``source``, ``shows``.
    """
    return _read("index").set_index("name")


def load_published(name: str) -> pd.DataFrame:
    """Load a shipped table.

    Parameters
    ----------
    name : str
        ``statistics`` (Table 1), ``distributions`` (Figure 4), ``main_results`` (Table 2),
        ``finetuning`` (3), ``multi_image`` (4), ``ablation`` (5), ``judges`` (6), ``human_agreement``,
        ``benchmarks`` (Figure 1), ``cluster_accuracy``, and the measured ones; see
        `published_tables`.

    Returns
    -------
    pandas.DataFrame
        Scores are points on 0-100 as printed. `published_tables` has the source.

    Raises
    ------
    DataError
        If there is no such table.

    Examples
    --------
    >>> table = load_published("main_results")
    >>> table.loc[table["model"] == "GPT-4o", "Avg"].item()
    70.2
    """
    index = published_tables()
    if name not in index.index:
        raise DataError(f"no published table {name!r}; expected one of {', '.join(index.index)}")
    return _read(name)


def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    file = resources.files("mmdu_analysis") / _FOLDER / f"{name}.csv"
    types: dict[str, Any] = dict.fromkeys(_TEXT_COLUMNS, "str")

    with file.open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=types, keep_default_na=False, na_values=[""])
