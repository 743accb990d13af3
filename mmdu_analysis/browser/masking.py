"""Hide the names of models in texts that a rater reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmdu_analysis.browser.texts import render_markdown

HIDDEN = "[model]"
_LEAST_FAMILY = 4
# First parts of names that are ordinary words and occur in texts about pictures.
_WORDS = frozenset(
    "base best chat closed finetuned fine instruct large mini model open small test vision".split()
)
_INLINE = re.compile(r"</?(?:strong|em|s|code)>")
_TAG = re.compile(r"(<[^>]*>)")


class NameMask:
    """Replaces names of models, and of their families, in texts.

    A name is found in any case and with any separators (``Qwen2-VL-7B``, ``qwen2 vl 7b``); its first word is
    taken as the name of a family (``Qwen``) unless it is an ordinary word.

    Parameters
    ----------
    models : iterable of str
        Names.
    """

    def __init__(self, models: Iterable[str]) -> None:
        patterns: set[str] = set()
        for name in models:
            parts = re.findall(r"[^\W_]+", name)
            if parts:
                patterns.add(r"[\W_]{0,3}".join(map(re.escape, parts)))
            elif name.strip():
                patterns.add(re.escape(name.strip()))
            family = re.match(r"[^\W\d_]+", parts[0]) if parts else None
            if family and len(family[0]) >= _LEAST_FAMILY and family[0].lower() not in _WORDS:
                patterns.add(re.escape(family[0]) + r"[^\W_]*")
        ordered = sorted(patterns, key=len, reverse=True)
        whole = rf"(?<![^\W_])(?:{'|'.join(ordered)})(?![^\W_])"
        self._pattern = re.compile(whole, re.IGNORECASE) if ordered else None

    def hide(self, text: str) -> str:
        """Return a text without the names."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def render(self, text: str) -> str:
        """Return Markdown as cleaned HTML without the names, including names split by markup."""
        html = render_markdown(self.hide(text))
        plain = _INLINE.sub("", html)
        if self._pattern is not None and self._pattern.search(plain):
            html = plain  # a name split by emphasis markup
        return "".join(part if part.startswith("<") else self.hide(part) for part in _TAG.split(html))
