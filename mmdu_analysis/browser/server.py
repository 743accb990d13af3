"""The browser in a window of its own: a small server on loopback, for one reader."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mmdu_analysis.browser.assets import script, style, text_of
from mmdu_analysis.schema import DataError

MAX_STRANGERS = 32
"""Maximum number of connections without the code or the cookie; beyond it, the oldest one is closed."""
MAX_BODY = 4_096  # bytes; no request has a body
MAX_HEADER = 16_384
MAX_MESSAGE = 1 << 20
_IDLE_SECONDS = 30
_CHECK_SECONDS = 0.3
_CODE_SECONDS = 120.0  # how long the code in the command line of the web browser is valid
_FILES: dict[str, tuple[str, Callable[[], str]]] = {
    "browser.js": ("text/javascript", script),
    "socket.js": ("text/javascript", lambda: text_of("socket.js")),
    "browser.css": ("text/css", style),
    "own.css": ("text/css", lambda: text_of("own.css")),
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmdu browse</title><link rel="stylesheet" href="own.css">
</head><body><main id="browser"></main><script type="module" src="socket.js"></script></body></html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Site:
    """A page that the server shows, and the files that it loads.

    Attributes
    ----------
    page : str
        HTML.
    files : mapping
        Name to media type and content.
    """

    page: str
    files: Mapping[str, tuple[str, Callable[[], str]]]


BROWSER = Site(_PAGE, _FILES)


class Handler(Protocol):
    """The object that answers the page: `Session` or `RatingSession`."""

    def handle(self, message: Any) -> Any:
        """Return the reply to a message: ``content`` and ``buffers``."""


class Access:
    """Who may use the server: codes that work once, and then a cookie.

    A code is part of an address, which other users may see in the list of processes; the cookie is not. The
    name of the cookie contains the port and its path a secret, so that other servers on this machine don't
    receive it.

    Parameters
    ----------
    port : int
        Of the server.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = f"mmdu-{port}"
        self.value = secrets.token_urlsafe(24)
        self.path = f"/{secrets.token_urlsafe(12)}/"
        self._codes: dict[str, float] = {}

    def address(self, seconds: float = float("inf")) -> str:
        """Return an address with a new code, which is valid for one request and some seconds."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = time.monotonic() + seconds
        return f"http://127.0.0.1:{self.port}/?code={code}"

    def take(self, code: str) -> bool:
        """Return whether a code is valid, and make it invalid."""
        given = code.encode("utf-8", "replace")
        for known, until in list(self._codes.items()):
            if secrets.compare_digest(given, known.encode()):
                del self._codes[known]
                return time.monotonic() < until
        return False

    def knows(self, value: str | None) -> bool:
        """Return whether a cookie is valid."""
        return secrets.compare_digest((value or "").encode("utf-8", "replace"), self.value.encode())


class _Guarded(RequestHandler):
    """Accept requests of the reader of this machine only: with the right host name and the cookie."""

    access: Access

    def initialize(self, access: Access) -> None:
        self.access = access

    def prepare(self) -> None:
        if self.request.host not in (f"127.0.0.1:{self.access.port}", f"localhost:{self.access.port}"):
            raise HTTPError(403, "not this server's name")
        if not self.allowed():
            raise HTTPError(403, "open the address that mmdu browse printed")

    def allowed(self) -> bool:
        known = self.access.knows(self.get_cookie(self.access.cookie))
        if known and self.request.connection is not None:
            self.settings["strangers"].pop(getattr(self.request.connection, "stream", None), None)
        return known

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")


class _Entrance(_Guarded):
    """Handle the first request, which exchanges the code for the cookie."""

    def allowed(self) -> bool:
        return self.access.take(self.get_argument("code", ""))

    def get(self) -> None:
        options: dict[str, Any] = {"httponly": True, "samesite": "Strict", "path": self.access.path}
        self.set_cookie(self.access.cookie, self.access.value, **options)
        self.redirect(self.access.path)  # the code leaves the address bar


class _PageHandler(_Guarded):
    def get(self) -> None:
        self.finish(self.settings["site"].page)


class _FileHandler(_Guarded):
    def get(self, name: str) -> None:
        kind, content = self.settings["site"].files[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.finish(content())


class _Socket(_Guarded, WebSocketHandler):
    session: Handler

    def open(self, *_: str, **__: str) -> None:
        self.session = self.settings["new_session"]()

    def on_message(self, message: str | bytes) -> None:
        try:
            asked = json.loads(message)
        except (ValueError, RecursionError):
            asked = {}
        ticket = asked.get("ticket") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or asked.get("kind") != "picture":
            return self._reply(self.session.handle(asked), ticket)
        # Decoding pictures and reading archives can be slow; other messages don't wait for them.
        # The small ones of the list have their own queue, so that those of the dialogue come first.
        queue = self.settings["minis" if asked.get("size") == "mini" else "pictures"]
        found = asyncio.wrap_future(queue.submit(self.session.handle, asked))
        found.add_done_callback(lambda done: self._reply(done.result(), ticket))
        return None

    def _reply(self, reply: Any, ticket: Any) -> None:
        content = reply.content | {"ticket": ticket, "bytes": bool(reply.buffers)}
        with contextlib.suppress(WebSocketClosedError):
            # Nothing may be sent in between: the page expects the bytes directly after their message.
            self.write_message(json.dumps(content))
            for data in reply.buffers:
                self.write_message(data, binary=True)


class _Server(HTTPServer):
    """A server that holds a limited number of connections without a cookie."""

    strangers: dict[IOStream, None]

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        for ended in [known for known in self.strangers if known.closed()]:
            del self.strangers[ended]
        if len(self.strangers) >= MAX_STRANGERS:
            oldest = next(iter(self.strangers))
            del self.strangers[oldest]
            oldest.close()
        self.strangers[stream] = None
        super().handle_stream(stream, address)


def serve(
    new_session: Callable[[], Handler],
    *,
    site: Site = BROWSER,
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
) -> None:
    """Serve the browser on loopback until Ctrl-C.

    Parameters
    ----------
    new_session : callable
        Returns a session for each window.
    site : Site, optional
        The page; by default the browser's.
    port : int, default 0
        0 takes a free one.
    open_browser : bool, default True
        Open the page in the user's web browser, unless that browser runs in the terminal.
    ready : callable
        Called with the address and its code, which is valid for one request, once the server listens.
    check : callable, optional
        Called several times a second; the server ends with the exception that it raises.

    Raises
    ------
    DataError
        If the port can't be used.
    """
    asyncio.run(_serve(new_session, site, port, open_browser, ready, check))


async def _serve(
    new_session: Callable[[], Handler],
    site: Site,
    port: int,
    open_browser: bool,
    ready: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    try:
        sockets = bind_sockets(port, "127.0.0.1")
    except (OSError, OverflowError) as error:
        raise DataError(f"port {port} on 127.0.0.1 can't be used ({error}); choose another one") from None
    access = Access(sockets[0].getsockname()[1])
    server = _listen(access, new_session, site)
    server.add_sockets(sockets)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not available on Windows, where Ctrl-C raises
            loop.add_signal_handler(name, ended.set)
    ready(access.address())
    if open_browser:
        threading.Thread(target=_open_window, args=(access.address(_CODE_SECONDS),), daemon=True).start()
    try:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _CHECK_SECONDS)
            check()
    except asyncio.CancelledError:
        pass
    finally:
        server.stop()
        await server.close_all_connections()


def _listen(access: Access, new_session: Callable[[], Handler], site: Site) -> HTTPServer:
    names = "|".join(name.replace(".", r"\.") for name in site.files)
    base, options = access.path, {"access": access}
    routes: list[Any] = [
        (r"/", _Entrance, options),
        (base, _PageHandler, options),
        (rf"{base}({names})", _FileHandler, options),
        (rf"{base}socket", _Socket, options),
    ]
    strangers: dict[IOStream, None] = {}
    settings: dict[str, Any] = {"new_session": new_session, "site": site, "strangers": strangers}
    settings |= {name: ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("pictures", "minis")}
    application = Application(
        routes, log_function=lambda _: None, websocket_max_message_size=MAX_MESSAGE, **settings
    )
    server = _Server(
        application,
        max_body_size=MAX_BODY,
        max_header_size=MAX_HEADER,
        idle_connection_timeout=_IDLE_SECONDS,
        body_timeout=_IDLE_SECONDS,
    )
    server.strangers = strangers
    return server


def _open_window(address: str) -> None:
    with contextlib.suppress(webbrowser.Error):
        controller = webbrowser.get()
        # GenericBrowser itself runs in the terminal (lynx, w3m) and would take it from the server.
        in_terminal = isinstance(controller, webbrowser.GenericBrowser) and not isinstance(
            controller, webbrowser.BackgroundBrowser
        )
        if not in_terminal:
            controller.open(address)
