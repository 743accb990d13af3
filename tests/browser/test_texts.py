"""Markdown, cut texts and word differences."""

from __future__ import annotations

import re
import time

from builders import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis.browser.texts import (
    MOST_CHARACTERS,
    MOST_COMPARED,
    first_words,
    question_parts,
    render_markdown,
    word_differences,
)


def test_markdown_keeps_its_shape_and_loses_its_teeth():
    assert render_markdown("**b** and `c`\n\n- one").startswith(
        "<p><strong>b</strong> and <code>c</code></p>\n<ul>"
    )
    assert "<td>1</td>" in render_markdown("|a|\n|-|\n|1|")
    html = render_markdown(HOSTILE)
    assert "<script" not in html
    tags = set(re.findall(r"<(/?\w+)[^>]*>", html))
    assert tags <= {"p", "/p"}
    assert not re.search(r"<\w+\s", html)  # no attribute at all


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.characters(), max_size=400)
    | st.text(alphabet="<>\"'&[]()!`*_#\n abjs:=/|-", max_size=400)
)
def test_no_text_becomes_markup(text):
    html = render_markdown(text)
    allowed = "p br hr em strong s code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split()
    for tag in re.findall(r"<([^>]*)>", html):
        assert tag.strip("/ ") in allowed
    parts = question_parts(text, 0, [])
    # A placeholder is no text: an image that isn't listed.
    shown = "".join(part.get("text", "<image>") for part in parts)
    expected = text.encode("utf-8", "replace").decode()
    assert shown == expected.replace("<ImageHere>", "<image>")


@settings(max_examples=200, deadline=None)
@given(*[st.lists(st.sampled_from(["a", "b", "Bird", "\n", "和"]), max_size=20).map(" ".join)] * 2)
def test_differences_rebuild_both_texts(reference, answer):
    parts = word_differences(reference, answer)
    assert "".join(text for what, text in parts if what != "gone").split() == answer.split()
    same = [text.split() for what, text in parts if what == "same"]
    gone = [text.split() for what, text in parts if what == "gone"]
    assert sum(map(len, same)) + sum(map(len, gone)) == len(reference.split())


def test_a_very_long_text_is_cut_and_says_so():
    assert "more characters are not shown" in render_markdown("x" * (MOST_CHARACTERS + 5))
    assert render_markdown("word " * 4_000).count("word") == 4_000
    assert render_markdown("\ud800 lone") == "<p>? lone</p>\n"


def test_differences_of_long_texts_are_cut_with_a_note():
    reference, answer = "same word " * 30_000, "same thing " * 30_000
    start = time.perf_counter()
    parts = word_differences(reference, answer)
    assert time.perf_counter() - start < 10
    assert parts[-1] == ["note", f"Only the first {MOST_COMPARED:,} characters of each text are compared."]
    shown = "".join(text for what, text in parts if what in ("same", "new"))
    assert answer.startswith(shown)
    assert MOST_COMPARED - 10 < len(shown) <= MOST_COMPARED
    assert word_differences("a b", "a c")[-1][0] != "note"


def test_first_words_leave_out_the_labels_of_placeholders():
    assert first_words("Image1: <ImageHere>. Image2: <ImageHere>. What is it?") == "What is it?"
    assert first_words("<image>\nCompare Image1 with Image2.") == "Compare Image1 with Image2."
    assert len(first_words("word " * 100, 20)) <= 21
