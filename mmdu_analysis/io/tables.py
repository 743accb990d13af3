"""Print or write a frame as CSV, JSON, LaTeX or Markdown."""

from __future__ import annotations

import html
import re
import sys
from enum import StrEnum
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    """How a table is printed."""

    csv = "csv"
    json = "json"
    latex = "latex"
    markdown = "markdown"


def print_table(frame: pd.DataFrame, form: Format, out: Path | None, *, digits: int = 2) -> None:
    """Print or write a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; a named index is printed as a column.
    form : Format
        ``csv`` and ``json`` keep all digits.
    out : pathlib.Path or None
        File to write; None prints.
    digits : int, default 2
        Decimals in markdown and LaTeX.
    """
    table = frame.reset_index() if frame.index.name else frame
    if form is Format.csv:
        text = without_formulas(table).to_csv(index=False, lineterminator="\n")
    elif form is Format.json:
        text = table.to_json(orient="records", indent=1, force_ascii=False) + "\n"
    else:
        text = format_table(table, form, digits=digits)
    if frame.attrs.get("synthetic") and form in (Format.markdown, Format.latex):
        text += (
            "\n(synthetic sample, not MMDU)\n"
            if form is Format.markdown
            else "% synthetic sample, not MMDU\n"
        )
    elif frame.attrs.get("synthetic"):
        print("mmdu: these numbers are of the synthetic sample, not of MMDU", file=sys.stderr)
    if out is None:
        sys.stdout.write(text)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def without_formulas(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Put a quote before texts that a spreadsheet would execute, such as ``=cmd|...`` in a model's name.

    Parameters
    ----------
    table : pandas.DataFrame or pandas.Series
        What is to be written as CSV; its numbers and column names stay.

    Returns
    -------
    pandas.DataFrame
        A copy, safe in its cells and its index.
    """
    import pandas as pd

    table = table.to_frame() if isinstance(table, pd.Series) else table
    safe = table.copy()
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            safe[column] = [_no_formula(value) for value in table[column]]
    if not pd.api.types.is_numeric_dtype(table.index) and table.index.nlevels == 1:
        safe.index = table.index.map(_no_formula)
    safe.index.names = table.index.names
    return safe


def _no_formula(value: Any) -> Any:
    """Quote a text that begins as a formula does; a number in text stays. Only line feeds end lines in it."""
    if not isinstance(value, str) or not value:
        return value
    formula = value[0] in _FORMULA and not _PLAIN.fullmatch(value)
    return "'" * formula + value.replace("\r\n", "\n").replace("\r", "\n")


_FORMULA = frozenset("=+-@\t\r")
_PLAIN = re.compile(r"[+-][\d.][\w\s.,%+-]*")  # "-5", "+3.8, of R +6.5": no call, no reference to elsewhere


def format_table(table: pd.DataFrame, form: Format | str, *, digits: int = 2, bold: bool = False) -> str:
    """Write a table as Markdown, LaTeX or HTML.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    form : Format or "html"
        ``markdown``, ``latex`` or ``html``; texts can hold no markup or command of the form.
    digits : int, default 2
        Decimals; columns of whole numbers have none.
    bold : bool, default False
        Cells such as ``**70.2**`` are bold.

    Returns
    -------
    str
        With a line end.
    """
    cells = table.astype(object).copy()
    for column in table:
        places = 0 if _whole(table[column]) else digits
        cells[column] = [_cell(value, places) for value in table[column]]
    writer = {Format.markdown: _markdown, Format.latex: _latex}.get(Format(form)) if form != "html" else _html
    if writer is None:
        raise DataError(f"a table can't be formatted as {form!r}; expected markdown, latex or html")
    return writer(cells, bold)


def _whole(column: pd.Series) -> bool:
    """Tell whether a column's numbers need no decimals."""
    numbers = [value for value in column if isinstance(value, float) and value == value]
    return all(value.is_integer() for value in numbers)


def _cell(value: Any, digits: int) -> str:
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "-"
    if isinstance(value, float):
        small = digits and value != 0 and abs(value) < 0.1
        return f"{value:.2g}" if small else f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, Integral) and not isinstance(value, bool) else str(value)


_BOLD = re.compile(r"^\*\*(.*?)\*\*")


def _html(cells: pd.DataFrame, bold: bool) -> str:
    def written(text: str) -> str:
        escaped = html.escape(text)
        return _BOLD.sub(r"<b>\1</b>", escaped) if bold else escaped

    kinds = {name: "" if _numeric(cells[name]) else ' class="text"' for name in cells}
    head = "".join(f"<th{kinds[name]}>{html.escape(str(name))}</th>" for name in cells)
    body = "".join(
        "<tr>"
        + "".join(f"<td{kinds[name]}>{written(cell)}</td>" for name, cell in zip(cells, row, strict=True))
        + "</tr>"
        for row in cells.to_numpy().tolist()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n"


def _numeric(column: pd.Series) -> bool:
    return all(re.fullmatch(r"[*+-]*[\d,.e+-]*[*]*( \[.*\])?", text) for text in column)


def _markdown(cells: pd.DataFrame, bold: bool) -> str:
    rows = [list(map(str, cells.columns)), *cells.to_numpy().tolist()]
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def _latex(cells: pd.DataFrame, bold: bool) -> str:
    def written(text: str) -> str:
        safe = text.translate(_LATEX).replace("\n", " ")
        return _BOLD.sub(r"\\textbf{\1}", safe) if bold else safe

    rows = [list(map(str, cells.columns)), *cells.to_numpy().tolist()]
    body = [" & ".join(written(cell) for cell in row) + r" \\" for row in rows]
    columns = "l" + "r" * (len(rows[0]) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            body[0],
            r"\midrule",
            *body[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
