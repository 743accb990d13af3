"""Keep the API key and passwords out of messages and files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

from mmdu_analysis.schema import DataError, shorten

MASK = "[key]"
_IN_MESSAGES, _IN_REPLIES = 4, 8
"""Minimum length of a secret that is replaced: shorter ones may be parts of ordinary words."""
_ROUNDS = 3
_PLACEHOLDERS = frozenset({"none", "empty", "dummy", "test", "local"})


def check_key(key: str | None, name: str = "OPENAI_API_KEY") -> str | None:
    """Return an API key without the line end that is left by reading it from a file.

    Parameters
    ----------
    key : str or None
        Value of the environment variable.
    name : str, default "OPENAI_API_KEY"
        Name of the variable, for the message.

    Returns
    -------
    str or None
        None if there is no key.

    Raises
    ------
    DataError
        If it has a character that is not allowed in an HTTP header; the message doesn't repeat the key.
    """
    bare = (key or "").strip()
    wrong = [position for position, char in enumerate(bare, 1) if not "!" <= char <= "~"]
    if wrong:
        raise DataError(
            f"{name}: character {wrong[0]} of {len(bare)} is not a printable ASCII character, which an HTTP header "
            "can't carry; copy the key again"
        )
    return bare or None


class Secrets:
    """Texts that must not appear in any message or file, in all encodings in which a server may repeat them.

    Parameters
    ----------
    values : iterable of str or None
        The key, passwords, tokens in an address.
    """

    def __init__(self, values: Iterable[str | None]) -> None:
        known = {value for value in values if value and value.casefold() not in _PLACEHOLDERS}
        forms = {form for value in known for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._short = [form for form in longest_first if len(form) >= _IN_MESSAGES]
        self._long = [form for form in longest_first if len(form) >= _IN_REPLIES]

    def redact(self, text: str) -> str:
        """Return a model's reply without secrets of eight characters or more, otherwise unchanged."""
        for form in self._long:
            text = text.replace(form, MASK)
        return text

    def clean(self, text: object, limit: int = 300) -> str:
        """Return a text of a server for a message: one short line without secrets and control characters.

        Parameters
        ----------
        text : object
            The reply of the server, decoded or not.
        limit : int, default 300
            Maximum length in characters.

        Returns
        -------
        str
            The key is replaced before and after the line is cleaned, and before it is cut.
        """
        found = str(text)
        for _ in range(2):
            for form in self._short:
                found = found.replace(form, MASK)
            found = shorten(found, len(found) + 3)
        return shorten(found, limit)


def _forms(value: str) -> set[str]:
    """List the spellings of a secret: escaped for JSON, Python and URLs, also twice, and in base64 at each offset."""
    plain = unquote(value)
    forms = {value, plain}
    for _ in range(_ROUNDS):  # the message of a proxy may contain a request that is already escaped
        for form in tuple(forms):
            forms |= {quote(form, safe=""), quote(form), quote_plus(form)}
            forms |= {json.dumps(form)[1:-1], repr(form)[1:-1], form.replace("/", "\\/")}
    for data in {value, plain}:
        raw = data.encode("utf-8", "surrogatepass")
        for before in range(3):  # the key may follow other bytes, as in "user:password"
            encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
            start = (before * 8 + 5) // 6
            end = len(encoded) - (1 if (before + len(raw)) % 3 else 0)
            if len(encoded[start:end]) >= _IN_REPLIES:
                forms |= {encoded[start:end], encoded[start:end].replace("+", "-").replace("/", "_")}
        forms |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    return forms
