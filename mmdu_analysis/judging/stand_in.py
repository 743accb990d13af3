"""A simulated model and judge on this machine, to try the commands: ``python -m mmdu_analysis.judging.stand_in``.

Its replies are meaningless and marked as synthetic.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MOST_BYTES = 1 << 28
# The form and the scale of the scores in the prompts of this package.
_FORM = re.compile(r'^\{("[^\n]*": n)\}$', re.MULTILINE)
_VALUE = re.compile(r": n(?=,|$)")
_SCALE = re.compile(r"from (-?[\d.]+) \(worst\) to (-?[\d.]+) \(best\)")


@contextmanager
def stand_in(port: int = 0, reply: Callable[[str, int], str] | None = None) -> Iterator[str]:
    """Run a simulated model and judge in a thread.

    Parameters
    ----------
    port : int, default 0
        On 127.0.0.1; 0 takes a free one.
    reply : callable, optional
        Conversation as JSON, and number of the attempt -> the reply; by default `simulated_reply`.

    Yields
    ------
    str
        Its address, for ``base_url``. It accepts every model name. It returns synthetic answers, or synthetic
        scores if the prompt of a judge asks for them; repeated requests get different scores.

    Examples
    --------
    >>> import tempfile
    >>> import mmdu_analysis as mmdu
    >>> with stand_in() as url, tempfile.TemporaryDirectory() as folder:
    ...     len(mmdu.answer("sample", folder, "simulated", base_url=url, limit=1))
    14
    """
    asked: Counter[bytes] = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, asked, reply or simulated_reply))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, asked: Counter[bytes], reply: Callable[[str, int], str], *arguments: Any) -> None:
        self._asked, self._reply = asked, reply
        super().__init__(*arguments)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST_BYTES:
            self._send(413, {"error": {"message": "too large"}})
            return
        try:
            body = json.loads(self.rfile.read(int(length)))
            conversation = json.dumps(body["messages"])
        except (ValueError, KeyError, TypeError, RecursionError):
            self._send(400, {"error": {"message": "not a chat request"}})
            return
        key = hashlib.sha256(conversation.encode()).digest()
        self._asked[key] += 1
        text = self._reply(conversation, self._asked[key])
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(conversation.split()), "completion_tokens": len(text.split())}
        named = {"id": "synthetic", "object": "chat.completion", "created": 0, "model": body.get("model")}
        self._send(200, {**named, "choices": [choice], "usage": usage})

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "simulated", "object": "model"}]})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Discard log messages."""


def simulated_reply(conversation: str, time: int = 1) -> str:
    """Return a simulated reply that depends on the conversation and the number of the attempt.

    Parameters
    ----------
    conversation : str
        All messages, as JSON.
    time : int, default 1
        Number of the attempt.

    Returns
    -------
    str
        Scores if the conversation has a line such as ``{"Creativity": n, "Richness": n}``, else an answer.
    """
    seed = int(hashlib.sha256(conversation.encode()).hexdigest()[:12], 16)
    forms = (_FORM.search(text) for text in _texts(json.loads(conversation)))
    form = next((found for found in forms if found), None)
    if form is None:
        return f"A synthetic answer, number {seed % 10_000}, written without looking at the pictures."
    rng = random.Random(seed + time)  # noqa: S311 - no secret depends on it
    scale = _SCALE.search(form.string)
    low, high = (float(scale[1]), float(scale[2])) if scale else (0.0, 10.0)
    scores = {}
    for number, name in enumerate(json.loads(f"[{_VALUE.sub('', form[1])}]")):
        tenths = 4 + (seed >> (4 * number)) % 4 + rng.randint(0, 2)
        scores[name] = round(low + (high - low) * tenths / 10)
    return f"Synthetic scores without a reason.\n{json.dumps(scores, ensure_ascii=False)}"


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts of a decoded conversation."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def main(reply: Callable[[str, int], str] | None = None) -> None:
    """Run until Ctrl-C; the first argument is the port, 8000 by default."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with stand_in(port, reply) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("mmdu: stopped\n")


if __name__ == "__main__":
    main()
