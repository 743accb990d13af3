"""A server on loopback that speaks the chat protocol over real HTTP, and misbehaves as a test wants."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field

SCORED = ("Creativity", "Richness", "Visual Perception", "Logical Coherence", "Answer Accuracy")
SCORED += ("Image Relationship Understanding", "Overall Score")


STALL = 0.8
"""Seconds until the only byte of a reply that stalls."""


@dataclass
class Fault:
    """What a request meets instead of an answer."""

    status: int = 0
    body: object = None
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    cut: str = ""  # "before": the connection ends; "within": in the middle of the reply
    text: str | None = None  # the model's reply
    message: dict = field(default_factory=dict)  # other fields of its message, such as reasoning_content
    finish: str = "stop"  # finish_reason
    usage: object = None  # instead of the counts
    flow: str = ""  # "drip", "drip-head", "stall", "endless", "endless-head", "bomb": how the reply is sent


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
    return f"A simulated answer, number {seed}."


# Models that think, as their servers send them. The drafts are scores and answers that must not be taken.

DRAFT = "A draft: Creativity: 1, Overall Score: 1, or {'Creativity': 2, 'Overall Score': 2}? No."
THINKING = {
    "field": lambda text: {"content": text, "reasoning_content": DRAFT},
    "other field": lambda text: {"content": text, "reasoning": DRAFT},
    "tags": lambda text: {"content": f"<think>\n{DRAFT}\n</think>\n\n{text}"},
    "closing tag": lambda text: {"content": f"{DRAFT}\n</think>\n\n{text}"},
    "parts": lambda text: {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]},
            {"type": "text", "text": text},
        ]
    },
}
CUT_IN_THINKING = {
    "field": {"content": None, "reasoning_content": DRAFT},
    "empty": {"content": "", "reasoning_content": DRAFT},
    "tag": {"content": f"<think>\n{DRAFT}"},
}


def thinks(form, inner=None):
    """A reply function whose model thinks first."""
    return lambda body: THINKING[form]((inner or reply_to)(body))


def nested_verdict(body):
    """A judge whose scores stand in nested JSON, each with its reason."""
    scores = json.loads(reply_to(body).splitlines()[-1])
    return json.dumps(
        {name: {"score": score, "reason": "7 of 10 would say 3."} for name, score in scores.items()}
    )


def refusing(*names):
    """A fault function: the server refuses parameters, in OpenAI's words."""
    words = {
        "max_tokens": (
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ),
        "temperature": (
            "unsupported_value",
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
        ),
        "response_format": (
            "invalid_request_error",
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        ),
    }

    def fault(number, body):
        for name in names:
            if name in body:
                code, message = words[name]
                return Fault(400, {"error": {"message": message, "code": code, "param": name}})
        return None

    return fault


def limited_to(most):
    """A fault function: the server takes so many pictures in one request."""

    def fault(number, body):
        parts = [p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]]
        many = sum(part["type"] == "image_url" for part in parts)
        text = f"At most {most} image(s) may be provided in one request."
        return Fault(400, {"error": {"message": text}}) if many > most else None

    return fault


class ChatServer:
    """Runs in a thread; `fault(number, body)` gives a `Fault` or None for each request."""

    def __init__(self, fault=lambda number, body: None, delay=0.0, reply=reply_to):
        self.fault, self.delay, self.reply = fault, delay, reply
        self.requests, self.arrived, self.keys, self.handling = [], [], set(), []
        self.gets, self.models = [], ["this-one"]
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
            data = [{"id": name, "object": "model"} for name in self.models]
            return await self._send(writer, 200, {"object": "list", "data": data})
        if first.startswith("GET"):  # what a client asks that follows a redirect
            self.gets.append(first)
            return await self._send(writer, 200, self._completion({"model": "m"}, "Redirected.", Fault()))
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
        if fault.flow:
            return await self._flow(writer, fault.flow)
        text = self.reply(body) if fault.text is None else fault.text
        return await self._send(writer, 200, self._completion(body, text, fault), cut=fault.cut)

    @staticmethod
    def _completion(body, text, fault):
        message = (
            {"role": "assistant"} | (text if isinstance(text, dict) else {"content": text}) | fault.message
        )
        choice = {"index": 0, "message": message, "finish_reason": fault.finish}
        usage = fault.usage
        if usage is None:
            asked = said(body).split() if "messages" in body else []
            usage = {"prompt_tokens": len(asked), "completion_tokens": len(str(text).split())}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        return {**whole, "choices": [choice], "usage": usage}

    async def _flow(self, writer, kind):
        """Send a reply without end, until the client hangs up."""
        self.statuses[kind] += 1
        start = b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\n"
        if kind == "bomb":
            packer = zlib.compressobj(9, wbits=31)
            raw = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
            head = f"Content-Encoding: gzip\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
            writer.write(start + head + raw)
            await writer.drain()
            return True
        if kind in ("drip", "stall", "endless"):
            start += b"Content-Length: 100000000000\r\n\r\n"
        writer.write(start)
        if kind == "stall":
            await asyncio.sleep(STALL)
            writer.write(b" ")
            await asyncio.sleep(10 * STALL)
        while True:
            slow = kind.startswith("drip")
            part = b" " if slow else b" " * (1 << 16)
            writer.write(b"x: y\r\n" if kind == "endless-head" else b"x" if kind == "drip-head" else part)
            await writer.drain()
            if slow:
                await asyncio.sleep(0.02)

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
