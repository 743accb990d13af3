"""Texts of files, models and servers come back from every output as they went in, and act as nothing."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmdu_analysis.cli.options import note, show
from mmdu_analysis.io.escape import (
    escape_csv,
    escape_latex,
    escape_markdown,
    escape_terminal,
    one_line,
)
from mmdu_analysis.io.tables import Format, render_table, safe_csv

TEXTS = st.text(
    st.sampled_from("ab1 _*`[]()<>|!&~#$\\{}^%=+-@'\"\r\n\t\x1b\u2028\u200b\uff1d\uff0bé;:/."), max_size=25
)


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@given(TEXTS)
def test_markdown_tables_show_the_text(text):
    table = render_table(pd.DataFrame({"x": ["a", text]}), "markdown")
    parser = Cells()
    parser.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(table))
    assert parser.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert [cell.strip() for cell in parser.cells] == ["x", "a", one_line(text)]


@given(TEXTS)
def test_html_tables_show_the_text(text):
    parser = Cells()
    parser.feed(render_table(pd.DataFrame({"x": [text]}), "html"))
    assert parser.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert parser.cells[1].strip() == one_line(text)


@given(TEXTS)
def test_csv_cells_are_never_formulas(text):
    (row,) = list(csv.reader(io.StringIO(safe_csv(pd.DataFrame({"x": [text], "y": [1.5]})))))[1:]
    read = row[0]
    assert read.removeprefix("'") == text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("'")
    first = read.lstrip("\n\t \u200b\x1b\u2028")[:1]
    assert first not in ("\uff1d", "=", "@")
    assert not read.startswith(("\t", "\n")) or not read.strip()


@pytest.mark.parametrize(
    "text", ["=1+1", "\n=1+1", "\uff1d1+1", "\t=x", "@SUM(A1)", "-cmd|x", "+A1", "\u200b=1"]
)
def test_formulas_are_quoted(text):
    assert escape_csv(text).startswith("'")


@pytest.mark.parametrize("text", ["-5", "+3.8, of R +6.5", "plain", "", "a=b"])
def test_other_cells_stay(text):
    assert escape_csv(text) == text


@given(TEXTS)
def test_latex_has_no_live_commands(text):
    written = escape_latex(text)
    for harmless in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}", r"\textless{}"):
        written = written.replace(harmless, "")
    for harmless in (r"\textgreater{}", r"\textbar{}", r"\textquotedbl{}", "{[}", "{]}"):
        written = written.replace(harmless, "")
    assert not re.search(r"(?<!\\)[&%$#_{}]|[\^~\[\]]|\\(?![&%$#_{}])", written)


@given(TEXTS)
def test_terminal_texts_have_no_control_characters(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u200b]", escape_terminal(text))


def test_latex_tables_show_the_text():
    text = render_table(pd.DataFrame({"a_b": ["\\input{/etc/passwd}", "[x] & 5 %"], "$n$": [1, 2]}), "latex")
    body = text.split("\\toprule\n")[1].splitlines()
    assert body[0] == r"a\_b & \$n\$ \\"
    assert body[2:4] == [r"\textbackslash{}input\{/etc/passwd\} & 1 \\", r"{[}x{]} \& 5 \% & 2 \\"]


def test_what_the_commands_print_has_no_escape_sequences(capsys):
    frame = pd.DataFrame({"model": ["\x1b]0;title\x07\x1b[2Jgone\x9b31m"], "mean": [1.0]})
    for form in Format:
        show(frame, form, None)
    note("\x1b[2Jgone\x9b31m")
    told = capsys.readouterr()
    assert told.out.count("gone") == len(Format)
    assert told.err == "mmdu: [2Jgone31m\n"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told.out + told.err)


def test_underscores_within_words_stay_readable():
    assert escape_markdown("n_dialogs") == "n_dialogs"


def test_synthetic_numbers_are_marked_in_words_and_as_a_column():
    frame = pd.DataFrame({"model": ["a"], "mean": [1.25], "p_value": [0.00001], "synthetic": [True]})
    for form in ("markdown", "latex", "html"):
        text = render_table(frame, form)
        assert "synthetic sample, not MMDU" in text
        assert "1.25" in text
        assert "0.001" in text
    assert "model,mean,p_value,synthetic" in render_table(frame, "csv")
    assert '"synthetic": true' in render_table(frame, "json")
