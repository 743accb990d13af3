"""Spoil files at random, and kill commands at random moments: what must hold whatever comes.

``python -m benchmarks.faults`` takes 20,000 benchmark files, 20,000 judge replies and 100 kills; the test suite a
tenth of that.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mmdu_analysis import DataError, dialog_lengths, load_benchmark, parse_judge_reply
from tests.hub_server import Hub

TOKENS = [
    *(
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "1e999",
        "12345678901234567890",
    ),
    *(
        '"id"',
        '"image"',
        '"conversations"',
        '"from"',
        '"value"',
        "<ImageHere>",
        "\\ud800",
        "\\u0000",
        "\x00",
        "\ufeff",
    ),
    *("\r\n", "\n", "é", "\u2028", "<image>", "Image1", "图1", "[" * 200, '{"a":' * 200, " " * 5_000),
]
RAW = [b"\xff", b"\xfe\xff", b"\x80", b"\xed\xa0\x80", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x00"]
REPLY = """Assessment.
**Creativity: Score: 7** The answer is inventive.
Richness - Score: 6.5
{'Creativity': 7, 'Richness': 6, "Visual Perception": 8, 'Logical Coherence': 7, 'Answer Accuracy': None,
'Image Relationship Understanding': '5', 'Overall Score': 7}"""
REPLY_TOKENS = [
    *(
        "'",
        '"',
        "{",
        "}",
        ":",
        "：",
        ",",
        "**",
        "Score:",
        "Overall Score",
        "Creativity",
        "__import__('os').system('x')",
    ),
    *(
        "10",
        "-1",
        "1e9",
        "None",
        "nan",
        "[[[[",
        "lambda: 0",
        "\x00",
        "\ud800",
        "9" * 4_400,
        "{" * 500,
        "```python\n",
    ),
]


def records(rng: random.Random, count: int) -> list[dict[str, object]]:
    """Make some plain dialogues with different ids."""
    made: list[dict[str, object]] = []
    for number in range(count):
        talk = [
            {"from": "user", "value": "Image1: <ImageHere>. What is in Image1?"},
            {"from": "assistant", "value": "A cat."},
        ]
        made.append({"id": number, "image": ["/a.jpg"], "conversations": talk * rng.randint(1, 2)})
    return made


def spoiled(rng: random.Random, text: str, tokens: list[str], raw: list[bytes]) -> bytes:
    """Change a text in a few random places: cut, repeat, insert, replace, flip."""
    data = text.encode("utf-8", "surrogatepass")
    for _ in range(rng.randint(1, 4)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        near = min(end, at + rng.randint(0, 30))
        insert = (
            rng.choice(tokens).encode("utf-8", "surrogatepass") if rng.random() < 0.8 else rng.choice(raw)
        )
        data = rng.choice(
            [
                lambda d, a=at, i=insert: d[:a] + i + d[a:],
                lambda d, a=at, n=near, i=insert: d[:a] + i + d[n:],
                lambda d, a=at, n=near: d[:a] + d[n:],
                lambda d, a=at: d[:a],
                lambda d, a=at, n=near: d[:n] + d[a:],
            ]
        )(data)
    return data


def spoil_benchmarks(count: int, seed: int = 0) -> Iterator[str]:
    """Load spoiled benchmark files; yields what each ended in. Any other exception than `DataError` ends the run."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "b.json"
        for number in range(count):
            made = records(rng, rng.randint(1, 3))
            text = rng.choice(
                [
                    lambda m=made: json.dumps(m),
                    lambda m=made: json.dumps({str(r["id"]): r for r in m}),
                    lambda m=made: "\n".join(map(json.dumps, m)),
                ]
            )()
            path.write_bytes(spoiled(rng, text, TOKENS, RAW))
            start = time.perf_counter()
            try:
                bench = load_benchmark(path) if number % 2 else dialog_lengths(path)
                yield "loaded" if len(bench.turns if number % 2 else bench) else "empty"
            except DataError as error:
                yield "DataError" if "\n" not in str(error) else "DataError of several lines"
            assert time.perf_counter() - start < 10, path.read_bytes()


