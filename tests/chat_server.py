"""A server on loopback that speaks the chat protocol over real HTTP, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

SCORED = ("Creativity", "Richness", "Visual Perception", "Logical Coherence", "Answer Accuracy")
SCORED += ("Image Relationship Understanding", "Overall Score")


@dataclass
class Fault:
    """What a request meets instead of an answer."""

    status: int = 0
    body: object = None
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    cut: str = ""  # "before": the connection ends; "within": in the middle of the reply
    text: str | None = None  # the model's reply


def said(body):
    """All texts of a conversation, pictures as their fingerprints."""
    parts = []
    for message in body["messages"]:
        content = message["content"]
        for part in [content] if isinstance(content, str) else content:
            if isinstance(part, str):
                parts.append(part)
            elif part["type"] == "text":
                parts.append(part["text"])
            else:
                parts.append(hashlib.sha256(part["image_url"]["url"].encode()).hexdigest())
    return "\n".join(parts)


def reply_to(body):
    """Always the same reply to the same conversation."""
    text = said(body)
    seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    if "Overall Score" in text:
        scores = {name: 1 + (seed >> (4 * place)) % 10 for place, name in enumerate(SCORED)}
        return f"Reasons: it depends.\n{json.dumps(scores)}"
    return f"A made-up answer, number {seed}."


class ChatServer:
    """Runs in a thread; `fault(number, body)` gives a `Fault` or None for each request."""

    def __init__(self, fault=lambda number, body: None, delay=0.0, reply=reply_to):
        self.fault, self.delay, self.reply = fault, delay, reply
        self.requests, self.arrived, self.keys, self.handling = [], [], set(), []
        self.at_once = self.most_at_once = 0
        self.statuses = Counter()

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, ready):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader, writer):
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start = time.perf_counter()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.keys.add(headers.get("authorization"))
        if "/models" in first:
            return await self._send(
                writer, 200, {"object": "list", "data": [{"id": "this-one", "object": "model"}]}
            )
        body = json.loads(raw)
        self.requests.append(body)
        self.arrived.append(time.monotonic())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(writer, len(self.requests), body)
        finally:
            self.at_once -= 1
            self.handling.append(time.perf_counter() - start)

    async def _answer(self, writer, number, body):
        fault = self.fault(number, body) or Fault()
        await asyncio.sleep(fault.delay or self.delay)
        if fault.cut == "before":
            self.statuses["cut"] += 1
            writer.transport.abort()
            return False
        if fault.status:
            return await self._send(
                writer, fault.status, fault.body or {"error": {"message": "no"}}, fault.headers
            )
        if fault.body is not None:
            return await self._send(writer, 200, fault.body)
        text = self.reply(body) if fault.text is None else fault.text
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(said(body).split()), "completion_tokens": len(text.split())}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        return await self._send(writer, 200, {**whole, "choices": [choice], "usage": usage}, cut=fault.cut)

    async def _send(self, writer, status, content, headers=(), cut=""):
        self.statuses[status] += 1
        raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(raw)}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (raw[: len(raw) // 2] if cut else raw))
        await writer.drain()
        if cut:
            writer.transport.abort()
        return not cut


def some_faults(seed=0, share=0.3):
    """Give a random mixture of what servers do."""
    rng = random.Random(seed)
    kinds = [
        lambda: Fault(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"}),
        lambda: Fault(500, "<html>Internal Server Error</html>"),
        lambda: Fault(503, {"error": {"message": "overloaded"}}),
        lambda: Fault(cut="before"),
        lambda: Fault(cut="within"),
        lambda: Fault(body='{"choices": [{"mess'),
        lambda: Fault(delay=0.05),
    ]
    return lambda number, body: rng.choice(kinds)() if rng.random() < share else None


def main():
    """Serve in a process of its own; each line that comes in is answered with what was measured since the last."""
    with ChatServer(delay=float(sys.argv[1])) as server:
        print(server.url, flush=True)
        for _ in sys.stdin:
            told = {
                "requests": len(server.requests),
                "latency": sum(server.handling) / max(1, len(server.handling)),
                "seconds": server.arrived[-1] - server.arrived[0] if server.arrived else 0,
                "at_once": server.most_at_once,
            }
            server.requests, server.arrived, server.handling, server.most_at_once = [], [], [], 0
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
