"""One escape function for each kind of output, for texts that come from files, models and servers."""

from __future__ import annotations

import html
import re
import unicodedata

_FORMULA = frozenset("=+-@")
_NUMBER_TEXT = re.compile(r"[+-][\d.][\w\s.,%+-]*")
_MARKDOWN = re.compile(
    r"([\\`*\[\]|~$]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_])|&(?=[#\w]))"
)  # `a_b` is not emphasis
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
        "[": "{[}",
        "]": "{]}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
    }
)


def one_line(text: str) -> str:
    """Return a text without control, format and surrogate characters, on one line.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Line ends, tabs and other such characters become single spaces; zero-width joiners inside a word are
        removed.
    """
    if not text.isprintable():
        text = "".join(" " if _is_control(char) else char for char in text)
    return " ".join(text.split())


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def escape_terminal(text: str) -> str:
    """Return a text without escape sequences or other control characters; line feeds and tabs are kept."""
    return "".join(char for char in text if char in "\n\t" or not _is_control(char))


def escape_csv(text: str) -> str:
    """Return a text that no spreadsheet executes as a formula.

    Parameters
    ----------
    text : str
        Content of a cell.

    Returns
    -------
    str
        With a ``'`` before it if its first visible character, in any width, begins a formula. Texts such as
        ``+5.4 k`` are not changed. Line ends become line feeds.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    visible = plain if plain.isprintable() else "".join(char for char in plain if not _is_control(char))
    visible = unicodedata.normalize("NFKC", visible).lstrip()
    starts = plain[:1] in ("\t", "\n") or visible[:1] in _FORMULA
    return "'" + plain if starts and not _NUMBER_TEXT.fullmatch(visible) and visible else plain


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows unchanged: no HTML, pictures, links, emphasis or line breaks."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def escape_latex(text: str) -> str:
    """Return a text that LaTeX typesets unchanged, also at the beginning of a table cell."""
    return one_line(text).translate(_LATEX)


def escape_html(text: str) -> str:
    """Return a text that HTML shows unchanged, in content and in quoted attributes."""
    return html.escape(one_line(text), quote=True)
