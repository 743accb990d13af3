"""Write frames as CSV, JSON, LaTeX, Markdown or HTML."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import StrEnum
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.escape import escape_csv, escape_html, escape_latex, escape_markdown
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import SYNTHETIC_LABEL, is_synthetic

if TYPE_CHECKING:
    import pandas as pd


_MOST_DECIMALS = 6


class Format(StrEnum):
    """Output format of a table."""

    csv = "csv"
    json = "json"
    latex = "latex"
    markdown = "markdown"


def render_table(frame: pd.DataFrame, form: Format | str, *, digits: int = 2, bold: str | None = None) -> str:
    """Return a frame as text.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; a named index becomes a column.
    form : {"csv", "json", "latex", "markdown", "html"}
        CSV and JSON keep all digits and columns; the others state in words that numbers are synthetic, and
        omit empty columns.
    digits : int, default 2
        Decimals in the forms for people; a column of numbers below 1 has at least two significant digits.
    bold : str, optional
        Boolean column whose rows are set in bold; it isn't shown.

    Returns
    -------
    str
        Ends with a line feed; texts of the frame are escaped, so that they are not interpreted as markup,
        commands or formulas.
    """
    table = frame.reset_index() if frame.index.name else frame
    if form == "csv":
        return safe_csv(table)
    if form == "json":
        records = json.loads(table.to_json(orient="records", force_ascii=False, double_precision=15))
        return json.dumps(records, indent=1, ensure_ascii=False) + "\n"
    marks = table[bold].fillna(False).astype(bool).tolist() if bold else [False] * len(table)
    empty = [
        name
        for name in table
        if len(table) and (table[name].isna() | (table[name].astype(object) == "")).all()
    ]
    empty = empty if len(empty) < len(table.columns) else []
    shown = table.drop(columns=[name for name in ("synthetic", bold, *empty) if name and name in table])
    head = [str(name) for name in shown]
    columns = [_cells(shown[name], digits) for name in shown]
    rows = [list(row) for row in zip(*columns, strict=True)]
    writers: dict[str, Callable[..., str]] = {"latex": _latex, "markdown": _markdown, "html": _html}
    text = writers[form](head, rows, marks, [_is_text(shown[name]) for name in shown])
    return text + (_MARKS[form] if is_synthetic(table) else "")


def write_table(frame: pd.DataFrame, form: Format | str, path: Path, *, digits: int = 2) -> None:
    """Write a frame to a file, rendered by `render_table`; it is written completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(render_table(frame, form, digits=digits), encoding="utf-8")


def safe_csv(table: pd.DataFrame, *, index: bool = False) -> str:
    """Return a frame as CSV in which no cell is a formula for a spreadsheet.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers keep all digits that are needed to read the same number again.
    index : bool, default False
        Write the index as columns, too.

    Returns
    -------
    str
        With line feeds.
    """
    return without_formulas(table).to_csv(index=index, lineterminator="\n")


def without_formulas(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return a copy of a table in which no text or column name is a formula for a spreadsheet."""
    import pandas as pd

    table = table.to_frame() if isinstance(table, pd.Series) else table
    safe = table.copy()
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            safe[column] = [escape_csv(v) if isinstance(v, str) else v for v in table[column]]
    if table.index.nlevels == 1 and not pd.api.types.is_numeric_dtype(table.index):
        safe.index = pd.Index(
            [escape_csv(v) if isinstance(v, str) else v for v in table.index], name=table.index.name
        )
    return safe.rename(columns={name: escape_csv(name) for name in safe if isinstance(name, str)})


def _cells(column: pd.Series, digits: int) -> list[str]:
    """Return the texts of a column: a p-value as ``<0.001``, ``-`` for NA, else all numbers with the same decimals."""
    if str(column.name).startswith("p_") or column.name == "p_value":
        return [_p_value(value) for value in column]
    places = _decimals(
        [value for value in column if isinstance(value, float) and math.isfinite(value)], digits
    )
    return [_cell(value, places) for value in column]


def _decimals(numbers: list[float], digits: int) -> int:
    """Return the decimals of a column: none for whole numbers, more if the largest would have one digit only."""
    if all(value.is_integer() for value in numbers):
        return 0
    largest = max(map(abs, numbers))
    return max(digits, min(_MOST_DECIMALS, 1 - math.floor(math.log10(largest))) if largest < 1 else digits)


def _p_value(value: Any) -> str:
    if not isinstance(value, float) or value != value:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _cell(value: Any, digits: int) -> str:
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.api.types.is_scalar(value) and pd.isna(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _is_text(column: pd.Series) -> bool:
    import pandas as pd

    return not pd.api.types.is_numeric_dtype(column)


def _markdown(head: list[str], rows: list[list[str]], marks: list[bool], texts: list[bool]) -> str:
    lines = [[escape_markdown(name) for name in head]]
    for row, mark in zip(rows, marks, strict=True):
        cells = [escape_markdown(cell) for cell in row]
        lines.append([f"**{cell}**" if mark and cell else cell for cell in cells])
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    rule = [
        "-" * width if text else "-" * (width - 1) + ":" for width, text in zip(widths, texts, strict=True)
    ]
    padded = [
        [c.ljust(w) if text else c.rjust(w) for c, w, text in zip(line, widths, texts, strict=True)]
        for line in lines
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in [padded[0], rule, *padded[1:]])


def _latex(head: list[str], rows: list[list[str]], marks: list[bool], texts: list[bool]) -> str:
    body = [" & ".join(escape_latex(name) for name in head) + r" \\"]
    for row, mark in zip(rows, marks, strict=True):
        cells = [escape_latex(cell) for cell in row]
        body.append(" & ".join(rf"\textbf{{{cell}}}" if mark else cell for cell in cells) + r" \\")
    columns = "".join("l" if text else "r" for text in texts)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:]]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _html(head: list[str], rows: list[list[str]], marks: list[bool], texts: list[bool]) -> str:
    kinds = [' class="text"' if text else "" for text in texts]
    cells = "".join(
        f'<th scope="col"{kind}>{escape_html(name)}</th>' for name, kind in zip(head, kinds, strict=True)
    )
    body = "".join(
        f"<tr{' class=' + chr(34) + 'own' + chr(34) if mark else ''}>"
        + "".join(f"<td{kind}>{escape_html(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row, mark in zip(rows, marks, strict=True)
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>\n"


_MARKS = {
    "latex": f"% {SYNTHETIC_LABEL}, not MMDU\n",
    "markdown": f"\n({SYNTHETIC_LABEL}, not MMDU)\n",
    "html": f'<p class="synthetic">{SYNTHETIC_LABEL}, not MMDU</p>\n',
}
