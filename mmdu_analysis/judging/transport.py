"""The HTTP client: a deadline and a size limit for each complete reply, no redirects, no proxy to this machine.

The time-out of the client applies to one read: it is never reached if a server sends single bytes.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

if TYPE_CHECKING:
    from mmdu_analysis.judging.address import Address

MAX_REPLY = 8 << 20
"""Maximum size of a reply in bytes, compressed and uncompressed: ten times the longest replies of models."""
_PIECE = 1 << 16
_CONNECTIONS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)


class ReplyTooLargeError(BaseException):
    """The reply exceeds the size limit.

    Not an `Exception`: the client would treat it as a lost connection and retry.
    """


def bounded_client(
    address: Address, timeout: float, on_request: Callable[..., None], on_response: Callable[..., None]
) -> httpx2.Client:
    """Return a client for one server.

    Parameters
    ----------
    address : Address
        The server; the proxy depends on it.
    timeout : float
        Seconds from the first byte sent to the last byte of the reply.
    on_request, on_response : callable
        Called before each request and after each reply's header.

    Returns
    -------
    httpx2.Client
        Redirects are not followed.
    """
    return httpx2.Client(
        transport=BoundedTransport(timeout, proxy=address.proxy),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,  # the proxy is chosen above
        headers={"Accept-Encoding": "gzip, deflate"},
        event_hooks={"request": [on_request], "response": [on_response]},
    )


class BoundedTransport(httpx2.HTTPTransport):
    """A transport that reads each reply completely, within a deadline and a size limit."""

    def __init__(self, timeout: float, limit: int = MAX_REPLY, proxy: str | None = None) -> None:
        super().__init__(limits=_CONNECTIONS, proxy=proxy)
        self._timeout, self._limit, self._clock = timeout, limit, threading.local()
        self._pool._network_backend = _Backend(self._pool._network_backend, self._left)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and read the reply.

        Raises
        ------
        ReplyTooLargeError
            If the reply is longer than the limit, as sent or uncompressed.
        httpx2.ReadTimeout
            If it isn't complete at the deadline.
        """
        self._clock.deadline = time.monotonic() + self._timeout
        response = super().handle_request(request)
        try:
            raw = self._read(response.stream)  # type: ignore[arg-type]
        finally:
            response.close()
        kept = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        encoding = response.headers.get("content-encoding", "").strip().lower()
        return httpx2.Response(
            response.status_code,
            headers=kept,
            content=inflate(raw, encoding, self._limit),
            extensions={"http_version": b"HTTP/1.1"},
            request=request,
        )

    def _read(self, stream: Iterable[bytes]) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in stream:
            parts.append(part)
            size += len(part)
            if size > self._limit:
                raise ReplyTooLargeError(f"more than {self._limit >> 20} MB")
        return b"".join(parts)

    def _left(self, timeout: float | None) -> float:
        left = self._clock.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the deadline of the whole reply has passed")
        return left if timeout is None else min(timeout, left)


def inflate(raw: bytes, encoding: str, limit: int) -> bytes:
    """Return a reply's body uncompressed.

    Parameters
    ----------
    raw : bytes
        The compressed body.
    encoding : str
        ``Content-Encoding``.
    limit : int
        Maximum size in bytes.

    Returns
    -------
    bytes
        The body; unchanged if the encoding is unknown or the data is damaged, so that it is not a valid
        reply.

    Raises
    ------
    ReplyTooLargeError
        If it is larger; at most `limit` bytes are decompressed.
    """
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return raw
    for window in (47, -15):  # gzip or zlib, by their headers; bare deflate
        try:
            unpacker = zlib.decompressobj(window)
            data = unpacker.decompress(raw, limit + 1)
        except zlib.error:
            continue
        if len(data) > limit:
            raise ReplyTooLargeError(f"more than {limit >> 20} MB when it is uncompressed")
        if unpacker.eof:
            return data
    return raw


class _Backend(httpcore2.NetworkBackend):
    """Connections whose every read and write ends at the deadline of the request."""

    def __init__(self, inner: Any, left: Callable[[float | None], float]) -> None:
        self._inner, self._left = inner, left

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kw: Any) -> Any:
        return _Stream(self._inner.connect_tcp(host, port, self._left(timeout), *args, **kw), self._left)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: Any, left: Callable[[float | None], float]) -> None:
        self._inner, self._left = inner, left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):  # the deadline also applies to a server that reads slowly
            self._inner.write(buffer[start : start + _PIECE], self._left(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> Any:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._left(timeout)), self._left)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
