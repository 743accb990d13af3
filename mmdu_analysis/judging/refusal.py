"""Interpret the error replies of servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import openai

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|limit|size)|(maximum|max).{0,30}(token|length)|too (long|large|many)|"
    r"at most \d+ image|exceed.{0,40}(token|length|limit|size)|reduce the (length|input|number)",
    re.IGNORECASE,
)
_OUTPUT_LIMIT = re.compile(r"max_(completion_|output_|new_)?tokens", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model.{0,80}(not found|not exist|unknown|invalid)|(unknown|invalid|no such).{0,20}model", re.I
)
_NOT_TAKEN = re.compile(
    r"not supported|unsupported|not support|does ?n.t support|unrecognized|unknown|unexpected|not permitted|"
    r"not allowed|only the default|deprecated|not available|extra inputs|invalid.{0,20}(param|field|argument)|"
    r"must be (omitted|removed|strictly)|may only be|can only be|not compatible|incompatible|\binstead\b",
    re.IGNORECASE,
)


class ErrorReply(NamedTuple):
    """An error reply.

    Attributes
    ----------
    text : str
        The message, not cleaned.
    code, kind, param : str
        The machine-readable fields of the protocol; empty if the server sends none.
    """

    text: str
    code: str = ""
    kind: str = ""
    param: str = ""


def read_error(error: openai.APIStatusError) -> ErrorReply:
    """Read an error reply in the forms that servers use."""
    body = error.body
    inner: Any = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return ErrorReply(str(inner or error.message))
    message = inner.get("message", inner.get("detail", inner))
    code, kind, param = (
        value if isinstance(value := inner.get(name), str) else "" for name in ("code", "type", "param")
    )
    return ErrorReply(str(message), code, kind, param)


def is_too_long(error: ErrorReply) -> bool:
    """Return whether the request is longer than the model can read.

    A message about ``max_tokens`` doesn't count: this parameter limits the length of the reply.
    """
    if error.code == "context_length_exceeded":
        return True
    about_output = _OUTPUT_LIMIT.search(error.text) or _OUTPUT_LIMIT.fullmatch(error.param)
    return not about_output and bool(_TOO_LONG.search(error.text))


def names_no_model(error: ErrorReply) -> bool:
    """Return whether the server says that it doesn't have the model."""
    return error.code == "model_not_found" or bool(_NO_MODEL.search(error.text))


def is_fatal(status: int, error: ErrorReply) -> bool:
    """Return whether no later request can succeed either."""
    return status in (402, 403) or "insufficient_quota" in (error.code, error.kind)


def find_advice(error: ErrorReply, parameters: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Return the parameter that the server refuses, and its replacement.

    Parameters
    ----------
    error : ErrorReply
        The reply.
    parameters : mapping
        The parameters of the request.

    Returns
    -------
    tuple of (str, str or None), or None
        ``max_tokens`` and ``max_completion_tokens``, which newer models take; ``temperature`` or
        ``response_format`` and None; None if the reply is about something else, or about a parameter that was
        not sent.
    """
    unsupported = error.code in ("unsupported_parameter", "unsupported_value")
    refused = unsupported or bool(_NOT_TAKEN.search(error.text))
    if "max_tokens" in parameters and refused and _is_about(error, "max_completion_tokens"):
        return "max_tokens", "max_completion_tokens"
    if "max_tokens" in parameters and unsupported and error.param == "max_tokens":
        return "max_tokens", "max_completion_tokens"
    if "temperature" in parameters and refused and _is_about(error, "temperature"):
        return "temperature", None
    form = _is_about(error, "response_format", "json_schema", "guided", "structured output")
    if "response_format" in parameters and form:
        return "response_format", None
    return None


def _is_about(error: ErrorReply, *words: str) -> bool:
    named = f"{error.param} {error.text}".lower()
    return any(word in named for word in words)
