"""A server on loopback that behaves like the Hugging Face hub, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves `files` (name -> bytes) as the dataset laolao77/MMDU.

    ``status`` answers everything with that code; ``cut`` closes a download after that many bytes, ``cuts``
    times; ``spoil`` changes a byte of what is sent; ``slow`` waits between pieces.
    """

    def __init__(self, files):
        self.files, self.status, self.cut, self.cuts = files, 200, 0, 1
        self.spoil, self.requests, self.pause = False, [], threading.Event()
        self.slow = 0.0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Say nothing of clients that were killed."""

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(("POST", self.path, self.headers.get("Range"), dict(self.headers)))
        if self.server.status != 200:
            self.answer(self.server.status, b'{"error": "no"}')
            return
        try:
            wanted = json.loads(body)["paths"]
        except ValueError:
            from urllib.parse import parse_qs

            wanted = parse_qs(body.decode())["paths"]
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": "a" * 40}
            | {"lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}}
            for name, data in self.server.files.items()
            if name in wanted
        ]
        self.answer(200, json.dumps(entries).encode(), [("Content-Type", "application/json")])

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server
        hub.requests.append((self.command, self.path, self.headers.get("Range"), dict(self.headers)))
        data = hub.files.get(self.path.rpartition("/")[2])
        if hub.status != 200 or data is None:
            self.answer(hub.status if hub.status != 200 else 404, b"no")
            return
        digest = hashlib.sha256(data).hexdigest()
        common = [("ETag", f'"{digest}"'), ("X-Repo-Commit", COMMIT), ("Accept-Ranges", "bytes")]
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        part = data[start:]
        if start:
            common.append(("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"))
        if self.command == "HEAD":
            self.answer(200, b"", [*common, ("Content-Length", str(len(data)))])
            return
        if hub.spoil:
            part = bytes([part[0] ^ 1]) + part[1:]
        self.send_response(206 if start else 200)
        for name, value in [*common, ("Content-Length", str(len(part)))]:
            self.send_header(name, value)
        self.end_headers()
        if hub.cut and hub.cuts > 0:
            hub.cuts -= 1
            self.wfile.write(part[: hub.cut])
            self.wfile.flush()
            self.connection.close()
            return
        for at in range(0, len(part), 1 << 14):
            self.wfile.write(part[at : at + (1 << 14)])
            if hub.slow:
                hub.pause.wait(hub.slow)
