"""The files of the page. The script is several sections that share one scope: no build step, one module."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
SECTIONS = ("dom", "pictures", "finder", "reader", "notes", "rating", "app")
"""Sections of the script, in order; the last one ends with the exports."""


@lru_cache(maxsize=8)
def text_of(name: str) -> str:
    """Return the text of a file of the page."""
    return (STATIC / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def script() -> str:
    """Return the page's script as one module that exports ``mount`` and the widget's ``render``."""
    return "\n".join(text_of(f"{section}.js") for section in SECTIONS)


def style() -> str:
    """Return the page's style sheet, for the shadow root."""
    return text_of("browser.css")
