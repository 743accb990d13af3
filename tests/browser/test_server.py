"""The browser's server: for its own reader only."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from mmdu_analysis.browser import server as module
from mmdu_analysis.browser.server import MAX_STRANGERS, Access

SERVER = """
import mmdu_analysis as mmdu
from mmdu_analysis.browser.server import serve
from mmdu_analysis.browser.session import Session
sample = mmdu.load_benchmark("sample")
serve(lambda: Session(sample), open_browser=False, ready=lambda address: print(address, flush=True))
"""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def fetch(address, data=None, **headers):
    """Return the status, the headers and the text of an address, redirects not followed."""
    request = urllib.request.Request(address, data=data, headers=headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, ""


async def connect(base, cookie, origin):
    """Ask over the WebSocket as a page from `origin` would; return the code of a refusal or the answer's kind."""
    request = HTTPRequest(f"{base.replace('http', 'ws')}socket", headers={"Cookie": cookie, "Origin": origin})
    try:
        found = await websocket_connect(request)
    except HTTPClientError as error:
        return error.code
    await found.write_message('{"kind": "start", "ticket": 1}')
    answer = json.loads(await found.read_message())
    found.close()
    return answer["kind"]


@pytest.fixture(scope="module")
def server():
    started = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    address = started.stdout.readline().strip()
    status, headers, _ = fetch(address)
    assert status == 302
    origin = address.partition("/?")[0]
    yield {
        "process": started,
        "address": address,
        "origin": origin,
        "base": origin + headers["Location"],
        "header": headers["Set-Cookie"],
        "cookie": headers["Set-Cookie"].partition(";")[0],
    }
    started.send_signal(signal.SIGINT)
    assert started.wait(10) == 0
    assert "Traceback" not in started.stderr.read()


def test_the_code_works_once_and_is_not_the_cookie(server):
    code = server["address"].partition("code=")[2]
    port = server["origin"].rpartition(":")[2]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server["origin"])
    assert fetch(server["address"])[0] == 403
    assert server["cookie"].startswith(f"mmdu-{port}=")
    assert code not in server["header"]
    assert "HttpOnly" in server["header"]
    assert "SameSite=Strict" in server["header"]
    path = server["base"].removeprefix(server["origin"])
    assert f"Path={path}" in server["header"]  # other servers on this host don't get it
    assert len(path) > 12
    command = (subprocess.run(["ps", "axww"], capture_output=True, text=True, check=False)).stdout
    assert server["cookie"].partition("=")[2] not in command


def test_only_the_reader_is_served(server):
    base, cookie, origin = server["base"], server["cookie"], server["origin"]
    status, headers, page = fetch(base, Cookie=cookie)
    assert (status, "socket.js" in page) == (200, True)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert fetch(f"{base}browser.js", Cookie=cookie)[0] == 200
    for path in ("", "browser.js", "socket"):
        assert fetch(base + path)[0] == 403
    for path in ("/", "/?code=wrong", "/?code="):
        assert fetch(origin + path)[0] == 403
        assert fetch(origin + path, Cookie=cookie)[0] == 403
    assert fetch(base, Cookie=cookie, Host="evil.example")[0] == 403
    assert fetch(f"{base}../session.py", Cookie=cookie)[0] == 404
    assert asyncio.run(connect(base, cookie, "http://evil.example")) == 403
    assert asyncio.run(connect(base, "", origin)) == 403
    assert asyncio.run(connect(base, cookie, origin)) == "start"


@pytest.mark.skipif(sys.platform != "linux", reason="other addresses of the loopback interface need Linux")
def test_the_server_listens_on_one_address_of_this_machine_only(server):
    port = int(server["origin"].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):  # any other address, such as that of the network
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_a_body_is_refused_before_it_is_read(server):
    port = int(server["origin"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000000000\r\n\r\n".encode()
        )
        received = b""
        while part := client.recv(1000):  # the connection ends without the body
            received += part
        assert received == b"" or received.startswith(b"HTTP/1.1 4")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        received = b""
        try:
            while part := client.recv(1000):
                received += part
        except ConnectionResetError:
            pass
        assert b"200" not in received


def test_a_body_that_is_small_but_too_large_is_not_waited_for(server):
    port = int(server["origin"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 5000\r\n\r\n".encode())
        received = b""
        while part := client.recv(1000):  # a server that waits for the body meets the time-out
            received += part
    assert received == b"" or received.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(("size", "answer"), [(1_000, b"HTTP/1.1 403"), (20_000, b"")])
def test_a_header_that_is_too_long_gets_no_answer(server, size, answer):
    port = int(server["origin"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nX: {'x' * size}\r\n\r\n".encode()
        )
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(1000):
                received += part
    assert received[:12] == answer


def test_connections_of_strangers_are_limited(server):
    port = int(server["origin"].rpartition(":")[2])
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(MAX_STRANGERS + 20)]
    try:
        assert asyncio.run(connect(server["base"], server["cookie"], server["origin"])) == "start"
        time.sleep(0.3)
        closed = 0
        for one in idle:
            one.setblocking(False)
            try:
                closed += one.recv(1) == b""
            except BlockingIOError:
                continue
        assert closed >= 20
    finally:
        for one in idle:
            one.close()


def test_a_code_of_the_window_ends():
    access = Access(1234)
    first, late = (access.address(seconds).partition("code=")[2] for seconds in (100, -1))
    assert access.take(first)
    assert not access.take(first)
    assert not access.take(late)
    assert not access.knows(None)
    assert not access.knows(first)
    assert access.knows(access.value)


@pytest.mark.parametrize(
    ("kind", "opened"), [(webbrowser.GenericBrowser, 0), (webbrowser.BackgroundBrowser, 1)]
)
def test_a_browser_of_the_terminal_is_not_started(monkeypatch, kind, opened):
    calls = []
    found = kind("w3m")
    monkeypatch.setattr(found, "open", lambda address: calls.append(address))
    monkeypatch.setattr(webbrowser, "get", lambda: found)
    module._open_window("http://127.0.0.1:1/")
    assert len(calls) == opened
