"""One server that speaks the OpenAI chat protocol: a request, its retries, and what a refusal means."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies

import msgspec

from mmdu_analysis.io.files import decode_loosely
from mmdu_analysis.judging.slots import Slots
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import openai

GARBLED_LIMIT = 3
"""How often a turn is asked whose reply isn't of the protocol."""
_MOST_WORDS = 300
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|limit|size)|(maximum|max).{0,30}(token|length)|too (long|large|many)|"
    r"at most \d+ image|exceed.{0,40}(token|length|limit|size)|reduce the (length|input|number)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,80}(not found|not exist|unknown|invalid)|(unknown|invalid|no such).{0,20}model", re.I
)


class TurnError(Exception):
    """A turn without a usable reply; the run goes on without it."""


class TooLongError(TurnError):
    """The server says that the request is longer than it can read."""


class Completion(msgspec.Struct):
    """What a server answers.

    Attributes
    ----------
    text : str
        The reply.
    finish_reason : str or None
        Why it ends, such as ``stop`` or ``length``.
    prompt_tokens, completion_tokens : int
        As the server counts them; 0 where it doesn't.
    """

    text: str
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Server:
    """Where a model is asked, and how.

    Attributes
    ----------
    model : str
        Its name there.
    base_url : str or None
        Such as ``http://localhost:8000/v1``; None takes the client's own configuration (``OPENAI_BASE_URL``).
    parameters : mapping
        What each request says beside model and messages, such as ``temperature``.
    timeout : float
        Seconds that one reply may take.
    retries : int
        How often a request is sent again after 408, 409, 429, 5xx or a lost connection.
    concurrency : int
        Requests at the server at once, at most.
    """

    model: str
    base_url: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 600.0
    retries: int = 8
    concurrency: int = 4

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        DataError
            If there is one.
        """
        for name, least in (("concurrency", 1), ("retries", 0), ("timeout", 0.001)):
            if getattr(self, name) < least:
                raise DataError(f"{name}: got {getattr(self, name)}, expected {least} or more")

    @property
    def address(self) -> str:
        """Where requests go, without what may be secret in it."""
        return public_url(self.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")

    @contextmanager
    def connect(self) -> Iterator[Endpoint]:
        """Give an endpoint, which serves any number of threads.

        Raises
        ------
        DataError
            If there is no key where one is needed, or nothing listens at the address.
        """
        slots = Slots(self.concurrency)
        client = _client(self, slots)
        _check_listening(str(client.base_url))
        with client:
            yield Endpoint(self, client, slots)


def _client(server: Server, slots: Slots) -> openai.OpenAI:
    try:
        import openai
    except ImportError:
        text = "asking a model needs the openai client; pip install 'mmdu-analysis[judging]'"
        raise DataError(text) from None

    hooks: Any = {"request": [slots.take], "response": [slots.refused]}
    options: dict[str, Any] = {
        "base_url": server.base_url,
        "max_retries": server.retries,
        "timeout": server.timeout,
        "http_client": openai.DefaultHttpxClient(event_hooks=hooks),
    }
    try:
        return openai.OpenAI(**options)
    except openai.OpenAIError:
        if server.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
            text = "no API key: set OPENAI_API_KEY, or name a server that needs none with --base-url"
            raise DataError(text) from None
        return openai.OpenAI(api_key="none", **options)  # a local server takes any


def _check_listening(address: str) -> None:
    """Tell at once when no server runs, which the client would find out after all its retries."""
    parts = urlsplit(address)
    if getproxies():  # whether the proxy reaches it, only the client finds out
        return
    try:
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected http:// or https:// and a host")
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        socket.create_connection((parts.hostname, port), timeout=10).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"{public_url(address)}: nothing answers there ({reason}); is the server running?"
        raise DataError(text) from None


def public_url(address: str) -> str:
    """Give an address without what may be secret in it: user, password, query."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


