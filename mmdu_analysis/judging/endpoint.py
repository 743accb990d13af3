"""One server that speaks the OpenAI chat protocol: requests, retries, and unsupported parameters."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mmdu_analysis.judging.address import Address, check_listening, parse_address, public_host
from mmdu_analysis.judging.refusal import find_advice, is_fatal, is_too_long, names_no_model, read_error
from mmdu_analysis.judging.reply import Completion, TooLongError, TurnError, Usage, read_completion
from mmdu_analysis.judging.secrets import Secrets, check_key
from mmdu_analysis.judging.slots import Slots
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import openai

logger = logging.getLogger(__name__)

GARBLED_LIMIT = 3
"""Number of attempts for a turn whose replies don't follow the protocol."""
FAILURES_IN_A_ROW = 10
"""Number of consecutive turns without a result, or replies without a readable judgement, after which a run stops."""


@dataclass(frozen=True)
class Server:
    """A model at a server, and the settings of requests.

    Attributes
    ----------
    model : str
        Name of the model at the server.
    base_url : str or None
        Such as ``http://localhost:8000/v1``; None takes ``OPENAI_BASE_URL``, else OpenAI's.
    parameters : mapping
        Further parameters of each request, such as ``temperature``.
    timeout : float
        Seconds that one reply may take, from the request to its last byte.
    retries : int
        Number of times that a request is repeated after 408, 409, 429, 5xx or a lost connection.
    concurrency : int
        Maximum number of concurrent requests.
    """

    model: str
    base_url: str | None = field(default=None, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 600.0
    retries: int = 8
    concurrency: int = 4

    def __post_init__(self) -> None:
        """Validate the numbers, the address and the key before the first request.

        Raises
        ------
        DataError
            If one is invalid.
        """
        for name, least in (("concurrency", 1), ("retries", 0), ("timeout", 0.001)):
            if not getattr(self, name) >= least:
                raise DataError(f"{name}: got {getattr(self, name)}, expected {least} or more")
        check_key(os.environ.get("OPENAI_API_KEY"))
        text = msgspec.json.encode({"model": self.model, **self.parameters}).decode()
        if self.secrets.redact(text) != text:
            raise DataError(
                "the API key or a password is in the model's name or the parameters, which are written to run.json"
            )

    @cached_property
    def address(self) -> Address:
        """The address of the server."""
        return parse_address(self.base_url)

    @cached_property
    def secrets(self) -> Secrets:
        """Texts that must not be shown or written."""
        return Secrets([os.environ.get("OPENAI_API_KEY", "").strip(), *self.address.secrets])

    @contextmanager
    def connect(self) -> Iterator[Endpoint]:
        """Return an endpoint, which is thread-safe.

        Raises
        ------
        DataError
            If a required key is missing, or no server listens at the address.
        """
        slots = Slots(self.concurrency)
        client = _client(self, slots)
        check_listening(self.address)
        with client:
            yield Endpoint(self, client, slots)


def _client(server: Server, slots: Slots) -> openai.OpenAI:
    try:
        import openai

        from mmdu_analysis.judging.transport import bounded_client
    except ImportError:
        text = "asking a model needs the openai client; pip install 'mmdu-analysis[judging]'"
        raise DataError(text) from None
    key = check_key(os.environ.get("OPENAI_API_KEY"))
    if key is None and server.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
        raise DataError("no API key: set OPENAI_API_KEY, or pass the base_url of a server that needs none")
    return openai.OpenAI(
        api_key=key or "none",  # a local server accepts any key
        base_url=server.address.url,
        default_headers=server.address.headers,
        default_query=dict(server.address.query),
        max_retries=server.retries,
        timeout=server.timeout,
        http_client=bounded_client(server.address, server.timeout, slots.take, slots.refused),
    )


class Streak:
    """Consecutive failures, counted over all threads.

    Parameters
    ----------
    limit : int
        Number of failures after which the run stops.
    on_over : callable
        Called when the limit is reached.
    """

    def __init__(self, limit: int, on_over: Callable[[], None]) -> None:
        self._limit, self._on_over = limit, on_over
        self._count, self._counting = 0, threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether there were too many failures."""
        return self._count >= self._limit

    @property
    def count(self) -> int:
        """Number of failures since the last success."""
        return self._count

    def add(self) -> None:
        """Count a failure."""
        with self._counting:
            self._count += 1
        if self.is_over:
            self._on_over()

    def clear(self) -> None:
        """Count a success, which resets the number of failures."""
        with self._counting:
            if not self.is_over:  # the run is stopping: keep the reason
                self._count = 0


class Endpoint:
    """A connection to a server, from `Server.connect`.

    Attributes
    ----------
    notes : list of str
        Unsupported parameters and their replacements, without repetition.
    streak : Streak
        Failures in a row.
    """

    def __init__(self, server: Server, client: openai.OpenAI, slots: Slots) -> None:
        self.server, self.slots, self._client = server, slots, client
        self.secrets = server.secrets
        self.streak = Streak(max(FAILURES_IN_A_ROW, server.concurrency), slots.stop)
        self.notes: list[str] = []
        self.thinks_in_text = False
        self._parameters = dict(server.parameters)
        self._changing = threading.Lock()

    def ask(self, messages: Sequence[Any]) -> Completion:
        """Send one conversation and read the reply.

        Parameters
        ----------
        messages : sequence of dict or msgspec.Raw
            In the chat protocol's form.

        Returns
        -------
        Completion
            The reply; its ``usage`` includes earlier invalid replies.

        Raises
        ------
        TooLongError
            If the server reports that the request is too long.
        TurnError
            If there is no valid reply after all retries.
        DataError
            If no request can succeed: key refused, model unknown, no credit left.
        """
        spent = Usage()
        for attempt in range(1, GARBLED_LIMIT + 1):
            raw = self._post(messages)
            try:
                reply = self._safe(read_completion(raw))
            except TurnError as error:
                spent = spent.plus(error.usage)
                if attempt == GARBLED_LIMIT:
                    raise TurnError(f"{self.secrets.clean(error)}, {attempt} times", spent) from None
            else:
                reply.usage = reply.usage.plus(spent)
                return self._cut_in_thinking(reply)
        raise AssertionError

    def _safe(self, reply: Completion) -> Completion:
        """Remove the key from a text to be written: a proxy may repeat the request in its reply."""
        reply.text, reply.thinking = self.secrets.redact(reply.text), self.secrets.redact(reply.thinking)
        if reply.finish_reason is not None:
            reply.finish_reason = self.secrets.clean(reply.finish_reason, 40)
        return reply

    def _cut_in_thinking(self, reply: Completion) -> Completion:
        """Recognise a truncated thinking part of a model whose opening marker is in the prompt; it looks like an answer."""
        self.thinks_in_text |= reply.marked
        if self.thinks_in_text and not reply.thinking and reply.finish_reason == "length":
            reply.text, reply.thinking, reply.complete = "", reply.text, False
        return reply

    def _post(self, messages: Sequence[Any]) -> str:
        """Send a request, without the parameters that the server refuses."""
        while True:
            parameters = self._parameters
            content = {"model": self.server.model, "messages": messages, **parameters}
            try:
                return self._send(msgspec.json.encode(content), parameters)
            except _RefusedParameterError as error:
                self._do_without(error, parameters)

    def post(self, path: str, content: Mapping[str, Any]) -> str:
        """Send a request of the protocol that is not a conversation, such as one for embeddings.

        Parameters
        ----------
        path : str
            Such as ``/embeddings``.
        content : mapping
            The request, without the model.

        Returns
        -------
        str
            The body of the reply.

        Raises
        ------
        TurnError, DataError
            As `ask`.
        """
        with self.slots.hold():
            body = msgspec.json.encode({"model": self.server.model, **content})
            return self._send(body, {}, path)

    def _send(self, body: bytes, sent: Mapping[str, Any], path: str = "/chat/completions") -> str:
        import openai

        from mmdu_analysis.judging.transport import ReplyTooLargeError

        headers = {"Content-Type": "application/json"}
        times = f"asked {self.server.retries + 1} times"
        try:
            # The typed method of the client copies every message part by part, which takes most of the time.
            return self._client.post(path, cast_to=str, content=body, options={"headers": headers})
        except openai.APIStatusError as error:
            raise self._refusal(error, sent) from None
        except openai.APITimeoutError:
            raise TurnError(f"no complete reply within {self.server.timeout:g} s, {times}") from None
        except openai.APIConnectionError as error:
            reason = str(error.__cause__ or error) or type(error.__cause__).__name__
            raise TurnError(f"the connection failed ({self.secrets.clean(reason, 120)}), {times}") from None
        except ReplyTooLargeError as error:
            raise TurnError(f"the reply is too large ({error})") from None
        except (openai.OpenAIError, UnicodeError, ValueError) as error:
            raise DataError(f"{self.server.address.url}: {self.secrets.clean(error)}") from None

    def _refusal(self, error: openai.APIStatusError, sent: Mapping[str, Any]) -> Exception:
        """Return the exception for a status: an unsupported parameter, a failed turn, a request that is too long, or the end of the run."""
        reply = read_error(error)
        status, text = error.status_code, self.secrets.clean(reply.text)
        where = f"{self.server.address.url} ({status})"
        if 300 <= status < 400:
            return DataError(f"{where}: {self._redirect(error)}")
        if status in (400, 422) and (advice := find_advice(reply, sent)):
            return _RefusedParameterError(*advice, text)
        if status == 401:
            return DataError(f"{where}: the server refuses the API key; set OPENAI_API_KEY")
        if status == 404 or (status in (400, 422) and names_no_model(reply)):
            return DataError(f"{where}: no model {self.server.model!r}: {text}{self._models()}")
        if is_fatal(status, reply):
            return DataError(f"{where}: the server refuses to serve: {text}")
        if status == 413 or (status in (400, 422) and is_too_long(reply)):
            return TooLongError(f"longer than the model can read: {text}")
        again = (
            f", asked {self.server.retries + 1} times" if status in (408, 409, 429) or status >= 500 else ""
        )
        return TurnError(f"HTTP {status}{again}: {text}")

    def _redirect(self, error: openai.APIStatusError) -> str:
        own = f"{self.server.address.host}:{self.server.address.port}"
        host = public_host(error.response.headers.get("location", "")) or own
        return (
            f"the server {own} redirects to {self.secrets.clean(host, 100)}; redirects are not followed, since questions "
            "and the key would be sent there; pass the final address as base_url"
        )

    def _do_without(self, error: _RefusedParameterError, sent: Mapping[str, Any]) -> None:
        """Change the parameters for this and all later requests; another thread may already have changed them."""
        with self._changing:
            if self._parameters is not sent:
                return
            changed = {name: value for name, value in sent.items() if name != error.name}
            if error.instead:
                changed[error.instead] = sent[error.name]
            self._parameters = changed
            done = f"{error.instead} is sent instead" if error.instead else "it is not sent"
            note = f"{self.server.model}: the server doesn't accept {error.name}, {done} ({error.text})"
            self.notes.append(note)
        logger.warning(note)

    def _models(self) -> str:
        """List the models of the server, if it returns them."""
        import openai

        from mmdu_analysis.judging.transport import ReplyTooLargeError

        try:
            page = self._client.with_options(max_retries=0, timeout=10).models.list()
            names = [self.secrets.clean(model.id, 60) for model in page.data[:8]]
        except (openai.OpenAIError, AttributeError, TypeError, ValueError, ReplyTooLargeError):
            return "; does base_url end with /v1?"
        return f"; it has {', '.join(names)}" if names else ""


class _RefusedParameterError(Exception):
    """The server doesn't accept a parameter; the request is sent again without it."""

    def __init__(self, name: str, instead: str | None, text: str) -> None:
        super().__init__(text)
        self.name, self.instead, self.text = name, instead, text
