"""The browser in a window of its own: a small server on loopback, for one reader."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from mmdu_analysis.browser.session import Session
from mmdu_analysis.schema import DataError

STATIC = Path(__file__).parent / "static"
_FILES = {
    "browser.js": "text/javascript",
    "socket.js": "text/javascript",
    "browser.css": "text/css",
    "own.css": "text/css",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>mmdu browse</title><link rel="stylesheet" href="own.css">
</head><body><div id="browser"></div><script type="module" src="socket.js"></script></body></html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Guarded(RequestHandler):
    """Only this machine's own reader: the right host name, and the token or the cookie that it gave."""

    def prepare(self) -> None:
        port = self.settings["port"]
        if self.request.host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            raise HTTPError(403, "not this server's name")
        given = self.get_argument("token", "") or self.get_cookie(self.settings["cookie"], "") or ""
        if not secrets.compare_digest(given.encode(), self.settings["token"].encode()):
            raise HTTPError(403, "open the address that mmdu browse printed")

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")


class _PageHandler(_Guarded):
    def get(self) -> None:
        if self.get_argument("token", ""):
            options: dict[str, Any] = {"httponly": True, "samesite": "Strict"}
            self.set_cookie(self.settings["cookie"], self.settings["token"], **options)
            self.redirect("/")  # the token leaves the address bar
            return
        self.finish(_PAGE)


class _FileHandler(_Guarded):
    def get(self, name: str) -> None:
        self.set_header("Content-Type", f"{_FILES[name]}; charset=utf-8")
        self.finish((STATIC / name).read_bytes())


class _Socket(_Guarded, WebSocketHandler):
    session: Session

    def open(self, *_: str, **__: str) -> None:
        self.session = self.settings["new_session"]()

    async def on_message(self, message: str | bytes) -> None:
        try:
            asked = json.loads(message)
        except ValueError:
            asked = {}
        reply = self.session.handle(asked)
        ticket = asked.get("ticket") if isinstance(asked, dict) else None
        content = reply.content | {"ticket": ticket, "bytes": bool(reply.buffers)}
        await self.write_message(json.dumps(content))
        for data in reply.buffers:
            await self.write_message(data, binary=True)


def serve(
    new_session: Callable[[], Session],
    *,
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the browser on loopback until Ctrl-C.

    Parameters
    ----------
    new_session : callable
        Makes a session for each window.
    port : int, default 0
        0 takes a free one.
    open_browser : bool, default True
        Open the user's web browser on it.
    ready : callable, default print
        Told the address, with its token, once the server listens.

    Raises
    ------
    DataError
        If the port can't be had.
    """
    asyncio.run(_serve(new_session, port, open_browser, ready))


async def _serve(
    new_session: Callable[[], Session], port: int, open_browser: bool, ready: Callable[[str], None]
) -> None:
    try:
        sockets = bind_sockets(port, "127.0.0.1")
    except (OSError, OverflowError) as error:
        raise DataError(f"port {port} on 127.0.0.1 can't be had ({error}); leave --port out") from None
    port = sockets[0].getsockname()[1]
    token = secrets.token_urlsafe(24)
    settings: dict[str, Any] = {
        "token": token,
        "port": port,
        "cookie": f"mmdu-{port}",
        "new_session": new_session,
    }
    names = "|".join(name.replace(".", r"\.") for name in _FILES)
    routes: list[Any] = [(r"/", _PageHandler), (rf"/({names})", _FileHandler), (r"/socket", _Socket)]
    server = HTTPServer(Application(routes, log_function=lambda _: None, **settings))
    server.add_sockets(sockets)
    address = f"http://127.0.0.1:{port}/?token={token}"
    ready(address)
    if open_browser:
        webbrowser.open(address)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has none; Ctrl-C raises there
            loop.add_signal_handler(name, ended.set)
    with contextlib.suppress(asyncio.CancelledError):
        await ended.wait()
    server.stop()
    await server.close_all_connections()