def spoil_replies(count: int, seed: int = 0) -> Iterator[str]:
    """Parse spoiled judge replies; each must end in scores from 0 to 10, or in a problem."""
    rng = random.Random(seed)
    for _ in range(count):
        text = spoiled(rng, REPLY, REPLY_TOKENS, RAW).decode("utf-8", "replace")
        start = time.perf_counter()
        reply = parse_judge_reply(text)
        assert time.perf_counter() - start < 2, text
        assert all(0 <= score <= 10 for score in reply.scores.values()), text
        assert reply.scores or reply.problem, text
        yield "scores" if reply.scores else "problem"


def whole(path: Path, hub: Hub) -> bool:
    """Tell whether a written file is whole: by its end, or against what the hub has."""
    data = path.read_bytes()
    if path.name in hub.files:
        return data == hub.files[path.name]
    if path.suffix == ".jpg":
        return len(data) == 10_000
    ends = {".png": b"IEND\xaeB`\x82", ".pdf": b"%%EOF", ".jsonl": b"}", ".md": b"|"}
    return bool(data) and data.rstrip().endswith(ends.get(path.suffix, b""))


NOTES = """
import sys
from mmdu_analysis.browser.notes import Notes
notes = Notes(sys.argv[1], "b")
for turn in range(100_000):
    notes.put("1", turn % 300, ["wrong"], "a note " * 50)
"""


def killable(folder: Path, hub: Hub) -> dict[str, tuple[list[str], float]]:
    """Give the commands that are killed: their arguments, and the seconds that they take at most."""
    mmdu = ["-m", "mmdu_analysis.cli"]
    only = [part for name in ("turns", "main_results", "gap_pairs") for part in ("--only", name)]
    return {
        "figures": ([*mmdu, "figures", *only, "--out", str(folder / "figures")], 5),
        "report": ([*mmdu, "report", "--format", "markdown", "--out", str(folder / "r.md")], 4),
        "notes": (["-c", NOTES, str(folder / "notes.jsonl")], 2),
        "download": ([*mmdu, "download", "benchmark", "--images", "--out", str(folder / "data")], 4),
    }


def kill_commands(count: int, seed: int = 0) -> Iterator[str]:
    """Kill figures, reports, downloads and the saving of notes at random moments; what is left must be whole."""
    rng = random.Random(seed)
    data = json.dumps(records(rng, 20_000)).encode()
    pictures = io.BytesIO()
    with zipfile.ZipFile(pictures, "w") as packed:
        for number in range(300):
            packed.writestr(f"mmdu_pics/{number}.jpg", rng.randbytes(10_000))
    hub = Hub({"benchmark.json": data, "mmdu_pics.zip": pictures.getvalue()})
    hub.slow = 0.002
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(folder / ".cache")}
        jobs = killable(folder, hub)
        for number in range(count):
            job = list(jobs)[number % len(jobs)]
            arguments, longest = jobs[job]
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
            )
            try:
                assert process.wait(rng.uniform(0.2, longest)) == 0, job  # not killed: it must have gone well
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.wait()
            found = [
                path
                for path in folder.rglob("*")
                if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            ]
            broken = [path for path in found if not whole(path, hub)]
            assert not broken, broken
            if number % (2 * len(jobs)) == 0:
                shutil.rmtree(folder / "figures", ignore_errors=True)
                shutil.rmtree(folder / "data", ignore_errors=True)
            yield job
    hub.shutdown()
    hub.server_close()


def tally(name: str, results: Iterator[str]) -> None:
    """Print how often each end was met."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result] = counts.get(result, 0) + 1
    print(f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items())), flush=True)


RUNS: dict[str, tuple[Callable[[int], Iterator[str]], int]] = {
    "spoiled benchmarks": (spoil_benchmarks, 20_000),
    "spoiled judge replies": (spoil_replies, 20_000),
    "kills": (kill_commands, 100),
}

if __name__ == "__main__":
    for name, (run, count) in RUNS.items():
        tally(name, run(count))
