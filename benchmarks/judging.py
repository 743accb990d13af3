"""How near a run comes to what its server allows: turns x latency / concurrency."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.results import Result

CASES = ((0.02, 1), (0.02, 4), (0.02, 8), (0.1, 8), (0.1, 16))
"""Seconds that the server takes, and requests at once."""
SERVER = Path(__file__).parents[1] / "tests" / "chat_server.py"


class Server:
    """The tests' server, in a process of its own."""

    def __init__(self, latency: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(latency)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def measured(self) -> dict[str, Any]:
        """Give what it saw since it was last asked; seconds from the first request to the last."""
        assert self.process.stdin is not None
        print("", file=self.process.stdin, flush=True)
        return json.loads(self._line())


def script(url: str, texts: list[str], concurrency: int) -> None:
    """Go the plain way: the openai client in a pool of threads, all results written at the end."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="none")

    def ask(text: str) -> str | None:
        message = {"role": "user", "content": text}
        reply = client.chat.completions.create(model="m", messages=[message])
        return reply.choices[0].message.content

    with ThreadPoolExecutor(concurrency) as pool, tempfile.TemporaryFile("w") as file:
        json.dump(list(pool.map(ask, texts)), file)


def against_the_limit() -> Iterator[Result]:
    """Answer and judge 1,645 turns; each is measured at the server, start-up left out on all sides."""
    import mmdu_analysis as mmdu
    from mmdu_analysis.synthetic.sample import write_sample

    os.environ.setdefault("OPENAI_API_KEY", "none")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        bench = mmdu.load_benchmark(write_sample(out / "sample"))
        for latency, concurrency in CASES:
            name = f"{latency}-{concurrency}"
            case = f"1,645 turns at {1e3 * latency:.0f} ms, {concurrency} at once"
            with Server(latency) as server:
                options = {"base_url": server.url, "concurrency": concurrency, "progress": False}
                answers = mmdu.answer(bench, out / f"answers-{name}", "m", **options)
                yield share(f"answer {case}", server.measured(), concurrency)
                scores = mmdu.judge(bench, answers, out / f"scores-{name}", "m", images="none", **options)
                judged = server.measured()
                assert scores["score"].notna().all()
                yield share(f"judge {case}", judged, concurrency)
                script(server.url, answers["answer"].tolist(), concurrency)
                plain = server.measured()["seconds"]
                yield Result(f"judge {case}", "script: openai client in threads", judged["seconds"], plain)


def share(what: str, measured: dict[str, Any], concurrency: int) -> Result:
    """Compare with what the server allows, at the latency that it measured itself."""
    assert measured["requests"] == 1645
    assert measured["at_once"] <= concurrency
    limit = measured["requests"] * measured["latency"] / concurrency
    print(f"the server took {1e3 * measured['latency']:.1f} ms a request")
    return Result(what, "limit: turns x latency / concurrency", measured["seconds"], limit)
