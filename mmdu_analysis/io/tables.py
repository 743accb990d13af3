"""Print or write a frame as CSV, JSON, LaTeX or Markdown."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.files import atomic_path

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
        text = table.to_csv(index=False, lineterminator="\n")
    elif form is Format.json:
        text = table.to_json(orient="records", indent=1, force_ascii=False) + "\n"
    else:
        cells = table.map(lambda value: _cell(value, digits))
        text = _latex(cells) if form is Format.latex else _markdown(cells)
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


def _cell(value: Any, digits: int) -> str:
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "-"
    if isinstance(value, float):
        if value.is_integer():
            return f"{value:,.0f}"
        return f"{value:,.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _markdown(cells: pd.DataFrame) -> str:
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


def _latex(cells: pd.DataFrame) -> str:
    rows = [list(map(str, cells.columns)), *cells.to_numpy().tolist()]
    body = [" & ".join(cell.translate(_LATEX).replace("\n", " ") for cell in row) + r" \\" for row in rows]
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
