"""Docstrings, comments and messages are plain technical English: no word of a short list, imperative summaries."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize

import pytest
from builders import ROOT

SOURCES = [
    path
    for folder in ("mmdu_analysis", "scripts", "docs/_ext")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DOCUMENTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
]
FIRST_WORDS = {"Give", "Gives", "Tell", "Tells", "Put", "Take", "Say", "Says", "Look", "Lay"}
PHRASES = [
    r"made-up",
    r"told apart",
    r"stands? twice",
    r"(?<!there )\bis none\b",
    r"judge's own chance",
    r"binds nobody",
    r"[Tt]he first so many",
    r"[Oo]f the draw\b",
    r"\bbeside the paper's\b",
    r"lies? beside\b",
    r"worth a look",
    r"the fall within",
    r"\bmended\b",
    r"\bnothing of\b",
    r"\b[Oo]ne (?:row|page|point|column|entry|number|line|panel|key|cell|dot|mark) an? (?!time)",
    r"\b(?:drawn|draw) by lot\b",
    r"\bas (?:it|they) stands?\b",
    r"\bstands? (?:alone|behind|beside|in for)\b",
    r"\b(?:mean|means|tell|tells) nothing\b",
    r"(?<!there )(?<!There )\b(?:is|are) no (?!such|more|longer|usable|interval)[a-z]+ ",
    r"\bin whatever way\b",
    r"\bas far as\b",
    r"\bso many\b",
    r"\bgoes? on where\b",
]
VARIABLES = {
    "place",
    "said",
    "about",
    "there",
    "told",
    "thing",
    "made",
    "met",
    "stands",
    "got",
    "who",
    "spare",
}
ALLOWED_VARIABLES = {("registry", "about")}


def docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node, text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_begin_with_a_plain_verb(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    odd = [
        f"{getattr(node, 'name', 'module')}: {text.split(chr(10))[0]}"
        for node, text in docstrings(tree)
        if isinstance(node, ast.FunctionDef) and text.split()[0] in FIRST_WORDS
    ]
    assert not odd


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_phrase_of_the_list(path):
    text = path.read_text(encoding="utf-8")
    words = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type
        in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    ]
    found = [(phrase, word[:80]) for word in words for phrase in PHRASES if re.search(phrase, word)]
    assert not found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_phrase_of_the_list_in_documents(path):
    text = path.read_text(encoding="utf-8")
    assert not [phrase for phrase in PHRASES if re.search(phrase, text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_phrase_of_the_list_in_notebooks(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    assert not [phrase for phrase in PHRASES if re.search(phrase, text)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_say_what_they_hold(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    fields = {
        id(n.target)
        for c in ast.walk(tree)
        if isinstance(c, ast.ClassDef)
        for n in c.body
        if isinstance(n, ast.AnnAssign)
    }
    stored = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = {n.id for n in stored if id(n) not in fields}
    names |= {a.arg for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) for a in n.args.args}
    vague = {name for name in names & VARIABLES if (path.stem, name) not in ALLOWED_VARIABLES}
    assert not vague