class Endpoint:
    """A server that is connected to; made by `Server.connect`."""

    def __init__(self, server: Server, client: openai.OpenAI, slots: Slots) -> None:
        self.server, self.slots, self._client = server, slots, client

    def ask(self, messages: Sequence[Any]) -> Completion:
        """Send one conversation and read the reply.

        Parameters
        ----------
        messages : sequence of dict or msgspec.Raw
            In the chat protocol's form.

        Returns
        -------
        Completion
            The reply.

        Raises
        ------
        TooLongError
            If the server says that it can't read that much.
        TurnError
            If there is no reply after all retries, or none of the protocol's form.
        DataError
            If no request can succeed: key refused, model unknown, no credit left.
        """
        content = {"model": self.server.model, "messages": messages, **self.server.parameters}
        body = msgspec.json.encode(content)
        for attempt in range(1, GARBLED_LIMIT + 1):
            raw = self._post(body)
            try:
                return read_completion(raw)
            except TurnError as error:
                if attempt == GARBLED_LIMIT:
                    raise TurnError(f"{error}, {attempt} times") from None
        raise AssertionError

    def _post(self, body: bytes) -> str:
        import openai

        headers = {"Content-Type": "application/json"}
        times = f"asked {self.server.retries + 1} times"
        try:
            # The client's typed method copies every message part by part, which takes longer than all the rest.
            return self._client.post(
                "/chat/completions", cast_to=str, content=body, options={"headers": headers}
            )
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APITimeoutError:
            raise TurnError(f"no reply within {self.server.timeout:g} s, {times}") from None
        except openai.APIConnectionError as error:
            reason = str(error.__cause__ or error) or type(error.__cause__).__name__
            raise TurnError(f"the connection failed ({self._safe(reason)}), {times}") from None

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        """Tell what a status means: this turn, a request too long, or the end of the run."""
        status, said = error.status_code, self._safe(_message(error))
        where = f"{self.server.address} ({status})"
        if status == 401:
            return DataError(f"{where}: the server refuses the API key; set OPENAI_API_KEY")
        if status == 404 or (status in (400, 422) and _NO_MODEL.search(said)):
            return DataError(f"{where}: no model {self.server.model!r}: {said}{self._models()}")
        if status in (402, 403) or "insufficient_quota" in (error.code, error.type):
            return DataError(f"{where}: the server refuses to serve: {said}")
        if status == 413 or (status in (400, 422) and _is_too_long(error, said)):
            return TooLongError(f"longer than the model can read: {said}")
        again = (
            f", asked {self.server.retries + 1} times" if status in (408, 409, 429) or status >= 500 else ""
        )
        return TurnError(f"HTTP {status}{again}: {said}")

    def _models(self) -> str:
        """List the models that the server has, as far as it tells."""
        import openai

        try:
            page = self._client.with_options(max_retries=0, timeout=10).models.list()
            names = [str(model.id) for model in page.data]
        except (openai.OpenAIError, AttributeError, TypeError, ValueError):
            return "; does --base-url end with /v1?"
        return f"; it has {', '.join(names[:8])}" if names else ""

    def _safe(self, text: str) -> str:
        """Make a server's words one short line that doesn't repeat the key."""
        key = self._client.api_key
        if key and key != "none":
            text = text.replace(key, "[key]")
        line = " ".join(text.split())
        return line if len(line) <= _MOST_WORDS else line[:_MOST_WORDS] + " ..."


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message", inner) if isinstance(inner, dict) else inner
    return str(body or error.message)


def _is_too_long(error: openai.APIStatusError, said: str) -> bool:
    return error.code == "context_length_exceeded" or bool(_TOO_LONG.search(said))


class _Part(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0


class _Reply(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


def read_completion(raw: str) -> Completion:
    """Read a chat completion.

    Parameters
    ----------
    raw : str
        The response's body.

    Returns
    -------
    Completion
        An empty reply is one too; a refusal is what the model said.

    Raises
    ------
    TurnError
        If it isn't one.
    """
    try:
        reply = msgspec.convert(decode_loosely(raw.encode("utf-8", "surrogatepass")), _Reply)
    except (ValueError, RecursionError) as error:
        raise TurnError(f"a garbled reply ({error})") from None
    if not reply.choices:
        told = "" if reply.error is None else f": {reply.error}"[:_MOST_WORDS]
        raise TurnError(f"a reply without choices{told}")
    choice, usage = reply.choices[0], reply.usage or _Usage()
    content = choice.message.content
    text = "".join(part.text for part in content) if isinstance(content, list) else content
    if text is None:
        text = choice.message.refusal
    if text is None:
        raise TurnError(f"a reply without text (finish_reason {choice.finish_reason!r})")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half a character is none
    return Completion(text, choice.finish_reason, usage.prompt_tokens or 0, usage.completion_tokens or 0)
