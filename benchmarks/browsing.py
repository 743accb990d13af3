"""How long ``mmdu browse`` takes until its page has the first list of dialogues, as a page of its own would ask."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

_ROWS = 40
_PAUSE = 0.02


def first_list(*arguments: str | Path) -> tuple[float, float]:
    """Return the seconds from the start of the command to the page's first answer, and to the first list."""
    command = [sys.executable, "-m", "mmdu_analysis.cli", "browse", "--no-open", *map(str, arguments)]
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        page, rows = asyncio.run(_ask(server.stdout.readline().strip()))
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
    return page - start, rows - start


async def _ask(address: str) -> tuple[float, float]:
    socket = await _connect(address)
    reply = await _reply(socket, {"kind": "start"})
    page = time.perf_counter()
    while reply["kind"] == "loading":
        await asyncio.sleep(_PAUSE)
        reply = await _reply(socket, {"kind": "start"})
    rows = (await _reply(socket, {"kind": "list", "start": 0, "count": _ROWS}))["rows"]
    listed = time.perf_counter()
    assert len(rows) == _ROWS
    assert all(row["words"] for row in rows)
    socket.close()
    return page, listed


async def _connect(address: str) -> WebSocketClientConnection:
    """Exchange the code of the address for the cookie, and connect as the page does."""
    origin = address.partition("/?")[0]
    answer = await AsyncHTTPClient().fetch(address, follow_redirects=False, raise_error=False)
    headers = answer.headers
    cookie = headers["Set-Cookie"].partition(";")[0]
    url = f"{origin.replace('http', 'ws', 1)}{headers['Location']}socket"
    return await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie, "Origin": origin}))


async def _reply(socket: WebSocketClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    await socket.write_message(json.dumps(message | {"ticket": 1}))
    found: dict[str, Any] = json.loads(str(await socket.read_message()))
    return found


def write_pictures(archive: Path, paths: list[str]) -> None:
    """Write an archive with a small picture for each path."""
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(picture, "JPEG")
    with zipfile.ZipFile(archive, "w") as packed:
        for path in paths:
            packed.writestr(path.lstrip("/"), picture.getvalue())
